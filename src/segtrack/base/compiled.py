"""Loops as machine code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile ``function`` at its first call and keep the result on disk beside its source.

    The file that is kept is renewed when the source of ``function`` changes, not when that of a
    function it calls does: compiled functions that call each other belong into one module.
    """
    return cast(Function, numba.njit(cache=True)(function))
