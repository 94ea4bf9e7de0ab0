"""Predictions and ground truth matched image by image, by pycocotools, some images at a time.

pycocotools wants a whole data set in memory, masks included. What its summary needs afterwards is
small, though: scores, and which detection was matched. So images are matched in batches, and only
that is kept: about 0.7 KB per image, class that occurs in it, and area range. A test split of
100,000 images with three classes in each takes about 1.6 GB for boxes and masks together.
"""

from __future__ import annotations

import contextlib
import copy
import io
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval, Params

from segtrack.evaluation.batches import ImageBatch, detection_rles
from segtrack.evaluation.rows import RowsWriter
from segtrack.evaluation.visible import VisibleObjects, found_objects

Kind = Literal["mask", "box"]
KINDS: tuple[Kind, ...] = ("mask", "box")


@dataclass(frozen=True)
class Matches:
    """What pycocotools found for each class, area range and image.

    Attributes:
        params: pycocotools' parameters (IoU thresholds, area ranges, images, classes).
        cells: one per (class, area range), in pycocotools' order of both; each a list over images
            of ``dtScores`` (D,), ``dtMatches`` and ``dtIgnore`` bool (T, D), ``gtIgnore`` (G,) for
            T IoU thresholds, or None where an image has neither truth nor detection of the class.
    """

    params: Params
    cells: list[list[dict[str, Any] | None]]

    def of(self, class_index: int, area: int = 0) -> list[dict[str, Any]]:
        """The images with truth or detections of one class in one area range."""
        return [entry for entry in self.images(class_index, area) if entry is not None]

    def images(self, class_index: int, area: int = 0) -> list[dict[str, Any] | None]:
        """All images of one class in one area range; None for those without either."""
        return self.cells[class_index * len(self.params.areaRng) + area]

    def accumulate(self) -> dict[str, Any]:
        """pycocotools' ``eval``: ``precision`` (T, R, K, A, M) and ``recall`` (T, K, A, M)."""
        evaluator = COCOeval(iouType=self.params.iouType)
        evaluator.params = self.params
        evaluator._paramsEval = copy.deepcopy(self.params)
        evaluator.evalImgs = [entry for cell in self.cells for entry in cell]
        with _silence():
            evaluator.accumulate()
        return dict(evaluator.eval)


@dataclass
class Matcher:
    """Matches batches and collects the outcome.

    Attributes:
        class_count: classes are 0 to ``class_count - 1``.
    """

    class_count: int
    _cells: dict[str, list[list[dict[str, Any] | None]]] = field(default_factory=dict)
    _image_ids: list[int] = field(default_factory=list)
    _objects: list[VisibleObjects] = field(default_factory=list)

    def add(self, batch: ImageBatch, rows: RowsWriter | None = None) -> None:
        """Match one batch; images come in ascending order of their ids.

        Args:
            rows: is told of every detection and object.
        """
        self._image_ids += [image["id"] for image in batch.images]
        for kind in KINDS:
            evaluator = _evaluator(batch, kind, self.class_count)
            with _silence():
                evaluator.evaluate()
            self._keep(kind, evaluator.evalImgs, evaluator.params, len(batch.images))
            if kind == "mask":
                self._objects.append(self._found(batch, evaluator))
                if rows is not None:
                    rows.add_matches(batch, evaluator)

    def matches(self, kind: Kind) -> Matches:
        """COCO's matching of all classes in its four area ranges."""
        params = _params(kind, self.class_count)
        params.imgIds = list(self._image_ids)
        cells = self._cells.get(kind) or [[] for _ in range(self.class_count * len(params.areaRng))]
        return Matches(params, cells)

    def objects(self) -> VisibleObjects:
        """The objects whose visible fraction is known, and what found them."""
        return VisibleObjects.joined(self._objects)

    def _found(self, batch: ImageBatch, evaluator: COCOeval) -> VisibleObjects:
        images, areas = len(batch.images), len(evaluator.params.areaRng)
        every = [
            entry
            for k in range(self.class_count)
            for entry in evaluator.evalImgs[k * areas * images : (k * areas + 1) * images]
        ]
        start = len(self._image_ids) - images
        positions = {image["id"]: start + i for i, image in enumerate(batch.images)}
        return found_objects(every, evaluator.cocoGt.anns, evaluator.cocoDt.anns, positions)

    def _keep(
        self, key: str, entries: list[dict[str, Any] | None], params: Params, images: int
    ) -> None:
        count = self.class_count * len(params.areaRng)
        cells = self._cells.setdefault(key, [[] for _ in range(count)])
        for i, cell in enumerate(cells):
            cell += map(_lean, entries[i * images : (i + 1) * images])


def _evaluator(batch: ImageBatch, kind: Kind, class_count: int) -> COCOeval:
    evaluator = COCOeval(
        _indexed(batch.images, [dict(annotation) for annotation in batch.truth]),
        _indexed(batch.images, _detections(batch, kind)),
        iouType={"mask": "segm", "box": "bbox"}[kind],
    )
    evaluator.params = _params(kind, class_count)
    evaluator.params.imgIds = [image["id"] for image in batch.images]
    return evaluator


def _detections(batch: ImageBatch, kind: Kind) -> list[dict[str, Any]]:
    """Detections as pycocotools' ``loadRes`` makes them."""
    rows: list[dict[str, Any]] = []
    for image, found in zip(batch.images, batch.detections, strict=True):
        box = found.bbox_xyxy.astype(np.float64)
        box[:, 2:] -= box[:, :2]
        rles = detection_rles(image, found) if kind == "mask" else []
        # One at a time: pycocotools' area overflows on a list of more than 255 (numpy 2).
        areas = [coco_mask.area(rle) for rle in rles] if rles else box[:, 2] * box[:, 3]
        for i in range(len(found)):
            if kind == "mask" and found.rle[i] is None:
                continue
            row = {
                "id": len(rows) + 1,
                "place": i,
                "image_id": image["id"],
                "category_id": int(found.class_id[i]),
                "score": float(found.score[i]),
                "area": float(areas[i]),
                "iscrowd": 0,
                "bbox": box[i].tolist(),
            }
            rows.append(row | ({"segmentation": rles[i]} if kind == "mask" else {}))
    return rows


def _params(kind: Kind, class_count: int) -> Params:
    params = Params(iouType={"mask": "segm", "box": "bbox"}[kind])
    params.catIds = list(range(class_count))
    return params


def _lean(entry: dict[str, Any] | None) -> dict[str, Any] | None:
    """What ``accumulate`` reads of an entry, in the smallest types."""
    if entry is None:
        return None
    return {
        "dtScores": np.asarray(entry["dtScores"], np.float64),
        "dtMatches": np.asarray(entry["dtMatches"]) > 0,
        "dtIgnore": np.asarray(entry["dtIgnore"], bool),
        "gtIgnore": np.asarray(entry["gtIgnore"], np.uint8),
    }


def _indexed(images: list[dict[str, Any]], annotations: list[dict[str, Any]]) -> COCO:
    coco = COCO()
    coco.dataset = {"images": images, "annotations": annotations, "categories": []}
    with _silence():
        coco.createIndex()
    return coco


def _silence() -> contextlib.AbstractContextManager[Any]:
    """pycocotools prints what it is about to do."""
    return contextlib.redirect_stdout(io.StringIO())
