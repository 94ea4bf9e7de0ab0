"""Files that appear whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from segtrack.base.errors import StageError


@contextmanager
def replacing(path: Path) -> Iterator[TextIO]:
    """A text file (UTF-8) under a temporary name that becomes ``path`` when the block ends well.

    Raises:
        StageError: it cannot be written (disk full, folder read-only); nothing is left behind.
    """
    partial = partial_name(path)
    try:
        with partial.open("w", encoding="utf-8", newline="\n") as file:
            yield file
        partial.replace(path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        partial.unlink(missing_ok=True)


def partial_name(path: Path) -> Path:
    """Where ``path`` grows; the suffix stays, since writers choose their format by it."""
    return path.with_name(f".{path.stem}.partial{path.suffix}")


def unwritable(path: Path, error: OSError) -> StageError:
    return StageError(
        f"{path}: could not be written ({error.strerror or error}). Make room or choose another "
        "folder; the same command goes on from there"
    )
