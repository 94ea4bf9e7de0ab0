"""Which knobs of a sweep changed nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from segtrack.base.names import short

NAMED = 6  # cells that a warning names before it only counts the rest


def same_trajectories(
    digests: Mapping[str, str], params: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """The sensitivity guard: a warning for each group of cells with byte-identical trajectories.

    A knob is said to have had no effect only where cells differ in it alone and ALL such cells,
    whatever their other settings, have identical trajectories. Any other knob in which the cells of
    a group differ is named as well, as one that had an effect elsewhere or was never varied alone.

    Args:
        digests: of the trajectories, by cell. A cell without one is left out.
        params: values of the swept knobs, by cell.
    """
    names = list(digests)
    knobs = list(dict.fromkeys(knob for name in names for knob in params[name]))
    texts = {name: {k: str(params[name].get(k, "not set")) for k in knobs} for name in names}
    effects = {knob: _effect(knob, digests, texts) for knob in knobs}
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(digests[name], []).append(name)
    warnings = []
    for group in groups.values():
        if len(group) < 2:
            continue
        parts = []
        for knob in knobs:
            values = list(dict.fromkeys(texts[name][knob] for name in group))
            if len(values) > 1:
                shorts = list(map(short, values))
                shown = shorts if len(set(shorts)) == len(values) else values
                parts.append(f"{knob}={','.join(shown)} {effects[knob]}")
        why = "; ".join(parts) or "they have the same settings"
        warnings.append(f"{_named(group)} have byte-identical trajectories: {why}")
    return warnings


def _effect(knob: str, digests: Mapping[str, str], texts: Mapping[str, Mapping[str, str]]) -> str:
    """Whether ``knob`` changed trajectories where cells differ in it alone, in words."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for name in digests:
        rest = tuple(value for key, value in texts[name].items() if key != knob)
        alike.setdefault(rest, []).append(name)
    varied = [group for group in alike.values() if len({texts[n][knob] for n in group}) > 1]
    if not varied:
        return "was never varied alone"
    if all(len({digests[name] for name in group}) == 1 for group in varied):
        return "had no effect"
    return "had no effect here, but has in other cells"


def _named(names: Sequence[str]) -> str:
    if len(names) <= NAMED:
        return f"{', '.join(names[:-1])} and {names[-1]}"
    return f"{', '.join(names[:NAMED])} and {len(names) - NAMED} more cells"
