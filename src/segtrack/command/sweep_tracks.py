"""What a sweep's cells say about tracking: which is best, by how much, and is that sure."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from segtrack.base.errors import DataError
from segtrack.journal import Journal
from segtrack.pipeline import REPORT
from segtrack.report import table_csv, table_html, table_text
from segtrack.scoring import (
    Comparison,
    ScoredCell,
    SequenceScores,
    compare_cells,
    same_trajectories,
    units,
)


def conclude_tracks(
    journal: Journal, runs: Sequence[Any], swept: Sequence[str], defaults: Mapping[str, Any]
) -> None:
    """Put the comparison of all cells into the parent run and print its outcome.

    Args:
        journal: of the parent.
        runs: MLflow runs of the cells, in their order.
        swept: the keys that vary.
        defaults: their values where the sweep does not set them, as texts.
    """
    finished = [run for run in runs if run.info.status == "FINISHED"]
    names = _names(finished, swept)
    params = {name: {k: run.data.params.get(k, "") for k in swept} for name, run in names.items()}
    digests = {
        name: run.data.tags["tracks.sha256"]
        for name, run in names.items()
        if "tracks.sha256" in run.data.tags
    }
    warnings = same_trajectories(digests, params)
    for warning in warnings:
        print(f"warning: {warning}")
    if warnings:
        journal.tags({"warnings": "\n".join(warnings)})
        journal.text("\n".join(warnings) + "\n", "warnings.txt")
    reports = {name: Path(run.data.tags["output"]) / REPORT for name, run in names.items()}
    reports = {name: path for name, path in reports.items() if path.is_file()}
    cells = [
        _cell(name, path, params[name], _same(params[name], defaults))
        for name, path in reports.items()
    ]
    if len(cells) < 2:
        return
    try:
        comparison = compare_cells(cells)
    except DataError as error:  # a sweep over data sets, say: there is nothing to pair
        journal.text(f"{error}\n", "comparison.txt")
        print(f"cells are not compared: {error}")
        return
    _publish(journal, comparison)
    best, reference = comparison.best["HOTA"], comparison.reference
    from segtrack.scoring import write_tracking_report

    for role, i in {"best": best, "default": reference}.items():
        with tempfile.TemporaryDirectory() as scratch:
            write_tracking_report(reports[comparison.cells[i].name], Path(scratch))
            journal.artifact(Path(scratch), role)


def _publish(journal: Journal, comparison: Comparison) -> None:
    from segtrack.report import save_figure
    from segtrack.scoring import figure_differences

    summary, rows = comparison.summary_rows(), comparison.rows()
    title = f"Best cell against {comparison.reference_name}; {comparison.basis}"
    journal.text(table_csv(summary), "best.csv")
    journal.text(table_html(summary, title), "best.html")
    journal.text(table_csv(rows), "comparison.csv")
    journal.text(table_html(rows, f"Cells against {comparison.reference_name}"), "comparison.html")
    with tempfile.TemporaryDirectory() as scratch:
        for metric in comparison.metrics:
            path = Path(scratch) / f"differences_{metric.lower()}.png"
            save_figure(figure_differences(comparison, metric), path, rows)
            journal.artifact(path, "figures")
    print(f"\n{title}:\n{table_text(summary, digits=2)}")


def _cell(name: str, report: Path, params: Mapping[str, Any], default: bool) -> ScoredCell:
    rows = json.loads(report.read_text(encoding="utf-8"))
    scores = {row["name"]: SequenceScores.load(Path(row["scores"])) for row in rows}
    tuning = [row["name"] for row in rows if row["role"] == "tuning"]
    test = [row["name"] for row in rows if row["role"] == "test"]
    kind = (
        "box" if any(key[0] == "box" for one in scores.values() for key in one.counts) else "mask"
    )
    if tuning and test:
        return ScoredCell(
            name, params, units(scores, kind, tuning), units(scores, kind, test), default
        )
    return ScoredCell(name, params, units(scores, kind), None, default)


def _same(params: Mapping[str, Any], defaults: Mapping[str, Any]) -> bool:
    """Whether texts mean the same values: 0.50 is 0.5."""

    def values(texts: Mapping[str, Any]) -> dict[str, Any]:
        return {key: yaml.safe_load(str(text)) for key, text in texts.items()}

    return values(params) == values(defaults)


def _names(runs: Sequence[Any], swept: Sequence[str]) -> dict[str, Any]:
    """The runs by what distinguishes them: ``track_thresh=0.4 match_thresh=0.8``."""
    named: dict[str, Any] = {}
    for run in runs:
        values = [f"{k.rsplit('.', 1)[-1]}={run.data.params.get(k, '')}" for k in swept]
        name = " ".join(values)
        named[name if name not in named else f"{name} ({run.info.run_id[:8]})"] = run
    return named
