"""Where the labels of one frame go, so that they can be read and hide little."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


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
    areas = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
    order = np.argsort(-areas[:, 2] * areas[:, 3], kind="stable")
    placed: list[Label] = []
    for row in order.tolist():
        others = areas[order[order != row]]
        placed.append(_place(row, areas[row], texts[row], text_size, frame, placed, others))
    return placed[::-1]


def _place(
    row: int,
    box: np.ndarray,
    texts: tuple[str, str],
    text_size: Callable[[str], tuple[int, int]],
    frame: tuple[int, int],
    placed: list[Label],
    others: np.ndarray,
) -> Label:
    taken = np.array([(a.x, a.y, a.width, a.height) for a in placed], float).reshape(-1, 4)
    for text in texts:
        width, height = text_size(text)
        wide = text == texts[0] and width > 2 * box[2]
        spots = _spots(box, width, height, frame)
        hidden = _shared(spots, np.concatenate([taken, others]) if wide else taken)
        best = int(np.argmin(hidden))  # the first one of equals
        if hidden[best] == 0 or text == texts[-1]:
            break
    x, y = spots[best, :2].astype(int).tolist()
    return Label(row, text, x, y, width, height)


def _spots(box: np.ndarray, width: int, height: int, frame: tuple[int, int]) -> np.ndarray:
    """Places (6, 4) x, y, width, height: above the box at its left and right edge, inside its top,
    below it, inside its bottom, right of it; moved into the frame."""
    x, y, box_width, box_height = (round(value) for value in box.tolist())
    wanted = np.array(
        [
            (x, y - height),
            (x + box_width - width, y - height),
            (x, y),
            (x, y + box_height),
            (x, y + box_height - height),
            (x + box_width, y),
        ]
    )
    room = np.maximum(np.array(frame) - (width, height), 0)
    corners = np.minimum(np.maximum(wanted, 0), room)
    return np.concatenate([corners, np.full((len(corners), 2), (width, height))], axis=1)


def _shared(places: np.ndarray, obstacles: np.ndarray) -> np.ndarray:
    """Area of each place that obstacles cover, summed over them."""
    low = np.maximum(places[:, None, :2], obstacles[None, :, :2])
    high = np.minimum(
        places[:, None, :2] + places[:, None, 2:], obstacles[None, :, :2] + obstacles[None, :, 2:]
    )
    return np.asarray(np.prod(np.maximum(high - low, 0), axis=2).sum(axis=1))
