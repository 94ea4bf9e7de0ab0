"""The networks that rfdetr offers, and what their settings have to obey."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from segtrack.base.errors import SettingsError
from segtrack.settings import ModelSettings, Problem, TrainerSettings

# Input size in px that it is published with, and what a size must be a multiple of.
SIZES = {
    "nano": (312, 12),
    "small": (384, 24),
    "medium": (432, 24),
    "large": (504, 24),
    "xlarge": (624, 24),
    "2xlarge": (768, 24),
}
NAMES = tuple(f"rfdetr-seg-{size}" for size in SIZES)
# Arguments of a training that are segtrack's to say, and the knobs that say them.
OURS = {
    "accelerator": "device",
    "amp_dtype": "trainer.amp",
    "batch_size": "trainer.batch",
    "devices": "device",
    "early_stopping": "trainer.patience",
    "early_stopping_patience": "trainer.patience",
    "epochs": "trainer.epochs",
    "num_workers": "trainer.workers",
    "resolution": "trainer.imgsz",
    "seed": "seed",
    **dict.fromkeys(
        ("checkpoint_interval", "class_names", "clearml", "dataset_dir", "dataset_file"), ""
    ),
    **dict.fromkeys(("dont_save_weights", "mlflow", "num_nodes", "output_dir", "progress_bar"), ""),
    **dict.fromkeys(("project", "resume", "run", "run_test", "save_dataset_grids"), ""),
    **dict.fromkeys(("strategy", "tensorboard", "wandb"), ""),
}


def size_of(name: str) -> tuple[int, int]:
    """Size of the published input and the step of sizes, px.

    Raises:
        SettingsError: there is no network of that name.
    """
    found = SIZES.get(name.removeprefix("rfdetr-seg-"))
    if found is None:
        raise SettingsError(f"model.name={name}: there are {', '.join(NAMES)}")
    return found


def lacking() -> str:
    """What to install, in one line, where the library is not there; else empty."""
    if find_spec("rfdetr") is not None:
        return ""
    return "needs the package rfdetr: pip install 'segtrack[rfdetr]'"


@dataclass
class RfdetrSegSettings(ModelSettings):
    """RF-DETR with masks: queries instead of anchors, so nothing is suppressed afterwards."""

    def problems(self) -> Iterator[Problem]:
        if missing := lacking():
            yield Problem("model", self.name, missing)
        if self.name not in NAMES:
            yield Problem("model.name", self.name, f"must be one of {', '.join(NAMES)}")
        else:
            yield from _step("model.imgsz", self.imgsz, self.name)
        if self.weights == "shipped":
            allowed = "none of RF-DETR's ships with weights; use model.weights=auto"
            yield Problem("model.weights", self.weights, allowed)
        yield from super().problems()

    def trainer_problems(self, trainer: TrainerSettings) -> Iterator[Problem]:
        if self.name in NAMES:
            yield from _step("trainer.imgsz", trainer.imgsz, self.name)
        if str(trainer.batch) == "auto":
            yield Problem("trainer.batch", trainer.batch, "RF-DETR needs a number, such as 4")
        known = _arguments("rfdetr") if trainer.extra else frozenset()
        knobs = {field.name for field in fields(trainer)}
        for name, value in trainer.extra.items():
            key = f"trainer.extra.{name}"
            if name in OURS:
                said = f"; {OURS[name]} says it" if OURS[name] else ""
                yield Problem(key, value, f"segtrack says this itself; leave it out{said}")
            elif name in knobs and name not in known:
                yield Problem(key, value, f"is a knob of its own: trainer.{name}={value}")
            elif name not in known | _arguments("ultralytics"):
                near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
                hint = f"; did you mean {near[0]}?" if near else ""
                yield Problem(key, value, f"rfdetr has no such training argument{hint}")


def arguments_of(trainer: TrainerSettings) -> dict[str, object]:
    """What of ``trainer.extra`` is the library's; a preset may name ultralytics' own as well."""
    known = _arguments("rfdetr")
    return {name: value for name, value in trainer.extra.items() if name in known}


def _step(key: str, size: int | None, name: str) -> Iterator[Problem]:
    _, step = size_of(name)
    if size is not None and size % step:
        nearest = max(step * -(-32 // step), round(size / step) * step)
        allowed = f"must be a multiple of {step} px for {name}, such as {nearest}"
        yield Problem(key, size, allowed)


@cache  # every cell of a sweep asks
def _arguments(library: str) -> frozenset[str]:
    """Names of a library's training arguments, read without importing it."""
    file, start, end, line = {
        "rfdetr": (
            "config.py",
            "class TrainConfig(",
            "class KeypointTrainConfig(",
            r"^    (\w+): ",
        ),
        "ultralytics": ("cfg/default.yaml", "", "", r"^(\w+):"),
    }[library]
    spec = find_spec(library)
    if spec is None or spec.origin is None:
        return frozenset()
    text = (Path(spec.origin).parent / file).read_text(encoding="utf-8")
    part = text[text.find(start) :]
    part = part[: part.find(end)] if end else part
    return frozenset(re.findall(line, part, re.MULTILINE)) - {"model_config"}
