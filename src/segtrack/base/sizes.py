"""Sizes of objects, by area, and the share from which a kind of object counts as common."""

from __future__ import annotations

SIZES = ("small", "medium", "large")
SIZE_EDGES = (32.0**2, 96.0**2)
"""Area in px² from which an object is medium, and large: COCO's."""
COMMON = 0.05
"""Share of all objects below which a size or class is rare: nothing is said of it, or for it."""
