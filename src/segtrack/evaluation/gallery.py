"""The worst images: ground truth beside prediction.

Worst means the lowest panoptic quality of the image (``ImageErrors.quality``), and among equals the
most objects missed or falsely found. What is wrong is drawn solid, what is right is dashed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from segtrack.base.names import level
from segtrack.dataset import Dataset, read_pixels
from segtrack.evaluation.batches import ImageBatch, detection_rles, image_batches
from segtrack.evaluation.confusion import ImageErrors, ImageMatch, match_batch
from segtrack.evaluation.measurement import Evaluation
from segtrack.model import Predictions
from segtrack.report import caption, contact_sheet, overlay, table_csv
from segtrack.settings import EvaluationSettings

PANEL = 900  # pixels of the longer side of one panel, at most
_LABELLED = 15  # instances of a panel that are all labelled; of more, only the wrong ones
_COLUMNS, _TILE = 2, 900  # of the sheet; pixels


def draw(
    dataset: Dataset,
    predictions: Predictions,
    found: Evaluation,
    settings: EvaluationSettings,
    folder: Path,
) -> None:
    """Draw the worst images into ``folder``: one JPEG each, ``index.csv`` and ``sheet.jpg``.

    Images without any error of the kind (quality 1) are not shown; no sheet where there are none.
    """
    chosen = found.worst
    ranks = {errors.image_id: rank for rank, errors in enumerate(chosen, start=1)}
    paths = {
        row.image_id: row.path for row in dataset.iter_images(found.split) if row.image_id in ranks
    }
    index: dict[int, dict[str, Any]] = {}
    sheet: dict[int, np.ndarray] = {}
    for batch in _batches(dataset, predictions, found.split, set(ranks), settings):
        match = match_batch(batch, settings.confusion_conf, settings.confusion_iou)[0]
        image = batch.images[0]
        rank = ranks[image["id"]]
        errors = chosen[rank - 1]
        picture = _picture(batch, match, errors, paths[image["id"]], found.names)
        stem = re.sub(r"[^\w.-]", "_", Path(image["file_name"]).stem)
        name = f"{rank:02d}_{level(stem)}.jpg"
        _write(folder / name, picture)
        scale = _TILE / picture.shape[1]
        sheet[rank] = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        index[rank] = {
            "rank": rank,
            "file_name": image["file_name"],
            "picture": name,
            "objects": errors.objects,
            "missed": errors.missed,
            "false": errors.false,
            "mean_iou": errors.mean_iou,
            "quality": errors.quality,
        }
    rows = [index[rank] for rank in sorted(index)]
    (folder / "index.csv").write_text(table_csv(rows), encoding="utf-8")
    if sheet:
        pictures = [sheet[rank] for rank in sorted(sheet)]
        _write(folder / "sheet.jpg", contact_sheet(pictures, _COLUMNS, _TILE))


def headline(file_name: str, errors: ImageErrors) -> str:
    """What is wrong with an image, in one line."""
    iou = "n/a" if errors.mean_iou is None else f"{errors.mean_iou:.2f}"
    return (
        f"{file_name}: {errors.objects} objects, {errors.missed} missed (FN), "
        f"{errors.false} false (FP), mean IoU {iou}"
    )


def _batches(
    dataset: Dataset,
    predictions: Predictions,
    split: str,
    chosen: set[int],
    settings: EvaluationSettings,
) -> Iterator[ImageBatch]:
    """The chosen images, one at a time."""
    images = (image for image in dataset.coco_images(split) if image["id"] in chosen)
    annotations = dataset.iter_annotations(split, chosen)
    frames = (frame for frame in predictions.frames() if frame.frame in chosen)
    limits = settings.conf_floor, settings.max_det
    return image_batches(images, annotations, frames, *limits, size=1)


def _picture(
    batch: ImageBatch,
    match: ImageMatch,
    errors: ImageErrors,
    path: Path,
    names: tuple[str, ...],
) -> np.ndarray:
    image = batch.images[0]
    scale = min(1.0, PANEL / max(image["width"], image["height"]))
    size = max(1, round(image["width"] * scale)), max(1, round(image["height"] * scale))
    background = _read(path, size)
    right = [match.pairs[i] for i in match.right]
    truth = [batch.truth[i] for i in match.truth]
    detections = batch.detections[0].take(match.found)
    rles = detection_rles(image, detections)
    panels = [
        _panel(
            background,
            [t["segmentation"] for t in truth],
            [t["category_id"] for t in truth],
            [names[t["category_id"]] for t in truth],
            {g for _, g in right},
            "ground truth (solid: missed)",
        ),
        _panel(
            background,
            rles,
            detections.class_id.tolist(),
            [
                f"{names[c]} {s:.2f}"
                for c, s in zip(detections.class_id, detections.score, strict=True)
            ],
            {d for d, _ in right},
            "prediction (solid: false)",
        ),
    ]
    gap = np.full((panels[0].shape[0], 6, 3), 245, np.uint8)
    font = max(11, min(16, panels[0].shape[1] // 32))
    return caption(
        np.hstack([panels[0], gap, panels[1]]), headline(image["file_name"], errors), font
    )


def _panel(
    background: np.ndarray,
    segmentations: list[dict[str, Any]],
    class_ids: list[int],
    labels: list[str],
    right: set[int],
    title: str,
) -> np.ndarray:
    height, width = background.shape[:2]
    scaled = []
    for rle in segmentations:
        mask = coco_mask.decode(rle)
        if mask.shape != (height, width):
            mask = cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST)
        scaled.append(coco_mask.encode(np.asfortranarray(mask)))
    few = len(labels) <= _LABELLED
    texts = [text if few or i not in right else "" for i, text in enumerate(labels)]
    picture = overlay(background, scaled, class_ids, texts, [i in right for i in range(len(texts))])
    return caption(picture, title, max(11, min(14, width // 26)))


def _write(path: Path, picture: np.ndarray) -> None:
    """JPEG, since photographs as PNG would make tens of megabytes of every run."""
    cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tofile(path)


def _read(path: Path, size: tuple[int, int]) -> np.ndarray:
    """The image as displayed, BGR, at a size; grey where it cannot be read any more."""
    image = read_pixels(path)
    if image is None:
        return np.full((size[1], size[0], 3), 128, np.uint8)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA))
