"""Results of stages, kept by what went into them, so that nothing is computed twice.

A stage's key is the digest of its name, its version, the versions of the libraries that shape its
result, the settings that it reads and the digests of its inputs. ``results/<stage>/<key>`` is
built in ``partial/<stage>/<key>`` under the key's lock and then renamed; what goes is renamed into
``trash`` first. What was damaged since counts as not there: it is said, and made anew.

    segtrack store ls            what is there, how large, when last used
    segtrack store verify        name what is damaged
    segtrack store gc --days 30  remove what was unused for 30 days, and remains
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shutil
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from segtrack.base.atomic import settle
from segtrack.base.errors import StageError
from segtrack.base.files import plain_value
from segtrack.base.metrics import Metric, MetricsFile, Report, read_metrics
from segtrack.base.saying import say
from segtrack.store import record as records
from segtrack.store.builders import building
from segtrack.store.record import Unusable
from segtrack.store.uses import unused, use

CANNOT_WRITE = {
    errno.EACCES,
    errno.EEXIST,
    errno.EISDIR,
    errno.EDQUOT,
    errno.EFBIG,
    errno.ENOSPC,
    errno.ENOTDIR,
    errno.EPERM,
    errno.EROFS,
}
Build = Callable[[Path, Report], None]
Listener = Callable[[Metric], None]


@dataclass(frozen=True)
class StageCall:
    """Everything that decides what a stage produces.

    Attributes:
        name: of the stage, also its folder in the store.
        version: raised by hand whenever the stage's code changes what it produces.
        settings: the settings that it reads, as plain JSON values.
        inputs: digests of what it reads, by role.
        libraries: distributions whose version shapes the result; torch counts as major.minor.
        resumable: a killed attempt may be continued in its own folder; others start afresh.
    """

    name: str
    version: int
    settings: Mapping[str, Any]
    inputs: Mapping[str, str]
    libraries: tuple[str, ...] = ()
    resumable: bool = False

    @cached_property
    def key(self) -> str:
        """32 hexadecimal digits."""
        return records.key_of(self.describe())

    def describe(self) -> dict[str, Any]:
        """What enters the key, readable."""
        return {
            "name": self.name,
            "version": self.version,
            "libraries": {name: _library_version(name) for name in self.libraries},
            "settings": dict(self.settings),
            "inputs": dict(self.inputs),
        }


@dataclass(frozen=True)
class StageResult:
    """A whole result in the store.

    Attributes:
        hit: it was there already. seconds: what building it took, whenever that was.
    """

    name: str
    key: str
    folder: Path
    hit: bool
    seconds: float


@dataclass(frozen=True)
class Entry:
    """One line of ``ls``."""

    name: str
    key: str
    folder: Path
    size: int
    used: float
    call: Mapping[str, Any] = field(default_factory=dict)


class Store:
    """A folder of stage results; several processes and machines may share it."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self._told: set[Path] = set()

    def find(self, call: StageCall) -> StageResult | None:
        """The result of ``call`` if it is there and whole; gc keeps it while this process lives.

        What is damaged stays where it is until the stage is run, and one line names the file.
        """
        folder = self._final(call.name, call.key)
        use(self.root, folder)  # before looking: what is there from here on stays
        if not os.path.lexists(folder):
            return None
        try:
            record = records.read_record(folder)
            records.check(folder, record)
        except Unusable as why:
            if folder not in self._told:
                self._told.add(folder)
                text = f"store: {call.name} {call.key[:6]}: {why}; the result is to be made anew"
                say(text)
            return None
        # Only for gc's sake; a store that may only be read still serves its results.
        with contextlib.suppress(OSError):
            os.utime(folder / records.FILE)
        return StageResult(call.name, call.key, folder, True, float(record["seconds"]))

    def kept(self, name: str, key: str) -> tuple[Path, dict[str, Any]] | None:
        """Folder and record (``name``, ``settings``, ``inputs`` ...) of a result by its key.

        For those that read it again: gc keeps it while this process lives; whether its files are
        still as they were written is not looked at.
        """
        folder = self._final(name, key)
        use(self.root, folder)
        try:
            return folder, records.read_record(folder)
        except Unusable:
            return None

    def run(self, call: StageCall, build: Build, listener: Listener | None = None) -> StageResult:
        """Return the result of ``call``, building it where it is not there.

        ``build(folder, report)`` fills the folder; what it reports goes to ``metrics.jsonl`` and to
        ``listener``. A result that is there replays its metrics to ``listener``.

        Raises:
            StageError: the store cannot be written (permissions, disk full).
        """
        return self._written(call, lambda: self._run(call, build, listener, wait=True))

    def run_if_free(self, call: StageCall, build: Build) -> StageResult | None:
        """As ``run``, but None where another process or thread is building it; never waits."""
        try:
            return self._written(call, lambda: self._run(call, build, None, wait=False))
        except Timeout:
            return None

    def _written(self, call: StageCall, work: Callable[[], StageResult]) -> StageResult:
        try:
            return work()
        except OSError as error:
            if error.errno not in CANNOT_WRITE:
                raise
            where, why = error.filename or self.root, error.strerror or str(error)
            raise StageError(_cannot_write(call, where, why)) from error
        except sqlite3.OperationalError as error:
            if not re.search(r"disk|readonly|unable to open", str(error)):
                raise
            raise StageError(_cannot_write(call, self.root, str(error))) from error

    def _run(
        self, call: StageCall, build: Build, listener: Listener | None, *, wait: bool
    ) -> StageResult:
        """``wait``: for another one that builds it, as long as it takes."""
        if found := self._replay(call, listener):
            return found
        with building(self._lock_path(call.name, call.key), call.name, wait):
            if found := self._replay(call, listener):
                return found  # another process built it while this one waited
            partial = self.root / "partial" / call.name / call.key
            if not (call.resumable and partial.is_dir()):
                self._discard(partial)
            partial.mkdir(parents=True, exist_ok=True)
            start = time.monotonic()
            try:
                build(partial, MetricsFile(partial, listener))
                seconds = time.monotonic() - start
                records.write_record(partial, call.describe(), seconds)
            except BaseException:
                if not call.resumable:
                    shutil.rmtree(partial, ignore_errors=True)
                raise
            final = self._final(call.name, call.key)
            final.parent.mkdir(parents=True, exist_ok=True)
            self._discard(final)  # damaged, or this would not have been built
            settle(partial, final)
            return StageResult(call.name, call.key, final, False, seconds)

    def explain(self, call: StageCall) -> str:
        """Why ``call`` is not there: what differs from the most similar result of this stage."""
        wanted = _flat(call.describe())
        best: list[str] | None = None
        for entry in self.entries(call.name):
            there = _flat({k: v for k, v in entry.call.items() if k in call.describe()})
            keys = sorted(k for k in wanted.keys() | there.keys() if wanted.get(k) != there.get(k))
            lines = [f"{k}: {there.get(k)!r} -> {wanted.get(k)!r}" for k in keys]
            if best is None or len(lines) < len(best):
                best = lines
        if best is None:
            return "no result of this stage yet"
        if not best:
            return "its result is damaged"
        return "differs from the nearest result in " + "; ".join(
            _shorten(line) for line in best[:4]
        )

    def entries(self, name: str = "*") -> Iterator[Entry]:
        """All results with a record, of one stage or of all; their files are not looked at."""
        for folder in self._folders(name):
            with contextlib.suppress(Unusable, OSError):  # gc may take it meanwhile
                record, used = records.read_record(folder), _used(folder)
                yield Entry(folder.parent.name, folder.name, folder, _size(folder), used, record)

    def damaged(self) -> Iterator[tuple[Path, str]]:
        """What lies among the results and is not whole, and why; reads every file."""
        for folder in self._folders():
            try:
                records.check(folder, records.read_record(folder), again=True)
            except Unusable as why:
                if os.path.lexists(folder):  # gc did not take it meanwhile
                    yield folder, str(why)

    def collect(self, days: float) -> list[Path]:
        """Remove results unused for ``days`` days and remains of kills that nobody is building.

        What a living process uses stays, on whichever machine it runs.

        Returns:
            The folders that were removed.

        Raises:
            OSError: the store cannot be written.
        """
        limit = time.time() - days * 86400
        removed = []
        for folder in [*self._folders(), *self._folders(top="partial")]:
            try:
                if _used(folder) >= limit:
                    continue
                with (
                    FileLock(self._lock_path(folder.parent.name, folder.name)).acquire(timeout=0),
                    unused(self.root, folder) as free,
                ):
                    if free:
                        self._discard(folder)
                        removed.append(folder)
            except (Timeout, FileNotFoundError):
                continue  # in use right now, or another gc took it
        for left in _inside(self.root / "trash"):  # by a kill
            _erase(left)
        return removed

    def _folders(self, name: str = "*", top: str = "results") -> list[Path]:
        """What lies where results lie, or attempts at them."""
        stages = [p for p in _inside(self.root / top) if name in ("*", p.name)]
        return [folder for stage in stages for folder in _inside(stage)]

    def _discard(self, path: Path) -> None:
        """Take something away as a whole, so that no kill leaves a part of it in its place."""
        if not os.path.lexists(path):
            return
        trash = self.root / "trash" / f"{path.parent.name}-{path.name}-{uuid.uuid4().hex[:8]}"
        trash.parent.mkdir(exist_ok=True)
        path.rename(trash)
        _erase(trash)

    def scratch(self, name: str) -> Path:
        """A folder of the store that is not a result: caches that only save time."""
        folder = self.root / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _replay(self, call: StageCall, listener: Listener | None) -> StageResult | None:
        result = self.find(call)
        if result and listener:
            for metric in read_metrics(result.folder):
                listener(metric)
        return result

    def _final(self, name: str, key: str) -> Path:
        return self.root / "results" / name / key

    def _lock_path(self, name: str, key: str) -> Path:
        return self.root / "locks" / f"{name}-{key}.lock"


