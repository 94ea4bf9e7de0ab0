"""What walking people look like: an articulated figure of capsules that faces its way, compiled."""

from __future__ import annotations

from math import cos, hypot, isnan, pi, sin, sqrt

import numpy as np

from segtrack.base.compiled import compiled
from trafficsim.camera import Array
from trafficsim.projection import Counts, Lens

_HALF_CAP = ((0.0, 1.0), (-0.7, 0.7), (-1.0, 0.0), (-0.7, -0.7), (0.0, -1.0))

_CORNERS = 2 * len(_HALF_CAP)
"""Of a capsule as a polygon."""

_BODY, _LIMBS, _LOOK, _SKIN, _HAIR, _TOP, _BOTTOM, _SHOE, _BACKPACK, _BAG = range(10)
"""Rows of a figure: height, girth and stride, m; short sleeves, skirt and coat, 0 or 1; long hair
and hat; and colours, BGR, negative where there is nothing."""

_MOST = 32
"""Capsules of a figure at most."""


@compiled
def see_figure(
    rotation: Array, eye: Array, lens: Lens, position: Array,
    figure: Array, heading: float, phase: float, light: Array, shares: Lens,
) -> tuple[Array, Counts, Array]:  # fmt: skip
    """A person as convex polygons in the order of painting, whose union is the silhouette.

    Args:
        rotation: float64 (3, 3), of the camera, as are the next two.
        eye: float64 (3,), m.
        lens: Focal length and principal point (x, y), px.
        position: float64 (3,), world, the point between the feet.
        figure: float64 (10, 3), rows as of `_BODY` and so on.
        heading: Radians to the right of +z.
        phase: Of the gait, radians; nan stands still.
        light: float64 (5, 3), `Light.rows`.
        shares: Of the sun, of lamp light, and of haze in front, 0..1.

    Returns:
        Points float64 (N, 2) px, counts int64 (K,), colours float64 (K, 3); empty if behind the
        camera.
    """
    height = figure[_BODY, 0]
    foot, head = np.zeros(3), np.zeros(3)
    for axis in range(3):
        for k in range(3):
            foot[axis] += rotation[axis, k] * (position[k] - eye[k])
        head[axis] = foot[axis] + rotation[axis, 1] * height
    rows, count = np.empty((_MOST, 9)), 0
    if min(foot[2], head[2]) >= 1.0:
        # in the picture plane: how far ahead, and to the person's right, lead to the camera's right
        ahead = sin(heading) * rotation[0, 0] + cos(heading) * rotation[0, 2]
        beside = cos(heading) * rotation[0, 0] - sin(heading) * rotation[0, 2]
        away = sin(heading) * rotation[2, 0] + cos(heading) * rotation[2, 2]
        far = -1.0 if cos(heading) * rotation[2, 0] - sin(heading) * rotation[2, 2] < 0 else 1.0
        count = _pose(rows, figure, ahead, beside, phase, far, away)
    scale = lens[0] / (0.5 * (foot[2] + head[2]))
    x, y = foot[0] * (lens[0] / foot[2]) + lens[1], foot[1] * (lens[0] / foot[2]) + lens[2]
    up_x = (head[0] * (lens[0] / head[2]) + lens[1] - x) / height
    up_y = (head[1] * (lens[0] / head[2]) + lens[2] - y) / height
    points, colours = np.empty((count * _CORNERS, 2)), np.empty((count, 3))
    for i in range(count):
        au, av, bu, bv = rows[i, 0], rows[i, 1], rows[i, 2], rows[i, 3]
        length = max(sqrt((bu - au) ** 2 + (bv - av) ** 2), 1e-6)
        u, v = (bu - au) / length, (bv - av) / length
        for k in range(_CORNERS):
            along, across = _HALF_CAP[k % len(_HALF_CAP)]
            if k < len(_HALF_CAP):
                right = au + (along * u - across * v) * rows[i, 4]
                above = av + (along * v + across * u) * rows[i, 4]
            else:
                right = bu - (along * u - across * v) * rows[i, 5]
                above = bv - (along * v + across * u) * rows[i, 5]
            points[i * _CORNERS + k, 0] = x + right * scale + above * up_x
            points[i * _CORNERS + k, 1] = y + above * up_y
        for c in range(3):
            gain = light[0, c] + 0.55 * light[1, c] * shares[0] + 0.8 * light[3, c] * shares[1]
            tone = rows[i, 6 + c] * gain
            colours[i, c] = tone + (light[4, c] - tone) * shares[2]
    return points, np.full(count, _CORNERS), colours


