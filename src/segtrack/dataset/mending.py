"""Files whose name differs from the written one in case or suffix only."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from pathlib import Path


def find_variant(path: Path, suffixes: Collection[str]) -> Path | None:
    """The one file beside ``path`` with the same stem in any case and a suffix of ``suffixes``.

    None where there is no such file, or several.
    """
    if not path.parent.is_dir():
        return None
    changed = path.parent.stat().st_mtime_ns
    names = _names(path.parent, changed, frozenset(suffixes)).get(path.stem.casefold(), [])
    return path.parent / names[0] if len(names) == 1 else None


@lru_cache(maxsize=4)
def _names(folder: Path, changed: int, suffixes: frozenset[str]) -> dict[str, list[str]]:
    """File names by folded stem; looked up only where a name was wrong."""
    found: dict[str, list[str]] = {}
    for entry in folder.iterdir():
        if entry.suffix.lower() in suffixes:
            found.setdefault(entry.stem.casefold(), []).append(entry.name)
    return found
