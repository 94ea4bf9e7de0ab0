"""The door to the loopback platform: one inside of a run, and who annotates there.

Nothing else of segtrack imports ``labellerr_loopback``.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from segtrack.annotation.labellerr.credentials import Credentials
from segtrack.annotation.labellerr.files import check_files
from segtrack.annotation.outlines import polygon_of
from segtrack.annotation.port import KnownLabels, Rehearsal, VideoRehearsal
from segtrack.annotation.video_sent import SentVideos
from segtrack.base.polygons import Polygon
from segtrack.dataset import Dataset, VideoSequence, first_mask_frame, joined
from segtrack.formats import read_mots
from segtrack.settings import AnnotatorSettings

if TYPE_CHECKING:
    from labellerr_loopback import TrueTrack


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


def rehearse_videos(
    url: str,
    sent: SentVideos,
    sequences: Iterable[VideoSequence],
    merge: Mapping[str, str],
    knobs: AnnotatorSettings,
) -> VideoRehearsal | None:
    """Have the simulated annotator review videos by their ground truth; None where none has any."""
    from labellerr_loopback import Rates, annotate_videos

    known = {one.sha256: one for one in sequences if one.mots is not None}
    truth = {
        video.file_name: true_tracks_of(known[video.sha256], sent.names, merge)
        for video in sent.videos
        if video.sha256 in known
    }
    if not any(truth.values()):
        return None
    rates = dataclasses.asdict(knobs)
    seed = rates.pop("seed")
    done = annotate_videos(url, sent.project_id, truth, Rates(**rates), seed)
    return VideoRehearsal(done.files, done.counts(), done.slips)


def true_tracks_of(
    sequence: VideoSequence, names: Collection[str], merge: Mapping[str, str]
) -> list[TrueTrack]:
    """The outlines of every object of a sequence's ground truth of masks that is of ``names``.

    Args:
        merge: the class that a name of the ground truth belongs to, where it is another.

    Raises:
        DataError: it is malformed.
    """
    from labellerr_loopback import TrueTrack

    assert sequence.mots is not None
    wanted = {name.casefold(): name for name in names}
    merged = ((i, merge.get(name, name).casefold()) for i, name in sequence.mots_classes)
    kinds = {i: wanted[name] for i, name in merged if name in wanted}
    table = read_mots(sequence.mots)
    first = first_mask_frame(table.frame, sequence.name, sequence.frame_count)
    size = [table.height, table.width]
    found: dict[tuple[int, int], dict[int, Polygon]] = {}
    for row in np.argsort(table.frame, kind="stable").tolist():
        class_id, counts = int(table.class_id[row]), table.rle[row]
        if class_id not in kinds:
            continue
        ring = polygon_of({"size": size, "counts": counts})
        if ring is not None:
            outlines = found.setdefault((int(table.track_id[row]), class_id), {})
            outlines[int(table.frame[row]) - first] = ring
    return [TrueTrack(kinds[class_id], rings) for (_, class_id), rings in sorted(found.items())]


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
