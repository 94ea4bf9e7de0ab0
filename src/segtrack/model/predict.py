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
from segtrack.base.frame_times import FrameTimes, TimesRead
from segtrack.base.metrics import Report
from segtrack.base.progress import progress
from segtrack.model.images import read_image
from segtrack.model.port import Detector, Network, Request
from segtrack.model.predictions import ImageToPredict, PredictionsInfo, PredictionsWriter

if TYPE_CHECKING:
    from segtrack.dataset import VideoSequence

IMAGE_CHUNK = 4  # batches of images that are read at once, so that equal shapes share a batch
T = TypeVar("T")


def predict_images(
    images: Iterable[ImageToPredict],
    network: Network,
    request: Request,
    folder: Path,
    report: Report,
) -> None:
    """Predict the images, in ascending order of ``image_id``, which becomes their frame number.

    Raises:
        DataError: an image cannot be read or has another size than the data set says; the weights
            have none of the classes, or are none.
    """
    work = _Work(network, request, folder)
    prepare = work.detector.prepare
    with work.writer:
        shown = progress(images, "predict images")
        ready = ((row.image_id, prepare(read_image(row))) for row in shown)
        for chunk in _ahead(_chunks(ready, IMAGE_CHUNK * work.detector.batch)):
            work.add(*zip(*chunk, strict=True))
        work.finish(work.info(), report, "images_")


def predict_video(
    frames: Iterable[np.ndarray],
    sequence: VideoSequence,
    network: Network,
    request: Request,
    folder: Path,
    report: Report,
    times: TimesRead | None = None,
) -> None:
    """Predict a video's frames (BGR uint8, (H, W, 3)), counted from 0.

    ``times`` has been told, when ``frames`` ends, when each of them is shown; without it they are
    shown at the sequence's rate. Where ``frames`` raises DataError after some frames, what was read
    is kept, and ``info.truncated`` says what was wrong.

    Raises:
        DataError: not one frame can be read; the weights have none of the classes, or are none.
    """
    work = _Work(network, request, folder)
    prepare = work.detector.prepare
    problems: list[str] = []
    readable = _until_error(frames, problems)
    shown = progress(readable, f"detect in {sequence.name}", sequence.frame_count or None)
    with work.writer:
        ready = ((frame.shape[:2], prepare(frame)) for frame in shown)
        for chunk in _ahead(_chunks(ready, work.detector.batch)):
            shapes, prepared = zip(*chunk, strict=True)
            work.add(range(work.frames, work.frames + len(chunk)), prepared)
            height, width = shapes[0]
        if not work.frames:
            raise DataError(f"{sequence.path}: the video has no frames")
        shown_at = FrameTimes(sequence.fps) if times is None else times.settled()
        shown_at.save(folder)
        info = replace(work.info(), width=width, height=height, fps=shown_at.fps)
        work.finish(replace(info, truncated="; ".join(problems)), report)


def load_detector(network: Network, request: Request) -> Detector:
    """The network, ready to predict.

    Raises:
        DataError: there is nothing to predict with, or none of its classes is wanted.
    """
    weights = network.weights
    if not weights.trained:
        raise DataError(
            f"model.weights=scratch: {weights.path.stem} has not been trained, so it predicts "
            "nothing; add the stage train, or give trained weights"
        )
    return network.family.detector(network, request)


class _Work:
    """Detects, decodes masks, writes, and keeps the time that detecting alone takes."""

    def __init__(self, network: Network, request: Request, folder: Path) -> None:
        self.network, self.request = network, request
        self.detector = load_detector(network, request)
        self.writer = PredictionsWriter(folder)
        self.frames = 0
        self.start = time.perf_counter()
        self.predicting = 0.0

    def add(self, numbers: Iterable[int], images: Sequence[Any]) -> None:
        begin = time.perf_counter()
        found = self.detector.predict(images)
        self.predicting += time.perf_counter() - begin
        for number, raw in zip(numbers, found, strict=True):
            self.writer.add(raw.decode(number))
        self.frames += len(images)

    def info(self) -> PredictionsInfo:
        return PredictionsInfo(
            names=self.request.names,
            frame_count=self.frames,
            model_name=self.network.settings.name,
            weights_sha256=self.network.weights.sha256,
            imgsz=self.detector.imgsz,
            conf_floor=self.request.conf_floor,
            left_out=dict(self.detector.left_out),
        )

    def finish(self, info: PredictionsInfo, report: Report, kind: str = "") -> None:
        """``kind`` keeps the numbers of an image set apart from those of a video in one run."""
        self.writer.finish(info)
        around = time.perf_counter() - self.start - self.predicting
        frames = max(self.frames, 1)
        report(f"speed/{kind}predict_ms", 1000 * self.predicting / frames)
        report(f"speed/{kind}around_ms", 1000 * around / frames)
        report(f"detect/{kind}detections", self.writer.rows_written)


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
