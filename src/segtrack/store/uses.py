"""Which results living processes use, so that ``gc`` passes them by.

A use is a shared lock on one byte of one file, the byte being drawn from the result's name: the
kernel gives it back however the process ends, there is nothing to clean up, and it holds between
machines wherever the file system's locks do.

Who wants a result locks first and looks then; gc takes the byte for itself, renames the result and
lets go. So either the reader finds nothing and builds, or gc finds the byte taken.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

# One descriptor per file and process, never closed: closing any gives back all of a process's
# locks on the file (fcntl(2)). They do not hold within a process either: hence what it uses itself.
_opened: dict[Path, int] = {}
_used: set[Path] = set()
_guard = threading.Lock()


def use(root: Path, folder: Path) -> None:
    """Use the result in ``folder`` until this process ends.

    Where the store can only be read or knows no locks, nothing happens.
    """
    with contextlib.suppress(OSError), _guard:
        _lock(root, folder, exclusive=False)
        _used.add(folder)


@contextlib.contextmanager
def unused(root: Path, folder: Path) -> Iterator[bool]:
    """Whether no living process uses ``folder``, this one included; none begins to in the block.

    Raises:
        OSError: the store cannot be written.
    """
    with _guard:
        if folder in _used:
            yield False
            return
        try:
            _lock(root, folder, exclusive=True)
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EAGAIN):
                raise
            yield False
            return
        try:
            yield True
        finally:
            _unlock(root, folder)


if sys.platform == "win32":  # without such locks: there gc goes by age alone

    def _lock(root: Path, folder: Path, *, exclusive: bool) -> None:
        pass

    def _unlock(root: Path, folder: Path) -> None:
        pass

else:
    import fcntl

    def _lock(root: Path, folder: Path, *, exclusive: bool) -> None:
        how = fcntl.LOCK_EX | fcntl.LOCK_NB if exclusive else fcntl.LOCK_SH
        fcntl.lockf(_descriptor(root), how, 1, _byte(root, folder))

    def _unlock(root: Path, folder: Path) -> None:
        fcntl.lockf(_descriptor(root), fcntl.LOCK_UN, 1, _byte(root, folder))


def _descriptor(root: Path) -> int:
    path = root / "in_use"
    if path not in _opened:
        try:
            _opened[path] = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except PermissionError:
            _opened[path] = os.open(path, os.O_RDONLY)  # enough for a shared lock
    return _opened[path]


def _byte(root: Path, folder: Path) -> int:
    name = folder.relative_to(root).as_posix()
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:7], "big")
