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

import errno
import re
import shutil
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from filelock import Timeout

from segtrack.base.atomic import settle
from segtrack.base.errors import StageError, place_of
from segtrack.base.metrics import MetricsFile, read_metrics
from segtrack.store import record as records
from segtrack.store.builders import building
from segtrack.store.calls import Build, Listener, StageCall, StageResult
from segtrack.store.record import Unusable
from segtrack.store.shelf import Shelf

T = TypeVar("T")
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


class Store(Shelf):
    """A folder of stage results; several processes and machines may share it.

    Attributes:
        choice: how another one is chosen, for messages.
    """

    choice = "store=FOLDER"

    def reach(self, *, write: bool = False) -> None:
        """Look whether the store can be used before any work, where that takes asking somebody.

        Args:
            write: whether results can be added, too.

        Raises:
            SettingsError: it cannot.
        """

    def send_waiting(self) -> tuple[int, int]:
        """Send results to where others find them that could not be sent when they were made.

        Returns:
            How many were sent, and how many go on waiting.
        """
        return 0, 0

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

    def _written(self, call: StageCall, work: Callable[[], T]) -> T:
        try:
            return work()
        except OSError as error:
            if error.errno not in CANNOT_WRITE:
                raise
            where, why = place_of(error) or self.root, error.strerror or str(error)
            raise StageError(self._cannot_write(call, where, why)) from error
        except sqlite3.OperationalError as error:
            if not re.search(r"disk|readonly|unable to open", str(error)):
                raise
            raise StageError(self._cannot_write(call, self.root, str(error))) from error

    def _run(
        self, call: StageCall, build: Build, listener: Listener | None, *, wait: bool
    ) -> StageResult:
        """``wait``: for another one that builds it, as long as it takes."""
        if found := _replayed(self.near(call), listener):
            return found
        with building(self._lock_path(call.name, call.key), call.name, wait):
            # Another process built it while this one waited, or another machine.
            if found := _replayed(self._held(call), listener):
                return found
            partial = self.root / "partial" / call.name / call.key
            if _ready(partial):  # a kill came before it was settled
                self._keep(call, partial)
                if found := _replayed(self.near(call), listener):
                    return found
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
            self._keep(call, partial)
            final = self._final(call.name, call.key)
            return StageResult(call.name, call.key, final, False, seconds)

    def _held(self, call: StageCall) -> StageResult | None:
        """The result of ``call``, for whoever holds its lock."""
        return self.near(call)

    def _keep(self, call: StageCall, partial: Path) -> None:
        """Give what was built its place; the lock is held."""
        self._settle(partial, call.name, call.key)

    def _settle(self, folder: Path, name: str, key: str) -> None:
        final = self._final(name, key)
        final.parent.mkdir(parents=True, exist_ok=True)
        self._discard(final)  # damaged, or this would not have been made
        settle(folder, final)

    def _cannot_write(self, call: StageCall, where: str | Path, why: str) -> str:
        return (
            f"stage {call.name}: cannot write in {where}: {why}. Nothing half-finished is used; "
            f"free space or permissions there, or choose another folder with {self.choice}, and "
            f"give the same command again."
        )


def _replayed(result: StageResult | None, listener: Listener | None) -> StageResult | None:
    """A result, after its metrics were told again."""
    if result and listener:
        for metric in read_metrics(result.folder):
            listener(metric)
    return result


def _ready(partial: Path) -> bool:
    """Whether an attempt was finished, and only a kill kept it from its place."""
    try:
        records.check(partial, records.read_record(partial), again=True)
    except Unusable:
        return False
    return True
