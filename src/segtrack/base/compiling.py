"""That loops are being compiled: said once, by the process whose lines people read.

Apart from ``compiled``, so that a process which compiles nothing does not import numba for it.
"""

from __future__ import annotations

import multiprocessing
from typing import Any

from segtrack.base.saying import VOICE, say

_TEXT = (
    "compiling loops that this installation has not used before: up to half a minute, and only "
    "once, since they are kept"
)


class _Known:
    """What this process knows of it.

    Attributes:
        said: it was said. word: where a process that helps another one leaves word; else None.
    """

    said = False
    word: Any = None


def begins() -> None:
    """A loop is about to be compiled in this process."""
    if _Known.word is not None:
        _Known.word.value = 1
    elif multiprocessing.parent_process() is None or VOICE.before:
        tell()


def tell() -> None:
    """Say it, at the first call."""
    if not _Known.said:
        _Known.said = True
        say(_TEXT, error=True)


def tells_through(word: Any) -> None:
    """This process helps another one, which looks at ``word`` (a shared value of ``"b"``)."""
    _Known.word = word
