"""Where the folders and lists of images are that a ``data.yaml`` names.

Looked for in this order, the first that is there is taken:

1. as written, below ``path`` or beside the file; what leads out of the folder by ``..`` only where
   the same is not inside (Roboflow writes ``../train/images`` and means ``train/images``);
2. the same with ``\\`` for ``/``, of a URL its path, ``%20`` for a blank;
3. its longest tail inside (a path of another machine), letters in another case, ``valid`` for
   ``val``; never without the part that names the split.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from segtrack.dataset.finding import folded, path_parts, readings

_SPLIT_WORDS = (
    ("train", "training"),
    ("val", "valid", "validation"),
    ("test", "testing"),
)
_WORD_OF = {word: words[0] for words in _SPLIT_WORDS for word in words}


class Place(NamedTuple):
    """A folder or list, what to say of how it was found (empty: nothing), and whether by 3."""

    path: Path
    odd: str
    by_tail: bool = False


def find_place(part: str, root: Path, beside: Path) -> Place | None:
    """The folder, list or image that ``part`` of a ``data.yaml`` means, or None.

    Args:
        part: what is written there.
        root: the folder that paths begin in.
        beside: the folder of the file.
    """
    for i, text in enumerate(readings(part)):
        for base in dict.fromkeys((root, beside)):
            written, inner = base / text, base / (_without_ups(text) or text)
            if os.path.exists(inner):  # noqa: PTH110 (False for names that no file can have)
                clash = os.path.exists(written) and _normal(written) != _normal(inner)  # noqa: PTH110
                odd = f"{_normal(inner)} is taken, not {_normal(written)} outside of the folder"
                return Place(_normal(inner), odd if clash else _taken(inner, base, mended=i > 0))
            if os.path.exists(written):  # noqa: PTH110
                return Place(_normal(written), _taken(written, base, mended=i > 0))
    for base in dict.fromkeys((root, beside)):
        for tail in _tails(path_parts(part)):
            found = _below(base, tail)
            if found is not None:
                return Place(found, _taken(found, base, mended=True), by_tail=True)
    return None


def _taken(path: Path, base: Path, mended: bool) -> str:
    return f"{os.path.relpath(path, base)} is taken" if mended else ""


def _without_ups(text: str) -> str:
    while text.startswith("../"):
        text = text[3:]
    return text


def _normal(path: Path) -> Path:
    return Path(os.path.normpath(path))  # not resolve(): a link stays as the user knows it


def _tails(parts: list[str]) -> Iterator[list[str]]:
    """Ends of a path, longest first, down to the part that names a split."""
    for start in range(len(parts)):
        yield parts[start:]
        if parts[start] in _WORD_OF:
            return


def _below(folder: Path, parts: list[str]) -> Path | None:
    """The one path below ``folder`` whose names are ``parts``, whatever their case."""
    for part in parts:
        if not folder.is_dir():
            return None
        names = sorted(path.name for path in folder.iterdir())
        same = [n for n in names if folded(n) == part]
        if not same:
            word = _WORD_OF.get(part, part)
            same = [n for n in names if _WORD_OF.get(folded(n)) == word]
        if len(same) != 1:
            return None
        folder = folder / same[0]
    return folder
