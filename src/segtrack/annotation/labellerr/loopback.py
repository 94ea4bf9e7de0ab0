"""The door to the loopback platform: one inside of a run, and who annotates there.

Nothing else of segtrack imports ``labellerr_loopback``.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from segtrack.annotation.labellerr.credentials import Credentials
from segtrack.annotation.labellerr.files import check_files
from segtrack.annotation.outlines import polygon_of
from segtrack.annotation.port import KnownLabels, Rehearsal
from segtrack.base.polygons import Polygon
from segtrack.dataset import Dataset, joined
from segtrack.settings import AnnotatorSettings


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


def rehearse(
    url: str, project_id: str, dataset: Dataset, split: str, knobs: AnnotatorSettings
) -> Rehearsal | None:
    """Have the simulated annotator review by the labels of a split; None where it has none.

    Raises:
        DataError: the project has a file that the split has not.
    """
    from labellerr_loopback import Rates, annotate

    truth = truth_of(dataset, split)
    if not any(truth.values()):
        return None  # it would take every prediction for wrong
    rates = dataclasses.asdict(knobs)
    seed = rates.pop("seed")
    done = annotate(url, project_id, truth, Rates(**rates), seed)
    return Rehearsal(truth, done.files, done.counts())


def truth_of(dataset: Dataset, split: str) -> KnownLabels:
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
