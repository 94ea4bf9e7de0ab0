"""How predictions of many images or videos are divided, and who computes them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from segtrack.settings.knobs import Group, Problem, knob

_RAY = re.compile(r"local|auto|(?:ray://)?(?:[\w.-]+|\[[\da-fA-F:.]+\]):\d{1,5}")


@dataclass
class ScaleSettings(Group):
    """How `segtrack predict` divides its work, and whether Ray's processes do it."""

    shard_size: int = knob(
        512,
        "images of a shard, the file that is written at once and never made again; a video is a "
        "shard of its own",
        unit="images",
        low=1,
        high=1_000_000,
    )
    ray: str | None = knob(
        None,
        "null: this process alone; local: Ray on this machine, for the length of the command; auto "
        "or HOST:PORT: a cluster that runs",
        local=True,
    )
    actors: int | None = knob(
        None,
        "processes of Ray with a model each; null: as many as the cluster has room for",
        low=1,
        high=10_000,
        local=True,
    )
    cpus_per_actor: float | None = knob(
        None,
        "cores that each computes with; null: 1, beside a GPU 4",
        low=0.1,
        high=1024,
        local=True,
    )
    gpus_per_actor: float | None = knob(
        None,
        "GPUs of each, also a share such as 0.5; null: 1 where the command's device is a GPU, else "
        "0",
        low=0,
        high=64,
        local=True,
    )

    def problems(self) -> Iterator[Problem]:
        """What is wrong between its own knobs."""
        gpus = self.gpus_per_actor
        if gpus is not None and gpus > 1 and gpus != int(gpus):
            yield Problem("scale.gpus_per_actor", gpus, "a share below 1, or a whole number")
        if self.ray is not None and not _RAY.fullmatch(self.ray):
            yield Problem("scale.ray", self.ray, "must be local, auto, or HOST:PORT of a cluster")
        if self.ray is None:
            for name in ("actors", "cpus_per_actor", "gpus_per_actor"):
                if getattr(self, name) is not None:
                    allowed = "is of Ray's processes: add scale.ray=local, auto or HOST:PORT"
                    yield Problem(f"scale.{name}", getattr(self, name), allowed)
