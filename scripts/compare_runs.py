"""Is one run better than another, and is that sure? A paired bootstrap of two MLflow runs.

    python scripts/compare_runs.py RUN_A RUN_B [--metric HOTA --metric MOTA] [--samples 2000]
    python scripts/compare_runs.py RUN_A RUN_B --kind mask --metric sMOTA --json mlflow=server
    python scripts/compare_runs.py RUN_A RUN_B --kind image [--metric mask_map50]

Kinds box and mask compare tracking: both runs must have been scored on the same sequences. Units
are the sequences, or their chunks where there are less than ten. Kind image compares the stage
evaluate: both must have been evaluated on the same images with the same labels, which are the
units; a metric of one class is class/NAME/mask_map50_95. Run ids are in MLflow (`make ui`). Scores
are in percent, differences (B minus A) in percentage points. Exit code 2 where the runs cannot be
compared.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from segtrack import evaluation as images
from segtrack.base.errors import DataError, SegtrackError, SettingsError
from segtrack.base.statistics import Samples
from segtrack.command.app import CONF
from segtrack.command.composition import check, compose_settings
from segtrack.journal import run_files
from segtrack.report import table_text
from segtrack.scoring import (
    COUNTED,
    FIELDS,
    METRICS,
    SequenceScores,
    Units,
    check_paired,
    draw,
    summary,
    units,
)
from segtrack.scoring.comparison import verdict
from segtrack.settings import MlflowSettings

COUNTS = "tracking/*/scores/counts.npz"
IMAGES = "evaluation/units.npz"


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    try:
        figures = compare(options)
    except SegtrackError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    if options.json:
        print(json.dumps(figures))
    else:
        print(report(figures))
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    text = __doc__ or ""
    parser = argparse.ArgumentParser(
        description=text, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run_a", metavar="RUN_A", help="MLflow run id, the one compared to")
    parser.add_argument("run_b", metavar="RUN_B", help="MLflow run id")
    parser.add_argument(
        "--metric",
        action="append",
        help=f"default: {', '.join(METRICS)}; of images {images.METRICS[0]}, and there are "
        f"{', '.join(images.METRICS[1:])}",
    )
    parser.add_argument("--kind", choices=("box", "mask", "image"), default="box")
    parser.add_argument("--sequences", nargs="+", help="only these (default: all); not of images")
    parser.add_argument("--samples", type=int, default=2000, help="draws of the bootstrap")
    parser.add_argument("--level", type=float, default=0.95, help="of the interval, 0..1")
    parser.add_argument("--seed", type=int, default=0, help="of the draws")
    parser.add_argument("--json", action="store_true")
    parser.add_argument(
        "overrides", nargs="*", help="settings, such as mlflow=server or mlflow.uri=..."
    )
    return parser.parse_intermixed_args(arguments)


def compare(options: argparse.Namespace) -> dict[str, Any]:
    """Scores of both runs, their differences and the verdicts, in percent.

    Raises:
        SettingsError: an option or a run id cannot be used.
        DataError: a run has no scores, or they are not of the same units.
    """
    if options.samples < 1 or not 0 < options.level < 1:
        raise SettingsError(
            f"--samples {options.samples} --level {options.level}: samples must be 1 or more, "
            f"level between 0 and 1"
        )
    if problems := check(CONF, options.overrides, sweep=False):
        raise SettingsError("; ".join(map(str, problems)))
    settings = compose_settings(CONF, options.overrides).mlflow
    drawn = drawn_images if options.kind == "image" else drawn_tracks
    a, b, of = drawn(settings, options)
    rows = {}
    for metric in a.whole:
        gap = a.to(b, metric, options.level)
        rows[metric] = {
            "a": 100 * a.whole[metric],
            "b": 100 * b.whole[metric],
            "difference": 100 * gap.difference,
            "low": number(100 * gap.low),
            "high": number(100 * gap.high),
            "share_above_0": number(gap.above),
            "verdict": verdict(metric, "A", "B", gap, options.level),
        }
    return {
        "a": options.run_a,
        "b": options.run_b,
        "kind": options.kind,
        "units": of,
        "samples": options.samples,
        "level": options.level,
        "metrics": rows,
    }


def drawn_tracks(
    settings: MlflowSettings, options: argparse.Namespace
) -> tuple[Samples, Samples, dict[str, Any]]:
    """Tracking scores of both runs, and what was drawn."""
    metrics = checked_metrics(options.metric or METRICS)
    ids = options.run_a, options.run_b
    one, other = (of_run(settings, run, options.kind, options.sequences) for run in ids)
    check_paired(one, other, ids)
    a, b = (draw(cell, metrics, options.samples, options.seed) for cell in (one, other))
    return a, b, {"of": one.of, "count": len(one.names)}


def drawn_images(
    settings: MlflowSettings, options: argparse.Namespace
) -> tuple[Samples, Samples, dict[str, Any]]:
    """AP of both runs, and what was drawn."""
    if options.sequences:
        raise SettingsError("--sequences: images belong to none; leave it out with --kind image")
    ids = options.run_a, options.run_b
    one, other = (images_of_run(settings, run) for run in ids)
    images.check_paired(one, other, ids)
    metrics = list(dict.fromkeys(options.metric or images.METRICS[:1]))
    a, b = images.drawn_scores(one, other, metrics, options.samples, options.seed)
    return a, b, {"of": "images", "count": len(one.rank)}


def checked_metrics(names: Sequence[str]) -> list[str]:
    """The metrics asked for, spelled as the scores spell them."""
    known = [name for name in summary(np.zeros(len(FIELDS))) if name not in COUNTED]
    spelling = {name.lower(): name for name in known}
    wrong = [name for name in names if name.lower() not in spelling]
    if wrong:
        raise SettingsError(
            f"--metric {wrong[0]}: there is no such score; choose from {', '.join(known)}"
        )
    return list(dict.fromkeys(spelling[name.lower()] for name in names))


def of_run(
    settings: MlflowSettings, run_id: str, kind: str, sequences: Sequence[str] | None
) -> Units:
    """The units of a recorded run."""
    with tempfile.TemporaryDirectory() as folder:
        files = run_files(settings, run_id, COUNTS, Path(folder))
        loaded = [SequenceScores.load(file.parent) for file in files]
    if not loaded:
        raise DataError(
            f"run {run_id} kept no scores ({COUNTS}): it did not track, or its videos have no "
            f"ground truth. Choose a run of the stage track on a data set with ground truth, or "
            f"compare how images were evaluated with --kind image."
        )
    return units({one.name: one for one in loaded}, kind, sequences)


def images_of_run(settings: MlflowSettings, run_id: str) -> images.ImageUnits:
    """The evaluated images of a recorded run."""
    with tempfile.TemporaryDirectory() as folder:
        for file in run_files(settings, run_id, IMAGES, Path(folder)):
            return images.ImageUnits.load(file)
    raise DataError(
        f"run {run_id} kept no evaluated images ({IMAGES}): it did not evaluate, or did so before "
        f"they were kept. Repeat its command, with evaluate among the stages."
    )


def number(value: float) -> float | None:
    """None for NaN, which JSON does not have."""
    return None if value != value else value


def report(figures: dict[str, Any]) -> str:
    """The table and a sentence per metric."""
    size = f"{100 * figures['level']:g}%"
    rows = [
        {
            "metric": metric,
            "A %": row["a"],
            "B %": row["b"],
            "B - A": row["difference"],
            f"{size} low": row["low"],
            f"{size} high": row["high"],
            "draws above 0": row["share_above_0"],
        }
        for metric, row in figures["metrics"].items()
    ]
    of = figures["units"]
    lines = [
        f"A {figures['a']}",
        f"B {figures['b']}",
        f"{figures['kind']} scores; paired bootstrap, {figures['samples']} draws of "
        f"{of['count']} {of['of']}",
        "",
        table_text(rows, digits=2),
        *(row["verdict"] for row in figures["metrics"].values()),
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
