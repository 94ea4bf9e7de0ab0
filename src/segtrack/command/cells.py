"""The cells of a sweep: from overrides with several values to those of each run."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from hydra.errors import HydraException

from segtrack.settings import Problem

MOST_CELLS = 10_000
_MOST_VALUES = 200  # of a list or a range, that are looked at before a sweeper draws from it


@dataclass(frozen=True)
class Cell:
    """One run of a sweep, or the only run.

    Attributes:
        overrides: its command line words. swept: the values that distinguish it, by key.
    """

    overrides: tuple[str, ...]
    swept: dict[str, str] = field(default_factory=dict)


def cells_of(parsed: Sequence[Override]) -> Iterator[Cell]:
    """The cells in Hydra's order."""
    choices: list[list[tuple[str, str, str | None]]] = []  # word, key, value where it is swept
    for override in parsed:
        key, bare = override.get_key_element(), override.get_key_element().lstrip("+")
        if override.is_sweep_override():
            if not override.is_discrete_sweep():
                continue  # a range for an optimising sweeper, which draws values within it
            values = list(override.sweep_string_iterator())
            choices.append([(f"{key}={value}", bare, value) for value in values])
        elif override.is_delete():
            choices.append([(override.input_line or key, bare, None)])
        else:
            choices.append([(f"{key}={override.get_value_element_as_str()}", bare, None)])
    for combination in itertools.product(*choices):
        words = tuple(word for word, _, _ in combination)
        yield Cell(words, {key: value for _, key, value in combination if value is not None})


def probes_of(parsed: Sequence[Override]) -> Iterator[Cell]:
    """Cells that show what is wrong with a search whose sweeper draws the values.

    The first leaves all that is drawn as it is without the search; in each of the others one key
    has a value that may be drawn: each of a list, both ends of an interval. Of a config group one
    option is always chosen, since knobs of its options may be searched too.
    """
    fixed: list[str] = []
    drawn: dict[str, list[str]] = {}
    for one in parsed:
        key = one.get_key_element()
        if one.is_sweep_override():
            drawn[key] = _drawable(one)
        elif one.is_delete():
            fixed.append(one.input_line or key)
        else:
            fixed.append(f"{key}={one.get_value_element_as_str()}")
    chosen = {key: values[0] for key, values in drawn.items() if "." not in key}
    words = {key: f"{key}={value}" for key, value in chosen.items()}
    yield Cell((*fixed, *words.values()), {k.lstrip("+"): v for k, v in chosen.items()})
    for key, values in drawn.items():
        for value in values:
            others = [word for other, word in words.items() if other != key]
            yield Cell((*fixed, *others, f"{key}={value}"), {key.lstrip("+"): value})


def _drawable(override: Override) -> list[str]:
    value = override.value()
    if isinstance(value, IntervalSweep):
        return [str(value.start), str(value.end)]
    return list(itertools.islice(override.sweep_string_iterator(), _MOST_VALUES))


def sweep_problems(parsed: Sequence[Override], draws: bool = False) -> list[Problem]:
    """Sweeps over nothing, or over more cells than anyone runs.

    Args:
        draws: the sweeper runs only so many of them as it is told.
    """
    problems, cells = [], 1
    for one in parsed:
        text = (one.input_line or "").partition("=")[2]
        if one.is_sweep_override() and isinstance(interval := one.value(), IntervalSweep):
            problems += _interval_problems(one.key_or_group, text, interval)
        if not one.is_discrete_sweep():
            continue
        try:
            value = one.value()
            values = value.range() if isinstance(value, RangeSweep) else one.sweep_string_iterator()
            count = sum(1 for _ in itertools.islice(values, MOST_CELLS + 1))
        except (HydraException, ValueError) as error:  # a step of 0
            problems.append(Problem(one.key_or_group, text, str(error).splitlines()[0]))
            continue
        if count == 0:
            problems.append(Problem(one.key_or_group, text, "gives no value, so there is no cell"))
        cells *= count
    if cells > MOST_CELLS and not draws:
        allowed = f"these would be more than {MOST_CELLS} cells; give fewer values"
        problems.append(Problem("--multirun", ..., allowed))
    return problems


def _interval_problems(key: str, text: str, interval: IntervalSweep) -> list[Problem]:
    start, end = float(interval.start or 0), float(interval.end or 0)
    if not start < end:
        return [Problem(key, text, "must begin below its end: interval(LOW,HIGH)")]
    if "log" in interval.tags and start <= 0:
        return [Problem(key, text, "must begin above 0, to be drawn by its logarithm")]
    return []


def knobs_after_choices(overrides: Sequence[str]) -> dict[str, str]:
    """Words that set a knob of a group whose options are swept, as sweeps over their one value.

    Hydra composes once without anything that is swept, where the group's default option stands: it
    may lack a knob that all of the swept ones have.

    Returns:
        ``tracker.gmc_method=choice(none)`` by ``tracker.gmc_method=none``.
    """
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    swept = {one.key_or_group for one in parsed if one.is_sweep_override()}
    return {
        word: f"{key}=choice({value})"
        for word, one in zip(overrides, parsed, strict=True)
        for key, _, value in [word.partition("=")]
        if one.key_or_group.partition(".")[0] in swept - {one.key_or_group}
        and not (one.is_delete() or one.is_sweep_override())
    }


def undrawn(interval: Override) -> Problem:
    """An interval, where no sweeper was chosen that draws values out of it."""
    text = (interval.input_line or "").partition("=")[2]
    allowed = (
        "is for a sweeper that draws values; write a list, or range(start,stop), or choose one "
        "with hydra/sweeper=tpe"
    )
    return Problem(interval.key_or_group, text, allowed)


def meaning(text: str) -> Any:
    """The value that a word gives a knob, as Hydra reads it; what it cannot read is a text."""
    try:
        return OverridesParser.create().parse_override(f"key={text}").value()
    except HydraException:
        return text


def again(parsed: Sequence[Override]) -> list[Problem]:
    """Keys that are swept and stand in another word too, of which either would be lost."""
    found, words = [], [one for one in parsed if one.is_sweep_override() or one.value() is not None]
    for key in dict.fromkeys(one.get_key_element().lstrip("+") for one in words):
        same = [one for one in words if one.get_key_element().lstrip("+") == key]
        if len(same) > 1 and any(one.is_sweep_override() for one in same):
            text = (same[-1].input_line or "").partition("=")[2]
            first = str(same[0].input_line).lstrip("+")
            found.append(Problem(key, text, f"is swept and given twice, before as {first}"))
    return found


def twice(override: Override) -> Problem | None:
    """A sweep would run the cells of a value that stands there twice twice."""
    if not override.is_discrete_sweep():
        return None
    seen: dict[str, str] = {}
    for text in override.sweep_string_iterator():
        value = meaning(text)
        same = json.dumps(value + 0.0 if type(value) in (int, float) else value, default=str)
        if same in seen:
            other = "" if seen[same] == text else f", once as {seen[same]}"
            allowed = f"stands there twice{other}; name each value once"
            return Problem(override.key_or_group, text, allowed)
        seen[same] = text
    return None
