"""Variables of the environment, or of a ``.env`` file, which does not change it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path


def read_variables(
    names: Sequence[str],
    dotenv: Path = Path(".env"),
    environment: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Value of each variable; empty where neither has it. The environment comes first.

    Args:
        dotenv: file of ``NAME=value`` lines; need not exist.
        environment: ``os.environ`` where None.
    """
    found = {name: value or "" for name, value in _read_dotenv(dotenv).items()}
    found.update({k: v for k, v in (environment or os.environ).items() if k in names and v})
    return {name: found.get(name, "").strip() for name in names}


def _read_dotenv(path: Path) -> Mapping[str, str | None]:
    if not path.is_file():
        return {}
    from dotenv import dotenv_values

    return dotenv_values(path, interpolate=False)
