"""What walking people look like: an articulated figure of capsules that faces its way."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, hypot, isnan, pi, sin

import cv2
import numpy as np

from trafficsim.camera import Camera
from trafficsim.chance import uniform
from trafficsim.colours import Colour, pick
from trafficsim.mesh import SHIFT, Array, Image, Pixels, fixed

Rng = np.random.Generator

_SKINS: tuple[Colour, ...] = (
    (170, 195, 235), (140, 170, 215), (105, 140, 190), (75, 105, 150), (50, 70, 105),
)  # fmt: skip
_HAIRS: tuple[Colour, ...] = (
    (25, 25, 28), (30, 45, 70), (60, 95, 130), (110, 170, 205), (150, 150, 150), (30, 50, 110),
)  # fmt: skip
_TOPS: tuple[Colour, ...] = (
    (40, 40, 200), (200, 120, 40), (60, 160, 60), (235, 235, 235), (45, 45, 48), (50, 190, 235),
    (170, 90, 150), (120, 110, 60), (60, 120, 230), (150, 150, 155), (90, 60, 40), (180, 180, 120),
)  # fmt: skip
_BOTTOMS: tuple[Colour, ...] = (
    (110, 75, 45), (60, 45, 35), (40, 40, 42), (120, 140, 160), (90, 95, 90), (70, 85, 120),
)  # fmt: skip

_HALF_CAP = np.array([(0.0, 1.0), (-0.7, 0.7), (-1.0, 0.0), (-0.7, -0.7), (0.0, -1.0)])


@dataclass(frozen=True)
class Figure:
    """How one person is built and dressed. Lengths in m."""

    height: float
    girth: float
    stride: float
    skin: Colour
    hair: Colour
    top: Colour
    bottom: Colour
    shoe: Colour
    long_hair: bool
    hat: bool
    short_sleeves: bool
    skirt: bool
    coat: bool
    backpack: Colour | None
    bag: Colour | None


def make_figure(rng: Rng) -> Figure:
    """A person with drawn size and clothes."""
    child = rng.random() < 0.1
    height = uniform(rng, 1.15, 1.4) if child else min(max(rng.normal(1.72, 0.09), 1.5), 1.95)
    coat = bool(rng.random() < 0.22)
    skirt = bool(rng.random() < 0.16) and not coat
    return Figure(
        height=height,
        girth=uniform(rng, 0.9, 1.25),
        stride=uniform(rng, 0.34, 0.46),
        skin=pick(rng, _SKINS),
        hair=pick(rng, _HAIRS),
        top=pick(rng, _TOPS),
        bottom=pick(rng, _BOTTOMS if not skirt else _TOPS),
        shoe=pick(rng, ((35, 35, 38), (225, 225, 225), (40, 60, 100))),
        long_hair=bool(rng.random() < 0.35),
        hat=bool(rng.random() < 0.12),
        short_sleeves=bool(rng.random() < 0.4) and not coat,
        skirt=skirt,
        coat=coat,
        backpack=pick(rng, _TOPS) if rng.random() < 0.2 else None,
        bag=pick(rng, _BOTTOMS) if rng.random() < 0.18 else None,
    )


def paint_figure(
    image: Image,
    camera: Camera,
    figure: Figure,
    position: Array,
    heading: float,
    phase: float,
    gain: Array,
    haze: tuple[Array, float],
) -> list[Pixels]:
    """Draws a person and returns the outlines.

    Args:
        image: Drawn into.
        camera: What sees it.
        figure: Who.
        position: World (3,), the point between the feet.
        heading: Radians to the right of +z.
        phase: Of the gait, radians; nan stands still.
        gain: Light (3,), a factor on colours.
        haze: Its colour (3,) and its share, 0..1.

    Returns:
        Convex polygons, int32 (N, 2) with `SHIFT` fractional bits; empty if behind the camera.
    """
    spine = np.stack([position, position + np.array([0.0, figure.height, 0.0])])
    seen = camera.to_camera(spine)
    if seen[:, 2].min() < 1.0:
        return []
    foot, head = camera.to_pixels(seen)
    scale = camera.focal / float(seen[:, 2].mean())
    up = (head - foot) / figure.height
    right = camera.rotation[0]
    ahead = np.array([np.sin(heading), 0.0, np.cos(heading)])
    beside = np.array([np.cos(heading), 0.0, -np.sin(heading)])
    far_side = -1.0 if beside @ camera.rotation[2] < 0 else 1.0
    pose = _Pose(figure, float(ahead @ right), float(beside @ right), phase)
    starts, ends, first, last, colours = pose.capsules(
        far_side, away=float(ahead @ camera.rotation[2])
    )
    outlines = _outlines(starts, ends, first, last, foot, scale, up)
    tones = np.array(colours) * gain
    tones = np.clip(tones + (haze[0] - tones) * haze[1], 0.0, 255.0).tolist()
    drawn = [fixed(outline) for outline in outlines]
    for outline, tone in zip(drawn, tones, strict=True):
        cv2.fillConvexPoly(image, outline, tone, cv2.LINE_AA, SHIFT)
    return drawn


class _Pose:
    """Joints in the figure's picture plane: u to the camera's right, v up, both in m."""

    def __init__(self, figure: Figure, ahead: float, beside: float, phase: float) -> None:
        self._figure, self._ahead, self._beside, self._phase = figure, ahead, beside, phase
        self._rows: list[tuple[tuple[float, float], tuple[float, float], float, float, Colour]] = []

    def capsules(
        self, far_side: float, away: float
    ) -> tuple[Array, Array, Array, Array, list[Colour]]:
        """Ends, their radii and the colours, in the order of painting."""
        figure = self._figure
        if figure.backpack is not None and away < 0:
            self._backpack()
        self._arm(far_side)
        self._leg(far_side)
        self._leg(-far_side)
        self._torso()
        if figure.backpack is not None and away >= 0:
            self._backpack()
        self._head(away)
        self._arm(-far_side)
        starts, ends, first, last, colours = zip(*self._rows, strict=True)
        return np.array(starts), np.array(ends), np.array(first), np.array(last), list(colours)

    def _add(
        self, a: tuple[float, float], b: tuple[float, float], ra: float, rb: float, colour: Colour
    ) -> None:
        self._rows.append((a, b, ra, rb, colour))

    def _joint(self, side: float, forward: float, height: float) -> tuple[float, float]:
        return (side * self._beside + forward * self._ahead, height)

    def _swing(self, side: float) -> float:
        if isnan(self._phase):
            return 0.0
        return sin(self._phase + (0.0 if side > 0 else pi))

    def _leg(self, side: float) -> None:
        figure, h = self._figure, self._figure.height
        swing = self._swing(side)
        lift = 0.0
        if not isnan(self._phase):
            lift = max(0.0, cos(self._phase + (0.0 if side > 0 else pi)))
        thigh = figure.stride * swing + 0.12 * lift
        shin = thigh - 0.06 - 0.75 * lift
        hip = (side * 0.052 * h, 0.0, 0.50 * h)
        knee_f, knee_h = 0.245 * h * sin(thigh), 0.50 * h - 0.245 * h * cos(thigh)
        foot_f, foot_h = knee_f + 0.225 * h * sin(shin), knee_h - 0.225 * h * cos(shin)
        drop = max(0.0, foot_h - 0.03 * h) * (1.0 - lift) if lift < 0.3 else 0.0
        a = self._joint(hip[0], 0.0, hip[2])
        b = self._joint(hip[0], knee_f, knee_h - 0.5 * drop)
        c = self._joint(hip[0] * 0.9, foot_f, foot_h - drop)
        toe = self._joint(hip[0] * 1.1, foot_f + 0.085 * h, foot_h - drop - 0.008 * h)
        g = figure.girth
        trousers = figure.skin if figure.skirt else figure.bottom
        tone = 0.88 if side * self._beside < 0 else 1.0
        trousers = (trousers[0] * tone, trousers[1] * tone, trousers[2] * tone)
        self._add(c, toe, 0.023 * h, 0.019 * h, figure.shoe)
        self._add(b, c, 0.034 * h * g, 0.024 * h, trousers)
        self._add(a, b, 0.050 * h * g, 0.036 * h * g, trousers)

    def _arm(self, side: float) -> None:
        figure, h, g = self._figure, self._figure.height, self._figure.girth
        swing = -0.55 * self._swing(side)
        shoulder = side * 0.112 * h * (0.5 + 0.5 * g)
        elbow_f, elbow_h = 0.165 * h * sin(swing), 0.795 * h - 0.165 * h * cos(swing)
        bend = swing + 0.3
        hand_f, hand_h = elbow_f + 0.15 * h * sin(bend), elbow_h - 0.15 * h * cos(bend)
        a = self._joint(shoulder, 0.0, 0.795 * h)
        b = self._joint(shoulder * 1.1, elbow_f, elbow_h)
        c = self._joint(shoulder * 1.08, hand_f, hand_h)
        sleeve = (figure.top[0] * 0.86, figure.top[1] * 0.86, figure.top[2] * 0.86)
        self._add(b, c, 0.024 * h, 0.019 * h, figure.skin if figure.short_sleeves else sleeve)
        self._add(a, b, 0.034 * h * g, 0.026 * h, sleeve)
        self._add(c, (c[0], c[1] - 0.03 * h), 0.019 * h, 0.016 * h, figure.skin)
        if figure.bag is not None and side > 0:
            self._add(
                (c[0], c[1] - 0.06 * h), (c[0], c[1] - 0.13 * h), 0.05 * h, 0.06 * h, figure.bag
            )

    def _width(self, wide: float, deep: float) -> float:
        h, g = self._figure.height, self._figure.girth
        return h * g * hypot(wide * self._beside, deep * self._ahead)

    def _torso(self) -> None:
        figure, h = self._figure, self._figure.height
        chest, waist, hips = (
            self._width(0.118, 0.072),
            self._width(0.092, 0.07),
            self._width(0.098, 0.076),
        )
        self._add((0.0, 0.535 * h), (0.0, 0.50 * h), hips, hips * 0.95, figure.bottom)
        if figure.skirt:
            self._add((0.0, 0.52 * h), (0.0, 0.36 * h), hips, hips * 1.3, figure.bottom)
        if figure.coat:
            self._add((0.0, 0.60 * h), (0.0, 0.34 * h), hips * 1.02, hips * 1.12, figure.top)
        self._add((0.0, 0.84 * h), (0.0, 0.80 * h), 0.032 * h, 0.036 * h, figure.skin)
        self._add((0.0, 0.825 * h - chest * 0.55), (0.0, 0.545 * h), chest, waist, figure.top)
        light = tuple(min(255.0, 1.12 * c + 4) for c in figure.top)
        self._add(
            (-0.25 * chest, 0.80 * h - chest * 0.5), (-0.2 * waist, 0.58 * h), chest * 0.5,
            waist * 0.5, (light[0], light[1], light[2]),
        )  # fmt: skip

    def _backpack(self) -> None:
        h = self._figure.height
        back = -0.09 * h * self._ahead
        assert self._figure.backpack is not None
        self._add(
            (back, 0.75 * h), (back, 0.60 * h), self._width(0.075, 0.05), self._width(0.085, 0.06),
            self._figure.backpack,
        )  # fmt: skip

    def _head(self, away: float) -> None:
        figure, h = self._figure, self._figure.height
        turn = 0.012 * h * self._ahead
        radius = 0.050 * h
        if figure.long_hair:
            self._add((-turn, 0.93 * h), (-2.5 * turn, 0.83 * h), 0.058 * h, 0.05 * h, figure.hair)
        self._add((turn, 0.945 * h), (turn, 0.905 * h), radius, radius * 0.82, figure.skin)
        cap = figure.top if figure.hat else figure.hair
        if away > 0.25:
            self._add((0.0, 0.95 * h), (0.0, 0.91 * h), radius * 1.06, radius * 0.95, cap)
        else:
            self._add(
                (-1.6 * turn, 0.955 * h), (-1.2 * turn, 0.965 * h), radius * 0.95, radius * 0.8, cap
            )
            self._add(
                (-2.6 * turn, 0.95 * h), (-3.0 * turn, 0.92 * h), radius * 0.7, radius * 0.5, cap
            )
        if figure.hat:
            self._add((-turn, 0.965 * h), (4.5 * turn, 0.96 * h), radius * 0.4, radius * 0.3, cap)


def _outlines(
    starts: Array, ends: Array, first: Array, last: Array, foot: Array, scale: float, up: Array
) -> Array:
    """Capsules (n) as px outlines (n, 10, 2)."""
    along = ends - starts
    length = np.maximum(np.hypot(along[:, 0], along[:, 1]), 1e-6)
    along = along / length[:, None]
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    shape = _HALF_CAP[None, :, :1] * along[:, None] + _HALF_CAP[None, :, 1:] * across[:, None]
    head = starts[:, None] + shape * first[:, None, None]
    tail = ends[:, None] - shape * last[:, None, None]
    plane = np.concatenate([head, tail], axis=1)
    outlines: Array = foot + plane[..., :1] * np.array([scale, 0.0]) + plane[..., 1:] * up
    return outlines
