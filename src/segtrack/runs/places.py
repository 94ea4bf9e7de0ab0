"""Where the files of a run lie: in MLflow, which has them here or on a server, or in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class Place(Protocol):
    """Files by their path in the run, such as ``tracking/NAME/results.json``."""

    def names(self, pattern: str) -> list[str]:
        """Paths that fit a pattern, in order; ``*`` within one folder."""

    def fetch(self, name: str) -> Path:
        """One of them as a local file, which is only to be read."""

    def history(self, metric: str) -> list[tuple[int, float]]:
        """Every value of a metric with its step."""


class Folder:
    """A folder of files, or a single one of them, of which MLflow knows nothing."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def names(self, pattern: str) -> list[str]:
        """Paths below the folder that fit a pattern, in order."""
        found = (p for p in self.root.glob(pattern) if p.is_file())
        return sorted(p.relative_to(self.root).as_posix() for p in found)

    def fetch(self, name: str) -> Path:
        """The file itself."""
        return self.root / name

    def history(self, metric: str) -> list[tuple[int, float]]:
        """Only MLflow keeps it."""
        return []
