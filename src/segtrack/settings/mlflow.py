"""Where runs are recorded."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from omegaconf import MISSING


class MlflowMode(Enum):
    local = "local"
    server = "server"


@dataclass
class MlflowSettings:
    mode: MlflowMode = MlflowMode.local
    uri: str = MISSING
    artifacts: str | None = None
    experiment: str = "segtrack"
    run_name: str | None = None
    timeout: float = 5.0
