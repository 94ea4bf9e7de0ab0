"""Images judged some at a time, in this process or, where there are very many, on every core.

What is kept of some images does not depend on which process judged them: joined in the order of the
images it is the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from segtrack.dataset import Dataset, Grouping, map_chunks, worker_count
from segtrack.evaluation.batches import BATCH, ImageBatch, image_batches, unknown_image
from segtrack.evaluation.confusion import (
    ImageErrors,
    confusion_matrix,
    image_errors,
    match_batch,
    worst_images,
)
from segtrack.evaluation.matching import Matcher
from segtrack.evaluation.rows import Rows
from segtrack.evaluation.units import TEXT
from segtrack.model import Predictions
from segtrack.settings import EvaluationSettings

PART = 10 * BATCH  # images that a process judges in one go
MANY = 20_000  # images from which on a process for each core is worth its start


@dataclass
class Judged:
    """What some images that follow each other gave.

    Attributes:
        matcher: their matches. confusion: counts, int (K + 1, K + 1).
        worst: those that are most wrong.
        rows: what stands behind the figures; none where they are not wanted.
        groups: text (N,) each, the source groups of the images.
        detections: how many were kept.
    """

    matcher: Matcher
    confusion: np.ndarray
    worst: list[ImageErrors]
    rows: Rows
    groups: list[np.ndarray] = field(default_factory=list)
    detections: int = 0

    @staticmethod
    def nothing(names: Sequence[str], first: int = 0) -> Judged:
        """Of no images yet; the next one is the ``first``-th of the split."""
        confusion = np.zeros((len(names) + 1, len(names) + 1), np.int64)
        return Judged(Matcher(len(names), images=first), confusion, [], Rows(names))

    def join(self, other: Judged, gallery: int) -> None:
        """Take what the images gave that follow, but for their rows.

        Args:
            gallery: how many of the worst are kept.
        """
        self.matcher.join(other.matcher)
        self.confusion += other.confusion
        self.worst = worst_images([*self.worst, *other.worst], gallery)
        self.groups += other.groups
        self.detections += other.detections


@dataclass(frozen=True)
class Judging:
    """What is judged, and how.

    Attributes:
        group_by: what makes the source group of an image.
        rows: whether the rows behind the figures are wanted.
    """

    dataset: Dataset
    split: str
    predictions: Predictions
    settings: EvaluationSettings
    group_by: str | None
    rows: bool

    def judged(self) -> Iterator[Judged]:
        """All images of the split in their order, a batch at a time.

        Raises:
            DataError: there are predictions of an image that the split does not have.
        """
        if self.dataset.counts[self.split] < MANY or (workers := worker_count(0)) == 1:
            images, labels = (
                self.dataset.coco_images(self.split),
                self.dataset.iter_annotations(self.split),
            )
            frames = self.predictions.frames()
            limits = self.settings.conf_floor, self.settings.max_det
            yield from self._batches(image_batches(images, labels, frames, *limits), 0)
            return
        ids = np.fromiter((one["id"] for one in self.dataset.coco_images(self.split)), np.int64)
        self._check_frames(ids)
        parts = ((first, ids[first : first + PART]) for first in range(0, len(ids), PART))
        yield from map_chunks(self._parts, parts, workers, chunk=1, alone="")

    def _parts(self, parts: list[tuple[int, np.ndarray]]) -> list[Judged]:
        """Some images each, by the place of the first one in the split and their ids."""
        return [one for first, ids in parts for one in self._part(first, ids.tolist())]

    def _part(self, first: int, ids: list[int]) -> Iterator[Judged]:
        images = self.dataset.coco_images(self.split, ids)
        labels = self.dataset.iter_annotations(self.split, ids)
        frames = self.predictions.some_frames(ids)
        limits = self.settings.conf_floor, self.settings.max_det
        yield from self._batches(image_batches(images, labels, frames, *limits), first)

    def _batches(self, batches: Iterable[ImageBatch], first: int) -> Iterator[Judged]:
        grouping = Grouping(self.group_by)
        conf, iou = self.settings.confusion_conf, self.settings.confusion_iou
        for batch in batches:
            found = Judged.nothing(self.dataset.names, first)
            found.matcher.add(batch, found.rows if self.rows else None)
            matches = match_batch(batch, conf, iou)
            if self.rows:
                found.rows.add_confusion(batch, matches)
            found.confusion += confusion_matrix(matches, len(self.dataset.names))
            found.worst = worst_images(list(map(image_errors, matches)), self.settings.gallery)
            groups = [grouping.name(image["file_name"]) for image in batch.images]
            found.groups.append(np.array(groups, TEXT))
            found.detections = sum(map(len, batch.detections))
            yield found
            first += len(batch.images)

    def _check_frames(self, ids: np.ndarray) -> None:
        for numbers in self.predictions.frame_numbers():
            place = np.minimum(np.searchsorted(ids, numbers), len(ids) - 1)
            strange = numbers[ids[place] != numbers]
            if len(strange):
                raise unknown_image(int(strange[0]))
