"""Predictions and ground truth matched image by image, by pycocotools, some images at a time.

pycocotools wants a whole data set in memory, masks included. What its summary needs afterwards is
small, though: scores, and which detection was matched. So images are matched in batches, and only
that is kept: about 0.7 KB per image, class that occurs in it, and area range. A test split of
100,000 images with three classes in each takes about 2 GB for boxes, masks and slices together.
"""

from __future__ import annotations

import contextlib
import copy
import io
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval, Params

from segtrack.evaluation.batches import ImageBatch, detection_rles

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
        visible_bins: edges of the slices by visible fraction, for ``sliced``; empty for no slices.
    """

    class_count: int
    visible_bins: Sequence[float]
    _cells: dict[str, list[list[dict[str, Any] | None]]] = field(default_factory=dict)
    _image_ids: list[int] = field(default_factory=list)

    def add(self, batch: ImageBatch) -> None:
        """Match one batch; images come in ascending order of their ids."""
        self._image_ids += [image["id"] for image in batch.images]
        for kind in KINDS:
            evaluator = _evaluator(batch, kind, self.class_count)
            with _silence():
                evaluator.evaluate()
            self._keep(kind, evaluator.evalImgs, evaluator.params, len(batch.images))
            if kind == "mask" and self.visible_bins:
                params = self._sliced_params(evaluator.params)
                entries = _match_slices(evaluator, params)
                self._keep("sliced", entries, params, len(batch.images))

    def matches(self, kind: Kind) -> Matches:
        """COCO's matching of all classes in its four area ranges."""
        return self._matches(kind, _params(kind, self.class_count))

    def sliced(self) -> Matches:
        """Matching of masks at IoU .5, with slices by visible fraction as the area ranges.

        As with COCO's areas, an object outside a slice is neither to be found nor wrong to be
        found. A detection that matches nothing has no visible fraction: it counts in every slice.
        """
        return self._matches("sliced", self._sliced_params(_params("mask", self.class_count)))

    def _matches(self, key: str, params: Params) -> Matches:
        params.imgIds = list(self._image_ids)
        cells = self._cells.get(key) or [[] for _ in range(self.class_count * len(params.areaRng))]
        return Matches(params, cells)

    def _keep(
        self, key: str, entries: list[dict[str, Any] | None], params: Params, images: int
    ) -> None:
        count = self.class_count * len(params.areaRng)
        cells = self._cells.setdefault(key, [[] for _ in range(count)])
        for i, cell in enumerate(cells):
            cell += map(_lean, entries[i * images : (i + 1) * images])

    def _sliced_params(self, base: Params) -> Params:
        params = copy.deepcopy(base)
        edges = list(self.visible_bins)
        tops = [*(float(np.nextafter(e, -1)) for e in edges[1:-1]), edges[-1]]
        params.areaRng = [list(pair) for pair in zip(edges[:-1], tops, strict=True)]
        params.areaRngLbl = slice_names(edges)
        params.iouThrs = np.array([0.5])
        return params


def slice_names(edges: Sequence[float]) -> list[str]:
    """Names of the slices between edges: ``0.25-0.50``. The last one holds its upper edge."""
    return [f"{a:.2f}-{b:.2f}" for a, b in itertools.pairwise(edges)]


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
                "image_id": image["id"],
                "category_id": int(found.class_id[i]),
                "score": float(found.score[i]),
                "area": float(areas[i]),
                "iscrowd": 0,
                "bbox": box[i].tolist(),
            }
            rows.append(row | ({"segmentation": rles[i]} if kind == "mask" else {}))
    return rows


def _match_slices(evaluator: COCOeval, params: Params) -> list[dict[str, Any] | None]:
    """Match again with slices by visible fraction in the place of the area ranges.

    The IoUs are there already. The visible fraction is handed over as the "area" of the truth (-1
    where it is not known: in no slice); a NaN as that of the detections lies in every range.
    """
    for objects in evaluator._gts.values():
        for annotation in objects:
            known = annotation.get("visible_fraction")
            annotation["area"] = -1.0 if known is None else min(float(known), 1.0)
    for detections in evaluator._dts.values():
        for detection in detections:
            detection["area"] = np.nan
    evaluator.params = params
    return [
        evaluator.evaluateImg(image, category, area, params.maxDets[-1])
        for category in params.catIds
        for area in params.areaRng
        for image in params.imgIds
    ]


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
