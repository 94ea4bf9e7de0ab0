"""A small data set with a pool, predictions with known errors, and a review of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from segtrack.annotation import KnownLabels, Review, Reviewed, pull
from segtrack.annotation.labellerr.adapter import Labellerr
from segtrack.annotation.labellerr.http_platform import HttpPlatform
from segtrack.annotation.labellerr.review import review
from segtrack.annotation.labellerr.session import Session
from segtrack.base.metrics import Report
from segtrack.dataset import Dataset, ImageRow, TrafficSimSettings, prepare
from segtrack.model.predictions import (
    FrameDetections,
    Predictions,
    PredictionsInfo,
    PredictionsWriter,
)
from segtrack.settings import DatasetSettings, LabellerrSettings


def ignore(text: str) -> None:
    """Says nothing."""


class Numbers(dict[str, float]):
    """What was reported; a name may come once."""

    def __call__(self, name: str, value: float, step: int = 0) -> None:
        assert name not in self
        self[name] = value


def sent_as(row: ImageRow) -> str:
    """The name of an image on the platform."""
    return f"{row.path.stem}-{row.sha256[:12]}{row.path.suffix}"


def small_dataset(folder: Path, cache: Path) -> Dataset:
    """3 train, 1 val, 2 test and 5 pool images of the simulator."""
    return prepared(
        TrafficSimSettings(train=3, val=1, test=2, pool=5, width=480, height=270, video_count=0),
        folder,
        cache,
    )


def prepared(settings: DatasetSettings, folder: Path, cache: Path) -> Dataset:
    """``prepare`` with one process."""
    settings.workers = 1
    folder.mkdir(parents=True)
    prepare(settings, 0, folder, Numbers(), cache)
    return Dataset.load(folder)


def planted_predictions(dataset: Dataset, folder: Path) -> Predictions:
    """The true masks of the pool; of large ones every third grown, every seventh left out; one
    false positive per image in its emptiest corner."""
    folder.mkdir(parents=True)
    found: dict[int, list[tuple[int, np.ndarray]]] = {}
    for one in dataset.iter_annotations("pool"):
        if not one["iscrowd"]:
            mask = coco_mask.decode(one["segmentation"])
            found.setdefault(one["image_id"], []).append((one["category_id"], mask))
    number = 0
    rng = np.random.default_rng(7)
    with PredictionsWriter(folder) as writer:
        for row in dataset.iter_images("pool"):
            objects: list[tuple[int, np.ndarray, float]] = []
            for class_id, mask in found.get(row.image_id, []):
                number += 1
                large = mask.sum() > 400
                if large and number % 7 == 0:
                    continue
                if large and number % 3 == 0:
                    mask, score = grown(mask), rng.uniform(0.3, 0.7)
                else:
                    score = rng.uniform(0.6, 1.0)
                objects.append((class_id, mask, score))
            corner = np.zeros((row.height, row.width), np.uint8)
            corner[2:22, 2:32] = 1  # sky
            objects.append((0, corner, rng.uniform(0.26, 0.55)))
            objects.append((1, corner, 0.1))  # too unsure to be sent
            writer.add(_frame(row.image_id, objects))
        info = PredictionsInfo(dataset.names, dataset.counts["pool"], weights_sha256="w" * 64)
        writer.finish(info)
    return Predictions.load(folder)


def grown(mask: np.ndarray) -> np.ndarray:
    """Larger all around, to an IoU of about 0.7."""
    radius = max(1, round(0.08 * float(np.sqrt(mask.sum()))))
    kernel = np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)
    return np.asarray(cv2.dilate(mask, kernel), np.uint8)


def _frame(image_id: int, objects: list[tuple[int, np.ndarray, float]]) -> FrameDetections:
    rles = [coco_mask.encode(np.asfortranarray(mask)) for _, mask, _ in objects]
    boxes = np.array([coco_mask.toBbox(rle) for rle in rles], np.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    return FrameDetections(
        image_id,
        np.array([class_id for class_id, _, _ in objects], np.int16),
        np.array([score for _, _, score in objects], np.float32),
        boxes,
        [rle["counts"] for rle in rles],
    )


def send(
    platform: HttpPlatform,
    dataset: Dataset,
    predictions: Predictions,
    root: Path,
    name: str,
    *,
    images: Iterable[ImageRow] | None = None,
    folder: str = "review",
    dataset_name: str | None = None,
    report: Report | None = None,
    **knobs: Any,
) -> Reviewed:
    """``review`` of the pool split, or of other images; all confidences in one file."""
    settings = LabellerrSettings(**{"conf_bucket": False, "timeout": 20.0, **knobs})
    return review(
        Session(platform, root / "ledger", settings, ignore),
        dataset.iter_images("pool") if images is None else images,
        predictions,
        dataset.names,
        project_name=name,
        dataset_name=dataset_name or name,
        folder=root / folder,
        report=Numbers() if report is None else report,
    )


def take_back(
    platform: HttpPlatform,
    sent: Path,
    folder: Path,
    numbers: Numbers,
    truth: KnownLabels | None = None,
) -> Review:
    """``pull`` of what was sent from a folder."""
    desk = Labellerr(LabellerrSettings(timeout=20.0), sent.parent, platform)
    return pull(desk, Reviewed.load(sent), folder, numbers, truth=truth, say=ignore)
