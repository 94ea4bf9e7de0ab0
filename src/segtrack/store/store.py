"""Results of stages, kept by what went into them, so that nothing is computed twice.

A stage's key is the digest of its name, its version, the versions of the libraries that shape its
result, the settings that it reads and the digests of its inputs. ``results/<stage>/<key>`` is
always whole: it is built in ``partial/<stage>/<key>`` under the key's lock and then renamed.

    python -m segtrack.store ls            what is there, how large, when last used
    python -m segtrack.store gc --days 30  remove what was unused for 30 days, and remains
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
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from segtrack.base.atomic import settle, write_whole
from segtrack.base.errors import StageError
from segtrack.base.files import digest, plain_value
from segtrack.base.metrics import Metric, MetricsFile, Report, read_metrics

CANNOT_WRITE = {
    errno.EACCES,
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
        return digest(self.describe())[:32]

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

    def find(self, call: StageCall) -> StageResult | None:
        """The result of ``call`` if it is there; marks it as used."""
        folder = self._final(call.name, call.key)
        record = _read_record(folder)
        if record is None:
            return None
        # Only for gc's sake; a store that may only be read still serves its results.
        with contextlib.suppress(OSError):
            os.utime(folder / "stage.json")
        return StageResult(call.name, call.key, folder, True, float(record["seconds"]))

    def run(self, call: StageCall, build: Build, listener: Listener | None = None) -> StageResult:
        """Return the result of ``call``, building it where it is not there.

        ``build(folder, report)`` fills the folder; what it reports goes to ``metrics.jsonl`` and to
        ``listener``. A result that is there replays its metrics to ``listener``.

        Raises:
            StageError: the store cannot be written (permissions, disk full).
        """
        try:
            return self._run(call, build, listener)
        except OSError as error:
            if error.errno not in CANNOT_WRITE:
                raise
            where, why = error.filename or self.root, error.strerror or str(error)
            raise StageError(_cannot_write(call, where, why)) from error
        except sqlite3.OperationalError as error:
            if not re.search(r"disk|readonly|unable to open", str(error)):
                raise
            raise StageError(_cannot_write(call, self.root, str(error))) from error

    def _run(self, call: StageCall, build: Build, listener: Listener | None) -> StageResult:
        if found := self._replay(call, listener):
            return found
        with self._lock(call):
            if found := self._replay(call, listener):
                return found  # another process built it while this one waited
            partial = self.root / "partial" / call.name / call.key
            if partial.exists() and not call.resumable:
                shutil.rmtree(partial)
            partial.mkdir(parents=True, exist_ok=True)
            start = time.monotonic()
            try:
                build(partial, MetricsFile(partial, listener))
                seconds = time.monotonic() - start
                record = {**call.describe(), "seconds": round(seconds, 3), "created": time.time()}
                write_whole(partial / "stage.json", json.dumps(record, indent=1))
            except BaseException:
                if not call.resumable:
                    shutil.rmtree(partial, ignore_errors=True)
                raise
            final = self._final(call.name, call.key)
            final.parent.mkdir(parents=True, exist_ok=True)
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
        return "differs from the nearest result in " + "; ".join(
            _shorten(line) for line in best[:4]
        )

    def entries(self, name: str = "*") -> Iterator[Entry]:
        """All whole results, of one stage or of all."""
        for path in sorted((self.root / "results").glob(f"{name}/*/stage.json")):
            record = _read_record(path.parent)
            if record is not None:
                used = path.stat().st_mtime
                stage = path.parent.parent.name
                yield Entry(stage, path.parent.name, path.parent, _size(path.parent), used, record)

    def collect(self, days: float) -> list[Path]:
        """Remove results unused for ``days`` days and remains of kills that nobody is building.

        Returns:
            The folders that were removed.
        """
        limit = time.time() - days * 86400
        old = [entry.folder for entry in self.entries() if entry.used < limit]
        remains = [p for p in (self.root / "partial").glob("*/*") if p.stat().st_mtime < limit]
        removed = []
        for folder in [*old, *remains]:
            lock = FileLock(self._lock_path(folder.parent.name, folder.name))
            try:
                with lock.acquire(timeout=0):
                    shutil.rmtree(folder, ignore_errors=True)
                    removed.append(folder)
            except Timeout:
                continue  # in use right now
        return removed

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

    def _lock(self, call: StageCall) -> FileLock:
        path = self._lock_path(call.name, call.key)
        path.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(path)


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


def _read_record(folder: Path) -> dict[str, Any] | None:
    try:
        record: dict[str, Any] = json.loads((folder / "stage.json").read_text())
        return record
    except (OSError, json.JSONDecodeError):
        return None


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
