"""What a run or sweep is recorded with: the command, the code, the settings, the machine."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from importlib.metadata import distributions
from pathlib import Path

from segtrack.base.files import digest
from segtrack.settings import Settings, plain


def command_of(words: Sequence[str]) -> str:
    """This process' command with ``words``, as it can be typed."""
    program = Path(sys.argv[0]).name
    program = "segtrack" if program == "__main__.py" else program  # of python -m segtrack
    return shlex.join([program, *words])


def git_state() -> tuple[str, bool]:
    """The commit of the code that runs and whether files differ from it; empty outside git."""
    folder = Path(__file__).resolve().parent
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        return commit, bool(_git(folder, "status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.CalledProcessError):
        return "", False


def config_hash(settings: Settings) -> str:
    """Digest of everything that decides results; where they are recorded does not."""
    values = plain(settings)
    where = ("mlflow", "parent_run", "store", "store_cache", "store_cache_gb")
    for key in (*where, "plan", "objective", "prune"):
        values.pop(key)
    return digest(values)[:16]


@cache  # reading every package's metadata is the dearest part of a sweep's cell
def environment() -> str:
    """Machine and installed packages, one per line."""
    head = [
        f"python {platform.python_version()}",
        f"platform {platform.platform()}",
        f"cpu cores {os.cpu_count()}",
    ]
    facts = (one.metadata for one in distributions())  # each look reads and parses a file
    packages = {f"{one['Name']}=={one['Version']}" for one in facts}
    return "\n".join([*head, *sorted(packages, key=str.lower)]) + "\n"


def _git(folder: Path, *words: str) -> str:
    command = ["git", "-C", str(folder), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
    return done.stdout.strip()
