"""Which keys there are, what a value of each looks like, and what a wrong one is told."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import MISSING

from segtrack.settings import Knob, Settings, knobs_of, options, plain

NO_SUCH = "no such setting"
Classes = Callable[[str], Sequence[type]]  # settings classes that a group's value may have


def locate(key: str, classes: Classes) -> tuple[Knob | None, bool]:
    """The knob that a key names or lies in, and whether it lies inside of a mapping knob."""
    known: Sequence[type] = (Settings,)
    found: Knob | None = None
    for depth, part in enumerate(key.split(".")):
        knobs = [knobs_of(cls)[part] for cls in known if part in knobs_of(cls)]
        if not knobs:
            inside = found is not None and found.open and part != ""
            return (found, True) if inside else (None, False)
        found = knobs[0]
        known = [one.nested for one in knobs if one.nested]
        if depth == 0 and known:
            known = classes(part) or known
    return found, False


def option_classes(group: str) -> list[type]:
    """The settings classes of a group's options, whichever is chosen."""
    nodes = options().get(group, {}).values()
    return list(dict.fromkeys(node if isinstance(node, type) else type(node) for node in nodes))


def owners(key: str) -> list[str]:
    """The options of its group that have this key."""
    group = key.partition(".")[0]
    return [
        name
        for name, node in options().get(group, {}).items()
        if locate(key, lambda _, n=node: [n if isinstance(n, type) else type(n)])[0]  # type: ignore[misc]
    ]


def normalised(words: Iterable[str], names: Iterable[str]) -> list[str]:
    """Overrides as Hydra wants them: a plus only where it would refuse a mapping without.

    Whether something is already there does not matter to who sets it, so ``+``, ``++`` and nothing
    mean the same here; whether there is such a key is checked anyway.

    Args:
        words: as typed. names: of the config groups.
    """
    parser, groups = OverridesParser.create(), set(names)
    kept: list[str] = []
    for word in words:
        try:
            override = parser.parse_override(word)
        except HydraException:
            kept.append(word)
            continue
        key, bare = override.key_or_group, word.lstrip("+")
        left_out = override.is_delete() or (not override.is_sweep_override() and _null(override))
        if key in ("experiment", "hparams_search") and left_out:
            kept = [word for word in kept if word.partition("=")[0] != key]
            continue  # none is chosen unless one is named behind
        if key == "local" and left_out:
            kept += ["~local"] if key in groups else []
        elif override.is_delete() or override.package or of_hydra(key):
            kept.append(word)
        elif key in groups and not _is_mapping(override):
            kept.append(bare)
        else:
            knob, inside = locate(key, option_classes)
            if knob is not None and not inside and knob.type is Any and _is_mapping(override):
                kept.append(f"{key}=null")  # a mapping takes the place of what was there
            grows = inside or _is_mapping(override)
            kept.append(f"++{bare}" if grows else bare)
    return kept


def replaced(words: Iterable[str]) -> list[str]:
    """What a later word sets to another value, of which nobody would hear: Hydra takes the last.

    Keys that are swept are left out, which may not stand there twice (``cells.again``).

    Returns:
        A sentence for each value that is lost.
    """
    parser, last, lost = OverridesParser.create(), dict[str, Any](), []
    for word in words:
        try:
            override = parser.parse_override(word)
        except HydraException:
            continue
        if override.is_sweep_override():
            continue
        key = override.get_key_element().lstrip("+~")
        value = None if override.is_delete() else override.value()
        for leaf, new in _leaves(key, value):
            if leaf in last and (old := last[leaf]) != new:
                text = f"{leaf}={shown(old)} gives way to {leaf}={shown(new)}"
                lost.append(f"{text}, which stands behind it in the command")
            last[leaf] = new
    return lost


