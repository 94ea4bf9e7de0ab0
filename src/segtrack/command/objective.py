"""What a run tells Hydra's sweepers: the values of ``objective``, and which way is better."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Mapping, Sequence

from segtrack.base.errors import SegtrackError
from segtrack.base.names import inside
from segtrack.settings import Settings

TAG = "objective"  # of a run: its values as JSON
PRUNED = "pruned"  # of a run: the epoch after which a search ended its training
Values = float | list[float]


def objective_values(
    settings: Settings, metrics: Mapping[str, float], names: Sequence[str]
) -> list[float]:
    """The value of each objective, in their order.

    Args:
        metrics: that the run recorded. names: of its classes and videos, as the user gave them.

    Raises:
        SegtrackError: the run recorded nothing of that name.
    """
    return [_value(wanted, metrics, names) for wanted in settings.objectives]


def for_hydra(settings: Settings, values: Sequence[float]) -> Values | None:
    """The same as sweepers take it: one number, or a list where there are several objectives."""
    if not values:
        return None
    return list(values) if isinstance(settings.objective, list) else values[0]


def kept(values: Sequence[float]) -> dict[str, str]:
    """The values as a tag of the run; none where there are none."""
    return {TAG: json.dumps(list(values))} if values else {}


def read(tags: Mapping[str, str]) -> list[float]:
    """The values that a run has kept; empty where it has none, or one of them is no number."""
    values = [float(value) for value in json.loads(tags.get(TAG, "[]"))]
    return values if all(map(math.isfinite, values)) else []


def recorded_as(wanted: str, metrics: Mapping[str, float]) -> str:
    """The metric that an objective is.

    Where the data set divides its sequences, a sweep must not choose by those that test it; of a
    training it chooses the weights that are kept, not those of the last epoch.
    """
    group, _, rest = wanted.partition("/")
    part = {"track": "tuning", "val": "best"}.get(group)
    name = f"{group}/{part}/{rest}"
    return name if part and name in metrics else wanted


def _value(objective: str, metrics: Mapping[str, float], names: Sequence[str]) -> float:
    wanted = inside(names, objective)
    name = recorded_as(wanted, metrics)
    if name in metrics:
        return metrics[name]
    near = difflib.get_close_matches(wanted, metrics, n=3, cutoff=0.3)
    raise SegtrackError(
        f"objective={objective}: this run made no metric of that name; near ones: "
        f"{', '.join(near) or 'none'}."
    )
