"""What is painted on a front: walls, windows, doors, shops and balconies, in its own colours."""

from __future__ import annotations

import cv2
import numpy as np

from trafficsim.chance import one_of, uniform
from trafficsim.colours import Colour, darker, pick
from trafficsim.rectangles import PER_METRE, Rectangles, Wear
from trafficsim.textures import Texture

Rng = np.random.Generator

FLOOR = 3.1
"""Height of a floor, m."""

WALLS: tuple[Colour, ...] = (
    (80, 95, 165), (95, 120, 175), (150, 190, 215), (200, 212, 222), (165, 195, 205),
    (130, 150, 160), (175, 175, 170), (120, 165, 205), (90, 105, 130), (185, 200, 170),
    (190, 165, 140),
)  # fmt: skip
_SHOPS: tuple[Colour, ...] = (
    (50, 50, 170), (60, 110, 50), (140, 80, 40), (40, 140, 200), (70, 50, 60), (60, 60, 62),
    (150, 60, 120),
)  # fmt: skip
_LAMPS: tuple[Colour, ...] = ((120, 200, 250), (150, 215, 250), (185, 225, 245), (95, 175, 240))


def paint_front(rng: Rng, width: float, height: float, lit_windows: float, gable: bool) -> Texture:
    """A front of `width` x `height` m, weathered, uint32 (h, w), `PER_METRE` px per m.

    Its fourth number is 255 where a pixel has light of its own.

    Args:
        rng: Where chance comes from.
        width: m.
        height: m.
        lit_windows: Share of windows with a light on.
        gable: A side wall: few windows, no door.
    """
    front = Rectangles(width, height)
    wall = pick(rng, WALLS)
    front.rectangle(0, width, 0, height, wall)
    if gable:
        _gable(front, rng, lit_windows, wall)
    else:
        _facade(front, rng, lit_windows, wall)
    return front.painted(_wear(rng, width, height))


def _wear(rng: Rng, width: float, height: float) -> Wear:
    """Slow stains, and a wall that darkens a little towards the ground."""
    cells = max(2, int(height / 1.5)), max(2, int(width / 1.5))
    coarse = rng.normal(1.0, 0.05, cells) * np.linspace(1.03, 0.9, cells[0])[:, None]
    size = int(width * PER_METRE), int(height * PER_METRE)
    return np.asarray(cv2.resize(coarse.astype(np.float32), size), dtype=np.float32)


