"""Prediction of an image set or a video into a predictions folder, as a stream.

Four things go on at once, each in order and none far ahead of the next: a thread reads, others
prepare, the caller's detects and writes, another decodes masks.
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from segtrack.base.errors import DataError
from segtrack.base.frame_times import FrameTimes, TimesRead
from segtrack.base.metrics import Report
from segtrack.base.processes import stop_if_asked
from segtrack.base.progress import progress
from segtrack.model.images import read_image
from segtrack.model.port import Detector, Network, Request
from segtrack.model.predictions import (
    FrameDetections,
    ImageToPredict,
    PredictionsInfo,
    PredictionsWriter,
)

if TYPE_CHECKING:
    from segtrack.dataset import VideoSequence

IMAGE_CHUNK = 4  # batches of images that are read at once, so that equal shapes share a batch
PREPARERS = max(1, min(4, (os.cpu_count() or 1) // 4))  # threads, beside reading, network, masks
T = TypeVar("T")
P = TypeVar("P")


@dataclass(frozen=True)
class Loaded:
    """A network that is ready to predict, for one user.

    Attributes:
        clock: seconds of this machine that fall to the user.
        share: images that the user hands over at once.
    """

    detector: Detector
    clock: Callable[[], float]
    share: Callable[[], int]


def predict_images(
    images: Iterable[ImageToPredict],
    network: Network,
    request: Request,
    folder: Path,
    report: Report,
    count: int | None = None,
    lend: Callable[[], AbstractContextManager[Loaded]] | None = None,
    read: Callable[[Any], np.ndarray | None] = read_image,
    shown: bool = True,
) -> None:
    """Predict the images, in ascending order of ``image_id``, which becomes their frame number.

    Args:
        count: of the images, where it is known.
        lend: the network; None loads it.
        read: the pixels of one of ``images``; None where it is to be left out.
        shown: how far it is.

    Raises:
        DataError: an image cannot be read or has another size than the data set says; the weights
            have none of the classes, or are none.
    """
    lent = loaded(network, request) if lend is None else lend()
    with lent as one, _Work(network, request, one, folder) as work:

        def prepared(row: ImageToPredict) -> tuple[int, Any] | None:
            pixels = read(row)
            return None if pixels is None else (row.image_id, one.detector.prepare(pixels))

        coming = progress(images, "predict", count, "images") if shown else images
        with closing(_ahead(coming, prepared, lambda: IMAGE_CHUNK * one.share())) as chunks:
            for chunk in chunks:
                if there := [ready for ready in chunk if ready is not None]:
                    work.add(*zip(*there, strict=True))
        work.finish(report, "images_")


def predict_video(
    frames: Iterable[np.ndarray],
    sequence: VideoSequence,
    network: Network,
    request: Request,
    folder: Path,
    report: Report,
    times: TimesRead | None = None,
    lend: Callable[[], AbstractContextManager[Loaded]] | None = None,
) -> None:
    """Predict a video's frames (BGR uint8, (H, W, 3)), counted from 0.

    ``times`` has been told, when ``frames`` ends, when each of them is shown; without it they are
    shown at the sequence's rate. Where ``frames`` raises DataError after some frames, what was read
    is kept, and ``info.truncated`` says what was wrong.

    Args:
        lend: the network, which several videos share (``Together.lend``); None loads it.

    Raises:
        DataError: not one frame can be read; the weights have none of the classes, or are none.
    """
    problems: list[str] = []
    readable = _until_error(frames, problems)
    shown = progress(readable, f"detect {sequence.name}", sequence.frame_count or None, "frames")
    lent = loaded(network, request) if lend is None else lend()
    with lent as one, _Work(network, request, one, folder) as work:

        def prepared(frame: np.ndarray) -> tuple[tuple[int, ...], Any]:
            return frame.shape[:2], one.detector.prepare(frame)

        with closing(_ahead(shown, prepared, one.share)) as chunks:
            for chunk in chunks:
                shapes, ready = zip(*chunk, strict=True)
                work.add(range(work.frames, work.frames + len(chunk)), ready)
                height, width = shapes[0]
        if not work.frames:
            raise DataError(f"{sequence.path}: the video has no frames")
        shown_at = FrameTimes(sequence.fps) if times is None else times.settled()
        shown_at.save(folder)
        found = {"width": width, "height": height, "fps": shown_at.fps}
        work.finish(report, truncated="; ".join(problems), **found)


@contextmanager
def loaded(network: Network, request: Request) -> Iterator[Loaded]:
    """The network for the length of a block; torch computes afterwards with as many threads as
    before.

    Raises:
        DataError: as ``load_detector``.
    """
    threads = torch.get_num_threads() if (torch := sys.modules.get("torch")) else None
    try:
        detector = load_detector(network, request)
        yield Loaded(detector, time.perf_counter, lambda: detector.batch)
    finally:
        if threads and (torch := sys.modules.get("torch")):
            torch.set_num_threads(threads)  # of whatever else this process computes


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

    def __init__(self, network: Network, request: Request, loaded: Loaded, folder: Path) -> None:
        self.network, self.request = network, request
        self.detector, self.clock, self.share = loaded.detector, loaded.clock, loaded.share
        self.writer = PredictionsWriter(folder)
        self.frames, self.batch = 0, self.detector.batch
        self.left_out = Counter[str]()
        self.start = self.clock()
        self.predicting = 0.0
        self.decoder = ThreadPoolExecutor(1, "decode", initializer=_one_thread)
        self.coming: deque[Future[FrameDetections]] = deque()

    def add(self, numbers: Iterable[int], images: Sequence[Any]) -> None:
        stop_if_asked()  # the bar, which asks too, is drawn where the frames are read
        begin = self.clock()
        found = self.detector.predict(images)
        self.predicting += self.clock() - begin
        for number, raw in zip(numbers, found, strict=True):
            self.coming.append(self.decoder.submit(raw.decode, number))
        self.frames += len(images)
        self._write(self.share())

    def _write(self, left: int) -> None:
        """Write what comes, in order, until ``left`` frames are still to come."""
        while len(self.coming) > left:
            begin = self.clock()
            found = self.coming.popleft().result()
            self.predicting += self.clock() - begin  # the network may still be at it
            self.left_out.update(found.left_out)
            self.writer.add(found)

    def finish(self, report: Report, kind: str = "", **facts: Any) -> None:
        """``kind`` keeps the numbers of an image set apart from those of a video in one run;
        ``facts`` are those of a video, as in ``PredictionsInfo``."""
        self._write(0)
        info = PredictionsInfo(
            names=self.request.names,
            frame_count=self.frames,
            model_name=self.network.settings.name,
            weights_sha256=self.network.weights.sha256,
            imgsz=self.detector.imgsz,
            conf_floor=self.request.conf_floor,
            left_out=dict(self.left_out),
        )
        self.writer.finish(replace(info, **facts))
        around = self.clock() - self.start - self.predicting
        frames = max(self.frames, 1)
        report(f"speed/{kind}predict_ms", 1000 * self.predicting / frames)
        report(f"speed/{kind}around_ms", 1000 * around / frames)
        report(f"speed/{kind}batch", self.detector.batch)
        if self.detector.batch < self.batch:
            report(f"speed/{kind}batch_too_large", self.batch)
        report(f"detect/{kind}detections", self.writer.rows_written)

    def __enter__(self) -> _Work:
        return self

    def __exit__(self, *error: Any) -> None:
        self.decoder.shutdown(cancel_futures=True)
        self.writer.__exit__(*error)


def _one_thread() -> None:
    """Let torch use no further threads than this one, beside the network that uses them all."""
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)


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


def _ahead(
    items: Iterable[T], work: Callable[[T], P], size: Callable[[], int]
) -> Generator[list[P], None, None]:
    """What ``work`` makes of the items, in chunks of what ``size`` says then.

    A thread reads the next chunk while the present one is used, and others work on what was read.
    """
    iterator = iter(items)
    with (
        ThreadPoolExecutor(1, "read") as reader,
        ThreadPoolExecutor(PREPARERS, "prepare") as workers,
    ):

        def read() -> list[Future[P]]:
            return [workers.submit(work, item) for item in islice(iterator, size())]

        coming = reader.submit(read)
        while chunk := coming.result():
            coming = reader.submit(read)
            yield [one.result() for one in chunk]
