"""Checkpoints of a training: what to continue from, and the weights that remain at the end."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segtrack.base.atomic import whole_file
from segtrack.base.errors import DataError, StageError
from segtrack.base.files import file_digest
from segtrack.model.port import Weights
from segtrack.model.training import Training
from segtrack.model.ultralytics import library
from segtrack.model.ultralytics.epochs import read_rows
from segtrack.model.ultralytics.weights import refusal
from segtrack.settings import TrainerSettings

# What a checkpoint needs to predict or to be trained on from; the rest is about this machine.
KEPT = ("epoch", "model", "train_args", "train_metrics", "version", "license", "docs")
MACHINE = ("data", "model", "project", "name", "save_dir", "resume", "device", "workers", "cache")


@dataclass(frozen=True)
class Done:
    """How far an earlier attempt came.

    Attributes:
        checkpoint: of its last whole epoch. epochs: whole ones. finished: nothing is left to train.
    """

    checkpoint: Path
    epochs: int
    finished: bool


def continue_from(run: Path, settings: TrainerSettings) -> Done:
    """Look for the last whole epoch in the remains of a training in ``run``.

    Raises:
        DataError: its checkpoint is damaged, or asks for code.
    """
    path = run / "weights" / "last.pt"
    if not path.is_file():
        return Done(path, 0, False)
    try:
        content = library.read_content(path)
        epochs = int(content["epoch"]) + 1
        stopper = content.get("stopper") or {}
    except Exception as error:  # a pickle that is none fails in any way
        raise DataError(
            f"{path}, of a training that was stopped, is {refusal(error)}. Remove {run} to train "
            "from the beginning"
        ) from error
    waited = epochs - int(stopper.get("best_epoch") or epochs)
    stopped = bool(settings.patience) and waited >= settings.patience
    return Done(path, epochs, stopped or epochs >= settings.epochs)


def finish(run: Path, folder: Path, names: tuple[str, ...]) -> Training:
    """Put the best weights and results.csv of ``run`` into ``folder``.

    Raises:
        StageError: no epoch gave finite validation scores.
    """
    best = run / "weights" / "best.pt"
    if not best.is_file():
        raise StageError(
            "training gave no usable weights: no epoch had finite losses and scores; "
            "try a lower trainer.lr0"
        )
    content = library.read_content(best)
    best_epoch = int(content["epoch"]) + 1
    imgsz = content["train_args"]["imgsz"]
    target = folder / "weights" / "best.pt"
    target.parent.mkdir(exist_ok=True)
    with whole_file(target) as partial:
        library.torch_save(_stripped(content, names), partial)
    table = (run / "results.csv").read_bytes()
    (folder / "results.csv").write_bytes(table)
    epochs = len(read_rows(folder / "results.csv"))
    weights = Weights(target, file_digest(target), "trained", names, int(imgsz))
    return Training(folder, weights, epochs, best_epoch)


def _stripped(content: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """The averaged model in half precision, and nothing about the machine or the moment.

    So the same training gives the same bytes, and no path leaves the machine with the weights.
    """
    model = content["ema"] or content["model"]
    model.half()
    for parameter in model.parameters():
        parameter.requires_grad = False
    model.names = dict(enumerate(names))
    model.criterion = None
    arguments = _impersonal(dict(content["train_args"]))
    model.args = _impersonal(
        dict(vars(model.args) if hasattr(model.args, "__dict__") else model.args)
    )
    if "yaml_file" in model.yaml:
        model.yaml["yaml_file"] = Path(model.yaml["yaml_file"]).name
    kept = {key: content[key] for key in KEPT if key in content}
    return kept | {"epoch": -1, "model": model, "train_args": arguments}


def _impersonal(arguments: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in arguments.items() if key not in MACHINE}
