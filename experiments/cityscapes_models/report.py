"""Compare the evaluations of this study, class by class: tables and the figure.

    python experiments/cityscapes_models/report.py apart_coco=ID apart_tuned=ID merged_coco=ID ...

ID is that of an MLflow run; run.sh calls this with all five. Writes scores.csv (every score),
differences.csv and differences.png beside this file. Scores are in percent, differences in
percentage points, with 95% intervals over test images. Those of one figure and one set of labels
hold all together: over its classes, the mean of classes, and its pairs.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from segtrack.base.families import compare_each
from segtrack.base.statistics import Interval
from segtrack.command.app import CONF
from segtrack.command.composition import compose_settings
from segtrack.evaluation import METRICS, ImageUnits, check_paired, estimates
from segtrack.journal import run_files
from segtrack.report import INK, LINES, STYLE, Row, save_figure, table_csv, table_text

ALL = "all"
HEADS = {"apart": "riders are a class", "merged": "riders count as persons"}
PAIRS = {
    "apart": [("apart_coco", "apart_tuned")],
    "merged": [("merged_coco", "merged_tuned"), ("merged_tuned", "merged_apart")],
}
"""By labels what is compared, b - a; decided before there was any result. ``merged_apart`` is the
network that was taught riders as a class, on labels in which they are persons."""
DRAWN = "mask_map50_95"


def main() -> None:
    ids = dict(word.split("=") for word in sys.argv[1:])
    folder = Path(__file__).resolve().parent
    mlflow = compose_settings(CONF, []).mlflow
    with tempfile.TemporaryDirectory() as scratch:
        units = {
            name: ImageUnits.load(run_files(mlflow, one, "evaluation/units.npz", Path(scratch))[0])
            for name, one in ids.items()
        }
    scores = [row for name, one in units.items() for row in score_rows(name, one)]
    gaps = {labels: compared(pairs, units) for labels, pairs in PAIRS.items()}
    rows = [row for labels, found in gaps.items() for row in gap_rows(labels, found)]
    (folder / "scores.csv").write_text(table_csv(scores), encoding="utf-8")
    drawn = [row for row in rows if row["figure"] == DRAWN]
    print(f"{table_text(scores)}\n{table_text(drawn)}one seed: its noise is not in the intervals")
    save_figure(figure(gaps, len(units["apart_coco"].group)), folder / "differences.png", rows)


def score_rows(name: str, units: ImageUnits) -> list[Row]:
    """A row for each class, the most frequent first, and one for their mean."""
    rows = []
    for of in (*by_frequency(units), ALL):
        mine = units.objects[(units.class_id == units.names.index(of)) if of != ALL else ...]
        found = estimates(units, [metric(of, figure) for figure in METRICS])
        shown = dict(
            zip(METRICS, (round(100 * one.score, 1) for one in found.values()), strict=True)
        )
        rows.append({"run": name, "class": of, "objects": int(mine.sum()), **shown})
    return rows


def by_frequency(units: ImageUnits) -> list[str]:
    objects = np.bincount(units.class_id, units.objects, len(units.names))
    return [units.names[k] for k in np.argsort(-objects, kind="stable") if objects[k]]


def metric(of: str, figure: str) -> str:
    return figure if of == ALL else f"class/{of}/{figure}"


Gaps = dict[str, dict[tuple[str, str, str], Interval]]


def compared(pairs: Sequence[tuple[str, str]], units: dict[str, ImageUnits]) -> Gaps:
    """By figure: of each pair and class the difference, in one family."""
    some = units[pairs[0][0]]
    for one in {name for pair in pairs for name in pair}:
        check_paired(some, units[one], (pairs[0][0], one))
    found: Gaps = {}
    for figure in METRICS:
        metrics = {of: metric(of, figure) for of in (ALL, *by_frequency(some))}
        by_run = {
            name: estimates(units[name], list(metrics.values()))
            for name in dict.fromkeys(name for pair in pairs for name in pair)
        }
        keys = [(a, b, of) for a, b in pairs for of in metrics]
        gaps = compare_each([(by_run[a][metrics[of]], by_run[b][metrics[of]]) for a, b, of in keys])
        found[figure] = dict(zip(keys, gaps, strict=True))
    return found


def gap_rows(labels: str, found: Gaps) -> list[Row]:
    return [
        {
            "labels": labels,
            "figure": figure,
            "class": of,
            "images": gap.counted,
            "run": b,
            "to": a,
            "difference": round(100 * gap.difference, 1),
            "low": round(100 * gap.low, 1),
            "high": round(100 * gap.high, 1),
            "told": "yes" if gap.told else "no",
        }
        for figure, gaps in found.items()
        for (a, b, of), gap in gaps.items()
    ]


def figure(gaps: dict[str, Gaps], images: int) -> Figure:
    """Dots with whiskers: a column for each set of labels, tuned less as it came from COCO."""
    with matplotlib.rc_context(STYLE):
        made = Figure(figsize=(10, 4.2), layout="constrained")
        for column, (labels, pairs) in zip(
            made.subplots(1, 2, sharex=True), PAIRS.items(), strict=True
        ):
            a, b = pairs[0]
            drawn = {of: gap for (*pair, of), gap in gaps[labels][DRAWN].items() if pair == [a, b]}
            column.axvline(0, color=INK, lw=1)
            for y, gap in enumerate(drawn.values()):
                colour = LINES[1] if gap.told else LINES[0]
                column.plot([100 * gap.low, 100 * gap.high], [y, y], color=colour, lw=2)
                column.plot(100 * gap.difference, y, "o", color=colour)
            column.set_title(HEADS[labels])
            column.grid(visible=True, axis="x")
            column.set_xlabel("percentage points of mask mAP50-95")
            column.set_yticks(range(len(drawn)), list(drawn))
            column.set_ylim(len(drawn) - 0.5, -0.5)
        made.suptitle(
            f"What fine-tuning changes, {images} test images: 95% intervals that hold together; "
            "orange: 0 lies outside",
            fontsize=10,
        )
    return made


if __name__ == "__main__":
    main()
