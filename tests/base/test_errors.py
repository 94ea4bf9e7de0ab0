"""What is the machine's fault, and what that of a file."""

from __future__ import annotations

import errno

import pytest

from segtrack.base.errors import of_machine, place_of


@pytest.mark.parametrize(
    ("error", "machine"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "x"), True),
        (OSError(errno.EFBIG, "File too large"), True),
        (OSError(errno.EMFILE, "Too many open files"), True),
        (ConnectionError("Download failure. [Errno 28] No space left on device"), True),
        (MemoryError(), True),
        (RuntimeError("std::bad_alloc"), True),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), True),
        (FileNotFoundError(errno.ENOENT, "No such file"), False),
        (PermissionError(errno.EACCES, "Permission denied"), False),
        (ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"), False),
        (RuntimeError("no such operation"), False),
        (ValueError("line 3: a class called out of memory"), False),  # quotes a file
    ],
)
def test_what_is_of_the_machine(error: Exception, machine: bool) -> None:
    assert of_machine(error) is machine


@pytest.mark.parametrize(
    ("error", "place"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "from", None, "to"), "to"),
        (OSError(errno.EROFS, "Read-only file system", "from", None, b"to"), "to"),
        (OSError(errno.ENOENT, "No such file", "from", None, "to"), "from"),
        (OSError(errno.ENOSPC, "No space left on device", "to"), "to"),
        (OSError(errno.ENOSPC, "No space left on device"), ""),
        (OSError(errno.EBADF, "Bad file descriptor", 3), ""),
    ],
)
def test_what_an_error_is_about(error: OSError, place: str) -> None:
    assert place_of(error) == place
