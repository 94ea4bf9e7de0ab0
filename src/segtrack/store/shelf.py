"""Results in a folder: finding them, looking after them, taking them away.

What goes is renamed into ``trash`` first. What was damaged counts as not there, and it is said.
"""

from __future__ import annotations

import contextlib
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from segtrack.base.files import real
from segtrack.base.saying import say
from segtrack.base.words import counted
from segtrack.store import nearest
from segtrack.store import record as records
from segtrack.store.calls import Entry, StageCall, StageResult
from segtrack.store.folders import erase, inside, size, used
from segtrack.store.record import Unusable
from segtrack.store.uses import unused, use

_TOPS = ("results", "partial", "fetched")  # where results lie, and attempts at them


class Shelf:
    """A folder of stage results.

    Attributes:
        root: the folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = real(root)
        self._told: set[Path] = set()

    def find(self, call: StageCall) -> StageResult | None:
        """The result of ``call`` if it is there and whole; gc keeps it while this process lives.

        What is damaged stays where it is until the stage is run, and one line names the file.
        """
        return self.near(call)

    def near(self, call: StageCall) -> StageResult | None:
        """As ``find``, of what lies in this folder."""
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

    def explain(self, call: StageCall) -> str:
        """Why ``call`` is not there: what differs from the most similar result of this stage."""
        return nearest.explain(call, self.entries(call.name))

    def entries(self, name: str = "*") -> Iterator[Entry]:
        """All results with a record, of one stage or of all; their files are not looked at."""
        for folder in self._folders(name):
            with contextlib.suppress(Unusable, OSError):  # gc may take it meanwhile
                record, when = records.read_record(folder), used(folder)
                yield Entry(folder.parent.name, folder.name, folder, size(folder), when, record)

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

        What a living process uses stays, on whichever machine it runs; in front of an address also
        what waits to be sent there, which is said.

        Returns:
            The folders that were removed.

        Raises:
            OSError: the store cannot be written.
        """
        limit = time.time() - days * 86400
        removed, waiting = [], 0
        for folder in [folder for top in _TOPS for folder in self._folders(top=top)]:
            with contextlib.suppress(FileNotFoundError):  # another gc took it
                if used(folder) >= limit:
                    continue
                if self._waits(folder):
                    waiting += 1
                elif self._remove(folder):
                    removed.append(folder)
        for left in inside(self.root / "trash"):  # by a kill
            erase(left)
        if waiting:
            say(
                f"store: {counted(waiting, 'results')} in {self.root} still to be sent: kept; "
                f"`segtrack store push --root ADDRESS --cache {self.root.parent}` sends them"
            )
        return removed

    def _waits(self, folder: Path) -> bool:
        """Whether it is a whole result that the address behind this folder has not got."""
        name, key = folder.parent.name, folder.name
        marks = self._mark(name, key).parent
        if not marks.is_dir() or folder != self._final(name, key):
            return False
        if self._mark(name, key).exists():
            return False
        try:
            records.check(folder, records.read_record(folder))
        except Unusable:  # it is never sent
            return False
        return True

    def _remove(self, folder: Path) -> bool:
        """Remove what nobody builds or uses; whether it was removed."""
        # The files KEY.out and KEY.tar of a transfer belong to the result as its folders do.
        name, key = folder.parent.name, folder.stem
        try:
            with (
                FileLock(self._lock_path(name, key)).acquire(timeout=0),
                unused(self.root, folder) as free,
            ):
                if free:
                    self._discard(folder)
                    if folder == self._final(name, key):
                        self._mark(name, key).unlink(missing_ok=True)
                return free
        except (Timeout, FileNotFoundError):
            return False

    def _folders(self, name: str = "*", top: str = "results") -> list[Path]:
        """What lies where results lie, or attempts at them."""
        stages = [p for p in inside(self.root / top) if name in ("*", p.name)]
        return [folder for stage in stages for folder in inside(stage)]

    def _discard(self, path: Path) -> None:
        """Take something away as a whole, so that no kill leaves a part of it in its place."""
        if not os.path.lexists(path):
            return
        trash = self.root / "trash" / f"{path.parent.name}-{path.name}-{uuid.uuid4().hex[:8]}"
        trash.parent.mkdir(exist_ok=True)
        path.rename(trash)
        erase(trash)

    def scratch(self, name: str) -> Path:
        """A folder of the store that is not a result: caches that only save time."""
        folder = self.root / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _final(self, name: str, key: str) -> Path:
        return self.root / "results" / name / key

    def _mark(self, name: str, key: str) -> Path:
        """In front of an address: the file that says that it has the result."""
        return self.root / "there" / f"{name}-{key}"

    def _lock_path(self, name: str, key: str) -> Path:
        return self.root / "locks" / f"{name}-{key}.lock"