@compiled
def _pose(
    rows: Array, figure: Array, ahead: float, beside: float, phase: float, far: float, away: float
) -> int:
    """Capsules in the order of painting, in the figure's picture plane.

    Writes to `rows` (n, 9) and returns how many: both ends (u to the camera's right, v up), their
    radii, all in m, and the colour. `far` is the side, 1 the right, that is farther away.
    """
    backpack = figure[_BACKPACK, 0] >= 0.0
    count = 0
    if backpack and away < 0:
        count = _backpack(rows, count, figure, ahead, beside)
    count = _arm(rows, count, figure, ahead, beside, phase, far)
    count = _leg(rows, count, figure, ahead, beside, phase, far)
    count = _leg(rows, count, figure, ahead, beside, phase, -far)
    count = _torso(rows, count, figure, ahead, beside)
    if backpack and away >= 0:
        count = _backpack(rows, count, figure, ahead, beside)
    count = _head(rows, count, figure, ahead, away)
    return _arm(rows, count, figure, ahead, beside, phase, -far)


@compiled
def _add(
    rows: Array, count: int, au: float, av: float, bu: float, bv: float, first: float,
    last: float, colour: Array, tone: float,
) -> int:  # fmt: skip
    rows[count, 0], rows[count, 1], rows[count, 2], rows[count, 3] = au, av, bu, bv
    rows[count, 4], rows[count, 5] = first, last
    for c in range(3):
        rows[count, 6 + c] = colour[c] * tone
    return count + 1


@compiled
def _swing(phase: float, side: float) -> float:
    if isnan(phase):
        return 0.0
    return sin(phase + (0.0 if side > 0 else pi))


@compiled
def _leg(
    rows: Array, n: int, figure: Array, ahead: float, beside: float, phase: float, side: float
) -> int:
    h, g, stride = figure[_BODY, 0], figure[_BODY, 1], figure[_BODY, 2]
    lift = 0.0
    if not isnan(phase):
        lift = max(0.0, cos(phase + (0.0 if side > 0 else pi)))
    thigh = stride * _swing(phase, side) + 0.12 * lift
    shin = thigh - 0.06 - 0.75 * lift
    knee_f, knee_h = 0.245 * h * sin(thigh), 0.50 * h - 0.245 * h * cos(thigh)
    foot_f, foot_h = knee_f + 0.225 * h * sin(shin), knee_h - 0.225 * h * cos(shin)
    drop = max(0.0, foot_h - 0.03 * h) * (1.0 - lift) if lift < 0.3 else 0.0
    hip = side * 0.052 * h * beside
    knee_u, knee_v = hip + knee_f * ahead, knee_h - 0.5 * drop
    foot_u, foot_v = 0.9 * hip + foot_f * ahead, foot_h - drop
    toe_u = 1.1 * hip + (foot_f + 0.085 * h) * ahead
    trousers = figure[_SKIN] if figure[_LIMBS, 1] > 0.0 else figure[_BOTTOM]
    tone = 0.88 if side * beside < 0 else 1.0
    n = _add(
        rows, n, foot_u, foot_v, toe_u, foot_v - 0.008 * h, 0.023 * h, 0.019 * h, figure[_SHOE], 1.0
    )
    n = _add(rows, n, knee_u, knee_v, foot_u, foot_v, 0.034 * h * g, 0.024 * h, trousers, tone)
    return _add(rows, n, hip, 0.5 * h, knee_u, knee_v, 0.05 * h * g, 0.036 * h * g, trousers, tone)


@compiled
def _arm(
    rows: Array, n: int, figure: Array, ahead: float, beside: float, phase: float, side: float
) -> int:
    h, g = figure[_BODY, 0], figure[_BODY, 1]
    swing = -0.55 * _swing(phase, side)
    bend = swing + 0.3
    elbow_f, elbow_v = 0.165 * h * sin(swing), 0.795 * h - 0.165 * h * cos(swing)
    hand_f, hand_v = elbow_f + 0.15 * h * sin(bend), elbow_v - 0.15 * h * cos(bend)
    shoulder = side * 0.112 * h * (0.5 + 0.5 * g) * beside
    elbow_u, hand_u = 1.1 * shoulder + elbow_f * ahead, 1.08 * shoulder + hand_f * ahead
    skin, top = figure[_SKIN], figure[_TOP]
    if figure[_LIMBS, 0] > 0.0:
        n = _add(rows, n, elbow_u, elbow_v, hand_u, hand_v, 0.024 * h, 0.019 * h, skin, 1.0)
    else:
        n = _add(rows, n, elbow_u, elbow_v, hand_u, hand_v, 0.024 * h, 0.019 * h, top, 0.86)
    n = _add(rows, n, shoulder, 0.795 * h, elbow_u, elbow_v, 0.034 * h * g, 0.026 * h, top, 0.86)
    n = _add(rows, n, hand_u, hand_v, hand_u, hand_v - 0.03 * h, 0.019 * h, 0.016 * h, skin, 1.0)
    if figure[_BAG, 0] >= 0.0 and side > 0:
        n = _add(
            rows, n, hand_u, hand_v - 0.06 * h, hand_u, hand_v - 0.13 * h, 0.05 * h, 0.06 * h,
            figure[_BAG], 1.0,
        )  # fmt: skip
    return n


