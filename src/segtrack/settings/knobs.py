"""A knob: one setting, with everything that there is to say about it, in one declaration.

    track_thresh: float = knob(0.5, "detections above are matched first", low=0, high=1)

The name and the type are those of the dataclass field. Checks of values, ``--help``, the texts of
errors and ``docs/settings.md`` are derived from it. A class that inherits a knob may give it
another default, ``track_thresh: float = 0.25`` or ``= knob(0.25, origin="its paper")``; what it
does not say stays as it was.
"""

from __future__ import annotations

import dataclasses
import inspect
import math
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from omegaconf import MISSING

from segtrack.settings.values import plain

_KEY = "knob"
_found: dict[type, Mapping[str, Knob]] = {}


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with the settings.

    Attributes:
        key: as typed on the command line. value: what was given; ``...`` where nothing was.
        allowed: what is allowed, and what to do.
    """

    key: str
    value: Any
    allowed: str

    def __str__(self) -> str:
        if self.value is ...:
            return f"{self.key}: {self.allowed}"
        shown = "null" if self.value is None else self.value
        return f"{self.key}={shown}: {self.allowed}"


@dataclass(frozen=True)
class Knob:
    """What a field of a settings class says about itself.

    Attributes:
        name: of the field. type: its annotation, resolved. default: of a new instance.
        effect: what it does, in one sentence. unit: of the value, else empty.
        low, high: limits, both allowed. choices: the values that are allowed, by name.
        origin: where the default comes from, else empty.
        local: it stays out of every key of the store: it changes how fast, where or how something
            is shown, or says where a file lies that counts by its content.
        formerly: the whole key that it had in an earlier version, else empty.
        env: an environment variable that takes the default's place where it is set.
        kind: the type in words, where the annotation does not say it.
        needs: another knob of the class; while that is 0, false or null, this one has no effect.
    """

    name: str
    type: Any
    default: Any
    effect: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    origin: str = ""
    local: bool = False
    formerly: str = ""
    env: str = ""
    kind: str = ""
    needs: str = ""

    @property
    def nested(self) -> type | None:
        """The settings class of its value, where it is a group of knobs itself."""
        return self.type if dataclasses.is_dataclass(self.type) else None

    @property
    def is_list(self) -> bool:
        """Whether its value is always a list."""
        return any(typing.get_origin(t) is list for t in _alternatives(self.type))

    @property
    def item(self) -> str:
        """The type of a list's items in words."""
        lists = [t for t in _alternatives(self.type) if typing.get_origin(t) is list]
        return _words(typing.get_args(lists[0])[0]) if lists else ""

    @property
    def is_mapping(self) -> bool:
        """Whether its value is always a mapping of names that are not fixed."""
        return any(t is dict or typing.get_origin(t) is dict for t in _alternatives(self.type))

    @property
    def open(self) -> bool:
        """Whether its value may be a mapping of names that are not fixed."""
        return self.is_mapping or self.type is Any

    @property
    def optional(self) -> bool:
        """Whether null is allowed."""
        return self.type is Any or type(None) in typing.get_args(self.type)

    @property
    def words(self) -> str:
        """The type in words: ``whole number or null``."""
        return self.kind or _words(self.type)

    @property
    def range(self) -> str:
        """The limits in words, with the unit; empty where there are none."""
        if self.low is None and self.high is None:
            return ""
        unit = f" {self.unit}" if self.unit else ""
        if self.high is None:
            return f"at least {number(self.low)}{unit}"
        if self.low is None:
            return f"at most {number(self.high)}{unit}"
        return f"{number(self.low)} to {number(self.high)}{unit}"

    def problem(self, value: Any) -> str | None:
        """What is wrong with one value of it: range or choices; None if nothing is."""
        if value == "" and str in _alternatives(self.type):
            return "is empty"
        if self.choices and isinstance(value, str) and value not in self.choices and not self.enum:
            return f"must be one of {', '.join(self.choices)}"
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        low, high = self.low, self.high
        fits = (low is None or value >= low) and (high is None or value <= high)
        if math.isfinite(value) and fits:
            return None
        if low is not None and high is not None:
            return f"must lie in {self.range}"
        return f"must be {self.range or 'a finite number'}"

    @property
    def enum(self) -> bool:
        """Whether its choices are those of an enumeration."""
        return any(isinstance(t, type) and issubclass(t, Enum) for t in _alternatives(self.type))


