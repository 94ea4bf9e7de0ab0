"""What is done with a file system of fsspec, and what its errors and facts mean."""

from __future__ import annotations

import contextlib
import os
import re
import time
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from segtrack.base.progress import Work
from segtrack.base.secrets import without_secrets

_AT_ONCE = 4  # files on their way


def write_one(fs: Any, path: str, content: bytes, new: bool = False) -> None:
    """Write a small file as a whole; where it is to be ``new``, FileExistsError if there is one."""
    if not _is_local(fs):
        fs.pipe_file(path, content, mode="create" if new else "overwrite")
        return
    with _aside(fs, path) as aside:
        fs.pipe_file(aside, content)
        if new:
            os.link(aside, path)
        else:
            os.replace(aside, path)  # noqa: PTH105


def put(fs: Any, files: Mapping[str, str], work: Work) -> None:
    """Send files, each as a whole; by their paths there."""
    if not _is_local(fs):
        fs.put(list(files.values()), list(files), callback=counting(work), **several(fs))
        return
    for path, source in files.items():
        with _aside(fs, path) as aside:
            fs.put_file(source, aside)
            os.replace(aside, path)  # noqa: PTH105
        work.advance(os.path.getsize(source) / 1e6)  # noqa: PTH202


def _is_local(fs: Any) -> bool:
    protocols = (fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol
    return any(one == "file" for one in protocols)


@contextlib.contextmanager
def _aside(fs: Any, path: str) -> Any:
    """Where a file of a file system grows: what is at ``path`` is whole at any time, as on S3."""
    aside = f"{path}.{uuid.uuid4().hex[:8]}"
    try:
        yield aside
    finally:
        with contextlib.suppress(FileNotFoundError):
            fs.rm_file(aside)


def several(fs: Any) -> dict[str, Any]:
    """How many files go at once, for file systems that do several."""
    return {"batch_size": _AT_ONCE} if fs.async_impl else {}


def counting(work: Work) -> Any:
    """A callback of fsspec that counts what came over, of whichever file."""
    from fsspec.callbacks import Callback

    class Counting(Callback):  # type: ignore[misc]
        def __init__(self, file: bool) -> None:
            super().__init__()
            self.file = file

        def branched(self, path_1: str, path_2: str, **kwargs: Any) -> Any:
            return Counting(file=True)

        def branch(self, path_1: str, path_2: str, kwargs: dict[str, Any]) -> None:
            kwargs["callback"] = Counting(file=True)

        def relative_update(self, inc: int = 1) -> None:
            if self.file:
                work.advance(inc / 1e6)

    return Counting(file=False)


def facts(info: Mapping[str, Any]) -> tuple[int, float]:
    """Size in bytes, and when it was written, in seconds since 1970."""
    # Each file system has its own word for it.
    when = next((info[k] for k in _WHEN if info.get(k) is not None), None)
    if isinstance(when, str):
        when = datetime.fromisoformat(when)
    if isinstance(when, datetime):
        when = when.timestamp()
    return int(info.get("size") or 0), time.time() if when is None else float(when)


_WHEN: Sequence[str] = ("LastModified", "last_modified", "mtime", "updated", "modified", "created")


def no_bucket(error: Exception) -> bool:
    """Whether it says that there is no such bucket."""
    response = getattr(error.__cause__, "response", None) or {}
    return bool(response.get("Error", {}).get("Code") == "NoSuchBucket")


def of_here(error: Exception, root: str) -> bool:
    """Whether it is about a file of this machine: a full disk, a cache that cannot be written."""
    named = error.filename if isinstance(error, OSError) and error.errno else None
    return bool(named) and not str(named).startswith(root)


def line_of(error: Exception) -> str:
    """What an error says, in one line without secrets."""
    text = (isinstance(error, OSError) and error.strerror) or str(error)
    text = re.sub(r"\s+", " ", text).strip(". ")[:200]
    return without_secrets(text or type(error).__name__)
