"""Train on drawn images and die without warning; run by test_train.py as a process of its own.

killed.py DATA FOLDER WEIGHTS EPOCH: dies once the last number of that epoch is reported.
"""

import os
import signal
import sys
import types
from pathlib import Path

from segtrack.base.metrics import MetricsFile
from segtrack.model import Network, train
from segtrack.model.ultralytics.settings import YoloSegSettings
from segtrack.model.ultralytics.weights import read_weights
from tests.model.ultralytics.conftest import NAMES, smallest


def main() -> None:
    data, folder, weights, last = sys.argv[1:]
    metrics = MetricsFile(Path(folder))

    def report(name: str, value: float, step: int = 0) -> None:
        metrics(name, value, step)
        if (name, step) == ("val/dfl_loss", int(last)):
            os.kill(os.getpid(), signal.SIGKILL)

    dataset = types.SimpleNamespace(names=NAMES, yolo_yaml=Path(data) / "data.yaml")
    start = read_weights(Path(weights), "path")
    model = YoloSegSettings(name="yolov8n-seg")
    network = Network(model, start, "cpu")
    train(dataset, network, smallest(epochs=3), 0, Path(folder), report)


if __name__ == "__main__":
    main()
