"""The next version of a data set: its parent, with the reviewed pool images in train."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

from segtrack.annotation.pulled import Review
from segtrack.annotation.sent import Reviewed, sent_images
from segtrack.base.errors import DataError, some
from segtrack.base.json_stream import elements
from segtrack.dataset import Dataset, Version, parent_digest, version_number, write_version


def next_version(parent: Dataset, review: Review, root: Path, starting_weights: str) -> Path:
    """Make the next version of ``parent`` below ``root``; returns its folder.

    The same labels of the same parent are the same version, which becomes the newest again.

    Raises:
        DataError: the review's classes or images are not those of the parent: every image must be
            in its pool split, and the file that was reviewed.
    """
    if review.names != parent.names:
        raise DataError(
            f"{review.folder}: reviewed with the classes {', '.join(review.names)}, the data set "
            f"has {', '.join(parent.names)}; review again with this data set."
        )
    reviewed = dict(_reviewed(review.labels))
    require_same_pictures(parent, reviewed.items(), review.folder)
    contents, named = set(reviewed.values()), {n for n, sha256 in reviewed.items() if not sha256}
    images = tuple(
        row.file_name
        for row in parent.iter_images("pool")
        if row.sha256 in contents or row.file_name in named
    )
    version = Version(
        version_number(parent.folder) + 1,
        parent.fingerprint,
        parent.split_fingerprints,
        parent_digest(parent.folder),
        review.labels_sha256,
        images,
        review.project_id,
        review.weights_sha256,
        starting_weights,
    )
    return write_version(version, parent.folder, review.labels, root)


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
