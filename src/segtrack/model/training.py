"""A finished training's folder, the same for every family."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from segtrack.base.atomic import write_whole
from segtrack.base.errors import DataError
from segtrack.base.metrics import Report
from segtrack.model.port import Network, TrainingData, Weights
from segtrack.settings import TrainerSettings

FACTS = "train.json"


@dataclass(frozen=True)
class Training:
    """A finished training's folder.

    Attributes:
        weights: of the best epoch.
        epochs: that were trained. best_epoch: counted from 1.
    """

    folder: Path
    weights: Weights
    epochs: int
    best_epoch: int

    @staticmethod
    def load(folder: Path) -> Training:
        """Open ``folder``.

        Raises:
            DataError: the folder holds no finished training.
        """
        path = folder / FACTS
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, json.JSONDecodeError) as error:
            raise DataError(f"{path}: not readable as a finished training ({error})") from error
        file = folder / raw["file"]
        weights = Weights(file, raw["sha256"], "trained", tuple(raw["names"]), raw["imgsz"])
        return Training(folder, weights, raw["epochs"], raw["best_epoch"])


def finished(folder: Path) -> bool:
    """Whether a training in ``folder`` was finished."""
    return (folder / FACTS).is_file()


def write_training(training: Training, network: Network) -> None:
    """Say of ``training.folder`` that it is finished; the last thing that a training does.

    Args:
        training: with weights below its folder.
        network: that it began with.
    """
    weights, start = training.weights, network.weights
    facts = {
        "epochs": training.epochs,
        "best_epoch": training.best_epoch,
        "names": list(weights.names),
        "imgsz": weights.imgsz,
        "model": network.settings.name,
        "start_origin": start.origin,
        "start_sha256": start.sha256,
        "file": weights.path.relative_to(training.folder).as_posix(),
        "sha256": weights.sha256,
    }
    write_whole(training.folder / FACTS, json.dumps(facts, indent=1))


def train(
    data: TrainingData,
    network: Network,
    trainer: TrainerSettings,
    seed: int,
    folder: Path,
    report: Report,
) -> None:
    """Train as the network's family does; ``Training`` opens the folder afterwards.

    Where ``folder`` holds the remains of a killed attempt, the training goes on from there.

    Args:
        data: its ``train`` split is learnt from, ``val`` chooses the epoch.
        network: with the weights to begin with.
        report: gets losses and validation scores with step = epoch, from 1.

    Raises:
        SettingsError: settings or the device are not possible.
        StageError: the training diverged or failed.
    """
    network.family.train(data, network, trainer, seed, folder, report)
