"""Numbers of things, in words."""

from __future__ import annotations


def singular(of: str) -> str:
    """One of the units: of "test groups of images" a "test group of images"."""
    head, *rest = of.split(" of ", 1)
    return " of ".join([head.removesuffix("s"), *rest])


def counted(count: int, of: str) -> str:
    """``7 sequences``, but ``1 sequence``."""
    return f"{count} {singular(of) if count == 1 else of}"
