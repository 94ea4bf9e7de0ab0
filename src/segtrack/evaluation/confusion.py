"""Which class was taken for which, and how wrong each image is, at one threshold of the score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from segtrack.evaluation.batches import ImageBatch, detection_rles
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
    truth: dict[int, list[dict[str, Any]]] = {image["id"]: [] for image in batch.images}
    for annotation in batch.truth:
        truth[annotation["image_id"]].append(annotation)
    return [
        _match_image(image, truth[image["id"]], detections, conf, iou)
        for image, detections in zip(batch.images, batch.detections, strict=True)
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
    enough = iou >= min(threshold, 1 - 1e-10)  # as pycocotools has it
    same = found_class[:, None] == truth_class[None, :]
    pairs: list[tuple[int, int]] = []
    for allowed in (enough & same, enough & ~same):
        for d in range(len(iou)):
            if any(d == taken for taken, _ in pairs):
                continue
            free = allowed[d].copy()
            free[[g for _, g in pairs]] = False
            if free.any():
                values = np.where(free, iou[d], -1)
                pairs.append((d, int(np.flatnonzero(values == values.max())[-1])))
    return pairs


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


def _match_image(
    image: dict[str, Any],
    truth: list[dict[str, Any]],
    detections: FrameDetections,
    conf: float,
    threshold: float,
) -> ImageMatch:
    sure = np.flatnonzero(detections.score >= conf)
    found = detections.take(sure)
    crowd = np.array([bool(t["iscrowd"]) for t in truth], bool)
    truth_class = np.array([t["category_id"] for t in truth], np.int64)
    found_class = found.class_id.astype(np.int64)
    iou = np.zeros((len(found), len(truth)))
    if iou.size:
        rles = detection_rles(image, found)
        iou[:] = coco_mask.iou(rles, [t["segmentation"] for t in truth], crowd.astype(int).tolist())
    objects = np.flatnonzero(~crowd)
    pairs = match_objects(iou[:, objects], found_class, truth_class[objects], threshold)
    # A detection on a crowd of its class, not needed for an object, is neither right nor wrong.
    on_crowd = (iou >= threshold) & crowd & (found_class[:, None] == truth_class[None, :])
    paired = {d for d, _ in pairs}
    kept = [d for d in range(len(found)) if d in paired or not on_crowd[d].any()]
    position = {d: i for i, d in enumerate(kept)}
    return ImageMatch(
        image["id"],
        truth_class[objects],
        found_class[kept],
        [(position[d], g) for d, g in pairs],
        [float(iou[d, objects[g]]) for d, g in pairs],
        objects,
        sure[kept],
    )
