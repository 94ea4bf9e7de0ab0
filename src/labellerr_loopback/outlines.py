"""Outlines as requests bring them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, FiniteFloat

from labellerr_loopback.parsing import FARTHEST

Coordinate = Annotated[FiniteFloat, Field(ge=-FARTHEST, le=FARTHEST)]
Point = Annotated[list[Coordinate], Field(min_length=2, max_length=2)]
Outline = Annotated[list[Point], Field(min_length=3, max_length=100_000)]
