"""A sweep in a database of its own, whose scores are known."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from itertools import product

from segtrack import journal as journals
from segtrack.base.errors import StageError
from segtrack.base.metrics import Metric
from segtrack.journal import Journal
from segtrack.report import Basis, Outcome, Setting, compare_settings
from segtrack.settings import MlflowSettings
from tests.report.test_comparison import NOISE, estimate

THRESH, MATCH = "tracker.track_thresh", "tracker.match_thresh"
EFFECT = {"0.3": -6.0, "0.4": 2.0, "0.5": 1.8, "0.6": -1.5}  # points
SCORES = {"HOTA": 0.55, "MOTA": 0.62, "IDF1": 0.66}
Grid = list[tuple[str, str, str]]


def grid() -> Grid:
    """Eight settings of three seeds."""
    return list(product(EFFECT, ("0.7", "0.8"), "012"))


def units(metric: str, thresh: str, match: str, seed: str) -> list[float]:
    """The scores of seven sequences of equal size; their mean is the cell's."""
    points = EFFECT[thresh] + (0.4 if match == "0.8" else 0) + 0.3 * (int(seed) - 1)
    turn = int(float(thresh) * 10 + float(match) * 100 + int(seed)) % 7
    noise = NOISE[turn:] + NOISE[:turn]
    return [SCORES[metric] + points / 100 + one for one in noise]


def cell(
    settings: MlflowSettings,
    parent: str,
    params: Mapping[str, str],
    metrics: Mapping[str, float],
    error: str = "",
) -> None:
    """Record a cell; one with an error fails."""
    name = " ".join(f"{key.rpartition('.')[2]}={value}" for key, value in params.items())
    try:
        with journals.record(settings, f"none {name}", {}, parent) as journal:
            journal.params(params)
            for metric, value in metrics.items():
                journal.metric(Metric(metric, value, 0))
            if error:
                raise StageError(error)
    except StageError:
        pass


def tags() -> dict[str, str]:
    """Of the parent."""
    keys = [THRESH, MATCH, "seed"]
    words = f"run.py -m {THRESH}=0.3,0.4,0.5,0.6 {MATCH}=0.7,0.8 seed=0,1,2"
    return {"command": words, journals.SWEEP_KEYS: json.dumps(keys)}


def add(settings: MlflowSettings, parent: Journal, cells: Iterable[tuple[str, str, str]]) -> None:
    """Record these cells of the grid."""
    for thresh, match, seed in cells:
        scores = {
            f"track/{metric.lower()}": sum(units(metric, thresh, match, seed)) / 7
            for metric in SCORES
        }
        cell(settings, parent.run_id, {THRESH: thresh, MATCH: match, "seed": seed}, scores)


def outcome() -> Outcome:
    """What the sweep of the whole grid claims; the default is 0.5 and 0.8."""
    compared = [
        Setting(
            f"track_thresh={thresh} match_thresh={match}",
            {THRESH: thresh, MATCH: match},
            {m: estimate(*(units(m, thresh, match, seed) for seed in "012")) for m in SCORES},
            default=(thresh, match) == ("0.5", "0.8"),
        )
        for thresh, match in dict.fromkeys((t, m) for t, m, _ in grid())
    ]
    return Outcome.of(compare_settings(compared, Basis("sequences")))
