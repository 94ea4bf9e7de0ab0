"""Rate and remaining time of an upload."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from segtrack.annotation.labellerr.files import LocalFile


@dataclass
class Meter:
    """How far an upload is, how fast, and how long it will take.

    Attributes:
        files, size: that arrived, and their bytes. total, total_size: with those to come.
    """

    say: Callable[[str], None]
    files: int = 0
    size: int = 0
    total: int = 0
    total_size: int = 0
    start: float = field(default_factory=time.monotonic)

    def expect(self, files: Sequence[LocalFile]) -> None:
        """These are still to come."""
        self.total = self.files + len(files)
        self.total_size = self.size + sum(f.size for f in files)

    def add(self, size: int) -> None:
        """A file of so many bytes arrived."""
        self.files += 1
        self.size += size

    def end(self) -> None:
        """Say what it came to."""
        if self.files:
            self.say(self.line(time.monotonic() - self.start))

    def line(self, seconds: float) -> str:
        """``sent 300 of 900 files, 12.5 of 40.1 MB, 31.2 files/s, 1.3 MB/s, 19 s left``."""
        seconds = max(seconds, 1e-6)
        rate, speed = self.files / seconds, self.size / seconds
        left = (self.total_size - self.size) / speed if speed else 0.0
        text = (
            f"sent {self.files} of {self.total} files, {self.size / 1e6:.1f} of "
            f"{self.total_size / 1e6:.1f} MB, {rate:.1f} files/s, {speed / 1e6:.1f} MB/s"
        )
        return text + (f", {left:.0f} s left" if self.files < self.total else "")
