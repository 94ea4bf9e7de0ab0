"""A family of models from outside of the package: bright blobs are objects.

``SEGTRACK_PLUGINS=tests.plugins.toy_family`` makes it known, ``model=toy-bright`` chooses it. Its
weights are a JSON file: class names, input size, and the brightness from which on a pixel is of an
object. It is trained by moving that brightness, and needs neither torch nor ultralytics.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segtrack.base.errors import DataError
from segtrack.base.files import digest, file_digest
from segtrack.base.metrics import Report
from segtrack.base.rle import encode_box
from segtrack.model import (
    Detector,
    FeatureExtractor,
    ModelFamily,
    Network,
    Request,
    Training,
    TrainingData,
    Weights,
    register_family,
    wanted_classes,
    write_training,
)
from segtrack.settings import ModelSettings, TrainerSettings

if TYPE_CHECKING:  # importing a plugin is light: what does the work is imported where it works
    import numpy as np

    from segtrack.model import FrameDetections

SCRATCH = 255.0  # nothing is that bright


@dataclass
class ToySettings(ModelSettings):
    """What every model has, and the smallest object."""

    min_pixels: int = 4


class ToyFamily(ModelFamily):
    """Everything that a family must give, and nothing more."""

    name = "toy"
    models = ("toy-bright",)
    settings = ToySettings
    libraries = ("opencv-python",)
    suffix = ".json"
    trains_with = frozenset({"epochs", "imgsz"})

    def read(self, settings: ModelSettings, path: Path, origin: str, note: str = "") -> Weights:
        content = _content(path)
        names = tuple(content["names"])
        return Weights(path, file_digest(path), origin, names, content["imgsz"], note)

    def scratch(self, settings: ModelSettings, note: str = "") -> Weights:
        return Weights(Path(f"{settings.name}.json"), digest(SCRATCH), "scratch", (), 64, note)

    def detector(self, network: Network, request: Request) -> Detector:
        return ToyDetector(network, request)

    embeds = True

    def extractor(self, network: Network) -> FeatureExtractor:
        return ToyFeatures()

    def train(
        self,
        data: TrainingData,
        network: Network,
        trainer: TrainerSettings,
        seed: int,
        folder: Path,
        report: Report,
    ) -> None:
        imgsz = trainer.imgsz or network.weights.imgsz
        bright, dark = _brightness(data.yolo_yaml, "train")
        threshold, middle = bright, (bright + dark) / 2
        for epoch in range(1, trainer.epochs + 1):
            threshold = bright - (bright - middle) * epoch / trainer.epochs
            report("train/loss", abs(threshold - middle), epoch)
        path = folder / "weights" / "best.json"
        path.parent.mkdir(exist_ok=True)
        content = {"names": list(data.names), "imgsz": imgsz, "threshold": threshold}
        path.write_text(json.dumps(content), encoding="utf-8")
        weights = Weights(path, file_digest(path), "trained", data.names, imgsz)
        write_training(Training(folder, weights, trainer.epochs, trainer.epochs), network)

    def compute(
        self, network: Network, trainer: TrainerSettings | None = None
    ) -> Mapping[str, str]:
        return {"device": "cpu", "precision": "float64"}


@dataclass(frozen=True)
class ToyDetections:
    """Boxes and patches of one image's blobs, best score first."""

    shape: tuple[int, int]
    class_id: int
    blobs: list[tuple[float, int, int, np.ndarray]]  # score, left, top, bool (h, w)

    def decode(self, frame: int) -> FrameDetections:
        import numpy as np

        from segtrack.model import FrameDetections

        boxes = [(x, y, x + m.shape[1], y + m.shape[0]) for _, x, y, m in self.blobs]
        return FrameDetections(
            frame,
            np.full(len(self.blobs), self.class_id, np.int16),
            np.array([score for score, *_ in self.blobs], np.float32),
            np.array(boxes, np.float32).reshape(-1, 4),
            [encode_box(mask, *self.shape, (x, y)) for _, x, y, mask in self.blobs],
        )


class ToyDetector:
    """Blobs of bright pixels; all are of the first class that is wanted."""

    def __init__(self, network: Network, request: Request) -> None:
        self.class_id = next(i for i in wanted_classes(network.weights, request) if i >= 0)
        self.threshold = float(_content(network.weights.path)["threshold"])
        assert isinstance(network.settings, ToySettings)
        self.min_pixels = network.settings.min_pixels
        self.imgsz = network.settings.imgsz or network.weights.imgsz
        self.batch = network.batch_size
        self.request = request

    def prepare(self, image: np.ndarray) -> Any:
        return image.astype(float).mean(2)

    def predict(self, images: Sequence[Any]) -> list[ToyDetections]:
        return [
            ToyDetections(image.shape, int(self.class_id), self._blobs(image)) for image in images
        ]

    def _blobs(self, image: np.ndarray) -> list[tuple[float, int, int, np.ndarray]]:
        import cv2
        import numpy as np

        count, labels, stats, _ = cv2.connectedComponentsWithStats(
            (image >= self.threshold).astype(np.uint8)
        )
        found = []
        for i in range(1, count):
            x, y, w, h, area = stats[i].tolist()
            mask = labels[y : y + h, x : x + w] == i
            score = float(image[y : y + h, x : x + w][mask].mean() / 255)
            if area >= self.min_pixels and score >= self.request.conf_floor:
                found.append((score, x, y, mask))
        found.sort(key=lambda blob: -blob[0])
        return found[: self.request.max_det]


class ToyFeatures:
    """Brightness of an image: of its lower and its upper half, and their contrast."""

    batch = 2

    def prepare(self, image: np.ndarray) -> Any:
        return image.astype(float).mean(2)

    def features(self, images: Sequence[Any]) -> np.ndarray:
        import numpy as np

        rows = [
            [half.mean() for half in np.array_split(image, 2)] + [image.std()] for image in images
        ]
        return np.array(rows, np.float32)


def _content(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {key: content[key] for key in ("names", "imgsz", "threshold")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"model.weights={path}: no weights of the toy ({error})") from error


def _brightness(data_yaml: Path, split: str) -> tuple[float, float]:
    """Mean brightness inside and outside of the labels of a split."""
    import numpy as np

    inside: list[float] = []
    outside: list[float] = []
    for image, mask in _labelled(data_yaml, split):
        if mask.any():
            inside.append(float(image[mask].mean()))
        if not mask.all():
            outside.append(float(image[~mask].mean()))
    return float(np.mean(inside)), float(np.mean(outside))


def _labelled(data_yaml: Path, split: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Grey images (H, W) with the union of their labels, bool (H, W)."""
    import cv2
    import numpy as np
    import yaml

    description = yaml.safe_load(data_yaml.read_text(encoding="utf-8"))
    root = data_yaml.parent / str(description.get("path") or ".")
    folder = root / str(description[split])
    for path in sorted(folder.rglob("*.*")):
        image = cv2.imread(str(path))
        mask = np.zeros(image.shape[:2], np.uint8)
        label = Path(str(path).replace("/images/", "/labels/")).with_suffix(".txt")
        for line in label.read_text().splitlines() if label.is_file() else ():
            corners = np.array([float(v) for v in line.split()[1:]]).reshape(-1, 2)
            points = np.round(corners * [image.shape[1], image.shape[0]]).astype(np.int32)
            cv2.fillPoly(mask, [points], 1)
        yield image.astype(float).mean(2), mask > 0


register_family(ToyFamily())