@compiled
def _width(figure: Array, wide: float, deep: float, ahead: float, beside: float) -> float:
    size: float = figure[_BODY, 0] * figure[_BODY, 1] * hypot(wide * beside, deep * ahead)
    return size


@compiled
def _torso(rows: Array, n: int, figure: Array, ahead: float, beside: float) -> int:
    h, top, bottom = figure[_BODY, 0], figure[_TOP], figure[_BOTTOM]
    chest = _width(figure, 0.118, 0.072, ahead, beside)
    waist = _width(figure, 0.092, 0.07, ahead, beside)
    hips = _width(figure, 0.098, 0.076, ahead, beside)
    n = _add(rows, n, 0.0, 0.535 * h, 0.0, 0.50 * h, hips, hips * 0.95, bottom, 1.0)
    if figure[_LIMBS, 1] > 0.0:
        n = _add(rows, n, 0.0, 0.52 * h, 0.0, 0.36 * h, hips, hips * 1.3, bottom, 1.0)
    if figure[_LIMBS, 2] > 0.0:
        n = _add(rows, n, 0.0, 0.60 * h, 0.0, 0.34 * h, hips * 1.02, hips * 1.12, top, 1.0)
    n = _add(rows, n, 0.0, 0.84 * h, 0.0, 0.80 * h, 0.032 * h, 0.036 * h, figure[_SKIN], 1.0)
    n = _add(rows, n, 0.0, 0.825 * h - chest * 0.55, 0.0, 0.545 * h, chest, waist, top, 1.0)
    light = np.minimum(1.12 * top + 4.0, 255.0)
    return _add(
        rows, n, -0.25 * chest, 0.80 * h - chest * 0.5, -0.2 * waist, 0.58 * h, chest * 0.5,
        waist * 0.5, light, 1.0,
    )  # fmt: skip


@compiled
def _backpack(rows: Array, n: int, figure: Array, ahead: float, beside: float) -> int:
    h = figure[_BODY, 0]
    back = -0.09 * h * ahead
    above = _width(figure, 0.075, 0.05, ahead, beside)
    below = _width(figure, 0.085, 0.06, ahead, beside)
    return _add(rows, n, back, 0.75 * h, back, 0.60 * h, above, below, figure[_BACKPACK], 1.0)


@compiled
def _head(rows: Array, n: int, figure: Array, ahead: float, away: float) -> int:
    h, hair, hat = figure[_BODY, 0], figure[_HAIR], figure[_LOOK, 1] > 0.0
    turn = 0.012 * h * ahead
    r = 0.050 * h
    if figure[_LOOK, 0] > 0.0:
        n = _add(rows, n, -turn, 0.93 * h, -2.5 * turn, 0.83 * h, 0.058 * h, 0.05 * h, hair, 1.0)
    n = _add(rows, n, turn, 0.945 * h, turn, 0.905 * h, r, r * 0.82, figure[_SKIN], 1.0)
    cap = figure[_TOP] if hat else hair
    if away > 0.25:
        n = _add(rows, n, 0.0, 0.95 * h, 0.0, 0.91 * h, r * 1.06, r * 0.95, cap, 1.0)
    else:
        n = _add(
            rows, n, -1.6 * turn, 0.955 * h, -1.2 * turn, 0.965 * h, r * 0.95, r * 0.8, cap, 1.0
        )
        n = _add(rows, n, -2.6 * turn, 0.95 * h, -3.0 * turn, 0.92 * h, r * 0.7, r * 0.5, cap, 1.0)
    if hat:
        n = _add(rows, n, -turn, 0.965 * h, 4.5 * turn, 0.96 * h, r * 0.4, r * 0.3, cap, 1.0)
    return n
