"""Where the labels of one frame go, so that they can be read and hide little."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

Area = Sequence[float]  # left, upper, right and lower edge


@dataclass(frozen=True)
class Label:
    """A text for object ``row`` with its upper left corner at ``x``, ``y``, in pixels."""

    row: int
    text: str
    x: int
    y: int
    width: int
    height: int


def place_labels(
    boxes: np.ndarray,
    texts: list[tuple[str, str]],
    text_size: Callable[[str], tuple[int, int]],
    frame: tuple[int, int],
) -> list[Label]:
    """Choose text and place of each object's label.

    Large objects choose first. Each tries its long text, then its short one, at the edges of its
    box, and takes the first place that is free of other labels; a long text that would be more
    than twice as wide as its box is tried only where no other object lies under it. Where no place
    is free, the short text goes where it hides the least.

    Args:
        boxes: (M, 4) x1, y1, x2, y2 in pixels of the frame.
        texts: M pairs of a long and a short text.
        text_size: width and height of a label in pixels.
        frame: width and height.

    Returns:
        M labels that lie in the frame, those of large objects last, so that they are on top.
    """
    corners = np.asarray(boxes, float).reshape(-1, 4)
    sizes = corners[:, 2:] - corners[:, :2]
    order = np.argsort(-sizes[:, 0] * sizes[:, 1], kind="stable").tolist()
    objects = corners.tolist()
    placed: list[Label] = []
    taken: list[Area] = []
    for row in order:
        label = _place(row, objects, texts[row], text_size, frame, taken)
        placed.append(label)
        taken.append((label.x, label.y, label.x + label.width, label.y + label.height))
    return placed[::-1]


def _place(
    row: int,
    objects: Sequence[Area],
    texts: tuple[str, str],
    text_size: Callable[[str], tuple[int, int]],
    frame: tuple[int, int],
    taken: list[Area],
) -> Label:
    box = objects[row]
    for text in texts:
        width, height = text_size(text)
        obstacles = taken
        if text == texts[0] and width > 2 * (box[2] - box[0]):
            obstacles = [*taken, *objects[:row], *objects[row + 1 :]]
        best, least = (0, 0), float("inf")
        for x, y in _spots(box, width, height, frame):
            hidden = _hidden((x, y, x + width, y + height), obstacles)
            if hidden < least:  # the first one of equals
                best, least = (x, y), hidden
            if not hidden:
                break
        if not least or text == texts[-1]:
            break
    return Label(row, text, *best, width, height)


def _spots(box: Area, width: int, height: int, frame: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """Upper left corners: above the box at its left and right edge, inside its top, below it,
    inside its bottom, right of it; moved into the frame."""
    x, y, box_width, box_height = map(round, (*box[:2], box[2] - box[0], box[3] - box[1]))
    room_x, room_y = max(frame[0] - width, 0), max(frame[1] - height, 0)
    for left, top in (
        (x, y - height),
        (x + box_width - width, y - height),
        (x, y),
        (x, y + box_height),
        (x, y + box_height - height),
        (x + box_width, y),
    ):
        yield min(max(left, 0), room_x), min(max(top, 0), room_y)


def _hidden(one: Area, others: list[Area]) -> float:
    """The areas that it covers of others; plain numbers, since arrays of a few rows are slow."""
    left, upper, right, lower = one
    hidden = 0.0
    for a, b, c, d in others:
        if a < right and b < lower and c > left and d > upper:
            hidden += (min(right, c) - max(left, a)) * (min(lower, d) - max(upper, b))
    return hidden
