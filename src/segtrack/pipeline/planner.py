"""Says what a command would do: the same stages as a run, without building or visiting."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from segtrack.pipeline.stage import Recipe, Result, Stage, Visit
from segtrack.pipeline.walk import Asking, Walk, missing
from segtrack.settings import Settings
from segtrack.store import Store

_ORDER = ("missing", "build", "after", "platform", "hit", "given")  # what a stage's line shows


class _NotThere(Exception):
    """A stage has no result yet, so what follows from it is not known."""


class Planner(Walk):
    """The plan of a command, one line for each stage."""

    def __init__(self, settings: Settings, store: Store) -> None:
        super().__init__(settings, store)
        self._found: dict[str, list[tuple[str, str]]] = {}
        self._ends: dict[Any, str] = {}
        self._warnings: list[str] = []

    def lines(self) -> list[str]:
        """``stage  hit|build|after STAGE|platform|given  why``, in columns; then warnings.

        Raises:
            SegtrackError: what would end the run before it begins.
        """
        for stage in self.roots():
            if stage.require:
                self._try(partial(stage.require, Asking(self, stage, stage.name)))
        for stage in self.roots():
            self._try(partial(self.get, stage.name, {}))
        rows = [(name, *_summary(found)) for name, found in self._found.items()]
        widths = [max((len(row[i]) for row in rows), default=0) for i in (0, 1)]
        table = [
            f"{name:{widths[0]}}  {status:{widths[1]}}  {why}".rstrip()
            for name, status, why in rows
        ]
        return [*table, *(f"warning: {text}" for text in self._warnings)]

    def get(self, name: str, of: Mapping[str, Any], asking: str = "") -> Result:
        """As ``Walk.get``; a branch that ended before ends again, without another line."""
        which = (name, *sorted(of.items()))
        if which in self._ends:
            raise _NotThere(self._ends[which])
        try:
            return super().get(name, of, asking)
        except _NotThere as end:
            self._ends[which] = str(end)
            raise

    def make(self, stage: Stage, of: Mapping[str, Any], owner: str) -> Result:
        """The result, if it is there; a line of the plan in any case."""
        try:
            made = stage.make(Asking(self, stage, owner), **of)
        except _NotThere as end:
            if stage.version or stage.listed:
                self._add(stage, f"after {end}")
            raise
        if isinstance(made, Recipe):
            return self._stored(stage, made, owner)
        if isinstance(made, Visit):
            return self._visited(stage, made)
        if made.warning:
            self._warnings.append(made.warning)
        if made.text:
            self._add(stage, "hit" if stage.listed else "given", made.text)
        return Result(made.value)

    def each(self, name: str, of: Iterable[Mapping[str, Any]], asking: str) -> list[Result]:
        """All results; where one is not there, the others are looked at all the same."""
        results, ends = [], []
        for one in of:
            try:
                results.append(self.get(name, one, asking))
            except _NotThere as end:
                ends.append(end)
        if ends:
            raise ends[0]
        return results

    def together(self, name: str, of: Iterable[Mapping[str, Any]], asking: str, then: str) -> None:
        """Nothing: each has its line when it is asked for."""

    def _stored(self, stage: Stage, recipe: Recipe, owner: str) -> Result:
        call, found = self.find(stage, recipe)
        if found is None and owner not in self.listed:
            self._add(stage, "missing", str(missing(stage, owner, self.settings)))
        elif found is None:
            self._add(stage, "build", self.store.explain(call))
        if found is None:
            raise _NotThere(stage.name)
        self._add(stage, "hit", found.key)
        value = stage.load(found.folder) if stage.load else found.folder
        return Result(value, found.key, found.folder)

    def _visited(self, stage: Stage, visit: Visit) -> Result:
        if visit.known is not None:
            return Result(visit.known)
        what = f"{visit.what}; never taken from the store" if visit.do else visit.idle
        self._add(stage, "platform", what)
        if visit.do:
            raise _NotThere(stage.name)
        return Result(None)

    def _add(self, stage: Stage, status: str, why: str = "") -> None:
        self._found.setdefault(stage.name, []).append((status, why))

    def _try(self, step: Callable[[], Any]) -> None:
        with contextlib.suppress(_NotThere):  # a line of its own says so
            step()


def _summary(found: list[tuple[str, str]]) -> tuple[str, str]:
    """Status and reason of a stage that was looked at several times, a split or video each."""
    if len(found) == 1:
        return found[0]
    ranked = sorted(found, key=lambda one: _ORDER.index(one[0].split()[0]))
    status, why = ranked[0]
    count = sum(one[0] == status for one in found)
    return status, f"{count} of {len(found)}" + (f": {why}" if why and status != "hit" else "")
