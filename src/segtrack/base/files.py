"""Files and values by their content."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

_BINARY = {".bin", ".mp4", ".npz", ".onnx", ".parquet", ".pt", ".pth"}
_LARGE = 1 << 20  # bytes


def digest(value: Any) -> str:
    """SHA-256 of a JSON value, independent of the order of keys."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=plain_value)
    return hashlib.sha256(text.encode()).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file, read as a stream."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def content_digest(path: Path) -> str:
    """SHA-256 of a file, or of the names and contents of all files of a folder."""
    path = path.expanduser()
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    rows = (f"{p.relative_to(path.parent).as_posix()}:{file_digest(p)}\n" for p in files)
    return hashlib.sha256("".join(rows).encode()).hexdigest()


CUT_SHORT = "it begins as a file that PyTorch saved, but its end is missing: copy it again"


def cut_short(path: Path) -> bool:
    """Whether a file begins as PyTorch saves one, a zip archive, and its end is missing."""
    if zipfile.is_zipfile(path):
        return False
    with path.open("rb") as file:
        return file.read(4) == b"PK\x03\x04"


def not_saved(path: Path) -> str:
    """Why a file is not whole as PyTorch saves one, a zip archive; empty: it is."""
    if cut_short(path):
        return CUT_SHORT
    return "" if zipfile.is_zipfile(path) else "it is no file that PyTorch saved"


def link_or_copy(source: Path, target: Path) -> None:
    """Put ``source`` at ``target`` without copying bytes where the file system allows it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def hand_out(source: Path, target: Path) -> None:
    """Put ``source`` where people work: as a copy, so that editing that leaves ``source`` alone.

    Only of a large binary file, which nobody edits in place, there is a hard link if possible.
    """
    if source.suffix in _BINARY and source.stat().st_size > _LARGE:
        link_or_copy(source, target)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    shutil.copyfile(source, target)


def plain_value(value: Any) -> Any:
    """What JSON takes in place of a path, an enum or a dataclass."""
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "value"):  # an enum
        return value.value
    if hasattr(value, "__dataclass_fields__"):
        return asdict(value)
    raise TypeError(f"not a JSON value: {value!r}")


def real(path: Path) -> Path:
    """Without links and dots, absolute. Links that lead in a circle stay as they are: whoever opens
    them is told so, where Python before 3.13 raises ``RuntimeError`` in ``Path.resolve``."""
    return Path(os.path.realpath(path))
