"""What a comparison of a sweep's settings leaves in its parent run, and prints."""

from __future__ import annotations

import tempfile
from pathlib import Path

from segtrack.journal import Journal
from segtrack.report import (
    CLAIMS,
    Comparison,
    Outcome,
    figure_differences,
    save_figure,
    table_csv,
    table_html,
)


def publish(journal: Journal, comparison: Comparison, folder: str = "") -> None:
    """Tables, figures and the printed outcome.

    Args:
        journal: of the parent.
        comparison: of the settings.
        folder: of the tables among the artifacts, with a slash behind.
    """
    summary, rows, text = comparison.summary_rows(), comparison.rows(), comparison.text()
    against = f"Settings against {comparison.reference_name}"
    journal.text(text, f"{folder}outcome.txt")
    journal.text(Outcome.of(comparison).json(), f"{folder}{CLAIMS}")
    journal.text(table_csv(summary), f"{folder}best.csv")
    journal.text(table_html(summary, comparison.title), f"{folder}best.html")
    journal.text(table_csv(rows), f"{folder}comparison.csv")
    journal.text(table_html(rows, against), f"{folder}comparison.html")
    journal.text(table_csv(comparison.unit_rows()), f"{folder}units.csv")
    with tempfile.TemporaryDirectory() as scratch:
        for metric in comparison.best:
            path = Path(scratch) / f"differences_{metric.lower()}.png"
            save_figure(figure_differences(comparison, metric), path, rows)
            journal.artifact(path, "figures")
    print(f"\n{text}", flush=True)
