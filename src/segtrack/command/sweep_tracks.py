"""What a sweep's cells say about tracking: which setting is best, by how much, and is that sure?"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from segtrack.base.errors import DataError
from segtrack.base.saying import say
from segtrack.base.words import counted
from segtrack.command.sweep_cells import Cells
from segtrack.command.sweep_outcome import publish
from segtrack.journal import Journal
from segtrack.pipeline import REPORT
from segtrack.report import Basis, Setting, compare_settings
from segtrack.runs import named
from segtrack.scoring import (
    SequenceScores,
    Units,
    check_paired,
    estimates,
    kind_of,
    same_trajectories,
    scored_rows,
    units,
    write_tracking_report,
)


def warn_same(journal: Journal, runs: Sequence[Any], swept: Sequence[str]) -> None:
    """Name the knobs that changed no trajectory.

    Args:
        journal: of the parent.
        runs: MLflow runs of the finished cells.
        swept: the keys that vary, seeds among them.
    """
    params: dict[str, dict[str, str]] = {}
    digests: dict[str, str] = {}
    for run in runs:
        values = {key: run.data.params.get(key, "") for key in swept}
        name = named(swept, list(values.values()))
        name = name if name not in params else f"{name} ({run.info.run_id[:8]})"
        params[name] = values
        if "tracks.sha256" in run.data.tags:
            digests[name] = run.data.tags["tracks.sha256"]
    warnings = same_trajectories(digests, params)
    for warning in warnings:
        say(f"warning: {warning}")
    if warnings:
        journal.tags({"warnings": "\n".join(warnings)})
        journal.text("\n".join(warnings) + "\n", "warnings.txt")


def conclude_tracks(
    journal: Journal, settings: Sequence[Cells], defaults: Mapping[str, Any], trained: bool
) -> None:
    """Put the comparison of all settings into the parent run and print its outcome.

    Args:
        journal: of the parent.
        settings: the finished cells.
        defaults: values of the swept keys where the sweep does not set them.
        trained: weights differ between settings.
    """
    reports = {cells.name: _reports(cells) for cells in settings}
    tracked = [cells for cells in settings if reports[cells.name]]
    if len(tracked) < 2:
        return
    try:
        scored = {cells.name: [_Scored.read(p) for p in reports[cells.name]] for cells in tracked}
        chosen, measured = _paired(scored)
    except DataError as error:  # a sweep over data sets, say: there is nothing to pair
        journal.text(f"{error}\n", "comparison.txt")
        say(f"settings are not compared: {error}")
        return
    compared = [
        Setting(
            cells.name,
            cells.params,
            estimates(measured[cells.name]),
            {m: one.score for m, one in estimates(chosen[cells.name]).items()} if chosen else None,
            cells.is_default(defaults),
        )
        for cells in tracked
    ]
    first = scored[tracked[0].name][0]
    basis = Basis("tuning sequences" if first.tuning else "sequences", trained=trained)
    if chosen:
        count = len(next(iter(chosen.values()))[0].names)
        basis = Basis("test sequences", counted(count, "tuning sequences"), "tuning", trained)
    comparison = compare_settings(compared, basis)
    publish(journal, comparison)
    ends = {"best": comparison.best["HOTA"], "default": comparison.reference}
    for role, i in ends.items():
        with tempfile.TemporaryDirectory() as scratch:
            write_tracking_report(reports[comparison.settings[i].name][0], Path(scratch))
            journal.artifact(Path(scratch), role)


class _Scored:
    """Scores of one cell, by the roles of its sequences."""

    def __init__(self, scores: Mapping[str, SequenceScores], roles: Mapping[str, str | None]):
        self.scores = scores
        self.tuning = [name for name, role in roles.items() if role == "tuning"]
        self.test = [name for name, role in roles.items() if role == "test"]
        self.kind = kind_of(scores.values())

    @staticmethod
    def read(report: Path) -> _Scored:
        rows = scored_rows(report)
        scores = {row["name"]: SequenceScores.load(Path(row["scores"])) for row in rows}
        return _Scored(scores, {row["name"]: row["role"] for row in rows})

    def units(self, sequences: Sequence[str]) -> Units:
        return units(self.scores, self.kind, sequences or None)


def _reports(cells: Cells) -> list[Path]:
    """Where the scores of each seed's cell lie, of those that have any."""
    paths = [Path(run.data.tags["output"]) / REPORT for run in cells.runs]
    return [path for path in paths if path.is_file() and scored_rows(path)]


def _paired(
    scored: Mapping[str, Sequence[_Scored]],
) -> tuple[dict[str, list[Units]], dict[str, list[Units]]]:
    """What settings are chosen by, by name and seed (empty without roles), and measured on.

    Raises:
        DataError: cells were not scored on the same sequences.
    """
    first_name, (first, *_) = next(iter(scored.items()))
    roles = bool(first.tuning and first.test)
    chosen: dict[str, list[Units]] = {}
    measured: dict[str, list[Units]] = {}
    for name, seeds in scored.items():
        if any((one.tuning, one.test) != (first.tuning, first.test) for one in seeds):
            raise DataError(f"{first_name} and {name} have other tuning and test sequences")
        if roles:
            chosen[name] = [one.units(one.tuning) for one in seeds]
        measured[name] = [one.units(one.test if roles else one.tuning) for one in seeds]
    for table in (chosen, measured):
        for name, seeds_units in table.items():
            for one in seeds_units:
                check_paired(table[first_name][0], one, (first_name, name))
    return chosen, measured
