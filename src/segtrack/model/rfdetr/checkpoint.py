"""Checkpoints of a training: what to continue from, and the weights that remain at the end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from segtrack.base.errors import StageError
from segtrack.model.rfdetr.weights import load, read_content, refusal
from segtrack.model.training import Done, Training, keep_best, reading
from segtrack.settings import TrainerSettings

BEST = "checkpoint_best_total.pth"
SOURCES = ("checkpoint_best_ema.pth", "checkpoint_best_regular.pth")
MACHINE = ("device", "pretrain_weights")  # about where it was trained, not about the network


def continue_from(run: Path, settings: TrainerSettings) -> Done:
    """Look for the last whole epoch in the remains of a training in ``run``.

    Raises:
        DataError: its checkpoint is damaged, or asks for code.
    """
    path = run / "last.ckpt"
    if not path.is_file():
        return Done(path, 0, False)
    with reading(path, run, refusal):
        content = load(path)
        epochs = int(content["epoch"]) + 1
        stopped = any(state.get("stopped_epoch") for state in content["callbacks"].values())
    whole = stopped or epochs >= settings.epochs
    return Done(path, epochs, whole and (run / BEST).is_file())


def finish(run: Path, folder: Path, names: tuple[str, ...]) -> Training:
    """Put the best weights and results.csv of ``run`` into ``folder``.

    Raises:
        StageError: no epoch gave finite weights.
    """
    best = run / BEST
    if not best.is_file():
        raise StageError("training gave no usable weights: no epoch was validated")
    content = load(best)
    facts, state = read_content(best)
    if not all(bool(torch.isfinite(one).all()) for one in state.values()):
        raise StageError(
            "training gave no usable weights: they are not finite; try a lower rate with "
            "trainer.extra={lr: 5e-5}"
        )
    stripped = _stripped(content, state, names)

    def save(path: Path) -> None:
        with path.open("wb") as file:
            torch.save(stripped, file)  # to a path its name would lie inside

    return keep_best(folder, save, names, facts.imgsz, _best_epoch(run, content))


def _best_epoch(run: Path, content: Any) -> int | None:
    source = run / f"checkpoint_best_{content.get('best_total_source')}.pth"
    epoch = load(source).get("epoch") if source.is_file() else None
    return epoch + 1 if isinstance(epoch, int) else None


def _stripped(
    content: Any, state: dict[str, torch.Tensor], names: tuple[str, ...]
) -> dict[str, Any]:
    """The network, and nothing about the machine or the moment; rfdetr reads it too.

    So the same training gives the same bytes, and no path leaves the machine with the weights.
    """
    config = {k: v for k, v in dict(content["model_config"]).items() if k not in MACHINE}
    return {
        "model": state,
        "args": {"class_names": list(names), "num_classes": len(names)},
        "model_name": content["model_name"],
        "model_config": config,
        "rfdetr_version": content.get("rfdetr_version"),
    }
