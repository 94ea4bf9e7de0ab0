"""How a network is trained."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from omegaconf import MISSING

from segtrack.settings.knobs import Group, Problem, knob

_THEIRS = "ultralytics"


@dataclass
class TrainerSettings(Group):
    """How a network is trained. Names are ultralytics' own."""

    name: str = knob(MISSING, "of the preset; nothing depends on it", local=True)
    epochs: int = knob(
        MISSING, "passes over the training images", unit="epochs", low=1, high=100000
    )
    batch: Any = knob(
        16,
        "images per step, halved where memory runs out; auto: as many as a GPU's memory takes, at "
        "most the 64 (extra.nbs) that the weights wait for anyway; on a CPU and on each of several "
        "GPUs 16",
        unit="images",
        low=1,
        high=4096,
        kind="whole number or auto",
        origin=_THEIRS,
    )
    imgsz: int | None = knob(
        None,
        "of the training input; null: the size that the weights were trained with, else 640",
        unit="px",
        low=32,
        high=4096,
    )
    patience: int = knob(
        50,
        "epochs without a better validation score until training stops",
        unit="epochs",
        low=0,
        high=100000,
    )
    optimizer: str = knob(
        "auto",
        "auto lets ultralytics choose by the number of steps, lr0 and momentum too; the others "
        "take lr0 and momentum",
        choices=("auto", "SGD", "MuSGD", "Adam", "Adamax", "AdamW", "NAdam", "RAdam", "RMSProp"),
        origin=_THEIRS,
    )
    lr0: float = knob(0.01, "first learning rate", low=1e-8, high=10, origin=_THEIRS)
    lrf: float = knob(
        0.01, "last learning rate as a share of lr0", low=1e-8, high=1, origin=_THEIRS
    )
    momentum: float = knob(
        0.937, "momentum of SGD, beta1 of the Adams", low=0, high=1, origin=_THEIRS
    )
    weight_decay: float = knob(
        0.0005, "pull of the weights towards zero (L2)", low=0, high=1, origin=_THEIRS
    )
    warmup_epochs: float = knob(
        3.0,
        "first epochs in which the learning rate rises; fractions are allowed",
        unit="epochs",
        low=0,
        high=1000,
        origin=_THEIRS,
    )
    cos_lr: bool = knob(False, "cosine instead of linear decay", origin=_THEIRS)
    freeze: int | None = knob(
        None,
        "number of first layers that are not trained; null: none",
        unit="layers",
        low=0,
        high=1000,
        origin=_THEIRS,
    )
    mosaic: float = knob(
        1.0, "chance that four images are put together", low=0, high=1, origin=_THEIRS
    )
    close_mosaic: int = knob(
        10, "last epochs without mosaic", unit="epochs", low=0, high=100000, origin=_THEIRS
    )
    mixup: float = knob(0.0, "chance that two images are blended", low=0, high=1, origin=_THEIRS)
    copy_paste: float = knob(
        0.0,
        "share of the objects of which a mirrored copy is pasted, where it hides less than 30% of "
        "any box; labels of what it hides stay as they were",
        low=0,
        high=1,
        origin=_THEIRS,
    )
    paste_occluders: float = knob(
        0.0,
        "share of the objects that get a cut-out of another image's object pasted in front, which "
        "hides 20 to 70% of them; labels keep what is seen",
        low=0,
        high=1,
    )
    scale: float = knob(0.5, "random scaling, +- share", low=0, high=1, origin=_THEIRS)
    translate: float = knob(0.1, "random shift, share of the image", low=0, high=1, origin=_THEIRS)
    degrees: float = knob(
        0.0, "random rotation, +-", unit="degrees", low=0, high=180, origin=_THEIRS
    )
    fliplr: float = knob(0.5, "chance of a mirrored image", low=0, high=1, origin=_THEIRS)
    hsv_h: float = knob(0.015, "random hue, +- share", low=0, high=1, origin=_THEIRS)
    hsv_s: float = knob(0.7, "random saturation, +- share", low=0, high=1, origin=_THEIRS)
    hsv_v: float = knob(0.4, "random brightness, +- share", low=0, high=1, origin=_THEIRS)
    mask_ratio: int = knob(
        4,
        "masks are trained at the input's resolution divided by this",
        low=1,
        high=32,
        origin=_THEIRS,
    )
    workers: int | None = knob(
        None,
        "data loading processes beside a GPU, whose training waits for them otherwise; null: one "
        "for each core, at most 16; 0, and always on a CPU: in the training process",
        unit="processes",
        low=0,
        high=1024,
        local=True,
    )
    threads: int | None = knob(
        None,
        "CPU threads for the arithmetic; null: all cores",
        unit="threads",
        low=1,
        high=1024,
        local=True,
    )
    cache: bool | None = knob(
        False,
        "keep decoded images in memory; mosaic then draws from all of them, not from recent ones; "
        "null: beside one GPU, where they fit into half of the memory",
        origin=_THEIRS,
    )
    amp: bool = knob(
        True,
        "mixed precision on a GPU, and bfloat16 on a CPU that computes in it",
        origin=_THEIRS,
    )
    compile: bool = knob(
        False,
        "compile the network (torch.compile), which takes minutes and pays in long trainings",
        origin=_THEIRS,
    )
    extra: dict[str, Any] = knob(
        dict,
        "further training arguments of ultralytics by their own names, such as {dropout: 0.1} or "
        "{nbs: 16} (a step after every batch instead of after 64 images)",
    )

    def problems(self) -> Iterator[Problem]:
        """What no declaration can say of a knob."""
        if self.batch != "auto" and type(self.batch) is not int:
            yield Problem("trainer.batch", self.batch, "must be a whole number or auto")
