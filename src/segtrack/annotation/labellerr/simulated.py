"""The emulator inside of a run, and who annotates there: the data set's own ground truth."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from labellerr_loopback.annotator import Truth
from segtrack.annotation.labellerr.credentials import Credentials
from segtrack.annotation.labellerr.files import check_files
from segtrack.annotation.labellerr.polygons import polygon_of
from segtrack.dataset.canonical import Dataset
from segtrack.dataset.labels import Polygon
from segtrack.dataset.yolo_tree import joined


@contextlib.contextmanager
def own_emulator(folder: Path, credentials: Credentials) -> Iterator[str]:
    """An emulator for this run, with its state in ``folder``; gives its address.

    A second run on the same store waits until the first is through with its emulator, since both
    would write the same state.
    """
    from labellerr_loopback import Credentials as Accepted
    from labellerr_loopback import Delays, alone, start_emulator

    accepted = Accepted(credentials.api_key, credentials.api_secret, credentials.client_id)
    with (
        alone(folder),
        start_emulator(folder, credentials=accepted, delays=Delays(0, 0, 0)) as emulator,
    ):
        yield emulator.url


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
