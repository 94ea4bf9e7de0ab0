"""Several videos at once with one network: their frames share batches.

Each video is read, prepared, decoded and written in threads of its own, as if it were alone; where
it hands images to the network it waits for the other videos to do so too. So frames that are at the
network together are as many as those of one video alone, and memory stays what it is.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

import numpy as np

from segtrack.base.processes import held, stop_if_asked
from segtrack.base.progress import progress
from segtrack.model.port import Detector, Network, RawDetections, Request
from segtrack.model.predict import Loaded, loaded

MOST = 8  # videos at once: more decoders than that feed no card better
LOOK = 0.5  # s between two looks whether the process was asked to stop
T = TypeVar("T")


class Together:
    """One network for the videos of a command."""

    def __init__(self, network: Network, request: Request, most: int | None = None) -> None:
        """``most``: videos at once; None: what pays on the network's device."""
        self.network, self.request, self._most = network, request, most
        self._meeting: _Meeting | None = None

    @property
    def most(self) -> int:
        """Videos at once. On a CPU one: the network takes all cores, and its batches are full.

        Raises:
            SettingsError: the device is not there.
        """
        if self._most is not None:
            return self._most
        device = self.network.family.compute(self.network)["device"]
        return 1 if device == "cpu" else MOST

    @contextmanager
    def lend(self) -> Iterator[Loaded]:
        """The network for one video, for the length of a block.

        Raises:
            DataError: as ``load_detector``.
        """
        if self._meeting is None:
            with loaded(self.network, self.request) as alone:
                yield alone
        else:
            with self._meeting.seat() as one:
                yield one

    def run(self, works: Sequence[Callable[[], T]], amount: int | None = None) -> list[Future[T]]:
        """Call ``works``, at most so many at once, each in a thread; what they lend is shared.

        Where one fails, none after it is begun, and those that were go on to their ends; the first
        ones, as many as are worked on at once, have all begun.

        Args:
            works: each predicts a video with what ``lend`` gives.
            amount: frames of all, for the bar.

        Returns:
            All of them, done or cancelled.

        Raises:
            KeyboardInterrupt: the process was asked to stop; they have ended.
            DataError: as ``load_detector``.
        """
        count = min(self.most, len(works))
        with loaded(self.network, self.request) as one:
            meeting = _Meeting(one.detector, count, len(works))
            pool = ThreadPoolExecutor(count, "video")
            begin = threading.Event()  # none fails before all know what to do then
            try:
                self._meeting = meeting
                futures = [pool.submit(_after, begin, work) for work in works]
                for number, future in enumerate(futures, 1):
                    future.add_done_callback(partial(meeting.note, futures[max(count, number) :]))
                begin.set()
                label = f"detect in {len(works)} videos"
                for _ in progress(meeting.frames(), label, amount, "frames"):
                    pass
            finally:
                meeting.end()
                begin.set()
                pool.shutdown(cancel_futures=True)
                self._meeting = None
        return futures


def _after(begin: threading.Event, work: Callable[[], T]) -> T:
    begin.wait()
    return work()


class _Meeting:
    """Where videos meet at the network, which computes in the thread that called ``frames``."""

    def __init__(self, detector: Detector, count: int, videos: int) -> None:
        self.detector = detector
        self._count, self._left, self._over = count, videos, False
        self._changed = threading.Condition()
        self._seats: dict[_Seat, _Asked | None] = {}  # what each asked for last
        self._seconds, self._looked = 0.0, time.perf_counter()

    @contextmanager
    def seat(self) -> Iterator[Loaded]:
        """The network for one video."""
        seat = _Seat(self)
        with self._changed:
            self._seats[seat] = None
        try:
            yield Loaded(seat, self.clock, self.share)
        finally:
            with self._changed:
                del self._seats[seat]
                self._changed.notify_all()

    def share(self) -> int:
        """Images of a batch that fall to each video."""
        return max(1, self.detector.batch // self._working())

    def clock(self) -> float:
        """Seconds since the beginning, each divided by the videos that were worked on in it."""
        with self._changed:
            return self._clock()

    def ask(self, seat: _Seat, images: Sequence[Any]) -> Sequence[RawDetections]:
        """What the network finds in the images of a video, once the others have asked too."""
        asked = _Asked(images)
        with self._changed:
            if self._over:
                raise CancelledError
            self._seats[seat] = asked
            self._changed.notify_all()
        return asked.found.result()

    def note(self, later: Sequence[Future[Any]], done: Future[Any]) -> None:
        """That a video is done; where it failed, no later one begins."""
        with self._changed:
            self._clock()  # up to now they were more
            self._left -= 1
            self._changed.notify_all()
        if not done.cancelled() and done.exception():
            for other in later:
                other.cancel()

    def frames(self) -> Iterator[None]:
        """Compute, until all videos are done; yields at each frame."""
        while asking := self._all_asked():
            for asked in asking:
                yield from (None for _ in asked.images)

    def end(self) -> None:
        """Let those who still ask end."""
        with held(), self._changed:
            self._over = True
            for asked in self._waiting():
                asked.found.set_exception(CancelledError())

    def _all_asked(self) -> list[_Asked]:
        """Wait until every seat has asked, compute for all, and hand out."""
        with self._changed:
            while self._left and not (self._seats and len(self._waiting()) == len(self._seats)):
                self._changed.wait(LOOK)
                stop_if_asked()
            asking = self._waiting()
        self._compute(asking)
        return asking

    def _waiting(self) -> list[_Asked]:
        return [asked for asked in self._seats.values() if asked and not asked.found.done()]

    def _compute(self, asking: list[_Asked]) -> None:
        try:
            found = self.detector.predict([image for asked in asking for image in asked.images])
        except Exception as error:
            with held():
                for asked in asking:
                    asked.found.set_exception(error)
            return
        with held():  # who is not told waits for ever
            start = 0
            for asked in asking:
                asked.found.set_result(found[start : start + len(asked.images)])
                start += len(asked.images)

    def _working(self) -> int:
        return max(1, min(self._count, self._left))

    def _clock(self) -> float:
        now = time.perf_counter()
        self._seconds += (now - self._looked) / self._working()
        self._looked = now
        return self._seconds


class _Asked:
    """Images of one video, and what will be found in them."""

    def __init__(self, images: Sequence[Any]) -> None:
        self.images = images
        self.found: Future[Sequence[RawDetections]] = Future()


class _Seat:
    """The network as the detector of one video."""

    def __init__(self, meeting: _Meeting) -> None:
        self._meeting = meeting
        self.imgsz = meeting.detector.imgsz

    @property
    def batch(self) -> int:
        return self._meeting.detector.batch

    def prepare(self, image: np.ndarray) -> Any:
        return self._meeting.detector.prepare(image)

    def predict(self, images: Sequence[Any]) -> Sequence[RawDetections]:
        return self._meeting.ask(self, images)
