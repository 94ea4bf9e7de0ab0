"""From a word to what a run kept."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from segtrack import journal as journals
from segtrack.base.errors import SettingsError
from segtrack.runs.kept import RESULTS, KeptRun, KeptSweep
from segtrack.runs.places import Folder
from segtrack.settings import MlflowSettings

# Tags of runs that found something: that tracked, evaluated, or segmented somebody's pictures.
WORKED = ("stage.associate", "stage.evaluate", "stage.segment", "live")
_OUTPUT = (".hydra", "tracking")  # folders by which a run's folder is known


def find(
    settings: MlflowSettings, words: Sequence[str], scratch: Path
) -> list[KeptRun | KeptSweep]:
    """What the words name; without any, the newest run that tracked or evaluated.

    Args:
        settings: where runs are recorded.
        words: each the id of a run or, the newest of them, its name; of a sweep its parent's; or a
            folder: a run's folder of outputs, or one with results.json files in it, whoever made
            them; or one such file.
        scratch: folder for files that have to be fetched from a server; outlives the result.

    Raises:
        SettingsError: there is no such run and no such folder, or it has no results.
    """
    if words:
        return [_named(settings, word, scratch) for word in words]
    found = newest(settings, scratch)
    if found is None:
        raise SettingsError(
            f"{settings.uri} holds no run that tracked or evaluated; make one, or name a folder "
            f"with results.json in it"
        )
    return [found]


def newest(settings: MlflowSettings, scratch: Path) -> KeptRun | None:
    """The newest run that tracked or evaluated; None where there is none.

    Args:
        settings, scratch: as ``find`` has them.
    """
    found = journals.newest_run(settings, WORKED)
    return None if found is None else recorded(settings, found, scratch)


def name_of(settings: MlflowSettings, run_id: str) -> str:
    """What a run or a sweep is called; its id where that is not known."""
    try:
        return journals.earlier_run(settings, run_id).info.run_name or run_id
    except SettingsError:
        return run_id


def again(
    settings: MlflowSettings, held: KeptRun | KeptSweep, scratch: Path
) -> KeptRun | KeptSweep:
    """The same run or sweep as MLflow has it now; of its cells only those that ran are read.

    Args:
        held: what was found before, one that MLflow knows. settings, scratch: as ``find`` has them.

    Raises:
        SettingsError: it is there no more, or cannot be read.
    """
    assert held.id is not None
    run = journals.run_now(settings, held.id)
    now = recorded(settings, run, scratch)
    if isinstance(held, KeptRun):
        return now
    changing = [cell for cell in held.cells if cell.running] or held.cells[-1:]
    since = min((_milliseconds(cell) for cell in changing), default=0)
    if held.status != now.status:  # its end: whatever a clock that is late had hidden, too
        since = 0
    cells = {cell.id: cell for cell in held.cells}
    for one in journals.cells_now(settings, run, since):
        cells[one.info.run_id] = recorded(settings, one, scratch)
    return _sweep(now, tuple(sorted(cells.values(), key=_milliseconds)))


def _milliseconds(run: KeptRun) -> int:
    """When it started, as MLflow counts."""
    return round(run.started.timestamp() * 1000) if run.started else 0


def trained(settings: MlflowSettings, scratch: Path, most: int) -> list[KeptRun]:
    """The newest runs that trained, whose weights others may take: ``model.weights=run:ID``."""
    found = journals.runs_with(settings, "stage.train", most)
    return [recorded(settings, run, scratch) for run in found]


def _named(settings: MlflowSettings, word: str, scratch: Path) -> KeptRun | KeptSweep:
    path = Path(word).expanduser()
    there = bool(word) and os.path.exists(path)  # noqa: PTH110 (unlike Path's it bears any text)
    if there and (os.sep in word or path.is_file()):
        return _of_path(settings, path, scratch)
    try:
        run = journals.earlier_run(settings, word)
    except SettingsError as error:
        if there:
            return _of_path(settings, path, scratch)
        if os.sep in word or word.endswith(".json"):
            raise SettingsError(
                f"{word}: no such file or folder, and no run of that name; `segtrack view` without "
                "a name lists the runs"
            ) from error
        raise
    if journals.SWEEP_KEYS not in run.data.tags:
        journals.Artifacts(settings, run, scratch).require()
        return recorded(settings, run, scratch)
    children = journals.cells(settings, run.info.run_id)
    cells = tuple(recorded(settings, one, scratch) for one in children)
    return _sweep(recorded(settings, run, scratch), cells)


def _sweep(parent: KeptRun, cells: tuple[KeptRun, ...]) -> KeptSweep:
    assert parent.id is not None
    keys = tuple(json.loads(parent.tags[journals.SWEEP_KEYS]))
    return KeptSweep(parent.id, parent.name, parent.status, keys, parent, cells)


def _of_path(settings: MlflowSettings, path: Path, scratch: Path) -> KeptRun:
    """The run whose folder this is, else the folder itself, or a single file."""
    if path.is_file():
        return KeptRun(None, str(path), Folder(path.parent))
    if any((path / name).is_dir() for name in _OUTPUT):
        run = journals.run_of_output(settings, path.resolve())
        if run is not None:
            return recorded(settings, run, scratch)
    if next(path.rglob(RESULTS), None) is None:
        raise SettingsError(
            f"{path}: there is no {RESULTS} in it; name a run by its id or name from `make ui`, "
            f"its folder of outputs, or a folder with such files"
        )
    return KeptRun(None, str(path), Folder(path))


def recorded(settings: MlflowSettings, run: Any, scratch: Path) -> KeptRun:
    """What MLflow's record of a run says."""
    return KeptRun(
        run.info.run_id,
        run.data.tags.get("mlflow.runName") or run.info.run_name or "",
        journals.Artifacts(settings, run, scratch),
        run.info.status,
        _time(run.info.start_time),
        _time(run.info.end_time),
        run.data.tags.get("mlflow.parentRunId"),
        dict(run.data.tags),
        dict(run.data.params),
        dict(run.data.metrics),
        run.info.experiment_id,
    )


def _time(milliseconds: int | None) -> datetime | None:
    return datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds else None
