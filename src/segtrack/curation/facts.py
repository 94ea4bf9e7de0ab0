"""What predictions say of labels: overlaps of masks, before anything is concluded.

A prediction shows an object at a label to the degree ``score * min(1, IoU / .5)``: from COCO's .5
on two masks are of one object, and how well they fit is another question (``match_iou``). Overlap
with a crowd is the share of the prediction that lies in it, as in COCO.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from segtrack.evaluation import ImageBatch, detection_rles
from segtrack.model import FrameDetections

SAME = 0.5  # IoU from which two masks are of one object
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Labelled:
    """N labels without crowds, image by image.

    Attributes:
        image_id, annotation_id, class_id: int64 (N,).
        area: float64 (N,), px² of the mask. bbox_xyxy: float64 (N, 4), px, of the label.
        shown: float64 (N,), how surely any prediction shows an object there, 0..1.
        own, other: the same of predictions of the label's class, and of other classes.
        other_class: int64 (N,), the class of the surest other one, -1 where there is none.
        match_score, match_iou: float64 (N,), score and mask IoU of the prediction of the label's
            class with the highest product of both; 0 where none overlaps.
        mutual: bool (N,), no other label overlaps that prediction more.
        twin: int64 (N,), position of the label of the image that it overlaps most, -1 for none.
        twin_iou: float64 (N,). apart: float64 (N,), how surely a prediction that overlaps this
            label more than its twin shows an object.
    """

    image_id: Ints
    annotation_id: Ints
    class_id: Ints
    area: Floats
    bbox_xyxy: Floats
    shown: Floats
    own: Floats
    other: Floats
    other_class: Ints
    match_score: Floats
    match_iou: Floats
    mutual: NDArray[np.bool_]
    twin: Ints
    twin_iou: Floats
    apart: Floats

    def __len__(self) -> int:
        return len(self.image_id)


@dataclass(frozen=True)
class Predicted:
    """M predictions, image by image, best score first.

    Attributes:
        image_id, class_id: int64 (M,). score: float64 (M,). bbox_xyxy: float64 (M, 4), px.
        rle: M masks of COCO's compressed ``counts``, None for a box alone.
        label_iou: float64 (M,), the largest mask IoU with a label, whatever its class.
        better_iou: float64 (M,), the largest mask IoU with a prediction of a better score.
    """

    image_id: Ints
    class_id: Ints
    score: Floats
    bbox_xyxy: Floats
    rle: list[bytes | None]
    label_iou: Floats
    better_iou: Floats

    def __len__(self) -> int:
        return len(self.image_id)


@dataclass(frozen=True)
class Facts:
    """What was found of some images; ``image_id`` int64 (I,), those without objects too."""

    image_id: Ints
    labelled: Labelled
    predicted: Predicted


def facts_of(batches: Iterable[ImageBatch]) -> Facts:
    """Compare labels and predictions image by image; one batch's masks are in memory at a time.

    Args:
        batches: whose truth has ``annotation_id``; see ``evaluation.image_batches``.
    """
    images: list[int] = []
    labelled: list[dict[str, Any]] = []
    predicted: list[dict[str, Any]] = []
    count = 0
    for image, truth, found in _images(batches):
        images.append(image["id"])
        one, other = _image_facts(image, truth, found, count)
        count += len(one["image_id"])
        labelled.append(one)
        predicted.append(other)
    return Facts(
        np.array(images, np.int64), Labelled(**_joined(labelled, Labelled)), _predicted(predicted)
    )


def _images(
    batches: Iterable[ImageBatch],
) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]], FrameDetections]]:
    for batch in batches:
        truth: dict[int, list[dict[str, Any]]] = {image["id"]: [] for image in batch.images}
        for row in batch.truth:
            truth[row["image_id"]].append(row)
        for image, found in zip(batch.images, batch.detections, strict=True):
            yield image, truth[image["id"]], found


def _image_facts(
    image: dict[str, Any], truth: list[dict[str, Any]], found: FrameDetections, first: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Of one image; ``first`` is the position of its first label among all."""
    masks = detection_rles(image, found)
    labels = [row for row in truth if not row["iscrowd"]]
    crowds = [row["segmentation"] for row in truth if row["iscrowd"]]
    label_masks = [row["segmentation"] for row in labels]
    iou = _iou(masks, label_masks)
    score = found.score.astype(np.float64)
    predicted_class = found.class_id.astype(np.int64)
    class_id = np.array([row["category_id"] for row in labels], np.int64)
    box = np.array([row["bbox"] for row in labels], np.float64).reshape(-1, 4)
    box[:, 2:] += box[:, :2]
    explained = np.concatenate([iou, _iou(masks, crowds, crowd=True)], 1)
    predicted = {
        "image_id": np.full(len(found), image["id"], np.int64),
        "class_id": predicted_class,
        "score": score,
        "bbox_xyxy": found.bbox_xyxy.astype(np.float64),
        "rle": found.rle,
        "label_iou": explained.max(1, initial=0.0),
        "better_iou": np.tril(_iou(masks, masks), -1).max(1, initial=0.0),
    }
    labelled = {
        "image_id": np.full(len(labels), image["id"], np.int64),
        "annotation_id": np.array([row["annotation_id"] for row in labels], np.int64),
        "class_id": class_id,
        "area": np.array([float(coco_mask.area(one)) for one in label_masks], np.float64),
        "bbox_xyxy": box,
        **_evidence(iou, score, predicted_class, class_id),
        **_twins(iou, score, _iou(label_masks, label_masks), first),
    }
    return labelled, predicted


