"""Loops as machine code."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import numpy as np

from segtrack.base.saying import say

Function = TypeVar("Function", bound=Callable[..., Any])

ZERO: Any = np.int64(0)
"""Where a compiled function begins to count what it hands to another one: a plain 0 is of a type
of its own to the compiler, for which that other one would be compiled again."""


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
    try:
        return cast(Function, numba.njit(cache=True, nogil=True, **options)(function))
    except RuntimeError:  # numba found no folder where it could be kept
        _say_nothing_is_kept()
        return cast(Function, numba.njit(nogil=True, **options)(function))


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
