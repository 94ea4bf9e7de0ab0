"""Files and folders that appear whole or not at all, also where a kill or a power cut comes."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from glob import escape as glob_escape
from itertools import islice
from pathlib import Path
from tempfile import mkdtemp
from typing import TextIO

from segtrack.base.errors import StageError
from segtrack.base.processes import held
from segtrack.base.saying import say

NEW = "new"  # what ``newly_made`` gives its name to
_SINGLY = 16  # more files than these are faster written out all at once


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A name beside ``path`` to write to; the file takes the place of ``path`` at the end.

    Nothing is left behind where the block fails.

    Raises:
        OSError: it cannot be written.
    """
    partial = partial_name(path)
    _refuse_special(path)
    try:
        yield partial
        settle(partial, path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def replacing(path: Path) -> Iterator[TextIO]:
    """A text file (UTF-8) that becomes ``path`` when the block ends well.

    Raises:
        StageError: it cannot be written (disk full, folder read-only); nothing is left behind.
    """
    try:
        with (
            whole_file(path) as partial,
            partial.open("w", encoding="utf-8", newline="\n") as file,
        ):
            yield file
    except OSError as error:
        raise unwritable(path, error) from error


def write_whole(path: Path, text: str) -> None:
    """Write a text file (UTF-8).

    Raises:
        OSError: it cannot be written; what was there before stays.
    """
    with whole_file(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A new folder beside ``folder`` that takes its place at the end, or goes on an error.

    What a killed process left is removed by the next one; a second process waits, and says so.
    """
    partial = folder.with_name(f"{folder.name}.partial")
    before = folder.with_name(f".{folder.name}.before")
    with alone_with(folder):
        _refuse_special(folder)
        try:
            shutil.rmtree(partial, ignore_errors=True)
            if before.exists() and not folder.exists():  # a kill came between the two renames below
                before.replace(folder)
            shutil.rmtree(before, ignore_errors=True)
            partial.mkdir()
            yield partial
            _write_out(partial)  # a full disk is found out here, with the old folder in its place
            if folder.exists():
                folder.replace(before)
            partial.replace(folder)
            _sync(folder.parent)
            shutil.rmtree(before, ignore_errors=True)
        except BaseException:
            if before.exists() and not folder.exists():
                before.replace(folder)
            shutil.rmtree(partial, ignore_errors=True)
            raise


@contextmanager
def newly_made(path: Path) -> Iterator[Path]:
    """A working folder beside ``path``, in which the block makes ``NEW``, a file or a folder.

    That becomes ``path`` at the end, and takes the place of nothing. Whatever happens the working
    folder goes; what a killed process left of one is removed by the next for the same ``path``.

    Raises:
        FileExistsError: something is at ``path`` already, from the beginning or at the end.
        OSError: it cannot be written.
    """
    from filelock import FileLock, Timeout

    _refuse_taken(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(f".{glob_escape(path.name)}.*.partial"):
        lock = FileLock(left / "lock", is_singleton=False)
        try:
            lock.acquire(timeout=0)
        except (Timeout, OSError):
            continue  # another process is at it
        shutil.rmtree(left, ignore_errors=True)
        lock.release()
    work = Path(mkdtemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent))
    lock = FileLock(work / "lock", is_singleton=False)
    try:
        lock.acquire(timeout=0)
        yield work
        new = work / NEW
        _write_out(new)
        if new.is_dir():
            _refuse_taken(path)
            new.rename(path)  # of folders only an empty one could be taken the place of
        else:
            _name_once(new, path)
        _sync(path.parent)
    finally:
        lock.release()
        shutil.rmtree(work, ignore_errors=True)


def _refuse_taken(path: Path) -> None:
    if path.exists() or path.is_symlink():
        raise FileExistsError(errno.EEXIST, "is there already, and is never overwritten", path)


def _name_once(new: Path, path: Path) -> None:
    """A file gets its name unless something has it."""
    try:
        os.link(new, path)
    except FileExistsError:
        _refuse_taken(path)
        raise
    except OSError:  # a file system without hard links
        _refuse_taken(path)
        new.rename(path)


@contextmanager
def alone_with(folder: Path) -> Iterator[None]:
    """Nobody else replaces ``folder`` in the block, which may lie in another one of this thread.

    For whoever reads what another process would replace. That one waits, and says so.
    """
    from filelock import FileLock, Timeout

    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder.with_name(f".{folder.name}.lock").absolute(), is_singleton=True)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        say(f"waiting for another process that uses {folder}")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def try_making(folder: Path) -> None:
    """Try whether files can be made in ``folder``, and leave none, not even if asked to stop.

    It is the only sure way: rights alone say nothing of /proc, or of a read-only disk.

    Raises:
        OSError: they cannot.
    """
    with held():
        Path(mkdtemp(prefix=".segtrack-", dir=folder)).rmdir()


def settle(partial: Path, final: Path) -> None:
    """Give a file or a folder that is ready its name, once its content is on the disk.

    Both lie on one file system. A file takes the place of another; a folder that of none.

    Raises:
        OSError: the disk is full, or the place is taken, special or cannot be written.
    """
    _refuse_special(final)
    _write_out(partial)
    partial.replace(final)
    _sync(final.parent)


def is_special(path: Path) -> bool:
    """Whether it is a device, a pipe or a socket, also behind a link: such a one is never replaced.

    Raises:
        OSError: it cannot be looked at.
    """
    return path.exists() and not (path.is_file() or path.is_dir())


def _refuse_special(path: Path) -> None:
    """As root, a rename would put a file in the place of /dev/null."""
    if is_special(path):
        raise FileExistsError(errno.EEXIST, "is a device, pipe or socket, which stays", str(path))


def partial_name(path: Path) -> Path:
    """Where ``path`` grows; the suffix stays, since writers choose their format by it."""
    return path.with_name(f".{path.stem}.partial{path.suffix}")


def unwritable(path: Path, error: OSError) -> StageError:
    return StageError(
        f"{path}: could not be written ({error.strerror or error}). Make room or choose another "
        "folder; the same command goes on from there"
    )


def _write_out(path: Path) -> None:
    if not path.is_dir():
        _sync(path)
        return
    within = _below(path)
    first = list(islice(within, _SINGLY + 1))
    if len(first) > _SINGLY and hasattr(os, "sync"):
        os.sync()
        return
    for each in (*first, *within, path):
        _sync(each)


def _below(folder: Path) -> Iterator[Path]:
    """Files and folders, links left out, one by one: there may be millions."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_symlink():
                continue
            yield Path(entry.path)
            if entry.is_dir():
                yield from _below(Path(entry.path))


def _sync(path: Path) -> None:
    if os.name == "nt" and path.is_dir():
        return  # a folder cannot be opened there
    handle = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some file systems know no such thing
            raise
    finally:
        os.close(handle)
