"""What a stage is: one declaration, from which all else follows.

The key of its result, the order of stages and the words of ``stages=[...]``, the plan, the listing
of the store, the message where a stage is missing and the guard of ``versions`` read nothing else.
A stage of another package is one module that registers itself (``segtrack.base.registry``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from segtrack.base.registry import Registry
from segtrack.store import Build

if TYPE_CHECKING:
    from segtrack.pipeline.runner import Run
    from segtrack.settings import Settings

T = TypeVar("T")


class Ask(Protocol):
    """What a stage sees while it says what it would do; called for the results that it needs."""

    @property
    def settings(self) -> Settings:
        """All settings of this command."""

    @property
    def listed(self) -> Collection[str]:
        """The stages that may run in this command."""

    def __call__(self, stage: str, **of: Any) -> Result:
        """The result of an input of this stage; ``of`` says which one, where there are several."""

    def each(self, stage: str, of: Iterable[Mapping[str, Any]]) -> list[Result]:
        """Several results of one stage, in order."""

    def together(self, stage: str, of: Iterable[Mapping[str, Any]], then: str = "") -> None:
        """That several results of one stage will be asked for: what is not there of them may be
        built at once, where their recipes say that it pays.

        Args:
            then: a stage of which the same results follow: each, with all that it needs, may be
                built beside, as soon as that of ``stage`` is there.
        """

    def scratch(self, name: str) -> Path:
        """A folder of the store for what only saves time, or must be remembered."""


class Crew(Protocol):
    """Builds several results at once.

    Attributes:
        most: at a time; 1 where it does not pay.
    """

    @property
    def most(self) -> int: ...

    def run(self, works: Sequence[Callable[[], T]], amount: int | None) -> list[Future[T]]:
        """Call all, in threads. Where one fails no further one is begun; interrupted, they end.

        Args:
            amount: sum of the recipes' ``amount``, if known, for the bar.
        """
        ...


@dataclass(frozen=True)
class Recipe:
    """How a result for the store is built, and what beside the declaration decides it.

    Attributes:
        build: fills a folder; what it reports is logged.
        settings: facts that follow from settings and inputs, for the key.
        inputs: digests of what is read, for the key.
        libraries: further distributions, where a choice brings them along.
        here: whether a result can be used, where it names files outside of the store: they may lie
            elsewhere by now. ``place``: enters the key then, so that it is built for this place.
        metric: the name that a number has in the journal, from the reported one.
        check: finds in moments what ``build`` would refuse; called before there is a run.
        crew: lets several recipes of a stage, which share it, be built at once (``Ask.together``);
            ``build`` is then called in a thread. amount: of work, for its bar; 0: not known.
        apart: ``build`` may be called in another process: it can be pickled, and uses no GPU.
    """

    build: Build
    settings: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, Any] = field(default_factory=dict)
    libraries: tuple[str, ...] = ()
    here: Callable[[Path], bool] | None = None
    place: str = ""
    metric: Callable[[str], str] | None = None
    check: Callable[[], object] | None = None
    crew: Crew | None = None
    amount: int = 0
    apart: bool = False


@dataclass(frozen=True)
class Visit:
    """What a stage does on the platform, where people change things: always done again.

    Attributes:
        what: is done, for the plan. do: does it and gives its value.
        known: the value of an earlier visit, taken where this command must not visit.
        idle: why there is nothing to do, instead of ``do``.
    """

    what: str = ""
    do: Callable[[Run], Any] | None = None
    known: Any = None
    idle: str = ""


@dataclass(frozen=True)
class Given:
    """A value that follows at once from settings and inputs; ``text`` shows it in the plan.

    Attributes:
        warning: what a user should know before the work begins; the plan and the run say it.
    """

    value: Any
    text: str = ""
    warning: str = ""


@dataclass(frozen=True)
class Result:
    """What a stage gave.

    Attributes:
        value: what its folder holds, opened; of a stage that keeps nothing, the value itself.
        key, folder: of the store; empty where nothing is kept.
        warning: what came with a value that was given.
    """

    value: Any
    key: str = ""
    folder: Path = Path()
    warning: str = ""


@dataclass(frozen=True)
class Stage:
    """The declaration.

    Attributes:
        name: its folder in the store, its line of the plan and, if ``listed``, its word in
            ``stages=[...]``.
        make: says how its result comes about: a recipe, a visit, or the value itself. Its further
            arguments say which of several results is meant (a split, a video).
        version: raised when what it produces changes.
        reads: settings by dotted name that enter the key as they are, without what is local to a
            machine; what follows from others is among the facts of the recipe.
        inputs: the stages whose results it may ask for.
        libraries: distributions whose version shapes the result.
        load: opens the folder of a result.
        publish: what a run records and prints of the result (``run, result`` and, by name, the
            further arguments of ``make``); a plan never does.
        write: writes the result's files into the run's folder, before ``publish``: given
            ``output, facts, result`` and the further arguments it returns a function for another
            process. load_apart: returns one, given the settings, that loads there what it takes to
            build and to write (``Ask.together``).
        require: looks for what would only fail after hours, before anything runs.
        listed: it can be listed; else it belongs to the stage that asks for it, or to ``part_of``.
        after: the listed stage that it follows.
        includes: stages that are listed with it.
        platform: it visits the annotation platform: never from the store, not in a sweep's cells.
        resumable: a killed attempt is continued.
        instead: what else can be done where it is missing; a function of the settings says in whole
            sentences what such a command lacks.
    """

    name: str
    make: Callable[..., Recipe | Visit | Given]
    version: int = 0
    reads: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    load: Callable[[Path], Any] | None = None
    publish: Callable[..., None] | None = None
    write: Callable[..., Callable[[], object]] | None = None
    load_apart: Callable[[Settings], Callable[[], object]] | None = None
    require: Callable[[Ask], None] | None = None
    listed: bool = True
    part_of: str = ""
    after: str = ""
    includes: tuple[str, ...] = ()
    platform: bool = False
    resumable: bool = False
    instead: str | Callable[[Settings], str] = "leave out what follows from it"


STAGES: Registry[Stage] = Registry("stage", "stages")


def register(stage: Stage) -> Stage:
    """Make a stage known."""
    return STAGES.register(stage.name, stage)


def listed_names() -> list[str]:
    """The words of ``stages=[...]``, in the order in which they always run."""
    stages = [stage for stage in map(STAGES.get, STAGES) if stage.listed]
    done: list[str] = []

    def follow(name: str) -> None:
        for stage in stages[::-1] if name else stages:  # what came last stands closest
            if stage.after == name:
                done.append(stage.name)
                follow(stage.name)

    follow("")
    if lost := [f"{s.name} after {s.after}" for s in stages if s.name not in done]:
        raise ValueError(f"stages that follow none that can be listed: {', '.join(lost)}")
    return done


def all_names() -> list[str]:
    """Every stage, each behind those that it asks for.

    Raises:
        ValueError: stages ask for each other in a circle, or for one that is not there.
    """
    done: list[str] = []

    def add(name: str, asking: tuple[str, ...]) -> None:
        if name in asking or name not in STAGES:
            what = "a circle" if name in asking else f"there is no stage {name}"
            raise ValueError(f"inputs of stages: {' > '.join((*asking, name))}: {what}")
        if name not in done:
            for needed in STAGES.get(name).inputs:
                add(needed, (*asking, name))
            done.append(name)

    for name in [*listed_names(), *STAGES]:
        add(name, ())
    return done
