"""The door to the loopback platform: one of a run or one that is kept up, and who annotates there.

Nothing else of segtrack imports ``labellerr_loopback``.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from segtrack.annotation.labellerr.checks import FileNames
from segtrack.annotation.labellerr.credentials import Credentials
from segtrack.annotation.outlines import polygon_of
from segtrack.annotation.port import KnownLabels, Rehearsal, VideoRehearsal
from segtrack.annotation.video_sent import SentVideos
from segtrack.base.content_names import content_name
from segtrack.base.errors import SettingsError
from segtrack.base.polygons import Polygon
from segtrack.dataset import Dataset, VideoSequence, first_mask_frame, joined
from segtrack.formats import read_mots
from segtrack.settings import AnnotatorSettings

if TYPE_CHECKING:
    from labellerr_loopback import TrueTrack


class Local(Protocol):
    """A loopback platform: its address, and where a person reviews in a browser."""

    @property
    def url(self) -> str: ...

    def page(self, project_id: str | None = None) -> str: ...


@contextlib.contextmanager
def emulator(folder: Path, credentials: Credentials) -> Iterator[Local]:
    """The platform with its state in ``folder``: the one that is kept up, else one of this run.

    A second run on the same store waits until the first is through with its emulator, since both
    would write the same state; the one that ``serve`` keeps up takes any number of them.
    """
    from labellerr_loopback import Credentials as Accepted
    from labellerr_loopback import Delays, alone, kept, start_emulator

    if there := kept(folder):
        yield there
        return
    accepted = Accepted(credentials.api_key, credentials.api_secret, credentials.client_id)
    with alone(folder, until=lambda: kept(folder)) as held:
        if not held and (there := kept(folder)):
            yield there
            return
        with start_emulator(folder, credentials=accepted, delays=Delays(0, 0, 0)) as own:
            yield own


def kept_up(folder: Path) -> Local | None:
    """The platform of a folder that another process keeps up, or None."""
    from labellerr_loopback import kept

    return kept(folder)


def page_of(url: str, project_id: str | None = None) -> str | None:
    """The page of a loopback platform of this user that listens at an address; None of others."""
    from labellerr_loopback import page_at

    return page_at(url, project_id)


@contextlib.contextmanager
def serve(
    folder: Path, credentials: Credentials, port: int | None = None, as_of: str | None = None
) -> Iterator[Local]:
    """Keep the platform of a folder up, for runs and for people, while the block runs.

    Raises:
        SettingsError: the port is taken, or there is no such ``as_of``.
    """
    from labellerr_loopback import AS_OF, Delays, Quirks, keep_up
    from labellerr_loopback import Credentials as Accepted

    quirks = None
    if as_of is not None:
        if as_of not in AS_OF:
            raise SettingsError(f"--as-of {as_of}: must be one of {', '.join(AS_OF)}")
        quirks = Quirks(as_of=as_of)  # type: ignore[arg-type]
    accepted = Accepted(credentials.api_key, credentials.api_secret, credentials.client_id)
    options = {"credentials": accepted, "delays": Delays(0, 0, 0), "quirks": quirks}
    with keep_up(folder, port=port, **options) as emulator:  # type: ignore[arg-type]
        yield emulator


def rehearse(
    url: str, project_id: str, truth: KnownLabels, knobs: AnnotatorSettings, partly: bool = False
) -> Rehearsal:
    """Have the simulated annotator review by labels that are known.

    Args:
        truth: by the project's file names.
        partly: leave files alone of which nothing is known.

    Raises:
        DataError: the project has a file that ``truth`` has not, unless ``partly``.
    """
    from labellerr_loopback import Rates, annotate

    rates = dataclasses.asdict(knobs)
    seed = rates.pop("seed")
    done = annotate(url, project_id, truth, Rates(**rates), seed, partly)
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


def truth_of(dataset: Dataset, split: str, names: Iterable[str] | None = None) -> KnownLabels:
    """Class names with polygons of every object of a split, by the platform's file name.

    Regions to be ignored are no objects. Pieces and holes are joined to one ring, as the platform
    has it.

    Args:
        names: of the platform's files; those that the split has not are left out. None: as the
            split's images are called when they are sent.
    """
    known = None if names is None else FileNames(names)
    by_id: dict[int, str] = {}
    for row in dataset.iter_images(split):
        sent = content_name(row.path.name, row.sha256)
        if (name := known.find(sent) if known else sent) is not None:
            by_id[row.image_id] = name
    found: dict[str, list[tuple[str, Polygon]]] = {name: [] for name in by_id.values()}
    taken: dict[str, int] = {}  # of several files of the same bytes, one speaks for all
    for one in dataset.iter_annotations(split):
        shape, image = one["segmentation"], one["image_id"]
        if one["iscrowd"] or image not in by_id:
            continue
        if taken.setdefault(by_id[image], image) != image:
            continue
        if isinstance(shape, dict):
            polygon = polygon_of(shape)
        else:
            rings = [np.asarray(ring, np.float64).reshape(-1, 2) for ring in shape]
            polygon = joined(rings) if rings else None
        if polygon is not None:
            name = dataset.names[one["category_id"]]
            found[by_id[image]].append((name, polygon))
    return found
