"""Loops as machine code."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numba.core import event

from segtrack.base import compiling
from segtrack.base.errors import StageError
from segtrack.base.saying import say

Function = TypeVar("Function", bound=Callable[..., Any])

ZERO: Any = np.int64(0)
"""Where a compiled function begins to count what it hands to another one: a plain 0 is of a type
of its own to the compiler, for which that other one would be compiled again."""
_LARGEST = 2**20  # bytes; our largest loop takes a third


def compiled(function: Function) -> Function:
    """Compile ``function`` at its first call and keep the result on disk beside its source.

    Other threads work while it does.

    The file that is kept is renewed when the source of ``function`` changes, not when that of a
    function it calls does, or that of a module whose constant it reads: compiled functions that
    call each other belong into one module, and constants into that or among the arguments.
    """
    return _kept(function)


def compiled_fused(function: Function) -> Function:
    """As ``compiled``; products are added with one rounding where the CPU can, as a BLAS does."""
    return _kept(function, fastmath={"contract"})


def _kept(function: Function, **options: Any) -> Function:
    _listen()
    try:
        return cast(Function, numba.njit(cache=True, nogil=True, **options)(function))
    except RuntimeError:  # numba found no folder where it could be kept
        _say_nothing_is_kept()
        return cast(Function, numba.njit(nogil=True, **options)(function))


class _Compiling(event.Listener):  # type: ignore[misc]
    """Hears of each loop that is compiled, not of those that were kept."""

    def on_start(self, what: Any) -> None:
        folder = what.data["dispatcher"].stats.cache_path
        if folder is not None:
            _require_room(Path(folder))
            compiling.begins()

    def on_end(self, what: Any) -> None:
        pass


@cache
def _listen() -> None:
    event.register("numba:compile", _Compiling())


def _require_room(folder: Path) -> None:
    """What is compiled is written at once, and an error of that would not say where.

    Raises:
        StageError: there is no room for a loop.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)  # as numba does, were it removed meanwhile
        with TemporaryFile(dir=folder) as file:
            file.write(bytes(_LARGEST))
    except OSError as error:
        raise StageError(
            f"{folder}: compiled loops cannot be kept there ({error.strerror}); make room, or name "
            "another folder with NUMBA_CACHE_DIR=FOLDER"
        ) from error


@cache
def _say_nothing_is_kept() -> None:
    """Once, and not by the processes that work for this one."""
    if multiprocessing.parent_process() is None:
        say(
            f"compiled loops cannot be kept, neither in {Path(__file__).parent} nor in ~/.cache: "
            "each command compiles what it needs, up to half a minute; "
            "NUMBA_CACHE_DIR=FOLDER keeps it there",
            error=True,
        )
