"""What every errand on Labellerr takes along."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from segtrack.annotation.labellerr.port import Platform
from segtrack.annotation.port import Say
from segtrack.settings import LabellerrSettings


@dataclass(frozen=True)
class Session:
    """Where, what is remembered, how, and who is told.

    Attributes:
        ledger: folder that remembers what was sent and made.
    """

    platform: Platform
    ledger: Path
    settings: LabellerrSettings = field(default_factory=LabellerrSettings)
    say: Say = print
