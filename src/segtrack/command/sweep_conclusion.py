"""What stands at the end of a sweep: its tables, what can be claimed, and the parent's page."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from segtrack import journal as journals
from segtrack.base.saying import say
from segtrack.command import sweep_cells
from segtrack.command.sweep_images import conclude_images
from segtrack.command.sweep_search import conclude_search
from segtrack.command.sweep_tracks import conclude_tracks, warn_same
from segtrack.command.sweeper import Searched
from segtrack.report import aggregate, table_csv, table_html, table_text
from segtrack.runs import KeptSweep, divided, find, headline, varied
from segtrack.settings import MlflowSettings


def conclude(
    journal: journals.Journal,
    settings: MlflowSettings,
    swept: list[str],
    default_of: Callable[[Sequence[str]], dict[str, Any]],
    searched: Searched | None = None,
) -> tuple[int, int]:
    """Put the tables of all cells into the parent.

    Args:
        journal: of the parent. settings: where it is recorded.
        swept: the keys that vary.
        default_of: the values of such keys where the command does not set them.
        searched: how a sweeper drew the values; None where all cells were run.

    Returns:
        How many cells there are, and how many of them failed.
    """
    children = sweep_cells.once(journals.cells(settings, journal.run_id))
    swept = swept if searched else varied([run.data.params for run in children], swept)
    _put_tables(journal, sweep_cells.cell_rows(children, swept), swept)
    for line in sweep_cells.failures(children, swept):
        say(line)
    finished = [run for run in children if sweep_cells.status(run) == "FINISHED"]
    warn_same(journal, finished, swept)
    compared = sweep_cells.settings_of(finished, swept)
    if len(compared) > 1:
        defaults = default_of(swept)
        trained = sweep_cells.apart(compared, "train")
        by = searched.objectives if searched else ()
        conclude_images(journal, settings, compared, defaults, trained, by)
        conclude_tracks(journal, compared, defaults, trained)
    if searched is not None:
        conclude_search(journal, searched, children, swept)
    _describe(journal, settings)
    pruned = sum(sweep_cells.status(run) == "PRUNED" for run in children)
    return len(children), len(children) - len(finished) - pruned


def _describe(journal: journals.Journal, settings: MlflowSettings) -> None:
    """Let MLflow's page of the parent say what came out of it."""
    from segtrack.command.report_sweep import sweep_description

    with tempfile.TemporaryDirectory() as scratch:
        (sweep,) = find(settings, [journal.run_id], Path(scratch))
        if isinstance(sweep, KeptSweep) and (text := sweep_description(sweep)):
            journals.describe(settings, journal.run_id, text)


def _put_tables(
    journal: journals.Journal, rows: Sequence[dict[str, Any]], swept: Sequence[str]
) -> None:
    """The table of cells and, where seeds vary, that of settings or of the noise."""
    if not rows:
        return
    journal.text(table_csv(rows), "cells.csv")
    journal.text(table_html(rows, "Cells of this sweep"), "cells.html")
    keys, seeds = divided(swept)
    if not seeds:
        say("\n" + table_text(sweep_cells.shown_rows(rows, swept)))
        return
    finished = [row for row in rows if row["status"] == "FINISHED"]
    if not keys:
        metrics = [key for key in rows[0] if "/" in key]
        noise = sweep_cells.noise_rows(finished, metrics)
        title = f"{len(finished)} cells that differ in {' and '.join(seeds)} alone"
        say(f"\n{title}: how far scores spread by chance. None of them is better than another.\n")
        shown = headline(rows)
        say(table_text([row for row in noise if row["metric"] in shown]))
        journal.text(table_csv(noise), "noise.csv")
        journal.text(table_html(noise, title), "noise.html")
        return
    title = f"Mean and standard deviation (std) over {' and '.join(seeds)}"
    say(f"\n{title}:\n{table_text(sweep_cells.shown_rows(rows, swept))}")
    means = aggregate(finished, keys)
    journal.text(table_csv(means), "settings.csv")
    journal.text(table_html(means, title), "settings.html")
