"""What a search found: its trials, the best of them, and how much each knob mattered."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from hydra.core.override_parser.types import IntervalSweep, Override

from segtrack.base.saying import say
from segtrack.base.words import counted
from segtrack.command import objective, sweep_cells
from segtrack.command.study import KEPT_FROM, optuna_version
from segtrack.command.sweeper import Searched
from segtrack.journal import Journal
from segtrack.pipeline import minimised
from segtrack.report import table_csv, table_text

FILE = "search.json"
FEWEST = 8
"""Trials below which nothing is said of knobs: with fewer, a forest sees what is not there."""
_TREES = 64


@dataclass(frozen=True)
class Found:
    """What came of it.

    Attributes:
        sweeper, study: as of ``Searched``.
        objectives: the metrics that chose, as they are recorded.
        states: how many trials ended how.
        best: a row for each trial that no other beats in all objectives.
        importance: by objective the share of each knob in how the score varies; empty where there
            are too few trials.
    """

    sweeper: str
    study: str
    objectives: list[str]
    states: dict[str, int]
    best: list[dict[str, str]] = field(default_factory=list)
    importance: dict[str, dict[str, float]] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """``20 trials of Optuna's TPESampler (18 finished, 2 pruned), by track/tuning/hota``."""
        ended = ", ".join(f"{count} {state}" for state, count in self.states.items())
        trials = counted(sum(self.states.values()), "trials")
        ended = f" ({ended})" if ended else ""
        return f"{trials} of {self.sweeper}{ended}, by {' and '.join(self.objectives)}"

    @property
    def importance_title(self) -> str:
        """What the table of knobs shows, and from how many trials."""
        finished = counted(self.states.get("finished", 0), "finished trials")
        return f"Importance of knobs, as shares of how the score varies (fANOVA, {finished})"

    def importance_rows(self) -> list[dict[str, Any]]:
        """A row a knob, the most important first, with a column for each objective."""
        first: Mapping[str, float] = next(iter(self.importance.values()), {})
        return [
            {"knob": key, **{name: shares[key] for name, shares in self.importance.items()}}
            for key in first
        ]

    def json(self) -> str:
        """For programs, and for ``read``."""
        return json.dumps(asdict(self), indent=2) + "\n"

    @staticmethod
    def read(text: str) -> Found:
        """What ``json`` gave."""
        return Found(**json.loads(text))


def conclude_search(
    journal: Journal, searched: Searched, runs: Sequence[Any], keys: Sequence[str]
) -> Found:
    """Put what the search found into the parent, and print it.

    Args:
        journal: of the parent.
        runs: MLflow runs of the cells.
        keys: that were drawn.
    """
    ended = [sweep_cells.status(run).lower() for run in runs]
    states = {state: ended.count(state) for state in dict.fromkeys(sorted(ended))}
    finished = [
        run
        for run, state in zip(runs, ended, strict=True)
        if state == "finished" and len(_values(run)) == len(searched.objectives)
    ]
    metrics = finished[0].data.metrics if finished else {}
    names = [objective.recorded_as(name, metrics) for name in searched.objectives]
    best = [
        {
            **{key: run.data.params.get(key, "") for key in keys},
            **{name: f"{value:.4g}" for name, value in zip(names, _values(run), strict=True)},
            "run": run.info.run_name,
        }
        for run in front(finished, [minimised(name) for name in names])
    ]
    shares = {
        name: found
        for at, name in enumerate(names)
        if (found := importance(finished, keys, searched.drawn, at))
    }
    made = Found(searched.sweeper, searched.study, names, states, best, shares)
    journal.text(made.json(), FILE)
    several = len(names) > 1
    say(f"\n{made.title}")
    if best:
        say("those that no other beats in all objectives:" if several else "the best of them:")
        say(table_text(best))
        journal.text(table_csv(best), "front.csv" if several else "best_trial.csv")
    if rows := made.importance_rows():
        say(f"\n{made.importance_title}:\n{table_text(rows)}")
        journal.text(table_csv(rows), "importance.csv")
    return made


def front(runs: Sequence[Any], lower: Sequence[bool]) -> list[Any]:
    """The runs that no other beats in all objectives; of one objective the best, first made.

    Args:
        lower: for each objective, whether lower is better.
    """
    points = [
        tuple(-v if low else v for v, low in zip(_values(run), lower, strict=True)) for run in runs
    ]

    def beaten(one: tuple[float, ...], at: int) -> bool:
        return any(
            all(x >= y for x, y in zip(other, one, strict=True)) and (other != one or i < at)
            for i, other in enumerate(points)
            if i != at
        )

    return [run for i, run in enumerate(runs) if not beaten(points[i], i)]


def importance(
    runs: Sequence[Any], keys: Sequence[str], drawn: Sequence[Override], at: int = 0
) -> dict[str, float]:
    """The share of each knob in how an objective varies (fANOVA; Hutter et al. 2014), by Optuna.

    Args:
        runs: MLflow runs of finished cells.
        keys: that were drawn. drawn: what from.
        at: place of the objective.

    Returns:
        Shares that sum to 1, the largest first; empty for too few cells, where nothing varied, and
        without an Optuna whose forests work with today's NumPy.
    """
    if optuna_version() < KEPT_FROM:
        return {}
    import optuna
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    swept = {one.key_or_group: one.value() for one in drawn}
    intervals = {key: one for key, one in swept.items() if isinstance(one, IntervalSweep)}
    columns = {key: [run.data.params.get(key, "") for run in runs] for key in keys}
    columns = {key: texts for key, texts in columns.items() if len(set(texts)) > 1}
    values = [_values(run)[at] for run in runs]
    if len(runs) < FEWEST or not columns or len(set(values)) < 2:
        return {}
    points: dict[str, list[Any]] = {}
    space: dict[str, Any] = {}
    with warnings.catch_warnings():  # of Optuna, to who writes programs
        warnings.simplefilter("ignore")
        for key, texts in columns.items():
            if key in intervals:
                scale = math.log if "log" in intervals[key].tags else float
                numbers = [scale(float(text)) for text in texts]
                points[key] = numbers
                space[key] = optuna.distributions.FloatDistribution(min(numbers), max(numbers))
            else:
                points[key] = texts
                space[key] = optuna.distributions.CategoricalDistribution(sorted(set(texts)))
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        study = optuna.create_study()
        for i, value in enumerate(values):
            point = {key: column[i] for key, column in points.items()}
            study.add_trial(
                optuna.trial.create_trial(params=point, distributions=space, value=value)
            )
        forest = FanovaImportanceEvaluator(n_trees=_TREES, seed=0)
        found = get_param_importances(study, evaluator=forest)
    return {key: float(share) for key, share in found.items()}


def _values(run: Any) -> list[float]:
    return objective.read(run.data.tags)
