"""``segtrack compare A B``: is one run better than another, and can that be told?

    segtrack compare A B                         tracking: HOTA, MOTA and IDF1
    segtrack compare A B --kind image            AP of the evaluated images
    segtrack compare A1,A2,A3 B1,B2,B3           settings over runs that differ in the seed alone
    segtrack compare A B --kind mask --metric sMOTA --sequences test --json mlflow=server

A and B are ids of MLflow runs (`make ui`), or names (mlflow.run_name; the newest counts), or the
folders of their outputs. They must have been scored on the same sequences, or evaluated on the same
images. Scores are in percent, differences (B minus A) in percentage points.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from segtrack import evaluation as images
from segtrack import scoring
from segtrack.base.errors import DataError, SettingsError, some
from segtrack.base.saying import say
from segtrack.command.app import CONF
from segtrack.command.checking import check
from segtrack.command.composition import compose_settings
from segtrack.command.sides import Compared, Side, comparison_document, report
from segtrack.command.subcommands import Parser
from segtrack.runs import KeptRun, KeptSweep, find, settings_of
from segtrack.settings import MlflowSettings


def main(words: Sequence[str]) -> int:
    """Compare what ``words`` name and print it.

    Raises:
        SettingsError: an option or a run id cannot be used.
        DataError: a run has no scores, or they are not of the same units.
    """
    options = options_of(words)
    if problems := check(CONF, options.overrides, sweep=False):
        raise SettingsError("; ".join(map(str, problems)))
    settings = compose_settings(CONF, options.overrides).mlflow
    found = compare_runs(
        settings,
        (options.a.split(","), options.b.split(",")),
        options.kind,
        options.metric,
        options.sequences,
        options.level,
    )
    say(json.dumps(comparison_document(found)) if options.json else report(found, options.all))
    return 0


def options_of(words: Sequence[str]) -> argparse.Namespace:
    """What is behind the word ``compare``; what holds = is a setting, but for a metric's name.

    Raises:
        SettingsError: it cannot be understood.
    """
    parser = Parser("compare", "A B [options] [settings, such as mlflow=server]", __doc__)
    parser.add_argument("a", metavar="A", help="the run that is compared to; of seeds A1,A2,...")
    parser.add_argument("b", metavar="B", help="the run that is compared; of seeds B1,B2,...")
    parser.add_argument(
        "--metric",
        action="append",
        help=f"may be repeated; default: {', '.join(scoring.METRICS)}; of images "
        f"{images.METRICS[0]}, there are {', '.join(images.METRICS[1:])} and, of one class, "
        f"class/NAME/{images.METRICS[0]}",
    )
    parser.add_argument(
        "--kind",
        choices=("box", "mask", "image"),
        help="boxes or masks of tracking, or images; default: of what A has, the first",
    )
    parser.add_argument(
        "--sequences", nargs="+", help="only these; tuning or test: those that have this role"
    )
    parser.add_argument("--level", type=float, default=0.95, help="of the intervals, 0..1")
    parser.add_argument("--all", action="store_true", help="show all units, however many")
    parser.add_argument("--json", action="store_true", help="everything, for programs")
    parts: dict[bool, list[str]] = {True: [], False: []}
    for before, word in zip(["", *words], words, strict=False):
        parts["=" in word and not word.startswith("-") and before != "--metric"].append(word)
    options = parser.parse_args(parts[False])
    options.overrides = parts[True]
    if not 0 < options.level < 1:
        raise SettingsError(f"--level {options.level:g}: must be between 0 and 1")
    return options


def compare_runs(
    settings: MlflowSettings,
    words: tuple[Sequence[str], Sequence[str]],
    kind: str | None = None,
    metrics: Sequence[str] | None = None,
    sequences: Sequence[str] | None = None,
    level: float = 0.95,
) -> Compared:
    """Two settings on the same units, of the kind that was asked for, or A's that all have.

    Args:
        settings: where runs are recorded.
        words: of A and of B, the runs that differ in the seed alone; see ``segtrack.runs.find``.
        kind, metrics, sequences, level: as on the command line.

    Raises:
        SettingsError: a run or a metric is not there.
        DataError: a run has no scores, or they are not of the same units.
    """
    with tempfile.TemporaryDirectory() as scratch:
        a, b = (_side(settings, n, w, Path(scratch)) for n, w in zip("AB", words, strict=True))
        runs = [*a.runs, *b.runs]
        scores = [] if kind == "image" else [run.scores for run in runs]
        if kind is None:
            seen = all(run.evaluation for run in runs)
            tracked = scores[0] and (all(scores) or not seen)
            kind = scoring.kind_of(scores[0]) if tracked else "image"
        if kind == "image" and sequences:
            raise SettingsError("--sequences: images belong to none; leave it out")
        units: list[Any] = []
        module: Any = images if kind == "image" else scoring
        if kind == "image":
            units = [_images(run) for run in runs]
            metrics, of = metrics or images.METRICS[:1], images.unit_name(units[0])
        else:
            chosen = a.chosen(sequences)
            units = [_tracks(*pair, kind, chosen) for pair in zip(runs, scores, strict=True)]
            metrics, of = _spelled(metrics or scoring.METRICS), "sequences"
        for run, one in zip(runs[1:], units[1:], strict=True):
            module.check_paired(units[0], one, (runs[0].label, run.label))
        names, count = list(dict.fromkeys(metrics)), len(a.runs)
        scores_a, scores_b = (module.estimates(u, names) for u in (units[:count], units[count:]))
        return Compared(a, b, kind, of, scores_a, scores_b, level)


def _side(settings: MlflowSettings, name: str, words: Sequence[str], folder: Path) -> Side:
    if twice := [one for one in words if words.count(one) > 1]:
        raise SettingsError(f"{name}: {twice[0]} stands there twice; name each run once")
    found: list[KeptRun] = []
    for run in find(settings, words, folder):
        if isinstance(run, KeptSweep):
            listed = [one.label for one in run.cells]
            raise SettingsError(
                f"{name}: run {run.id} is the parent of a sweep and has no scores of its "
                f"own; compare its cells: {some(listed, 4) or 'it has none'}"
            )
        found.append(run)
    seeds = [settings_of(run).get("seed") for run in found]
    if seeds[0] is not None and len(set(seeds)) < len(words):
        raise SettingsError(
            f"{name}: of the runs {','.join(words)} two have the same seed, so that they say "
            f"nothing about seeds; name runs that differ in the seed alone"
        )
    return Side(name, tuple(found))


def _spelled(names: Sequence[str]) -> list[str]:
    """The metrics of tracking that were asked for, as the scores spell them."""
    known = [n for n in scoring.summary(np.zeros(len(scoring.FIELDS))) if n not in scoring.COUNTED]
    spelling = {name.lower(): name for name in known}
    wrong = [name for name in names if name.lower() not in spelling]
    if wrong:
        raise SettingsError(
            f"--metric {wrong[0]}: there is no such score; choose from {', '.join(known)}"
        )
    return [spelling[name.lower()] for name in names]


def _tracks(
    run: KeptRun, scores: Sequence[scoring.SequenceScores], kind: str, names: list[str] | None
) -> scoring.Units:
    """The sequences that a run was scored on."""
    if not scores:
        raise DataError(
            f"run {run.label} kept no scores (tracking/NAME/scores): it did not track, or its "
            f"videos have no ground truth. Choose a run of the stage track on a data set with "
            f"ground truth, or compare how images were evaluated with --kind image."
        )
    return scoring.units({one.name: one for one in scores}, kind, names)


def _images(run: KeptRun) -> images.ImageUnits:
    """The images that a run was evaluated on."""
    units = run.evaluation.units if run.evaluation else None
    if units is None:
        raise DataError(
            f"run {run.label} kept no evaluated images (evaluation/units.npz): it did not "
            f"evaluate, or did so before they were kept. Repeat its command, with evaluate among "
            f"the stages."
        )
    return units
