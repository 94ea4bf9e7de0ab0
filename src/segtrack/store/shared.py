"""A store at an address, with a folder in front of it.

What stages see are folders of this machine: the cache has what this machine built or fetched, and
is a store itself. The address has what all machines built. A result goes there before it gets its
place here; where the address cannot be reached it gets its place and waits. ``there/<stage>-<key>``
marks what the address has; without the mark a result waits to be sent, and is never evicted.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from filelock import FileLock, Timeout

from segtrack.base.saying import say
from segtrack.base.words import counted
from segtrack.store import record as records
from segtrack.store.builders import building
from segtrack.store.calls import StageCall, StageResult
from segtrack.store.far import DAY, Far, Sent
from segtrack.store.folders import used
from segtrack.store.record import Unusable
from segtrack.store.server import Away
from segtrack.store.store import Store

T = TypeVar("T")


class SharedStore(Store):
    """A store at an address.

    Attributes:
        far: the results there.
        limit: bytes of results in the cache beyond which those that were not used for longest go.
    """

    choice = "store_cache=FOLDER"

    def __init__(self, address: str, cache: Path, limit: float | None = None) -> None:
        super().__init__(cache)
        self.far, self.limit = Far(address), limit
        self._away = self._full = False

    def reach(self, *, write: bool = False) -> None:
        """See ``Store.reach``; where the address does not answer, it is said and we go on."""
        self._asked(lambda: self.far.reach(write=write), None)

    def find(self, call: StageCall) -> StageResult | None:
        """As ``Store.find``; what another machine made is fetched."""
        if found := self.near(call):
            self._tell_use(call.name, call.key)
            return found
        if not self._asked(lambda: self.far.has(call.name, call.key), False):
            return None

        def fetched() -> StageResult | None:
            with building(self._lock_path(call.name, call.key), call.name, wait=True):
                return self._held(call)

        return self._written(call, fetched)

    def kept(self, name: str, key: str) -> tuple[Path, dict[str, Any]] | None:
        """As ``Store.kept``; what another machine made is fetched, if the cache has room.

        Whoever builds or fetches it just now is not waited for: that may be a training.
        """
        found = super().kept(name, key)
        if found or not self._asked(lambda: self.far.has(name, key), False):
            return found
        with (
            contextlib.suppress(OSError, Timeout),
            building(self._lock_path(name, key), name, wait=False),
        ):
            self._fetch(name, key)
        return super().kept(name, key)

    def send_waiting(self) -> tuple[int, int]:
        """Send what waits. Returns how many were sent, and how many go on waiting."""
        sent = waiting = 0
        for folder in self._folders():
            name, key = folder.parent.name, folder.name
            if self._mark(name, key).exists():
                continue
            try:
                with FileLock(self._lock_path(name, key)).acquire(timeout=0):
                    records.check(folder, records.read_record(folder))
                    outcome = self._sent(name, key, folder)
            except (Unusable, Timeout):  # damaged, or another process is at it
                continue
            if outcome is Sent.first:
                say(
                    f"store: {name} {key[:6]}: another machine sent this result before; that one "
                    f"stays at {self.far.address}, the one of this machine in {self.root} alone"
                )
            sent, waiting = sent + (outcome is not None), waiting + (outcome is None)
        return sent, waiting

    def _held(self, call: StageCall) -> StageResult | None:
        found = self.near(call)
        if found is None and self._fetch(call.name, call.key):
            found = self.near(call)
        return found

    def _keep(self, call: StageCall, partial: Path) -> None:
        name, key = call.name, call.key
        mark = self._mark(name, key)
        mark.parent.mkdir(parents=True, exist_ok=True)  # gc knows by it that results wait here
        mark.unlink(missing_ok=True)
        outcome = self._sent(name, key, partial)
        if outcome is Sent.first and self._fetch(name, key):
            say(
                f"store: {name} {key[:6]}: another machine sent this result while it was built "
                "here; that one is used here, too"
            )
            self._discard(partial)
            return
        if outcome is Sent.first:  # it cannot be fetched: a later run finds out
            self._mark(name, key).unlink(missing_ok=True)
        self._settle(partial, name, key)
        self._trim()

    def _sent(self, name: str, key: str, folder: Path) -> Sent | None:
        """Send a result; None: the address cannot be reached, and it is to wait."""
        pack = self.root / "fetched" / name / f"{key}.out"
        outcome = self._asked(lambda: self.far.send(name, key, folder, pack), None)
        if outcome is not None:
            self._set_mark(name, key)
        return outcome

    def _fetch(self, name: str, key: str) -> bool:
        """Put a result that the address has into its place; its lock is held."""
        into = self.root / "fetched" / name / key
        self._discard(into)
        into.mkdir(parents=True)
        try:
            if not self._asked(lambda: self.far.fetch(name, key, into), False):
                return False
            self._settle(into, name, key)
            self._set_mark(name, key)
            self._asked(lambda: self.far.used(name, key), False)
        except Unusable as why:
            say(
                f"store: {name} {key[:6]} at {self.far.address}: {why}; the result is to be made "
                "anew"
            )
            return False
        finally:
            self._discard(into)
        self._trim()
        return True

    def _tell_use(self, name: str, key: str) -> None:
        """Tell the address once a day that a result is used; what it lost is sent again."""
        mark = self._mark(name, key)
        with contextlib.suppress(OSError):
            if time.time() - mark.stat().st_mtime < DAY:
                return
            there = self._asked(lambda: self.far.used(name, key), None)
            if there:
                os.utime(mark)
            elif there is False:
                mark.unlink()

    def _trim(self) -> None:
        """Evict what was not used for longest, until the cache is within its limit."""
        if self.limit is None:
            return
        sizes = {}
        for folder in self._folders():
            with contextlib.suppress(Unusable, OSError):
                record = records.read_record(folder)
                sizes[folder] = sum(row["size"] for row in record["files"].values()), used(folder)
        total = sum(size for size, _ in sizes.values())
        for folder, (size, _) in sorted(sizes.items(), key=lambda one: one[1][1]):
            if total <= self.limit:
                return
            if self._mark(folder.parent.name, folder.name).exists() and self._remove(folder):
                total -= size
        if total > self.limit and not self._full:
            self._full = True
            say(
                f"store: {total / 1e9:.2f} GB in {self.root} are in use or wait to be sent, more "
                f"than store_cache_gb={self.limit / 1e9:g}"
            )

    def _asked(self, work: Callable[[], T], otherwise: T) -> T:
        """What the address answers; ``otherwise`` where it cannot be reached, which is said once.

        What is there is used then, and what is built waits.
        """
        try:
            answer = work()
        except Away as why:
            if not self._away:
                say(
                    f"{why}. It cannot be reached: results of {self.root} are used, and new ones "
                    "wait there; the next run sends them, or `segtrack store push`"
                )
            self._away = True
            return otherwise
        self._away = False
        return answer

    def _set_mark(self, name: str, key: str) -> None:
        mark = self._mark(name, key)
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()


def waiting_text(waiting: int, cache: Path) -> str:
    """What is said of results that go on waiting."""
    return f"{counted(waiting, 'results')} still to be sent in {cache}: give the same command again"
