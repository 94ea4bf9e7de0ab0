"""What the stages on the platform share: the platform itself, names, and what is remembered.

Nothing of push, review and pull is answered from the store, since people change the platform
meanwhile. What must be remembered lies in the store's folder ``labellerr``: ids of what was sent,
exports, reviews, and the emulator's own state. Versions of a data set lie in ``reviewed``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from segtrack.annotation.labellerr import Platform
from segtrack.annotation.labellerr.access import Access
from segtrack.base.metrics import Metric
from segtrack.dataset import Dataset
from segtrack.pipeline.flow import Flow
from segtrack.settings import ReviewedSettings, Settings, Stage, UltralyticsSettings


@dataclass
class PlatformRun:
    """The platform as one run sees it; ``close`` ends the emulator that it started."""

    settings: Settings
    flow: Flow
    output: Path

    def close(self) -> None:
        """End the emulator."""
        self.access.close()

    @cached_property
    def access(self) -> Access:
        return Access(self.settings.labellerr, self.scratch / "emulator")

    @property
    def platform(self) -> Platform:
        return self.access.platform

    @property
    def scratch(self) -> Path:
        """Where what must be remembered lies."""
        return self.flow.store.scratch("labellerr")

    @property
    def versions(self) -> Path:
        """Where the versions of data sets lie."""
        return self.flow.store.scratch("reviewed")

    def name(self, dataset: Dataset) -> str:
        """Of data set and project. What is rendered or reviewed has no folder of its own name."""
        settings = self.settings.dataset
        if self.settings.labellerr.name is not None:
            return self.settings.labellerr.name
        if isinstance(settings, UltralyticsSettings):
            return f"segtrack {Path(settings.name).stem}"
        if isinstance(settings, ReviewedSettings) or settings.path is None:
            return f"segtrack {settings.source} {dataset.fingerprint[:8]}"
        return f"segtrack {Path(settings.path).expanduser().resolve().name}"

    def planned(self, stage: Stage, what: str) -> bool:
        """Whether this is a plan, which then has a line for the stage."""
        if self.flow.plan is None:
            return False
        self.flow.plan.append(f"{stage.name:10} platform {what}; never taken from the store")
        return True

    def record(self, name: str, value: float, step: int = 0) -> None:
        """Log a number."""
        self.flow.record(Metric(name, float(value), step))

    def say(self, stage: Stage) -> Callable[[str], None]:
        """Prints a line of a stage."""
        return lambda text: print(f"{stage.name:10} {text.removeprefix('review: ')}", flush=True)
