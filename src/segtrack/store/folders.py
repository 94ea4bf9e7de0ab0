"""Folders of the store: what is in them, how large and how long unused, and their end."""

from __future__ import annotations

import shutil
from pathlib import Path

from segtrack.store import record as records


def inside(folder: Path) -> list[Path]:
    """What lies in a folder, in order; nothing where there is none."""
    return sorted(folder.iterdir()) if folder.is_dir() else []


def used(folder: Path) -> float:
    """When a result was last used, or an attempt last worked at; seconds since 1970."""
    record = folder / records.FILE
    return (record if record.exists() else folder).lstat().st_mtime


def erase(path: Path) -> None:
    """Remove a file, or a folder with all that is in it."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def size(folder: Path) -> int:
    """Bytes of all files in a folder; links count for nothing."""
    files = (p for p in folder.rglob("*") if p.is_file() and not p.is_symlink())
    return sum(p.stat().st_size for p in files)