@cache  # each look reads the package's metadata, and a sweep looks hundreds of times
def _library_version(name: str) -> str:
    full = _installed(name)
    return ".".join(full.split(".")[:2]) if name in ("torch", "torchvision") else full


def _installed(name: str) -> str:
    """The version of a distribution; OpenCV's counts under whichever name it is installed."""
    if name != "opencv-python":
        return version(name)
    contrib = "opencv-contrib-python"
    for build in (name, f"{name}-headless", contrib, f"{contrib}-headless"):
        with contextlib.suppress(PackageNotFoundError):
            return version(build)
    return version(name)


def _inside(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _used(folder: Path) -> float:
    """When a result was last used, or an attempt last worked at; seconds since 1970."""
    record = folder / records.FILE
    return (record if record.exists() else folder).lstat().st_mtime


def _erase(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _size(folder: Path) -> int:
    files = (p for p in folder.rglob("*") if p.is_file() and not p.is_symlink())
    return sum(p.stat().st_size for p in files)


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(value, Mapping):
        return {prefix: value}
    rows: dict[str, Any] = {}
    for key, item in json.loads(json.dumps(dict(value), default=plain_value)).items():
        rows.update(_flat(item, f"{prefix}.{key}" if prefix else str(key)))
    return rows


def _shorten(text: str, length: int = 120) -> str:
    return text if len(text) <= length else text[: length - 3] + "..."


def _cannot_write(call: StageCall, where: str | Path, why: str) -> str:
    return (
        f"stage {call.name}: cannot write in {where}: {why}. Nothing half-finished is used; free "
        f"space or permissions there, or choose another folder with store=FOLDER, and give the "
        f"same command again."
    )
