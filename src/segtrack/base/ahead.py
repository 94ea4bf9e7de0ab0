"""Work in a thread beside the caller's: what comes next is made while the present one is used.

It pays where the work lets go of the interpreter's lock, as decoding and encoding do.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, TypeVar

T = TypeVar("T")
AHEAD = 4  # items that wait between two threads, so that memory stays flat


def read_ahead(items: Iterable[T], most: int = AHEAD) -> Iterator[T]:
    """``items``, in order, of which a thread makes the next ones; their errors come in turn."""
    iterator, end = iter(items), object()
    reader = ThreadPoolExecutor(1, "ahead")
    coming: deque[Future[Any]] = deque()
    try:
        while True:
            while len(coming) < most:
                coming.append(reader.submit(next, iterator, end))
            item = coming.popleft().result()
            if item is end:
                return
            yield item
    finally:
        reader.shutdown(cancel_futures=True)


class Behind:
    """Calls that a thread does in order while the caller goes on; a context manager.

    Its end waits for them. An error of a call is raised by one of the next or by the end.
    """

    def __init__(self, most: int = AHEAD) -> None:
        self._most, self._worker = most, ThreadPoolExecutor(1, "behind")
        self._going: deque[Future[None]] = deque()

    def do(self, call: Callable[..., None], *arguments: Any) -> None:
        """``call`` with ``arguments`` when those before are done; waits where many are not."""
        self._going.append(self._worker.submit(call, *arguments))
        while len(self._going) > self._most:
            self._going.popleft().result()

    def __enter__(self) -> Behind:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: object, __: TracebackType | None
    ) -> None:
        try:
            while kind is None and self._going:
                self._going.popleft().result()
        finally:
            self._worker.shutdown(cancel_futures=True)
