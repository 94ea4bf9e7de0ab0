"""AP of images that are there any number of times, as a bootstrap draws them.

It is what pycocotools gives for a data set with that many copies of each image, but without making
one: the detections are sorted once, and a draw only counts them otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from segtrack.base.compiled import compiled
from segtrack.evaluation.matching import Kind
from segtrack.evaluation.units import ImageUnits

IOU_COUNT = 10  # .50, .55, ..., .95
RECALLS = np.linspace(0, 1, 101)
_EPSILON = np.spacing(1)  # pycocotools adds it to the denominator of precision


@dataclass(frozen=True)
class Ranking:
    """Detections of one kind, class by class, in the order in which pycocotools counts them.

    A block holds the detections of one class, image and score. Of an image that was drawn twice,
    the second copy of a block follows the first.

    Attributes:
        units: that they are of.
        image: int32 (D,), position of each detection's image.
        right, ignored: uint16 (D,), as in ``MatchedDetections``.
        classes: int64 (K + 1,), where each class begins in these, and their end.
        blocks: int64 (B + 1,), where each block begins, and the end.
        found: by IoU threshold, blocks that hold a right detection.
        passed: by IoU threshold, detections that are ignored.
    """

    units: ImageUnits
    image: np.ndarray
    right: np.ndarray
    ignored: np.ndarray
    classes: np.ndarray
    blocks: np.ndarray
    found: _Lists
    passed: _Lists

    @staticmethod
    def of(units: ImageUnits, kind: Kind) -> Ranking:
        """Sort by class and score; equal ones stay in the order of their images."""
        detections = units.detections[kind]
        image, class_id = (np.repeat(v, detections.count) for v in (units.image, units.class_id))
        order = np.lexsort((-detections.score, class_id))
        image, class_id, score = image[order], class_id[order], detections.score[order]
        right, ignored = detections.right[order], detections.ignored[order]
        keys = np.stack([class_id, image, score])
        starts = np.flatnonzero(np.append(True, (keys[:, 1:] != keys[:, :-1]).any(axis=0)))
        blocks = np.append(starts[: len(order)], len(order))
        of_block = np.bitwise_or.reduceat(right, blocks[:-1]) if len(order) else right
        return Ranking(
            units,
            image,
            right,
            ignored,
            np.searchsorted(class_id, np.arange(len(units.names) + 1)),
            blocks,
            _lists(of_block, class_id[blocks[:-1]], len(units.names)),
            _lists(ignored, class_id, len(units.names)),
        )

    def average_precision(self, copies: np.ndarray) -> np.ndarray:
        """AP by class and IoU threshold, float (K, T); NaN for classes without ground truth.

        Args:
            copies: int (N,), how often each image is there, by its place in the order of names.
        """
        units = self.units
        copies = copies[units.rank]
        counts = copies[units.image] * units.objects
        objects = np.bincount(units.class_id, counts, len(units.names)).astype(np.int64)
        return _average_precision(
            copies,
            objects,
            self.image,
            self.right,
            self.ignored,
            self.classes,
            self.blocks,
            *self.found,
            *self.passed,
        )


_Lists = tuple[np.ndarray, np.ndarray]
"""Positions by IoU threshold and class: all of them, and int64 (T, K + 1) where each list begins;
the last of a row is where it ends."""


def _lists(bits: np.ndarray, class_id: np.ndarray, classes: int) -> _Lists:
    """Positions at which the t-th bit is set; ``class_id`` is ascending."""
    places = [np.flatnonzero((bits >> t) & 1) for t in range(IOU_COUNT)]
    ends = np.cumsum([0, *map(len, places)])
    starts = [
        end + np.searchsorted(class_id[place], np.arange(classes + 1))
        for end, place in zip(ends, places, strict=False)
    ]
    return np.concatenate(places), np.stack(starts)


@compiled
def _average_precision(
    copies: np.ndarray,
    objects: np.ndarray,
    image: np.ndarray,
    right: np.ndarray,
    ignored: np.ndarray,
    classes: np.ndarray,
    blocks: np.ndarray,
    found: np.ndarray,
    found_starts: np.ndarray,
    passed: np.ndarray,
    passed_starts: np.ndarray,
) -> np.ndarray:
    """pycocotools' ``accumulate`` for images that are there so often; see ``Ranking``.

    The precision at a recall is the highest one from there on. So it is summed from the last right
    detection to the first: the highest so far is that of all recalls which the one at hand reaches.
    """
    result = np.full((len(objects), IOU_COUNT), np.nan)
    needed = np.empty(len(RECALLS), np.int64)  # right detections that reach a recall
    seen = np.zeros(len(image) + 1, np.int64)  # detections before each one
    for d in range(len(image)):
        seen[d + 1] = seen[d] + copies[image[d]]
    for k in range(len(objects)):
        if objects[k] == 0:
            continue
        for i in range(len(RECALLS)):
            needed[i] = max(int(np.ceil(RECALLS[i] * objects[k])), 1)
            while needed[i] > 1 and (needed[i] - 1) / objects[k] >= RECALLS[i]:
                needed[i] -= 1  # as floats compare
            while needed[i] / objects[k] < RECALLS[i]:
                needed[i] += 1
        for t in range(IOU_COUNT):
            hits = 0
            for b in found[found_starts[t, k] : found_starts[t, k + 1]]:
                for d in range(blocks[b], blocks[b + 1]):
                    hits += copies[image[d]] * ((right[d] >> t) & 1)
            skipped = 0  # ignored detections before the block's end
            p = passed_starts[t, k + 1] - 1
            for d in passed[passed_starts[t, k] : p + 1]:
                skipped += copies[image[d]]
            r = len(RECALLS) - 1  # the highest recall that is still open
            while r >= 0 and needed[r] > hits:
                r -= 1
            best = total = 0.0
            for b in found[found_starts[t, k] : found_starts[t, k + 1]][::-1]:
                start, end = blocks[b], blocks[b + 1]
                while p >= passed_starts[t, k] and passed[p] >= end:
                    skipped -= copies[image[passed[p]]]
                    p -= 1
                counted = seen[end] - seen[classes[k]] - skipped
                times = copies[image[start]]
                # Copies of a right one follow each other: the last has the highest precision.
                alone = end - start == 1
                rounds, step = (1, times) if alone else (times, 1)
                for _ in range(rounds):
                    for d in range(end - 1, start - 1, -1):
                        if (right[d] >> t) & 1:
                            best = max(best, hits / (counted + _EPSILON))
                            hits -= step
                            while r >= 0 and needed[r] > hits:
                                total += best
                                r -= 1
                        counted -= 1 - ((ignored[d] >> t) & 1)
            result[k, t] = total / len(RECALLS)
    return result
