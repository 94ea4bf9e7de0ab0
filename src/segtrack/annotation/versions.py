"""The next version of a data set: its parent, with the reviewed pool images in train, the labels
that people corrected, and the reviewed videos as sequences with ground truth."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from segtrack.annotation.port import Say
from segtrack.annotation.pulled import Review
from segtrack.annotation.rechecked import Rechecked
from segtrack.annotation.sent import Reviewed, sent_images
from segtrack.annotation.video_pulled import VideoReview
from segtrack.base.errors import DataError, some
from segtrack.base.files import file_digest
from segtrack.base.json_stream import elements
from segtrack.dataset import (
    Dataset,
    Version,
    VideoSequence,
    parent_digest,
    version_number,
    videos_digest,
    write_version,
)


def next_version(
    parent: Dataset,
    review: Review | None,
    root: Path,
    starting_weights: str,
    videos: VideoReview | None = None,
    at_hand: Iterable[VideoSequence] = (),
    say: Say = print,
    rechecked: Rechecked | None = None,
) -> Path | None:
    """Make the next version of ``parent`` below ``root``; returns its folder.

    The same labels of the same parent are the same version, which becomes the newest again.

    Args:
        review, videos, rechecked: what came back of images, of videos and of labels that were
            looked at again; one of them, or more.
        at_hand: further videos, by which a reviewed one is found that is called otherwise by now.

    Returns:
        None where nothing is left of it: no video is there any more, no label was changed.

    Raises:
        DataError: the review's classes or images are not those of the parent: every image must be
            in its pool split, and the file that was reviewed.
    """
    images = () if review is None else _images(parent, review)
    sequences = () if videos is None else _sequences(parent, videos, at_hand, say)
    moved = set(images)  # what was reviewed as a whole needs no correction
    corrected = (
        tuple(name for name in rechecked.file_names if name not in moved) if rechecked else ()
    )
    if review is None and not sequences and not corrected:
        return None
    nothing = _no_labels(parent.names)
    source = review or (videos if sequences else rechecked)
    assert source is not None
    version = Version(
        version_number(parent.folder) + 1,
        parent.fingerprint,
        parent.split_fingerprints,
        parent_digest(parent.folder),
        review.labels_sha256 if review else hashlib.sha256(nothing.encode()).hexdigest(),
        images,
        source.project_id,
        review.weights_sha256 if review else "",
        starting_weights,
        tuple(one.name for one in sequences),
        videos_digest(sequences) if sequences else "",
        corrected,
        rechecked.labels_sha256 if rechecked and corrected else "",
    )
    labels = review.labels if review else nothing
    again = rechecked.labels if rechecked and corrected else None
    return write_version(version, parent.folder, labels, root, sequences, again)


def _images(parent: Dataset, review: Review) -> tuple[str, ...]:
    """File names of the images that become training data."""
    if review.names != parent.names:
        raise DataError(
            f"{review.folder}: reviewed with the classes {', '.join(review.names)}, the data set "
            f"has {', '.join(parent.names)}; review again with this data set."
        )
    reviewed = dict(_reviewed(review.labels))
    require_same_pictures(parent, reviewed.items(), review.folder)
    contents, named = set(reviewed.values()), {n for n, sha256 in reviewed.items() if not sha256}
    return tuple(
        row.file_name
        for row in parent.iter_images("pool")
        if row.sha256 in contents or row.file_name in named
    )


def _sequences(
    parent: Dataset, review: VideoReview, at_hand: Iterable[VideoSequence], say: Say
) -> tuple[VideoSequence, ...]:
    """The reviewed videos with their ground truth, by their content, wherever they lie by now."""
    known = {one.sha256: one for one in (*at_hand, *parent.sequences)}
    found, lost = [], []
    for one in review.videos:
        sent, truth = one.sent, one.sequence
        there = known.get(sent.sha256)
        if there is None or there.path is None:
            path = Path(sent.path)
            if not path.is_file() or file_digest(path) != sent.sha256:
                lost.append(str(path))
                continue
            there = replace(truth, path=path)
        found.append(
            replace(
                there,
                frame_count=there.frame_count or truth.frame_count,
                gt=truth.gt,
                gt_format=truth.gt_format,
                mots=truth.mots,
                gt_classes=truth.gt_classes,
                mots_classes=truth.mots_classes,
            )
        )
    if lost:
        say(
            f"warning: {len(lost)} reviewed videos are no longer there as they were sent, and not "
            f"in the next version: {some(lost)}; restore them, or name them as they are called "
            "now with video=..."
        )
    return tuple(found)


def _no_labels(names: tuple[str, ...]) -> str:
    """COCO JSON of a review of no image."""
    categories = [{"id": i, "name": name} for i, name in enumerate(names)]
    return json.dumps({"categories": categories, "images": [], "annotations": []})


def require_pictures_as_sent(dataset: Dataset, sent: Reviewed) -> None:
    """``require_same_pictures`` of what was sent for review."""
    with closing(sent.open()) as db:
        images = ((image.file_name, image.sha256) for image in sent_images(db))
        require_same_pictures(dataset, images, sent.folder)


def require_same_pictures(
    dataset: Dataset, images: Iterable[tuple[str, str | None]], review: Path
) -> None:
    """Whether what is, or was, under review is in the pool split, whatever it is called by now.

    Args:
        images: under review, each with its digest; None or empty where it was not noted, which
            leaves the name. A name says little: another folder has a 000001.jpg too.
        review: for the message.

    Raises:
        DataError: they are not in the pool split, or other pictures have their names there.
    """
    pool = {row.file_name: row.sha256 for row in dataset.iter_images("pool")}
    there, under = set(pool.values()), dict(images)
    gone = {n: s for n, s in under.items() if (s not in there if s else n not in pool)}
    if changed := [name for name in gone if name in pool]:
        raise DataError(
            f"{review}: {len(changed)} of the {len(under)} images under review are other pictures "
            f"than those of the same name in the data set {dataset.folder}: {some(changed, 5)}; "
            "their labels do not belong to these. Review again with this data set, or correct "
            "dataset.path to the folder that was sent for review."
        )
    if gone:
        raise DataError(
            f"{review}: {len(gone)} reviewed images are not in the pool split of the "
            f"data set {dataset.folder}, for example {some(list(gone), 5)}; only those may "
            "become training data. Review again with this data set."
        )


def _reviewed(labels: Path) -> Iterator[tuple[str, str | None]]:
    """File name and digest of each reviewed image; None where an earlier release kept none."""
    for element in elements(labels):
        if element.listed and element.key == "images":
            yield element.value["file_name"], element.value.get("sha256")
