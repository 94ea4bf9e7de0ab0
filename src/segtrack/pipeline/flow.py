"""What happens around every stage: is its result there, may it run, what is said and recorded."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from segtrack.base.errors import SettingsError
from segtrack.base.metrics import Metric
from segtrack.journal.journal import Journal
from segtrack.pipeline.versions import LIBRARIES, VERSIONS
from segtrack.settings import Stage, plain
from segtrack.store.store import Build, Listener, StageCall, StageResult, Store


class NotBuilt(Exception):
    """While planning: a stage has no result yet, so what follows from it is not known."""


@dataclass
class Flow:
    """Runs stages against a store and a journal, or only says what would run.

    Attributes:
        listed: the stages that may run; the others must be in the store.
        journal: None records nothing.
        plan: lines of the plan while planning, else None.
        builds: how often each stage was built in this run; 0 where its result was there.
    """

    listed: Collection[Stage]
    store: Store
    journal: Journal | None
    plan: list[str] | None = None
    builds: dict[str, int] = field(default_factory=dict)

    def call(
        self,
        name: str,
        settings: Mapping[str, Any],
        inputs: Mapping[str, Any],
        libraries: tuple[str, ...] = (),
        resumable: bool = False,
    ) -> StageCall:
        """What decides the result of the stage ``name``; ``libraries`` beside its own."""
        values = {key: plain(value) for key, value in settings.items()}
        texts = {key: str(value) for key, value in inputs.items()}
        installed = (*LIBRARIES[name], *libraries)
        return StageCall(name, VERSIONS[name], values, texts, installed, resumable)

    def stage(
        self, stage: Stage, call: StageCall, build: Build, listener: Listener | None = None
    ) -> StageResult:
        """Take the result from the store, or build it where its stage is listed.

        Raises:
            SettingsError: it is neither in the store nor listed.
            NotBuilt: while planning, it is not in the store.
        """
        found = self.store.find(call)
        if self.plan is not None:
            self.plan.append(self._plan_line(stage, call, found))
            if not found:
                raise NotBuilt(stage.name)
        if found is None and stage not in self.listed:
            raise SettingsError(_missing(stage))
        result = self.store.run(call, build, listener or self.record)
        self.builds[call.name] = self.builds.get(call.name, 0) + (not result.hit)
        verb = "reused" if result.hit else f"built in {result.seconds:.1f} s"
        if self.plan is None:
            print(f"{call.name:10} {verb}", flush=True)
        self.tag({f"stage.{call.name}": f"{verb} {call.key}"})
        return result

    def record(self, metric: Metric) -> None:
        """Log a number."""
        if self.journal:
            self.journal.metric(metric)

    def renamed(self, kind: str, other: str) -> Listener:
        """Logs a stage's numbers with ``other_`` for ``kind_``, to keep several results apart."""

        def listen(metric: Metric) -> None:
            name = metric.name.replace(f"/{kind}_", f"/{other}_")
            self.record(Metric(name, metric.value, metric.step))

        return listen

    def tag(self, tags: Mapping[str, str]) -> None:
        """Tag the run."""
        if self.journal:
            self.journal.tags(tags)

    def keep(self, path: Path, folder: str) -> None:
        """Keep a file, or all of a folder, as artifacts."""
        if self.journal and path.exists():
            self.journal.artifact(path, folder)

    def _plan_line(self, stage: Stage, call: StageCall, found: StageResult | None) -> str:
        if found:
            return f"{call.name:10} hit      {call.key}"
        if stage not in self.listed:
            return f"{call.name:10} missing  {_missing(stage)}"
        return f"{call.name:10} build    {self.store.explain(call)}"


def _missing(stage: Stage) -> str:
    mend = {
        Stage.train: "name trained weights with model.weights=FILE",
        Stage.prepare: "name a video with video=FILE and weights with model.weights=FILE",
    }.get(stage, "leave out what follows from it")
    return (
        f"stage {stage.name} is not listed in stages, and the store has no result of it for these "
        f"settings: add {stage.name} to stages, or {mend}."
    )