@dataclass
class Group:
    """A config group, or an option of one."""

    def problems(self) -> Iterator[Problem]:
        """What is wrong between its knobs; of one alone, its declaration says what is allowed."""
        yield from ()


def knob(
    default: Any,
    effect: str = "",
    *,
    unit: str = "",
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] | None = None,
    origin: str = "",
    local: bool = False,
    formerly: str = "",
    env: str = "",
    kind: str = "",
    needs: str = "",
) -> Any:
    """A field of a settings class; see ``Knob``.

    Args:
        default: the value, ``omegaconf.MISSING``, or a function that makes it: a lambda for a list,
            a class for a group of knobs.
    """
    said = {
        "effect": effect,
        "unit": unit,
        "low": low,
        "high": high,
        "choices": choices,
        "origin": origin,
        "local": local or None,
        "formerly": formerly,
        "env": env,
        "kind": kind,
        "needs": needs,
    }
    metadata = {_KEY: {name: what for name, what in said.items() if what not in (None, "")}}
    if callable(default):
        return dataclasses.field(default_factory=default, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def knobs_of(cls: type) -> Mapping[str, Knob]:
    """The knobs of a settings class by name, in their order; inherited ones first."""
    if cls not in _found:
        _found[cls] = types.MappingProxyType(_knobs(cls))
    return _found[cls]


def _knobs(cls: type) -> dict[str, Knob]:
    hints = typing.get_type_hints(cls)
    found = {}
    for field in dataclasses.fields(cls):
        said: dict[str, Any] = {}
        for base in reversed(cls.__mro__):
            own = base.__dict__.get("__dataclass_fields__", {}).get(field.name)
            if own is None or field.name not in inspect.get_annotations(base):
                continue
            said.pop("origin", None)  # of the default, which is another one here
            said |= own.metadata.get(_KEY, {})
        choices = said.pop("choices", None) or _choices(hints[field.name])
        default = field.default
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        elif default is dataclasses.MISSING:
            default = MISSING
        found[field.name] = Knob(
            field.name, hints[field.name], default, choices=choices, **{"effect": "", **said}
        )
    return found


def walk(settings: Any, prefix: str = "") -> Iterator[tuple[str, Knob, Any]]:
    """Every knob of settings and of the groups in them: whole key, knob, value."""
    for name, one in knobs_of(type(settings)).items():
        value = getattr(settings, name)
        key = f"{prefix}{name}"
        yield key, one, value
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            yield from walk(value, f"{key}.")


def shaping(value: Any) -> dict[str, Any]:
    """Settings as JSON values: what a key is made of.

    Knobs that are ``local`` are left out, and those that have no effect beside the others.
    """
    rows = {}
    for name, one in knobs_of(type(value)).items():
        if not one.local and not (one.needs and not getattr(value, one.needs)):
            inner = getattr(value, name)
            nested = dataclasses.is_dataclass(inner) and not isinstance(inner, type)
            rows[name] = shaping(inner) if nested else plain(inner)
    return rows


def value_problems(settings: Any, prefix: str = "") -> Iterator[Problem]:
    """What is wrong with single values: outside of their range, or none of the choices."""
    for key, one, value in walk(settings, prefix):
        wrong = one.problem(value)
        if wrong is not None:
            yield Problem(key, value, wrong)


def number(value: float | None) -> str:
    """A number as a person writes it."""
    if value is None:
        return ""
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e12 else f"{value:g}"


def _alternatives(kind: Any) -> tuple[Any, ...]:
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return typing.get_args(kind)
    return (kind,)


def _choices(kind: Any) -> tuple[str, ...]:
    for one in _alternatives(kind):
        if isinstance(one, type) and issubclass(one, Enum):
            return tuple(one.__members__)
    return ()


def _words(kind: Any) -> str:
    words = []
    for one in _alternatives(kind):
        origin = typing.get_origin(one)
        if origin is list:
            words.append("list of " + _words(typing.get_args(one)[0]) + "s")
        elif origin is dict or one is dict:
            words.append("mapping")
        elif isinstance(one, type) and issubclass(one, Enum):
            words.append("choice")
        elif dataclasses.is_dataclass(one):
            words.append("group")
        else:
            named = {bool: "true or false", int: "whole number", float: "number", str: "text"}
            words.append("null" if one is type(None) else named.get(one, "any"))
    return " or ".join(words)
