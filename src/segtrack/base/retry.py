"""Trying again what may work the next time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from segtrack.base.processes import stop_if_asked

T = TypeVar("T")


@dataclass(frozen=True)
class Again:
    """What an attempt returns that failed in a way that may pass.

    Attributes:
        error: raised where no further attempt is left.
        wait: seconds until the next attempt where the other side said them; None for the usual.
    """

    error: Exception
    wait: float | None = None


def retry(attempt: Callable[[int], T | Again], tries: int, pause: Callable[[int], float]) -> T:
    """The first result of ``attempt`` that is not ``Again``.

    What must not be tried again, ``attempt`` raises.

    Args:
        attempt: gets its number, from 0.
        tries: attempts at most, at least 1.
        pause: seconds to wait after the attempt of this number.
    """
    for number in range(tries):
        stop_if_asked()
        result = attempt(number)
        if not isinstance(result, Again):
            return result
        if number == tries - 1:
            raise result.error
        time.sleep(pause(number) if result.wait is None else result.wait)
    raise ValueError(f"tries is {tries}: at least one attempt is needed")
