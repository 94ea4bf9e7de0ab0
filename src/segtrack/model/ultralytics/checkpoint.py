"""Checkpoints of a training: what to continue from, and the weights that remain at the end."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from segtrack.base.errors import StageError
from segtrack.model.training import Done, Training, keep_best, reading
from segtrack.model.ultralytics import library
from segtrack.model.ultralytics.weights import refusal
from segtrack.settings import TrainerSettings

# What a checkpoint needs to predict or to be trained on from; the rest is about this machine.
KEPT = ("epoch", "model", "train_args", "train_metrics", "version", "license", "docs")
MACHINE = ("data", "model", "project", "name", "save_dir", "resume", "device", "workers", "cache")


def continue_from(run: Path, settings: TrainerSettings) -> Done:
    """Look for the last whole epoch in the remains of a training in ``run``.

    Raises:
        DataError: its checkpoint is damaged, or asks for code.
    """
    path = run / "weights" / "last.pt"
    if not path.is_file():
        return Done(path, 0, False)
    with reading(path, run, refusal):
        content = library.read_content(path)
        epochs = int(content["epoch"]) + 1
        stopper = content.get("stopper") or {}
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
    best_epoch, imgsz = int(content["epoch"]) + 1, int(content["train_args"]["imgsz"])
    stripped = _stripped(content, names)
    return keep_best(folder, partial(library.torch_save, stripped), names, imgsz, best_epoch)


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
