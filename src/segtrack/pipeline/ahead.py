"""What follows from a result, built before it is asked for: of a video while others are detected.

A thread for each process waits for what that process computes. All is said and recorded later, when
it is asked for; what failed is done again then, and fails where everybody sees it.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from segtrack.base.metrics import Report
from segtrack.base.processes import deaf_children, end_with, lasting_port
from segtrack.pipeline.stage import Given, Recipe, Result, Stage
from segtrack.pipeline.walk import Asking, Walk
from segtrack.store import Build

Number = tuple[str, float, int]
Write = Callable[[Stage, Mapping[str, Any], Result], Callable[[], object]]


class _NotAhead(Exception):
    """This is built when it is asked for."""


class Ahead(Walk):
    """A walk beside another one, which builds and writes, and says and records nothing.

    Attributes:
        fresh: keys of what it built. written: of which results it wrote the files.
    """

    def __init__(self, walk: Walk, count: int, load: Callable[[], object], write: Write) -> None:
        """``count``: processes.

        Args:
            load: called in each at its start: what takes time before the first work.
            write: gives what writes a result's files.
        """
        super().__init__(walk.settings, walk.store)
        self._made = dict(walk._made)
        self.fresh: set[str] = set()
        self.written: set[Any] = set()
        self._coming: dict[Any, Future[None]] = {}
        self._open = contextlib.ExitStack()
        self._count, self._load, self._write = count, load, write

    def __enter__(self) -> Ahead:
        port = self._open.enter_context(lasting_port())
        how = get_context("spawn"), _begin, (port,)
        self._processes = ProcessPoolExecutor(self._count, *how)
        self._threads = ThreadPoolExecutor(self._count, "ahead")
        with contextlib.suppress(BrokenExecutor):  # then all is built when it is asked for
            for _ in range(self._count):
                self._called(self._load)
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End at once what still goes on."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._processes.shutdown(wait=False, cancel_futures=True)
        self._open.close()  # their processes end with it
        self._threads.shutdown()

    def follow(self, name: str, of: Mapping[str, Any], asking: str) -> None:
        """Build a result and all that it needs, as far as that may be done here."""
        coming = self._threads.submit(self._follow, name, of, asking)
        self._coming[name, *sorted(of.items())] = coming

    def wait(self, which: Any) -> None:
        """Until no work goes on for a result that is asked for now."""
        if coming := self._coming.pop(which, None):
            coming.result()
            if not self._coming:
                self.close()  # processes take memory

    def make(self, stage: Stage, of: Mapping[str, Any], owner: str) -> Result:
        """As far as it is there, follows at once, or may be built here."""
        made = stage.make(Asking(self, stage, owner), **of)
        if isinstance(made, Recipe):
            return self._stored(stage, made)
        if not isinstance(made, Given):
            raise _NotAhead
        result = Result(made.value, warning=made.warning)
        if stage.write:
            self._called(self._write(stage, of, result)).result()
            self.written.add((stage.name, *sorted(of.items())))
        return result

    def each(self, name: str, of: Iterable[Mapping[str, Any]], asking: str) -> list[Result]:
        """One after the other."""
        return [self.get(name, one, asking) for one in of]

    def together(self, name: str, of: Iterable[Mapping[str, Any]], asking: str, then: str) -> None:
        """Nothing: this is beside others already."""

    def _follow(self, name: str, of: Mapping[str, Any], asking: str) -> None:
        with contextlib.suppress(Exception):
            self.get(name, of, asking)

    def _stored(self, stage: Stage, recipe: Recipe) -> Result:
        call, found = self.find(stage, recipe)
        if found is None:
            if not recipe.apart:
                raise _NotAhead
            found = self.store.run_if_free(call, partial(self._built, recipe.build))
            if found is None:
                raise _NotAhead
            if not found.hit:
                self.fresh.add(call.key)
        value = stage.load(found.folder) if stage.load else found.folder
        return Result(value, found.key, found.folder)

    def _built(self, build: Build, folder: Path, report: Report) -> None:
        for number in self._called(_numbers_of, build, folder).result():
            report(*number)

    def _called(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        with deaf_children():  # it starts a process where none is idle
            return self._processes.submit(function, *arguments)


def _begin(port: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with(port)


def _numbers_of(build: Build, folder: Path) -> list[Number]:
    """Build into ``folder``; what was reported."""
    numbers: list[Number] = []

    def report(name: str, value: float, step: int = 0) -> None:
        numbers.append((name, value, step))

    build(folder, report)
    return numbers
