"""Runs stages: builds what is not there, says and records what happens."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from segtrack.base.metrics import Metric, Report
from segtrack.base.names import level
from segtrack.base.processes import cores, stop_if_asked
from segtrack.base.progress import doing
from segtrack.base.saying import say
from segtrack.journal import Journal
from segtrack.pipeline.ahead import Ahead
from segtrack.pipeline.stage import STAGES, Crew, Given, Recipe, Result, Stage, Visit
from segtrack.pipeline.walk import Asking, Walk, missing, owner_of
from segtrack.report import table_csv, table_text
from segtrack.settings import Settings
from segtrack.store import StageCall, StageResult, Store


@dataclass(frozen=True)
class RunFacts:
    """What ``results.json`` says about the run that wrote it."""

    mlflow_run_id: str
    config_hash: str
    git_commit: str
    created_at: str


NO_FACTS = RunFacts("", "", "", "")


class _NotYet(Exception):
    """A stage would have to work, and the run has not begun."""


class Runner(Walk):
    """One run of a command.

    Attributes:
        journal: None records nothing.
        output: the run's folder.
        builds: how often each stage was built; 0 where its result was there.
        shown: files in the run's folder to name at its end, each with what it is.
        names: of classes and videos as the user gave them, each with its kind.
        must_build: a stage was found by looking that has no result yet.
        watch: is shown every number of a stage that is being built, and may end it by raising.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        journal: Journal | None = None,
        output: Path = Path(),
        facts: RunFacts = NO_FACTS,
    ) -> None:
        super().__init__(settings, store)
        self.journal, self.output, self.facts = journal, output, facts
        self.must_build = False
        self._looking = False
        self._fresh: set[str] = set()  # keys of what was built together, and not asked for yet
        self._failed: dict[str, BaseException] = {}  # what became of others of them, by key
        self._ahead: Ahead | None = None
        self._found: dict[Any, Recipe | Visit | Given] = {}  # what was found by looking
        self._unpublished: list[tuple[Stage, Mapping[str, Any], str, Result]] = []
        self.builds: dict[str, int] = {}
        self.shown: list[tuple[str, Path]] = []
        self.names: dict[tuple[str, str], None] = {}
        self.resources: dict[str, Any] = {}
        self.closing = contextlib.ExitStack()
        self.watch: Report | None = None

    def look(self) -> None:
        """Look for wrong inputs, before there is a run: at all that needs no stage to work.

        ``run`` does not look for it again.

        Raises:
            SegtrackError: a video, weights or a data set that is not there, a stage that is
                missing, and whatever else ends a run before anything is built.
        """
        self._looking = True
        roots = self.roots()
        # Data first, then videos, then weights: what is looked at in moments before what takes
        # seconds to import.
        data = [stage for stage in roots if not stage.require]
        try:
            for stage in data:
                with contextlib.suppress(_NotYet):
                    self.get(stage.name, {})
            for stage in reversed(roots):
                with contextlib.suppress(_NotYet):
                    if stage.require:
                        stage.require(Run(self, stage, stage.name))
            for stage in (stage for stage in roots if stage.require):
                with contextlib.suppress(_NotYet):
                    self.get(stage.name, {})
        finally:
            self._looking = False

    def begin(self, journal: Journal, output: Path, facts: RunFacts) -> None:
        """Record from here on."""
        self.journal, self.output, self.facts = journal, output, facts

    def run(self) -> None:
        """Run the listed stages in their order.

        Raises:
            SegtrackError: settings, data or a stage is at fault; the message says which and how to
                mend it.
        """
        with self.closing:
            for stage, of, owner, result in self._unpublished:
                self._publish(stage, of, owner, result)
            for stage in self.roots():
                if stage.require:
                    stage.require(Run(self, stage, stage.name))
            for stage in self.roots():
                self.get(stage.name, {})
            self._send_waiting()
        for name, count in self.builds.items():
            self.record(Metric(f"builds/{name}", count, 0))

    def _send_waiting(self) -> None:
        try:
            self.store.send_waiting()
        except OSError as error:  # of this machine, such as a full disk: all results are made
            say(
                f"store: what waits in {self.store.root} is not sent: {error.strerror or error}; "
                "the next run sends it, or `segtrack store push`"
            )

    def make(self, stage: Stage, of: Mapping[str, Any], owner: str) -> Result:
        """Build a result or take it from the store, and publish it.

        Raises:
            SettingsError: it is not there, and ``owner`` is not listed.
        """
        stop_if_asked()
        which = (stage.name, *sorted(of.items()))
        if self._ahead:
            self._ahead.wait(which)
        made = self._found.pop(which, None) or stage.make(Run(self, stage, owner), **of)
        if self._looking and not isinstance(made, Given):
            self._found[which] = made
            self._require_there(stage, made, owner)
            if isinstance(made, Recipe) and (made.check or not self.must_build):
                lacks = self.find(stage, made)[1] is None
                self.must_build |= lacks
                if lacks and made.check:
                    made.check()
            raise _NotYet
        if isinstance(made, Recipe):
            result = self._stored(stage, of, made, owner)
        elif isinstance(made, Visit):
            result = Result(self._visited(stage, made, Run(self, stage, owner), owner))
        else:
            result = Result(made.value, warning=made.warning)
        if self._looking:
            self._unpublished.append((stage, of, owner, result))
        else:
            self._publish(stage, of, owner, result)
        return result

    def _require_there(self, stage: Stage, made: Recipe | Visit, owner: str) -> None:
        if owner in self.listed:
            return
        if isinstance(made, Recipe):
            there = self.find(stage, made)[1] is not None
        else:
            there = made.known is not None or made.do is None
        if not there:
            raise missing(stage, owner, self.settings)

    def _publish(self, stage: Stage, of: Mapping[str, Any], owner: str, result: Result) -> None:
        if result.warning:
            say(f"warning: {result.warning}")
        which = (stage.name, *sorted(of.items()))
        if stage.write and not (self._ahead and which in self._ahead.written):
            self._writing(stage, of, result)()
        if stage.publish:
            stage.publish(Run(self, stage, owner), result, **of)

    def _writing(self, stage: Stage, of: Mapping[str, Any], result: Result) -> Callable[[], object]:
        assert stage.write is not None
        return stage.write(self.output, self.facts, result, **of)

    def each(self, name: str, of: Iterable[Mapping[str, Any]], asking: str) -> list[Result]:
        """Several results of one stage, one after the other."""
        return [self.get(name, one, asking) for one in of]

    def together(self, name: str, of: Iterable[Mapping[str, Any]], asking: str, then: str) -> None:
        """Build what is not there side by side, where there are several and their crew does so.

        What follows from each, up to ``then``, is built beside as soon as it is there, by every
        second core, where there are enough. Each is told and recorded when it is asked for, and
        what one of them failed with is raised then. What another process is building is left to
        that moment too.
        """
        stage = STAGES.get(name)
        owner = owner_of(stage, asking)
        if self._looking or owner not in self.listed:
            return
        lacking: dict[str, tuple[StageCall, Recipe, Mapping[str, Any]]] = {}
        crew: Crew | None = None
        for one in of:
            which = (name, *sorted(one.items()))
            made = self._found.get(which) or stage.make(Run(self, stage, owner), **one)
            self._found[which] = made
            if not isinstance(made, Recipe) or made.crew is None or made.crew.most < 2:
                return
            crew = made.crew
            call, there = self.find(stage, made)
            if there is None:
                lacking[call.key] = call, made, one
        if crew is None or len(lacking) < 2:
            return
        say(f"{name:10} {len(lacking)} together")
        following = STAGES.get(then) if then else None
        processes = min(len(lacking), cores() // 2)
        if following and following.load_apart and processes > 1:
            load = following.load_apart(self.settings)
            ahead = Ahead(self, processes, load, self._writing)
            self._ahead = self.closing.enter_context(ahead)

        def work(call: StageCall, recipe: Recipe, one: Mapping[str, Any]) -> StageResult | None:
            built = self.store.run_if_free(call, recipe.build)
            if built and self._ahead:
                self._ahead.follow(then, one, asking)
            return built

        works = [partial(work, *one) for one in lacking.values()]
        amounts = [recipe.amount for _, recipe, _ in lacking.values()]
        futures = crew.run(works, sum(amounts) if all(amounts) else None)
        stop_if_asked()
        for key, future in zip(lacking, futures, strict=True):
            if not future.cancelled():
                if (error := future.exception()) is not None:
                    self._failed[key] = error
                elif future.result() is not None:
                    self._fresh.add(key)
        if self.journal and self._fresh:
            self.journal.worked = True  # also where the first of them failed

    def record(self, metric: Metric) -> None:
        """Log a number."""
        if self.journal:
            self.journal.metric(metric)

    def named(self, kind: str, names: Iterable[str]) -> None:
        """Keep the originals of names that metrics cannot bear, as tags and in a table."""
        known = len(self.names)
        self.names |= {(kind, name): None for name in names}
        added = [(kind, name) for kind, name in list(self.names)[known:] if level(name) != name]
        if self.journal is None or not added:
            return
        self.journal.tags({f"{kind}.{level(name)}": name for kind, name in added})
        rows = [{"kind": k, "name": n, "in_metrics": level(n)} for k, n in self.names]
        self.journal.text(table_csv(rows), "names.csv")

    def _stored(self, stage: Stage, of: Mapping[str, Any], recipe: Recipe, owner: str) -> Result:
        self._require_there(stage, recipe, owner)
        call, _ = self.find(stage, recipe)
        if error := self._failed.pop(call.key, None):
            raise error
        named = recipe.metric or str

        def listen(metric: Metric) -> None:
            self.record(Metric(named(metric.name), metric.value, metric.step))

        def build(folder: Path, report: Report) -> None:
            def shown(name: str, value: float, step: int = 0) -> None:
                report(name, value, step)
                if self.watch is not None:
                    self.watch(name, value, step)

            with doing(named_work(stage, of)):
                recipe.build(folder, shown)
            stop_if_asked()  # a callback that was cut short may have left a wrong result

        result = self.store.run(call, build, listen)
        for fresh in (self._fresh, self._ahead.fresh if self._ahead else set()):
            if call.key in fresh:
                fresh.remove(call.key)
                result = replace(result, hit=False)
        if self.journal and not result.hit:
            self.journal.worked = True
        self.builds[stage.name] = self.builds.get(stage.name, 0) + (not result.hit)
        verb = "reused" if result.hit else f"built in {result.seconds:.1f} s"
        say(f"{stage.name:10} {verb}")
        if self.journal:
            self.journal.tags({f"stage.{stage.name}": f"{verb} {call.key}"})
        value = stage.load(result.folder) if stage.load else result.folder
        return Result(value, result.key, result.folder)

    def _visited(self, stage: Stage, visit: Visit, run: Run, owner: str) -> Any:
        if visit.do is None:
            run.say(visit.idle)
            return None
        if owner in self.listed:
            if self.journal:
                self.journal.worked = True  # what was sent stays there
            with doing(stage.name):
                return visit.do(run)
        if visit.known is None:
            raise missing(stage, owner, self.settings)
        return visit.known


def named_work(stage: Stage, of: Mapping[str, Any]) -> str:
    """What is built, for people: ``score sim-0``."""
    names = (getattr(value, "name", value) for value in of.values())
    return " ".join(dict.fromkeys([stage.name, *(n for n in names if isinstance(n, str))]))


class Run(Asking):
    """What a stage may do while it runs, beside asking: record, print, keep, visit."""

    def __init__(self, runner: Runner, stage: Stage, owner: str) -> None:
        super().__init__(runner, stage, owner)
        self._runner = runner

    @property
    def output(self) -> Path:
        """The run's folder."""
        return self._runner.output

    @property
    def facts(self) -> RunFacts:
        """What says which run this is."""
        return self._runner.facts

    def say(self, text: str) -> None:
        """Print a line of this stage."""
        say(f"{self._stage.name:10} {text.removeprefix('review: ')}")

    def table(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Print a table, if there is anything in it."""
        if rows:
            say(f"\n{table_text(rows)}")

    def record(self, name: str, value: float, step: int = 0) -> None:
        """Log a number."""
        self._runner.record(Metric(name, float(value), step))

    def tag(self, tags: Mapping[str, str]) -> None:
        """Tag the run."""
        if self._runner.journal:
            self._runner.journal.tags(tags)

    def named(self, kind: str, names: Iterable[str]) -> None:
        """Say which classes or videos there are: some metrics may need other names for them."""
        self._runner.named(kind, names)

    def keep(self, path: Path, folder: str) -> None:
        """Keep a file, or all of a folder, as artifacts."""
        if self._runner.journal and path.exists():
            self._runner.journal.artifact(path, folder)

    def keep_model(self, network: Path, folder: str, facts: Mapping[str, Any]) -> None:
        """Keep the folder of a network as a model that MLflow serves (``model.served_facts``)."""
        if self._runner.journal:
            self._runner.journal.model(network, folder, facts, self.settings.mlflow.register)

    def data(self, name: str, fingerprint: str, source: str) -> None:
        """Name the data set that the run learns from."""
        if self._runner.journal:
            self._runner.journal.dataset(name, fingerprint, source, "training")

    def show(self, what: str, path: Path) -> None:
        """Name a file at the end of the run: an ``annotated video``."""
        self._runner.shown.append((what, path))

    def resource(
        self, name: str, make: Callable[[], contextlib.AbstractContextManager[Any]]
    ) -> Any:
        """What all stages of this run share, made once and closed at its end."""
        if name not in self._runner.resources:
            self._runner.resources[name] = self._runner.closing.enter_context(make())
        return self._runner.resources[name]
