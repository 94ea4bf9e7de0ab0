"""The files below a folder, as a stream, wherever its links lead."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from segtrack.base.errors import DataError

# Of the file system and its programs; "@eaDir" holds thumbnails.
_OF_THE_SYSTEM = frozenset({"Thumbs.db", "desktop.ini", "Icon\r", "@eaDir", "__MACOSX"})
MOST_WAYS = 1000  # links that lead to one folder; links of links double with every level


def files_below(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Whatever is no folder below ``folder``, in no particular order, but hidden files.

    Pipes and broken links are among them: ``is_file`` tells them.

    Raises:
        DataError: a folder cannot be listed, or links lead round in a circle.
    """
    ways: Counter[str] = Counter()
    # Each folder with its real path, and the real paths of those whose links led to it.
    pending: list[tuple[str, tuple[str, ...]]] = [(str(folder), (os.path.realpath(folder),))]
    while pending:
        place, real = pending.pop()
        try:
            with os.scandir(place) as entries:
                for entry in entries:
                    if entry.name.startswith(".") or entry.name in _OF_THE_SYSTEM:
                        continue
                    if not _is_folder(entry):
                        yield entry
                    elif not entry.is_symlink():
                        pending.append(
                            (entry.path, (*real[:-1], f"{real[-1]}{os.sep}{entry.name}"))
                        )
                    else:
                        target = os.path.realpath(entry.path)
                        ways[target] += 1
                        _refuse_circle(entry.path, target, real, ways[target])
                        pending.append((entry.path, (*real, target)))
        except OSError as error:
            raise DataError(
                f"{place}: cannot be listed ({error.strerror}); check its rights"
            ) from error


def named_files(folder: Path, pattern: str) -> list[Path]:
    """The files below ``folder`` whose paths end like ``pattern``, sorted; pipes are left out."""
    return sorted(path for path in folder.absolute().rglob(pattern) if path.is_file())


def is_file(entry: os.DirEntry[str]) -> bool:
    """Whether it is a file that can be read to its end: no pipe, no device, no broken link."""
    try:
        return entry.is_file()
    except OSError:  # a link to itself
        return False


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _refuse_circle(link: str, target: str, real: tuple[str, ...], ways: int) -> None:
    if any(Path(place).is_relative_to(target) for place in real):
        raise DataError(
            f"{link}: links lead in a circle: it is a link to {target}, in which it lies itself; "
            "remove the link"
        )
    if ways > MOST_WAYS:
        raise DataError(
            f"{link}: is one of more than {MOST_WAYS} links to {target}; remove those that are not "
            "needed"
        )
