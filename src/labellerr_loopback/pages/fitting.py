"""Outlines that a person changed, within their picture and with an area."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from labellerr_loopback.envelope import ApiError


def fitted(kind: str, data: Any, before: Any, file: Any) -> Any:
    """An answer's data with what changed in it clipped to the picture.

    What it had before stays as it came, wherever it reaches: of a trajectory people correct one
    frame and not the others, and an outline whose class alone is changed is nobody's drawing.

    Args:
        kind: polygon, box (x, y, width, height) or track.
        before: its data so far; None of a new one.
        file: ``width`` and ``height`` of the picture, None where they are not known.

    Raises:
        ApiError: 400 where nothing is left of an outline, or it never had an area.
    """
    size = (file["width"] or np.inf, file["height"] or np.inf)
    if data == before:
        return data
    if kind == "polygon":
        return _clipped(np.reshape(data, (-1, 2)), size, "").ravel().tolist()
    if kind == "box":
        x, y, width, height = data
        (x1, y1), _, (x2, y2), _ = _clipped(_ring(x, y, x + width, y + height), size, "").tolist()
        return [x1, y1, x2 - x1, y2 - y1]
    had = before.get("frames", {}) if isinstance(before, dict) else {}
    for number, frame in data["frames"].items():
        if (answer := frame["answer"]) == had.get(number, {}).get("answer"):
            continue
        where = f"frame {number}: "
        if isinstance(answer, list):
            points = _clipped(np.array([(p["x"], p["y"]) for p in answer]), size, where)
            frame["answer"] = [{"x": x, "y": y} for x, y in points.tolist()]
        else:
            sides = ("xmin", "ymin", "xmax", "ymax")
            corners = _clipped(_ring(*(answer[side] for side in sides)), size, where)[[0, 2]]
            answer.update(zip(sides, corners.ravel().tolist(), strict=True))
    return data


def _ring(x1: float, y1: float, x2: float, y2: float) -> np.ndarray:
    return np.array([(x1, y1), (x2, y1), (x2, y2), (x1, y2)], float)


def _clipped(points: np.ndarray, size: Sequence[float], where: str) -> np.ndarray:
    clipped: np.ndarray = np.clip(points, 0, size)
    x, y = (clipped - clipped[0]).T  # the shoelace formula
    if not x @ np.roll(y, -1) - y @ np.roll(x, -1):
        raise ApiError(400, f"{where}the outline has no area within the picture")
    return clipped
