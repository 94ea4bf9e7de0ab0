"""The one family of exceptions. A traceback is for bugs only; these end in one clear message."""

import difflib
import errno
import os
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
    "|STATUS_ALLOC_FAILED|unable to find an engine|bad.?alloc|failed to allocate memory",
    re.IGNORECASE,
)
# Of the machine, or of what is mounted there: what a file or a network is cannot be the reason.
_OF_MACHINE = {
    getattr(errno, name)
    for name in ("EDQUOT", "EFBIG", "EMFILE", "ENFILE", "ENOMEM", "ENOSPC", "EROFS", "ESTALE")
    if hasattr(errno, name)
}
_NO_ROOM_OR_FILE = re.compile(
    "no space left on|quota exceeded|too many open files|read-only file system", re.IGNORECASE
)


def out_of_memory(error: BaseException) -> bool:
    """Whether it says that memory ran out, the machine's or a card's."""
    return isinstance(error, MemoryError) or bool(_NO_ROOM.search(str(error)))


def of_machine(error: BaseException) -> bool:
    """Whether it says that the machine failed: no memory, no room on a disk, no further file.

    Then nothing follows about what was read, converted or computed, whatever a library calls it:
    who takes any error for a broken file lets these pass. The words count where a library may have
    made them of the system's; an error about a file's content may quote that.
    """
    if isinstance(error, MemoryError) or getattr(error, "errno", None) in _OF_MACHINE:
        return True
    said = isinstance(error, RuntimeError | OSError)
    return said and (out_of_memory(error) or bool(_NO_ROOM_OR_FILE.search(str(error))))


def place_of(error: OSError) -> str:
    """The file that it is about, of a copy that found no room the target; empty where none is."""
    of_target = error.filename2 is not None and error.errno in _OF_MACHINE
    place = error.filename2 if of_target else error.filename
    return os.fsdecode(place) if isinstance(place, str | bytes) else ""


def some(names: Sequence[str], most: int = 10) -> str:
    """The first names of a list, for a message, and how many more there are."""
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")


def nearest(name: str, names: Iterable[str]) -> str:
    """The name that is most like ``name``, in whatever case; empty where none is like it."""
    folded = {one.casefold(): one for one in names}
    close = difflib.get_close_matches(name.casefold(), list(folded), n=1, cutoff=0.6)
    return folded[close[0]] if close else ""
