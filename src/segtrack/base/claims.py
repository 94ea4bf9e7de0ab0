"""What a comparison of two settings says, in sentences for people who do not read intervals."""

from __future__ import annotations

import math

from segtrack.base.statistics import Interval, units_needed
from segtrack.base.words import singular

POWER = 0.8  # chance with which a difference is to be told, for how many units that takes
_MANY = 10_000


def said(
    metric: str,
    gap: Interval,
    of: str = "sequences",
    names: tuple[str, str] = ("A", "B"),
    level: float = 0.95,
    single: bool = True,
) -> list[str]:
    """What can be said of the difference b - a, in sentences without their points.

    Args:
        metric: whose scores are fractions, which are said in percent.
        of: what the units are, as a plural.
        names: of a and of b.
        single: a comparison by itself, of which is said too how many units would tell it.
    """
    more = needed(gap, of, level) if single else ""
    return [_claim(metric, gap, of, names, level), *filter(None, [more])]


def _claim(metric: str, gap: Interval, of: str, names: tuple[str, str], level: float) -> str:
    a, b = names
    points = 100 * gap.difference
    where = f"on these {gap.units} {of}" if gap.units != 1 else f"on one {singular(of)}"
    if math.isnan(points):
        return f"{metric} is of nothing that there is {where}, so {b} and {a} cannot be compared"
    if math.isnan(gap.low):
        scores = f"{b} scores {points:+.2f} {metric} beside {a} {where}"
        if not math.isnan(gap.se):
            return (
                f"{scores}, but which is better cannot be told: the difference stays the same "
                f"without any of them, so that its noise is not known"
            )
        if gap.units > 1 and gap.counted == 1:
            scores += ", of which one has all that is scored"
        elif gap.units > 1:
            return f"{scores}: no interval; without one of them nothing remains to be scored"
        return f"{scores}: no interval; how {of} differ cannot be seen from one"
    if gap.difference == gap.low == gap.high == 0:
        return f"{b} and {a} have exactly the same {metric} {where}"
    ends = f"({100 * level:g}%: {100 * gap.low:+.2f} to {100 * gap.high:+.2f})"
    go = "goes" if gap.against == 1 else "go"
    against = f"{gap.against} of {gap.scored} {of} {go} the other way"
    if gap.told:
        word = "better" if gap.difference > 0 else "worse"
        return f"{b} is {word} than {a} {where} by {abs(points):.2f} {metric} {ends}; {against}"
    if points == 0:
        return f"{b} and {a} have the same {metric} {where} {ends}; more of them may differ"
    word = "higher" if gap.difference > 0 else "lower"
    return (
        f"{b} scores {abs(points):.2f} {metric} {word} than {a} {where} {ends}, but which is "
        f"better cannot be told from {gap.units} {of}; {against}"
    )


def needed(gap: Interval, of: str = "sequences", level: float = 0.95) -> str:
    """How many units would tell such a difference; empty where it is told, or there is none.

    Of two units the spread is no more than a guess: nothing is said.
    """
    if gap.told or math.isnan(gap.low) or gap.difference == 0 or gap.units == 2:
        return ""
    units = units_needed(gap, POWER, level)
    if units is None:
        return f"No number of {of} would tell it: the seeds differ too much, and are too few"
    rough = round(units, min(2 - len(str(units)), 0))  # two digits: it is a guess
    number = f"About {rough:,}" if units <= _MANY else f"More than {_MANY:,}"
    return f"{number} {of} like these would tell a difference of this size in 4 of 5 cases"
