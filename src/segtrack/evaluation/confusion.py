"""Which class was taken for which, and how wrong each image is, at one threshold of the score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from segtrack.base.compiled import compiled
from segtrack.evaluation.batches import ImageBatch
from segtrack.model import FrameDetections


@dataclass(frozen=True)
class ImageMatch:
    """Detections and objects of one image, matched across classes.

    Attributes:
        image_id: of the data set.
        truth_class: int (G,), objects other than crowds.
        found_class: int (D,), detections from the threshold on that do not lie on a crowd.
        pairs: (detection, object) positions that were matched, of whatever class.
        iou: of the pairs.
        truth, found: position in the lists that were given, of each object and each detection.
    """

    image_id: int
    truth_class: np.ndarray
    found_class: np.ndarray
    pairs: list[tuple[int, int]]
    iou: list[float]
    truth: np.ndarray
    found: np.ndarray

    @property
    def right(self) -> list[int]:
        """Positions of the pairs whose classes agree."""
        return [
            i for i, (d, g) in enumerate(self.pairs) if self.found_class[d] == self.truth_class[g]
        ]


@dataclass(frozen=True)
class ImageErrors:
    """How wrong one image is.

    Attributes:
        image_id: of the data set.
        objects, missed: objects, and those that no detection of their class matches.
        false: detections that match no object of their class.
        mean_iou: of the objects found; None where there are none.
        quality: panoptic quality, sum of IoU / (TP + FP / 2 + FN / 2), Kirillov et al. 2019,
            equation 1, over all classes together; 1 where nothing is to be found and nothing was.
    """

    image_id: int
    objects: int
    missed: int
    false: int
    mean_iou: float | None
    quality: float


def match_batch(batch: ImageBatch, conf: float, iou: float) -> list[ImageMatch]:
    """Match each image of a batch, masks at the image's own resolution.

    Args:
        batch: images with truth and detections.
        conf: score from which detections count.
        iou: IoU from which a detection is the object's.
    """
    rows = zip(batch.images, batch.truth_by_image, batch.detections, batch.mask_iou, strict=True)
    return [
        _match_image(image["id"], truth, found, all_iou, conf, iou)
        for image, truth, found, all_iou in rows
    ]


def match_objects(
    iou: np.ndarray, found_class: np.ndarray, truth_class: np.ndarray, threshold: float
) -> list[tuple[int, int]]:
    """One-to-one pairs of detections and objects.

    First each detection, best score first, takes the free object of its own class that it overlaps
    most, which is COCO's rule; so the diagonal of the confusion matrix equals the true positives of
    the curves. Then the detections that are left take what objects are left of other classes.

    Args:
        iou: float (D, G), rows in the order of falling score.
        found_class: int (D,).
        truth_class: int (G,).
        threshold: least IoU of a pair.
    """
    if not iou.size:
        return []
    least = min(threshold, 1 - 1e-10)  # as pycocotools has it
    pairs = _pairs(np.ascontiguousarray(iou, np.float64), found_class, truth_class, least)
    return [(d, g) for d, g in pairs.tolist()]


@compiled
def _pairs(
    iou: np.ndarray, found_class: np.ndarray, truth_class: np.ndarray, least: float
) -> np.ndarray:
    rows, columns = iou.shape
    pairs = np.empty((min(rows, columns), 2), np.int64)
    paired = np.zeros(rows, np.bool_)
    taken = np.zeros(columns, np.bool_)
    count = 0
    for same in (True, False):
        for d in range(rows):
            if paired[d]:
                continue
            best, match = least, -1
            for g in range(columns):
                allowed = not taken[g] and (found_class[d] == truth_class[g]) == same
                if allowed and iou[d, g] >= best:
                    best, match = iou[d, g], g
            if match >= 0:
                paired[d] = taken[match] = True
                pairs[count] = d, match
                count += 1
    return pairs[:count]


def confusion_matrix(matches: list[ImageMatch], class_count: int) -> np.ndarray:
    """Counts, int64 (K + 1, K + 1): rows are the true class, columns the predicted one.

    The last row holds detections where nothing is, the last column objects that were not found.
    """
    counts = np.zeros((class_count + 1, class_count + 1), np.int64)
    for match in matches:
        truth = np.full(len(match.found_class), class_count)
        missed = np.ones(len(match.truth_class), bool)
        for d, g in match.pairs:
            truth[d] = match.truth_class[g]
            missed[g] = False
        np.add.at(counts, (truth, match.found_class), 1)
        np.add.at(counts[:, class_count], match.truth_class[missed], 1)
    return counts


def image_errors(match: ImageMatch) -> ImageErrors:
    """What is wrong in one image; an object found as another class is missed and false at once."""
    ious = [match.iou[i] for i in match.right]
    missed = len(match.truth_class) - len(ious)
    false = len(match.found_class) - len(ious)
    weight = len(ious) + (missed + false) / 2
    return ImageErrors(
        match.image_id,
        len(match.truth_class),
        missed,
        false,
        float(np.mean(ious)) if ious else None,
        sum(ious) / weight if weight else 1.0,
    )


def worst_images(errors: list[ImageErrors], count: int) -> list[ImageErrors]:
    """The ``count`` worst images, worst first; those without an error are left out."""
    wrong = [e for e in errors if e.quality < 1]
    return sorted(wrong, key=lambda e: (e.quality, -(e.missed + e.false), e.image_id))[:count]


def _match_image(
    image_id: int,
    truth: list[dict[str, Any]],
    detections: FrameDetections,
    iou: np.ndarray,
    conf: float,
    threshold: float,
) -> ImageMatch:
    sure = np.flatnonzero(detections.score >= conf)
    crowd = np.array([bool(t["iscrowd"]) for t in truth], bool)
    truth_class = np.array([t["category_id"] for t in truth], np.int64)
    found_class = detections.class_id[sure].astype(np.int64)
    iou = iou[sure]
    objects = np.flatnonzero(~crowd)
    pairs = match_objects(iou[:, objects], found_class, truth_class[objects], threshold)
    kept = list(range(len(sure)))
    if crowd.any():
        # One on a crowd of its class, not needed for an object, is neither right nor wrong.
        same = found_class[:, None] == truth_class[None, :]
        on_crowd = ((iou >= threshold) & crowd & same).any(axis=1)
        paired = {d for d, _ in pairs}
        kept = [d for d in kept if d in paired or not on_crowd[d]]
    position = {d: i for i, d in enumerate(kept)}
    return ImageMatch(
        image_id,
        truth_class[objects],
        found_class[kept],
        [(position[d], g) for d, g in pairs],
        [float(iou[d, objects[g]]) for d, g in pairs],
        objects,
        sure[kept],
    )
