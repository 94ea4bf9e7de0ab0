"""The emulator inside of a run, and who annotates there: the data set's own ground truth."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from segtrack.dataset.canonical import Dataset
from segtrack.dataset.labels import Polygon
from segtrack.dataset.yolo_tree import joined
from segtrack.errors import SettingsError
from segtrack.labellerr.annotator import Rates, Record, Truth, annotate
from segtrack.labellerr.credentials import Credentials
from segtrack.labellerr.files import check_files
from segtrack.labellerr.polygons import polygon_of
from segtrack.labellerr.port import NOT_ASSIGNED, Platform

_PORT = "port"  # file in the emulator's folder


@contextlib.contextmanager
def own_emulator(folder: Path, credentials: Credentials) -> Iterator[str]:
    """An emulator for this run, with its state in ``folder``; gives its address.

    It takes the port that it had before where that is free: the address is part of the account
    under which the ledger remembers what was sent. A second run on the same store waits until the
    first is through with its emulator, since both would write the same state.
    """
    from segtrack.labellerr.emulator import Credentials as Accepted
    from segtrack.labellerr.emulator import Delays, start_emulator

    folder.mkdir(parents=True, exist_ok=True)
    note = folder / _PORT
    accepted = Accepted(credentials.api_key, credentials.api_secret, credentials.client_id)
    with contextlib.ExitStack() as stack:
        stack.enter_context(_alone(folder))
        known = int(note.read_text()) if note.is_file() else 0
        for port in (known, 0):
            try:
                emulator = stack.enter_context(
                    start_emulator(folder, port=port, credentials=accepted, delays=Delays(0, 0, 0))
                )
                break
            except SettingsError:
                if not port:
                    raise
        if not known:
            note.write_text(emulator.url.rpartition(":")[2])
        yield emulator.url


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the lock of the emulator's folder; says so where another run has it."""
    lock = FileLock(folder / "in_use.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print("emulator   waiting for another run that uses it", flush=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def review_by_truth(
    platform: Platform,
    url: str,
    project_id: str,
    truth: Truth,
    rates: Rates,
    seed: int,
) -> Record | None:
    """Let the simulated annotator review a project of the emulator, unless that was done.

    Args:
        url: of the emulator. truth: as ``truth_of`` gives it.

    Returns:
        What it did; None where no file was waiting.
    """
    if all(file.status != NOT_ASSIGNED for file in platform.project_files(project_id)):
        return None
    return annotate(url, project_id, truth, rates, seed)


def truth_of(dataset: Dataset, split: str) -> Truth:
    """Class names with polygons of every object of a split, by the platform's file name.

    Regions to be ignored are no objects. Pieces and holes are joined to one ring, as the platform
    has it.
    """
    rows = dataset.images(split)
    name_of = {file.path: file.name for file in check_files(row.path for row in rows)}
    by_id = {row.image_id: name_of[row.path] for row in rows}
    found: dict[str, list[tuple[str, Polygon]]] = {name: [] for name in by_id.values()}
    for one in dataset.iter_annotations(split):
        shape = one["segmentation"]
        if one["iscrowd"]:
            continue
        if isinstance(shape, dict):
            polygon = polygon_of(shape)
        else:
            rings = [np.asarray(ring, np.float64).reshape(-1, 2) for ring in shape]
            polygon = joined(rings) if rings else None
        if polygon is not None:
            name = dataset.names[one["category_id"]]
            found[by_id[one["image_id"]]].append((name, polygon))
    return found