def _facade(front: Rectangles, rng: Rng, lit_windows: float, wall: Colour) -> None:
    width, height = front.width, front.height
    style = one_of(rng, ("flats", "brick", "office", "old"), (0.35, 0.3, 0.15, 0.2))
    ground = FLOOR + 0.5
    floors = max(1, int((height - ground - 0.5) // FLOOR))
    if style == "brick":
        front.courses(PER_METRE // 4, darker(wall, 0.86))
    elif style == "old":
        for y in np.arange(ground, height, FLOOR).tolist():
            front.rectangle(0, width, y - 0.1, y + 0.12, darker(wall, 1.12))
    if style == "office":
        _bands(front, rng, lit_windows, ground, floors)
    else:
        _windows(front, rng, lit_windows, wall, ground, floors, style)
    if rng.random() < 0.62:
        _shop(front, rng, lit_windows, ground)
    else:
        _doors(front, rng, lit_windows, wall)
    front.rectangle(0, width, height - 0.35, height, darker(wall, 0.8))
    front.rectangle(0, width, height - 0.45, height - 0.35, darker(wall, 0.55))
    front.rectangle(0, 0.08, 0, height, darker(wall, 0.7))


def _gable(front: Rectangles, rng: Rng, lit_windows: float, wall: Colour) -> None:
    """A nearly blank wall with a column of small windows and a plinth."""
    front.courses(PER_METRE // 2, darker(wall, 0.93))
    front.rectangle(0, front.width, 0, 0.7, darker(wall, 0.75))
    for x in (0.22 * front.width, 0.62 * front.width):
        if rng.random() < 0.75:
            for y in np.arange(
                1.2 if rng.random() < 0.5 else 4.3, front.height - 1.8, FLOOR
            ).tolist():
                _window(front, rng, lit_windows, x, float(y), 1.0, 1.3, darker(wall, 1.15))
    front.rectangle(0.3, 0.42, 0, front.height, darker(wall, 0.6))
    front.rectangle(0, front.width, front.height - 0.3, front.height, darker(wall, 0.65))


def _window(
    front: Rectangles,
    rng: Rng,
    lit_windows: float,
    x: float,
    y: float,
    w: float,
    h: float,
    frame: Colour,
) -> None:
    front.rectangle(x - 0.09, x + w + 0.09, y - 0.09, y + h + 0.09, frame)
    if rng.random() < lit_windows:
        lamp = pick(rng, _LAMPS)
        front.rectangle(x, x + w, y, y + h, darker(lamp, 0.9), own=True)
        front.rectangle(x, x + w, y, y + 0.35 * h, lamp, own=True)
        if rng.random() < 0.5:
            front.rectangle(x, x + 0.25 * w, y, y + h, darker(lamp, 0.6), own=True)
    else:
        glass = (105, 92, 80)
        front.rectangle(x, x + w, y, y + h, darker(glass, uniform(rng, 0.6, 0.95)))
        front.rectangle(x, x + w, y + 0.6 * h, y + h, darker(glass, uniform(rng, 0.9, 1.6)))
        if rng.random() < 0.35:
            drop = uniform(rng, 0.2, 0.7) * h
            front.rectangle(x, x + w, y + h - drop, y + h, (190, 200, 205))
    front.rectangle(x + 0.48 * w, x + 0.52 * w + 0.03, y, y + h, frame)
    front.rectangle(x - 0.15, x + w + 0.15, y - 0.2, y - 0.08, darker(frame, 0.85))


def _windows(
    front: Rectangles,
    rng: Rng,
    lit_windows: float,
    wall: Colour,
    ground: float,
    floors: int,
    style: str,
) -> None:
    pitch = uniform(rng, 2.1, 3.2)
    count = max(1, int((front.width - 0.8) // pitch))
    start = 0.5 * (front.width - count * pitch)
    w, h = uniform(rng, 0.42, 0.56) * pitch, uniform(rng, 1.35, 1.75)
    frame = (215, 220, 222) if rng.random() < 0.6 else darker(wall, 0.5)
    balconies = style == "flats" and rng.random() < 0.55
    stacks = {int(k) for k in rng.integers(0, count, size=max(1, count // 2))}
    for floor in range(floors):
        y = ground + floor * FLOOR + 0.75
        for k in range(count):
            x = start + k * pitch + 0.5 * (pitch - w)
            _window(front, rng, lit_windows, x, y, w, h, frame)
            if balconies and k in stacks:
                front.rectangle(x - 0.4, x + w + 0.4, y - 0.62, y - 0.45, darker(wall, 0.6))
                for bar in np.arange(x - 0.4, x + w + 0.4, 0.22).tolist():
                    front.rectangle(bar, bar + 0.07, y - 0.45, y + 0.35, (60, 60, 60))
                front.rectangle(x - 0.4, x + w + 0.4, y + 0.35, y + 0.43, (60, 60, 60))
            elif style == "old":
                front.rectangle(x - 0.2, x + w + 0.2, y + h + 0.12, y + h + 0.3, darker(wall, 1.15))


def _bands(front: Rectangles, rng: Rng, lit_windows: float, ground: float, floors: int) -> None:
    step = uniform(rng, 1.2, 1.9)
    for floor in range(floors):
        y = ground + floor * FLOOR + 0.7
        front.rectangle(0.2, front.width - 0.2, y, y + 2.0, (70, 66, 62))
        for x in np.arange(0.3, front.width - step, step).tolist():
            if rng.random() < lit_windows:
                front.rectangle(x, x + step - 0.12, y + 0.06, y + 1.94, pick(rng, _LAMPS), own=True)
            else:
                tone = uniform(rng, 0.75, 1.25)
                front.rectangle(
                    x, x + step - 0.12, y + 0.06, y + 1.94, darker((150, 128, 105), tone)
                )
                front.rectangle(
                    x, x + step - 0.12, y + 1.3, y + 1.94, darker((185, 160, 135), tone)
                )


def _shop(front: Rectangles, rng: Rng, lit_windows: float, ground: float) -> None:
    x = 0.3
    while x < front.width - 2.5:
        w = min(uniform(rng, 3.5, 6.5), front.width - x - 0.3)
        paint = pick(rng, _SHOPS)
        front.rectangle(x, x + w, 0, ground - 0.25, darker(paint, 0.8))
        shining = rng.random() < 0.2 + 2.0 * lit_windows
        glass = (150, 205, 235) if shining and lit_windows > 0.1 else (92, 84, 76)
        own = shining and lit_windows > 0.1
        front.rectangle(x + 0.2, x + w - 1.4, 0.5, 2.5, glass, own=own)
        if not own:
            front.rectangle(x + 0.2, x + w - 1.4, 1.6, 2.5, (125, 115, 102))
        for _ in range(int(rng.integers(2, 6))):
            gx = x + 0.3 + float(rng.random()) * max(w - 2.2, 0.1)
            front.rectangle(gx, gx + 0.35, 0.5, 0.9 + rng.random(), pick(rng, WALLS))
        front.rectangle(x + w - 1.2, x + w - 0.2, 0, 2.45, darker(glass, 0.75), own=own)
        front.rectangle(x + w - 0.4, x + w - 0.33, 1.0, 1.3, (200, 200, 200))
        front.rectangle(x, x + w, 2.6, ground - 0.3, paint)
        for letter in np.arange(x + 0.25 * w, x + 0.75 * w, 0.36).tolist():
            tall = uniform(rng, 0.22, 0.34)
            front.rectangle(letter, letter + 0.22, 2.78, 2.78 + tall, (235, 238, 240), own=own)
        if rng.random() < 0.45:
            for k, stripe in enumerate(np.arange(x, x + w - 0.4, 0.45).tolist()):
                colour = (235, 235, 235) if k % 2 else paint
                front.rectangle(stripe, stripe + 0.45, 2.15, 2.7, colour)
        x += w + 0.25


def _doors(front: Rectangles, rng: Rng, lit_windows: float, wall: Colour) -> None:
    front.rectangle(0, front.width, 0, 0.6, darker(wall, 0.72))
    x = 0.7
    while x < front.width - 1.6:
        if rng.random() < 0.3:
            front.rectangle(x - 0.12, x + 1.22, 0, 2.55, (205, 208, 210))
            front.rectangle(x, x + 1.1, 0, 2.4, pick(rng, _SHOPS))
            front.rectangle(x + 0.15, x + 0.95, 1.4, 2.2, (80, 74, 68))
            front.rectangle(x - 0.2, x + 1.3, 0, 0.15, (150, 150, 150))
            x += 2.4
        else:
            _window(front, rng, lit_windows, x, 1.05, 1.1, 1.4, (205, 208, 210))
            x += 2.2
