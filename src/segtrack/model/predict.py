"""Prediction of an image set or a video into a predictions folder, as a stream."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from segtrack.base.errors import DataError
from segtrack.base.metrics import Report
from segtrack.base.progress import progress
from segtrack.model.predictions import ImageRow, PredictionsInfo, PredictionsWriter
from segtrack.model.ultralytics.weights import Weights
from segtrack.settings import ModelSettings

if TYPE_CHECKING:
    from segtrack.dataset import sequences
    from segtrack.model.ultralytics.detector import Detector, Prepared

IMAGE_CHUNK = 4  # batches of images that are read at once, so that equal shapes share a batch
T = TypeVar("T")


def predict_images(
    images: Iterable[ImageRow],
    weights: Weights,
    settings: ModelSettings,
    names: tuple[str, ...],
    class_map: dict[str, str],
    conf_floor: float,
    max_det: int,
    device: Any,
    folder: Path,
    report: Report,
) -> None:
    """Predict the images, in ascending order of ``image_id``, which becomes their frame number.

    Args:
        names: output classes by class id.
        class_map: class of the weights -> output class; others keep their name.
        conf_floor: lowest score to keep. max_det: most detections per image.

    Raises:
        DataError: an image cannot be read or has another size than the data set says; the weights
            have none of the classes, or are none.
    """
    from segtrack.model.ultralytics.detector import Detector

    detector = Detector(weights, settings, names, class_map, device, conf_floor, max_det)
    work = _Work(detector, folder)
    with work.writer:
        shown = progress(images, "predict images")
        ready = ((row.image_id, detector.prepare(read_image(row))) for row in shown)
        for chunk in _ahead(_chunks(ready, IMAGE_CHUNK * detector.batch)):
            work.add(*zip(*chunk, strict=True))
        work.finish(_info(detector, weights, settings, names, work.frames), report, "images_")


def predict_video(
    frames: Iterable[np.ndarray],
    sequence: sequences.Sequence,
    weights: Weights,
    settings: ModelSettings,
    names: tuple[str, ...],
    class_map: dict[str, str],
    device: Any,
    folder: Path,
    report: Report,
) -> None:
    """Predict a video's frames (BGR uint8, (H, W, 3)), counted from 0.

    Where ``frames`` raises DataError after some frames, what was read is kept, and
    ``info.truncated`` says what was wrong.

    Args:
        names, class_map: as for images.

    Raises:
        DataError: not one frame can be read; the weights have none of the classes, or are none.
    """
    from segtrack.model.ultralytics.detector import Detector

    detector = Detector(weights, settings, names, class_map, device)
    problems: list[str] = []
    readable = _until_error(frames, problems)
    shown = progress(readable, f"detect in {sequence.name}", sequence.frame_count or None)
    work = _Work(detector, folder)
    with work.writer:
        for chunk in _ahead(_chunks(map(detector.prepare, shown), detector.batch)):
            work.add(range(work.frames, work.frames + len(chunk)), chunk)
            height, width = chunk[0].shape
        if not work.frames:
            raise DataError(f"{sequence.path}: the video has no frames")
        info = _info(detector, weights, settings, names, work.frames)
        info = replace(info, width=width, height=height, fps=sequence.fps)
        work.finish(replace(info, truncated="; ".join(problems)), report)


def read_image(row: ImageRow) -> np.ndarray:
    """The image as BGR uint8 (H, W, 3), turned as its EXIF data say.

    Raises:
        DataError: it cannot be read, or has another size than the data set says.
    """
    from segtrack.model.ultralytics import library

    image: np.ndarray | None = library.imread(row.path)
    if image is None:
        raise DataError(f"{row.path}: not readable as an image; mend or remove it")
    height, width = image.shape[:2]
    if (width, height) != (row.width, row.height):
        raise DataError(
            f"{row.path}: decodes to {width}x{height} px, but the data set says "
            f"{row.width}x{row.height}; prepare the data set again"
        )
    return image


class _Work:
    """Detects, decodes masks, writes, and keeps the time that detecting alone takes."""

    def __init__(self, detector: Detector, folder: Path) -> None:
        self.detector = detector
        self.writer = PredictionsWriter(folder)
        self.frames = 0
        self.start = time.perf_counter()
        self.predicting = 0.0

    def add(self, numbers: Iterable[int], images: Sequence[Prepared]) -> None:
        begin = time.perf_counter()
        found = self.detector(images)
        self.predicting += time.perf_counter() - begin
        for number, raw in zip(numbers, found, strict=True):
            self.writer.add(raw.decode(number))
        self.frames += len(images)

    def finish(self, info: PredictionsInfo, report: Report, kind: str = "") -> None:
        """``kind`` keeps the numbers of an image set apart from those of a video in one run."""
        self.writer.finish(info)
        around = time.perf_counter() - self.start - self.predicting
        frames = max(self.frames, 1)
        report(f"speed/{kind}predict_ms", 1000 * self.predicting / frames)
        report(f"speed/{kind}around_ms", 1000 * around / frames)
        report(f"detect/{kind}detections", self.writer.rows_written)


def _info(
    detector: Detector,
    weights: Weights,
    settings: ModelSettings,
    names: tuple[str, ...],
    frames: int,
) -> PredictionsInfo:
    return PredictionsInfo(
        names=names,
        frame_count=frames,
        model_name=settings.name,
        weights_sha256=weights.sha256,
        imgsz=detector.imgsz,
        conf_floor=detector.conf_floor,
    )


def _until_error(frames: Iterable[np.ndarray], problems: list[str]) -> Iterator[np.ndarray]:
    """Yield frames until one cannot be read; the first one must."""
    count = 0
    try:
        for frame in frames:
            yield frame
            count += 1
    except DataError as error:
        if not count:
            raise
        problems.append(str(error))


def _chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def _ahead(chunks: Iterator[list[T]]) -> Iterator[list[T]]:
    """Read the next chunk in a thread while the present one is worked on."""
    with ThreadPoolExecutor(1, thread_name_prefix="read") as reader:
        coming = reader.submit(next, chunks, None)
        while (chunk := coming.result()) is not None:
            coming = reader.submit(next, chunks, None)
            yield chunk
