"""Loops as machine code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile ``function`` at its first call and keep the result on disk beside its source.

    Other threads work while it does.

    The file that is kept is renewed when the source of ``function`` changes, not when that of a
    function it calls does: compiled functions that call each other belong into one module.
    """
    return cast(Function, numba.njit(cache=True, nogil=True)(function))


def compiled_fused(function: Function) -> Function:
    """As ``compiled``; products are added with one rounding where the CPU can, as a BLAS does."""
    return cast(Function, numba.njit(cache=True, nogil=True, fastmath={"contract"})(function))
