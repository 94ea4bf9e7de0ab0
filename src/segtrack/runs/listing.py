"""The runs and sweeps of an MLflow experiment, a page at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from segtrack import journal as journals
from segtrack.runs.finding import recorded
from segtrack.runs.kept import KeptRun
from segtrack.settings import MlflowSettings

PAGE = 50


@dataclass(frozen=True)
class Recent:
    """A run, or a sweep with all its cells.

    Attributes:
        run: of a sweep the parent.
        cells: of a sweep, how many there are by status, and under "" those that have not begun;
            None: it is no sweep.
    """

    run: KeptRun
    cells: Mapping[str, int] | None = None


def recent(
    settings: MlflowSettings,
    scratch: Path,
    *,
    text: str = "",
    status: str = "",
    by: str = "",
    after: str = "",
) -> tuple[list[Recent], str]:
    """A page of runs and sweeps; cells are counted in their sweep's row.

    One query of MLflow (of a text one for each place where it may stand), and one for each sweep
    that has not finished; no artifact is touched.

    Args:
        settings: where runs are recorded.
        scratch: as ``find`` has it.
        text: words that stand in a run's name, command, tags or settings, in upper or lower case.
        status: RUNNING, FINISHED, FAILED or KILLED; empty: any.
        by: a metric, the highest first, of runs that have it; empty: newest first.
        after: where a page ended; empty: the first page.

    Returns:
        At most ``PAGE`` of them, and ``after`` of the next page, empty where this is the last.

    Raises:
        SettingsError: they cannot be read.
    """
    wanted = journals.Wanted(text, status, by, after)
    found = list(islice(journals.listed_runs(settings, wanted), PAGE + 1))
    rows = [recorded(settings, run, scratch) for run in found[:PAGE]]
    page = [
        Recent(row, _cells(settings, row) if journals.SWEEP_KEYS in row.tags else None)
        for row in rows
    ]
    return page, wanted.place(found[PAGE - 1]) if len(found) > PAGE else ""


_ended: dict[tuple[str, str | None], dict[str, int]] = {}  # what a sweep had at its end stays so


def _cells(settings: MlflowSettings, sweep: KeptRun) -> dict[str, int]:
    planned = int(text) if (text := sweep.params.get("cells", "")).isdecimal() else 0
    if sweep.status == "FINISHED" and planned:  # else one of them had failed
        return {"FINISHED": planned}
    place = settings.uri, sweep.id
    if place in _ended:
        return _ended[place]
    assert sweep.id is not None
    counts = dict(Counter(run.info.status for run in journals.cells(settings, sweep.id)))
    if (begun := sum(counts.values())) < planned:
        counts[""] = planned - begun
    if not sweep.running:
        _ended[place] = counts
    return counts
