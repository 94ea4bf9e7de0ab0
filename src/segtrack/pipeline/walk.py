"""What running and planning share: the stages of a command, and the key of a result."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from segtrack.base.errors import SettingsError
from segtrack.base.secrets import told_apart
from segtrack.pipeline.stage import STAGES, Recipe, Result, Stage, listed_names
from segtrack.settings import Settings, plain, shaping
from segtrack.store import StageCall, StageResult, Store


class Walk(ABC):
    """Goes from the listed stages to what they ask for; each result is made once.

    Attributes:
        listed: the stages that may run, in their order; the results of others must be there.
    """

    def __init__(self, settings: Settings, store: Store) -> None:
        self.settings, self.store = settings, store
        given = set(settings.stages)
        given |= {name for one in settings.stages for name in STAGES.get(one).includes}
        self.listed = [name for name in listed_names() if name in given]
        self._made: dict[Any, Result] = {}

    def roots(self) -> list[Stage]:
        """The stages that the command lists itself, in their order."""
        return [STAGES.get(name) for name in self.listed if name in self.settings.stages]

    def get(self, name: str, of: Mapping[str, Any], asking: str = "") -> Result:
        """A result of the stage ``name`` for ``asking``, the listed stage that it is a part of."""
        stage = STAGES.get(name)
        which = (name, *sorted(of.items()))
        if which not in self._made:
            self._made[which] = self.make(stage, of, owner_of(stage, asking))
        return self._made[which]

    @abstractmethod
    def make(self, stage: Stage, of: Mapping[str, Any], owner: str) -> Result:
        """Come to a result that was not asked for before."""

    @abstractmethod
    def each(self, name: str, of: Iterable[Mapping[str, Any]], asking: str) -> list[Result]:
        """Several results of one stage."""

    @abstractmethod
    def together(self, name: str, of: Iterable[Mapping[str, Any]], asking: str, then: str) -> None:
        """Several results of one stage will be asked for, and those of ``then`` from them."""

    def find(self, stage: Stage, recipe: Recipe) -> tuple[StageCall, StageResult | None]:
        """What decides a result, and the result if the store has it."""
        call = self._call(stage, recipe)
        found = self.store.find(call)
        if found and recipe.here and not recipe.here(found.folder):
            call = self._call(stage, recipe, {"place": recipe.place})
            found = self.store.find(call)
        return call, found

    def _call(
        self, stage: Stage, recipe: Recipe, place: Mapping[str, str] | None = None
    ) -> StageCall:
        read = {key: _value(self.settings, key) for key in stage.reads}
        inputs = {key: str(value) for key, value in {**recipe.inputs, **(place or {})}.items()}
        return StageCall(
            stage.name,
            stage.version,
            told_apart({**read, **_facts(recipe.settings)}),
            inputs,
            (*stage.libraries, *recipe.libraries),
            stage.resumable,
        )


class Asking:
    """The view that one stage has of a walk while it says what it needs (``stage.Ask``)."""

    def __init__(self, walk: Walk, stage: Stage, owner: str) -> None:
        self._walk, self._stage, self._owner = walk, stage, owner
        self.settings = walk.settings
        self.listed = walk.listed

    def __call__(self, stage: str, **of: Any) -> Result:
        """The result of an input of this stage."""
        self._declared(stage)
        return self._walk.get(stage, of, self._owner)

    def each(self, stage: str, of: Iterable[Mapping[str, Any]]) -> list[Result]:
        """Several results of one stage, in order."""
        self._declared(stage)
        return self._walk.each(stage, of, self._owner)

    def together(self, stage: str, of: Iterable[Mapping[str, Any]], then: str = "") -> None:
        """Several results of one stage will be asked for, and those of ``then`` from them."""
        for name in filter(None, (stage, then)):
            self._declared(name)
        self._walk.together(stage, of, self._owner, then)

    def scratch(self, name: str) -> Path:
        """A folder of the store that holds no results."""
        return self._walk.store.scratch(name)

    def _declared(self, name: str) -> None:
        if name not in self._stage.inputs:
            raise LookupError(
                f"stage {self._stage.name} asks for {name}, which is not among its inputs"
            )


def owner_of(stage: Stage, asking: str) -> str:
    """The listed stage that a stage belongs to, where ``asking`` asks for it."""
    return stage.name if stage.listed else stage.part_of or asking


def missing(stage: Stage, owner: str, settings: Settings) -> SettingsError:
    """A result is not there, and the stage that would make it may not run."""
    one = STAGES.get(owner) if owner else stage
    if callable(one.instead):
        return SettingsError(one.instead(settings))
    return SettingsError(
        f"stage {one.name} is not listed in stages, and the store has no result of it for these "
        f"settings: add {one.name} to stages, or {one.instead}."
    )


def _facts(value: Any) -> Any:
    """As JSON values; of settings, only what shapes a result."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return shaping(value)
    if isinstance(value, Mapping):
        return {str(key): _facts(one) for key, one in value.items()}
    return plain(value)


def _value(settings: Settings, key: str) -> Any:
    value: Any = settings
    for part in key.split("."):
        value = getattr(value, part)
    return _facts(value)
