"""What decides a result, and what is known of one that is there."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from segtrack.base.metrics import Metric, Report
from segtrack.store import record as records

Build = Callable[[Path, Report], None]
Listener = Callable[[Metric], None]


@dataclass(frozen=True)
class StageCall:
    """Everything that decides what a stage produces.

    Attributes:
        name: of the stage, also its folder in the store.
        version: raised by hand whenever the stage's code changes what it produces.
        settings: the settings that it reads, as plain JSON values.
        inputs: digests of what it reads, by role.
        libraries: distributions whose version shapes the result; torch counts as major.minor.
        resumable: a killed attempt may be continued in its own folder; others start afresh.
    """

    name: str
    version: int
    settings: Mapping[str, Any]
    inputs: Mapping[str, str]
    libraries: tuple[str, ...] = ()
    resumable: bool = False

    @cached_property
    def key(self) -> str:
        """32 hexadecimal digits."""
        return records.key_of(self.describe())

    def describe(self) -> dict[str, Any]:
        """What enters the key, readable."""
        return {
            "name": self.name,
            "version": self.version,
            "libraries": {name: _library_version(name) for name in self.libraries},
            "settings": dict(self.settings),
            "inputs": dict(self.inputs),
        }


@dataclass(frozen=True)
class StageResult:
    """A whole result in the store.

    Attributes:
        hit: it was there already. seconds: what building it took, whenever that was.
    """

    name: str
    key: str
    folder: Path
    hit: bool
    seconds: float


@dataclass(frozen=True)
class Entry:
    """One line of ``ls``."""

    name: str
    key: str
    folder: Path
    size: int
    used: float
    call: Mapping[str, Any] = field(default_factory=dict)


@cache  # each look reads the package's metadata, and a sweep looks hundreds of times
def _library_version(name: str) -> str:
    full = _installed(name)
    return ".".join(full.split(".")[:2]) if name in ("torch", "torchvision") else full


def _installed(name: str) -> str:
    """The version of a distribution; OpenCV's counts under whichever name it is installed."""
    if name != "opencv-python":
        return version(name)
    contrib = "opencv-contrib-python"
    for build in (name, f"{name}-headless", contrib, f"{contrib}-headless"):
        with contextlib.suppress(PackageNotFoundError):
            return version(build)
    return version(name)