def _leaves(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    """What a word sets, key by key; a mapping that takes the place of another one is one value."""
    knob, inside = locate(key, option_classes)
    whole = knob is not None and knob.type is Any and not inside
    if not isinstance(value, dict) or not value or whole:
        yield key, plain(value)
        return
    for name, item in value.items():
        yield from _leaves(f"{key}.{name}", item)


def of_hydra(key: str) -> bool:
    """Whether a key is one of Hydra itself."""
    return key == "hydra" or key.startswith(("hydra.", "hydra/"))


def flat(key: str, value: Any, classes: Classes) -> Iterator[tuple[str, Any]]:
    """One override as several, where its value is a mapping over a group of knobs."""
    knob, inside = locate(key, classes)
    if isinstance(value, dict) and value and knob is not None and not inside and knob.nested:
        for name, item in value.items():
            yield from flat(f"{key}.{name}", item, classes)
    else:
        yield key, value


def shape_problem(key: str, knob: Knob, value: Any) -> str | None:
    """What is wrong with the kind of a value, before it is converted; None if nothing is."""
    if value is None:
        return None if knob.optional else f"must not be null{_such_as(key, knob)}"
    shown = "true" if value is True else "false" if value is False else value
    if knob.nested:
        return None if isinstance(value, dict) else f"is a group of settings: {key}.NAME=VALUE"
    if knob.is_list:
        if isinstance(value, list):
            nested = any(item is None or isinstance(item, list | dict) for item in value)
            return f"must be a list whose items are each a {knob.item}" if nested else None
        return f"must be a list: {key}=[{shown}]" if shown != "" else f"must be a list: {key}=[...]"
    if knob.is_mapping:
        return None if isinstance(value, dict) else f"must be a mapping: {key}={{name: value}}"
    if value == "":
        return f"is empty{_such_as(key, knob)}"
    if knob.type is not Any and isinstance(value, list | dict):
        kind = "list" if isinstance(value, list) else "mapping"
        return f"must be one value ({knob.words}), not a {kind}"
    return None


def unknown(key: str, known: Sequence[str], names: Mapping[str, Sequence[str]]) -> str:
    """Why a key is refused: it has another name now, is of another option, or is misspelt."""
    if key in (former := formerly()):
        return f"is now called {former[key]}: type {former[key]}=VALUE"
    group = key.partition(".")[0]
    if others := owners(key):
        listed = ", ".join(f"{group}={name}" for name in others)
        return f"{NO_SUCH} of the {group} that is chosen; it is one of {listed}"
    return f"{NO_SUCH}{nearest(key, [*known, *names])}"


def formerly() -> dict[str, str]:
    """Keys of earlier versions -> their names today."""
    nodes = [(f"{group}.", node) for group, known in options().items() for node in known.values()]
    found: dict[str, str] = {}
    for prefix, node in [("", Settings), *nodes]:
        cls = node if isinstance(node, type) else type(node)
        for key, knob in walk_class(cls, prefix):
            if knob.formerly:
                found[knob.formerly] = key
    return found


def walk_class(cls: type, prefix: str = "") -> Iterator[tuple[str, Knob]]:
    """Every knob of a settings class and of the groups in it, with its whole key."""
    for name, knob in knobs_of(cls).items():
        yield f"{prefix}{name}", knob
        if knob.nested:
            yield from walk_class(knob.nested, f"{prefix}{name}.")


def nearest(name: str, known: Sequence[str]) -> str:
    """``; did you mean ...?`` or nothing."""
    leaves = {k.rsplit(".", 1)[-1]: k for k in known}
    if name in leaves:  # the right key without its group
        return f"; did you mean {leaves[name]}?"
    group, _, leaf = name.rpartition(".")
    beside = [k.rpartition(".")[2] for k in known if group and k.rpartition(".")[0] == group]
    if close := difflib.get_close_matches(leaf, beside, n=1, cutoff=0.6):
        return f"; did you mean {group}.{close[0]}?"
    close = [] if beside else difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if not close:  # perhaps the right key in the wrong group
        close = [leaves[k] for k in difflib.get_close_matches(leaf, list(leaves), 1, cutoff=0.6)]
    return f"; did you mean {close[0]}?" if close else ""


def shown(value: Any) -> str:
    """A value as it is typed."""
    value = plain(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{','.join(shown(item) for item in value)}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {shown(item)}" for key, item in value.items()) + "}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _is_mapping(override: Override) -> bool:
    values: list[Any] = [override._value]
    if override.is_sweep_override():
        values = list(getattr(override._value, "list", []))
    return any(isinstance(value, dict) for value in values)


def _null(override: Override) -> bool:
    return override._value is None


def _such_as(key: str, knob: Knob) -> str:
    none = f", or {key}=null for none" if knob.optional and knob.default is None else ""
    if knob.default in (None, MISSING, "") or isinstance(knob.default, list | dict):
        return f"; type {key}=VALUE{none}"
    return f"; type {key}=VALUE, such as {key}={shown(knob.default)}{none}"