def _evidence(iou: Floats, score: Floats, predicted: Ints, class_id: Ints) -> dict[str, Any]:
    """What the predictions of an image, IoU (D, G), say of each of its labels."""
    count = iou.shape[1]
    if not iou.size:
        none = np.zeros(count)
        return {
            **dict.fromkeys(("shown", "own", "other", "match_score", "match_iou"), none),
            "other_class": np.full(count, -1, np.int64),
            "mutual": np.zeros(count, bool),
        }
    shows = score[:, None] * np.minimum(1.0, iou / SAME)
    same = predicted[:, None] == class_id[None, :]
    others = np.where(same, 0.0, shows)
    best_other = others.argmax(0)
    fits = np.where(same, score[:, None] * iou, 0.0)
    match, every = fits.argmax(0), np.arange(count)
    matched = fits[match, every] > 0
    other = others[best_other, every]
    return {
        "shown": shows.max(0),
        "own": np.where(same, shows, 0.0).max(0),
        "other": other,
        "other_class": np.where(other > 0, predicted[best_other], -1),
        "match_score": np.where(matched, score[match], 0.0),
        "match_iou": np.where(matched, iou[match, every], 0.0),
        "mutual": matched & (iou[match].argmax(1) == every),
    }


def _twins(iou: Floats, score: Floats, overlap: Floats, first: int) -> dict[str, Any]:
    """The label that each one overlaps most, and whether something is predicted for it alone.

    Args:
        iou: (D, G) of predictions and labels. overlap: (G, G) of labels.
    """
    count = len(overlap)
    twin, twin_iou, apart = np.full(count, -1, np.int64), np.zeros(count), np.zeros(count)
    np.fill_diagonal(overlap, 0.0)
    for i in range(count):
        j = int(overlap[i].argmax())
        if overlap[i, j] <= 0:
            continue
        twin[i], twin_iou[i] = first + j, overlap[i, j]
        shows = score * np.minimum(1.0, iou[:, i] / SAME)
        apart[i] = shows[iou[:, i] > iou[:, j]].max(initial=0.0)
    return {"twin": twin, "twin_iou": twin_iou, "apart": apart}


def _iou(first: list[dict[str, Any]], second: list[dict[str, Any]], crowd: bool = False) -> Floats:
    if not first or not second:
        return np.zeros((len(first), len(second)))
    found = coco_mask.iou(first, second, [int(crowd)] * len(second))
    return np.asarray(found, np.float64).reshape(len(first), len(second))


def _joined(parts: list[dict[str, Any]], cls: type) -> dict[str, Any]:
    empty = {"bbox_xyxy": np.zeros((0, 4)), "mutual": np.zeros(0, bool)}
    whole = ("image_id", "annotation_id", "class_id", "other_class", "twin")
    joined = {}
    for field in fields(cls):
        kind = np.int64 if field.name in whole else np.float64
        none = empty.get(field.name, np.zeros(0, kind))
        joined[field.name] = np.concatenate([none, *(part[field.name] for part in parts)])
    return joined


def _predicted(parts: list[dict[str, Any]]) -> Predicted:
    rle = [one for part in parts for one in part["rle"]]
    arrays = [{**part, "rle": np.zeros(0)} for part in parts]
    return Predicted(**{**_joined(arrays, Predicted), "rle": rle})
