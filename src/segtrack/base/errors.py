"""The one family of exceptions. A traceback is for bugs only; these end in one clear message."""

import difflib
import re
from collections.abc import Iterable, Sequence


class SegtrackError(Exception):
    """Something a user can mend; the message says what was wrong, the value, the file, and how."""

    exit_code = 1


class SettingsError(SegtrackError):
    """Settings that cannot work. Found before any work is done; no MLflow run is made."""

    exit_code = 2


class DataError(SegtrackError):
    """Unusable input data: images, labels, video, weights."""

    exit_code = 2


class StageError(SegtrackError):
    """A stage failed while it worked (disk full, training diverged, ...)."""


class PlatformError(SegtrackError):
    """Labellerr refused a call, or did not answer or finish in time.

    Attributes:
        status: HTTP status of the answer; None where there was none.
        ambiguous: the call may have taken effect although it failed (lost answer, server error).
        unfinished: a wait ended by its time-out; the platform goes on.
    """

    def __init__(
        self,
        message: str,
        status: int | None = None,
        ambiguous: bool = False,
        unfinished: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.ambiguous = ambiguous
        self.unfinished = unfinished


class NothingToExport(PlatformError):
    """No file of a project has one of the statuses that were asked for: nobody reviewed it yet."""


_NO_ROOM = re.compile(  # the last two are what CUDA's libraries say instead
    "can(?:'t|not) allocate memory|out of memory|insufficient memory"
    "|STATUS_ALLOC_FAILED|unable to find an engine",
    re.IGNORECASE,
)


def out_of_memory(error: BaseException) -> bool:
    """Whether it says that memory ran out, the machine's or a card's."""
    return isinstance(error, MemoryError) or bool(_NO_ROOM.search(str(error)))


def some(names: Sequence[str], most: int = 10) -> str:
    """The first names of a list, for a message, and how many more there are."""
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")


def nearest(name: str, names: Iterable[str]) -> str:
    """The name that is most like ``name``, in whatever case; empty where none is like it."""
    folded = {one.casefold(): one for one in names}
    close = difflib.get_close_matches(name.casefold(), list(folded), n=1, cutoff=0.6)
    return folded[close[0]] if close else ""
