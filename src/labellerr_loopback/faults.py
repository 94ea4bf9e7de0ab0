"""Faults on demand: what a test wants to go wrong, and how often."""

from __future__ import annotations

import re
import threading
from collections import Counter
from dataclasses import dataclass
from typing import Literal, get_args

Kind = Literal[
    "status",
    "cut",
    "delay",
    "dataset_stuck",
    "dataset_status",
    "job_never_ends",
    "job_fails",
    "files_not_updated",
    "questions_ignored",
    "export_never_ends",
    "export_fails",
    "link_expired",
]
KINDS: tuple[str, ...] = get_args(Kind)
_IDS = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_CALLS = ("status", "cut", "delay")


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong.

    Attributes:
        kind: ``status`` answers a call with ``status``; ``cut`` closes its connection after
            ``after_bytes`` of the body; ``delay`` lets it wait ``seconds``. The others concern what
            a call is about: data sets, pre-annotation jobs, exports, signed links.
        path: regular expression that the path of the call contains; every call by default.
        method: only calls of this method.
        nth: the first matching call that it happens to, counted from 1 after the fault was set.
        times: how many calls in a row it happens to, -1 for ever. None: one call for ``status``,
            ``cut`` and ``delay``, for ever for the others.
        status: HTTP status, or the data set's status code.
        retry_after: value of the header Retry-After, in seconds.
        done: the call does its work, and only its answer is lost (``status`` and ``cut``).
        after_bytes: of the request's body that arrive before ``cut``.
        seconds: of ``delay``.
        names: what ``files_not_updated`` or ``questions_ignored`` lists; those files are left as
            they were. Empty: all files of the job.
        message: text of the error.
    """

    kind: Kind
    path: str = ""
    method: str | None = None
    nth: int = 1
    times: int | None = None
    status: int = 500
    retry_after: float | None = None
    done: bool = False
    after_bytes: int = 0
    seconds: float = 0.0
    names: tuple[str, ...] = ()
    message: str = "a fault that was asked for"

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind {self.kind!r} is none of {', '.join(KINDS)}")
        re.compile(self.path)

    def happens(self, call: int) -> bool:
        """Whether it happens to the ``call``-th matching call, counted from 1."""
        times = self.times if self.times is not None else (1 if self.kind in _CALLS else -1)
        return call >= self.nth and (times < 0 or call < self.nth + times)


class Faults:
    """The faults that are set, and how often each one's calls were seen; safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._set: list[Fault] = []
        self._seen: list[int] = []
        self.calls: Counter[str] = Counter()

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._set.append(fault)
            self._seen.append(0)

    def clear(self) -> None:
        with self._lock:
            self._set.clear()
            self._seen.clear()

    def listed(self) -> list[tuple[Fault, int]]:
        """The faults with the number of matching calls so far."""
        with self._lock:
            return list(zip(self._set, self._seen, strict=True))

    def of_call(self, method: str, path: str) -> Fault | None:
        """What happens to this call; counts it."""
        with self._lock:
            self.calls[f"{method} {_IDS.sub('{id}', path)}"] += 1
            return self._take(_CALLS, method, path)

    def of(self, *kinds: Kind, path: str = "") -> Fault | None:
        """What happens to the thing (data set, job, export, link) that this call is about."""
        with self._lock:
            return self._take(kinds, None, path)

    def _take(self, kinds: tuple[str, ...], method: str | None, path: str) -> Fault | None:
        found = None
        for i, fault in enumerate(self._set):
            if fault.kind not in kinds or not re.search(fault.path, path):
                continue
            if method and fault.method and fault.method.upper() != method:
                continue
            self._seen[i] += 1
            if fault.happens(self._seen[i]):
                found = found or fault
        return found
