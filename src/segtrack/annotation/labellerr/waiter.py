"""Waiting for the platform, never longer than was said."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from segtrack.base.errors import PlatformError
from segtrack.base.processes import stop_if_asked

T = TypeVar("T")
FIRST_PAUSE = 0.1  # s; an emulator is ready at once, the platform in minutes
LONGEST_PAUSE = 5.0


def wait(
    check: Callable[[], T],
    done: Callable[[T], bool],
    what: str,
    timeout: float,
    show: Callable[[T], str] = repr,
    first: float = FIRST_PAUSE,
    longest: float = LONGEST_PAUSE,
) -> T:
    """Call ``check`` until ``done`` says so of its result; returns that result.

    Args:
        what: what is waited for, for the message.
        timeout: seconds. The last look is at its end, so a slow platform is not judged early.
        show: the state as text, for the message.
        first, longest: pauses in seconds; each is half as long again as the one before.

    Raises:
        PlatformError: not done in time; with the last state. What ``check`` raises passes through.
    """
    deadline = time.monotonic() + timeout
    pause = first
    while True:
        stop_if_asked()
        result = check()
        if done(result):
            return result
        left = deadline - time.monotonic()
        if left <= 0:
            raise PlatformError(
                f"{what}: not finished after {timeout:g} s, last state {show(result)}. It goes on "
                "at the platform: give the same command again later, or raise labellerr.timeout.",
                unfinished=True,
            )
        time.sleep(min(pause, left))
        pause = min(pause * 1.5, longest)
