"""Files at an address, by fsspec: what fails is tried again, and what is asked is done or said."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from segtrack.base.errors import SettingsError, StageError
from segtrack.base.progress import doing
from segtrack.base.retry import Again, retry
from segtrack.base.secrets import without_secrets
from segtrack.store.filesystem import (
    counting,
    facts,
    line_of,
    no_bucket,
    of_here,
    put,
    several,
    write_one,
)

T = TypeVar("T")
TRIES = 3
REQUESTS = 2  # tries of each request of those, so that not all of a large file is sent again
PAUSE = 0.5  # s before the second attempt; three times as long before each further one
CONNECT, READ = 5.0, 15.0  # s that an S3 server has to accept a connection, and to go on answering
REST = 60.0  # s for which a server that was away is not asked again
_PARTS = 2  # of a large file on their way: with four files, 400 MB of memory at most
# Of libraries that are not imported here: what trying again does not mend.
_NO_RIGHTS = ("NoCredentialsError", "PartialCredentialsError", "ProfileNotFound")
_NO_NAME = ("ParamValidationError",)
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class Away(StageError):
    """The server does not answer, or fails however often it is asked."""


class Refused(Away):
    """It answers, and lets us not: no rights, no credentials, no such bucket."""


class Server:
    """Where files are at an address (``s3://bucket/folder``), and what can be done with them.

    Paths are those below the address. What is not there is a FileNotFoundError. Whatever else the
    server fails with is tried again, and then ``Away``; for a minute that is raised at once.
    """

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")
        self._opened: tuple[int, Any, str] | None = None
        self._rests = float("-inf")
        self._why = ""

    def read(self, path: str) -> bytes:
        """A small file."""
        return self._call(lambda fs, root: bytes(fs.cat_file(f"{root}/{path}")))

    def write(self, path: str, content: bytes) -> None:
        """A small file, as a whole, in the place of another one."""
        self._call(lambda fs, root: write_one(fs, f"{root}/{path}", content))

    def create(self, path: str, content: bytes) -> bool:
        """A small file where there is none; False where there is one by now, maybe the same."""

        def attempt(fs: Any, root: str) -> bool:
            with contextlib.suppress(FileNotFoundError):  # some servers overlook the condition
                fs.info(f"{root}/{path}")
                return False
            try:
                write_one(fs, f"{root}/{path}", content, new=True)
            except FileExistsError:
                return False
            except (OSError, NotImplementedError) as error:
                with contextlib.suppress(FileNotFoundError):  # said in other words
                    fs.cat_file(f"{root}/{path}")
                    return False
                if not isinstance(error, NotImplementedError) and error.errno != errno.ENOSYS:
                    raise
                write_one(fs, f"{root}/{path}", content)  # a server without the condition
            return True

        return self._call(attempt)

    def send(self, files: Mapping[str, Path], label: str) -> None:
        """Files from here, by their paths there; several at once."""
        total = sum(one.stat().st_size for one in files.values())

        def attempt(fs: Any, root: str) -> None:
            with doing(label, total / 1e6, "MB") as work:
                put(fs, {f"{root}/{name}": str(one) for name, one in files.items()}, work)

        self._call(attempt)

    def fetch(self, files: Mapping[str, Path], label: str, total: int) -> None:
        """Files from there, ``total`` bytes, by their paths there; several at once."""

        def attempt(fs: Any, root: str) -> None:
            with doing(label, total / 1e6, "MB") as work:
                names = [f"{root}/{name}" for name in files]
                places = [str(one) for one in files.values()]
                try:
                    fs.get(names, places, callback=counting(work), **several(fs))
                except OSError as error:
                    if error.errno not in _NO_ROOM:
                        raise
                    # Of this machine, which the error of a write() does not say.
                    why = error.strerror or str(error)
                    raise OSError(error.errno, why, os.path.commonpath(places)) from error

        self._call(attempt)

    def facts(self, path: str) -> tuple[int, float]:
        """Size of a file in bytes, and when it was written, in seconds since 1970."""
        return self._call(lambda fs, root: facts(fs.info(f"{root}/{path}")))

    def below(self, path: str) -> dict[str, tuple[int, float]]:
        """All files below a folder by their paths, each as ``facts`` has it."""

        def attempt(fs: Any, root: str) -> dict[str, tuple[int, float]]:
            found = fs.find(f"{root}/{path}", detail=True)
            start = len(fs._strip_protocol(root)) + 1
            return {name[start:]: facts(info) for name, info in sorted(found.items())}

        return self._call(attempt)

    def remove(self, paths: Iterable[str]) -> None:
        """Files that may be there."""

        def attempt(fs: Any, root: str) -> None:
            for path in paths:
                with contextlib.suppress(FileNotFoundError):
                    fs.rm_file(f"{root}/{path}")

        self._call(attempt)

    def _call(self, work: Callable[[Any, str], T]) -> T:
        if time.monotonic() < self._rests:
            raise Away(self._why)
        fs, root = self._fs()

        def attempt(number: int) -> T | Again:
            try:
                return work(fs, root)
            except Exception as error:
                if no_bucket(error):
                    raise Refused(self._text("there is no such bucket")) from error
                if isinstance(error, FileNotFoundError | MemoryError) or of_here(error, root):
                    raise
                if isinstance(error, PermissionError) or type(error).__name__ in _NO_RIGHTS:
                    raise Refused(self._text(f"it is refused: {line_of(error)}")) from error
                if type(error).__name__ in _NO_NAME:
                    raise Refused(self._text(line_of(error))) from error
                return Again(Away(self._text(line_of(error))))

        try:
            return retry(attempt, TRIES, lambda number: PAUSE * 3**number)
        except Refused:  # an answer, and at once: it may be asked again
            raise
        except Away as away:
            self._rests, self._why = time.monotonic() + REST, str(away)
            raise

    def _text(self, why: str) -> str:
        return f"store={without_secrets(self.address)}: {why}"

    def _fs(self) -> tuple[Any, str]:
        """The file system of this process, and where the address is in it.

        Raises:
            SettingsError: there is no library for such addresses.
        """
        if self._opened is None or self._opened[0] != os.getpid():
            from fsspec.core import url_to_fs

            try:
                fs, root = url_to_fs(self.address, **_options(self.address))
            except ImportError as error:
                do = "pip install 'segtrack[s3]'" if _is_s3(self.address) else str(error)
                raise SettingsError(self._text(f"needs a package that is missing: {do}")) from error
            except ValueError as error:
                raise SettingsError(self._text(f"{error}; give a folder or s3://...")) from error
            if _is_s3(self.address):
                fs.retries = 1  # of its own, each as long as READ
            self._opened = os.getpid(), fs, root.rstrip("/")
        return self._opened[1], self._opened[2]


def _is_s3(address: str) -> bool:
    return address.split("://")[0] in ("s3", "s3a")


def _options(address: str) -> dict[str, Any]:
    options: dict[str, Any] = {"skip_instance_cache": True, "use_listings_cache": False}
    if _is_s3(address):
        again = {"mode": "standard", "total_max_attempts": REQUESTS}
        times = {"connect_timeout": CONNECT, "read_timeout": READ}
        options |= {"config_kwargs": {"retries": again, **times}, "max_concurrency": _PARTS}
        options |= {"default_block_size": 16 << 20}
    elif address.startswith(("file://", "local://")):
        options["auto_mkdir"] = True
    return options
