"""What walking people look like: an articulated figure of capsules that faces its way, compiled."""

from __future__ import annotations

from math import cos, hypot, isnan, pi, sin, sqrt

import numpy as np

from segtrack.base.compiled import ZERO, compiled
from trafficsim.camera import Array
from trafficsim.projection import Counts, Lens

_HALF_CAP = np.array([(0.0, 1.0), (-0.7, 0.7), (-1.0, 0.0), (-0.7, -0.7), (0.0, -1.0)])

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
    counts = np.empty(count, np.int64)
    for i in range(count):
        au, av, bu, bv = rows[i, 0], rows[i, 1], rows[i, 2], rows[i, 3]
        counts[i] = _CORNERS
        length = max(sqrt((bu - au) ** 2 + (bv - av) ** 2), 1e-6)
        u, v = (bu - au) / length, (bv - av) / length
        for k in range(_CORNERS):
            along, across = _HALF_CAP[k % len(_HALF_CAP), 0], _HALF_CAP[k % len(_HALF_CAP), 1]
            right, above = along * u - across * v, along * v + across * u
            if k < len(_HALF_CAP):
                right, above = au + right * rows[i, 4], av + above * rows[i, 4]
            else:
                right, above = bu - right * rows[i, 5], bv - above * rows[i, 5]
            points[i * _CORNERS + k, 0] = x + right * scale + above * up_x
            points[i * _CORNERS + k, 1] = y + above * up_y
        for c in range(3):
            gain = light[0, c] + 0.55 * light[1, c] * shares[0] + 0.8 * light[3, c] * shares[1]
            tone = rows[i, 6 + c] * gain
            colours[i, c] = tone + (light[4, c] - tone) * shares[2]
    return points, counts, colours


@compiled
def _pose(
    rows: Array, figure: Array, ahead: float, beside: float, phase: float, far: float, away: float
) -> int:
    """Capsules in the order of painting, in the figure's picture plane.

    Writes to `rows` (n, 9) and returns how many: both ends (u to the camera's right, v up), their
    radii, all in m, and the colour. `far` is the side, 1 the right, that is farther away.

    One function, since each takes its time to compile.
    """
    h, g, stride = figure[_BODY, 0], figure[_BODY, 1], figure[_BODY, 2]
    n: int = ZERO
    for step in range(7):
        side = far if step < 3 else -far
        swing, lift = 0.0, 0.0
        if not isnan(phase):
            angle = phase if side > 0 else phase + pi
            swing, lift = sin(angle), max(0.0, cos(angle))
        if step == 1 or step == 6:  # an arm
            cloth, tone = figure[_TOP], 0.86
            if figure[_LIMBS, 0] > 0.0:
                cloth, tone = figure[_SKIN], 1.0
            swing *= -0.55
            bend = swing + 0.3
            elbow_f, elbow_v = 0.165 * h * sin(swing), 0.795 * h - 0.165 * h * cos(swing)
            hand_f, hand_v = elbow_f + 0.15 * h * sin(bend), elbow_v - 0.15 * h * cos(bend)
            root = side * 0.112 * h * (0.5 + 0.5 * g) * beside
            elbow, hand = 1.1 * root + elbow_f * ahead, 1.08 * root + hand_f * ahead
            r = 0.034 * h * g
            _add(rows, n, elbow, elbow_v, hand, hand_v, 0.024 * h, 0.019 * h, cloth, tone)
            _add(rows, n + 1, root, 0.795 * h, elbow, elbow_v, r, 0.026 * h, figure[_TOP], 0.86)
            below = hand_v - 0.03 * h
            _add(rows, n + 2, hand, hand_v, hand, below, 0.019 * h, 0.016 * h, figure[_SKIN], 1.0)
            n += 3
            if figure[_BAG, 0] >= 0.0 and side > 0:
                above, below = hand_v - 0.06 * h, hand_v - 0.13 * h
                _add(rows, n, hand, above, hand, below, 0.05 * h, 0.06 * h, figure[_BAG], 1.0)
                n += 1
        elif step == 2 or step == 3:  # a leg
            thigh = stride * swing + 0.12 * lift
            shin = thigh - 0.06 - 0.75 * lift
            knee_f, knee_h = 0.245 * h * sin(thigh), 0.50 * h - 0.245 * h * cos(thigh)
            foot_f, foot_h = knee_f + 0.225 * h * sin(shin), knee_h - 0.225 * h * cos(shin)
            drop = max(0.0, foot_h - 0.03 * h) * (1.0 - lift) if lift < 0.3 else 0.0
            hip = side * 0.052 * h * beside
            knee, knee_v = hip + knee_f * ahead, knee_h - 0.5 * drop
            foot, foot_v = 0.9 * hip + foot_f * ahead, foot_h - drop
            toe, toe_v = 1.1 * hip + (foot_f + 0.085 * h) * ahead, foot_v - 0.008 * h
            cloth = figure[_SKIN] if figure[_LIMBS, 1] > 0.0 else figure[_BOTTOM]
            tone = 0.88 if side * beside < 0 else 1.0
            r, wide = 0.034 * h * g, 0.05 * h * g
            _add(rows, n, foot, foot_v, toe, toe_v, 0.023 * h, 0.019 * h, figure[_SHOE], 1.0)
            _add(rows, n + 1, knee, knee_v, foot, foot_v, r, 0.024 * h, cloth, tone)
            r = 0.036 * h * g
            _add(rows, n + 2, hip, 0.5 * h, knee, knee_v, wide, r, cloth, tone)
            n += 3
        elif step == 4:
            chest = h * g * hypot(0.118 * beside, 0.072 * ahead)
            waist = h * g * hypot(0.092 * beside, 0.07 * ahead)
            hips = h * g * hypot(0.098 * beside, 0.076 * ahead)
            low, high, top = hips * 0.95, 0.825 * h - chest * 0.55, 0.80 * h - chest * 0.5
            _add(rows, n, 0.0, 0.535 * h, 0.0, 0.50 * h, hips, low, figure[_BOTTOM], 1.0)
            n += 1
            if figure[_LIMBS, 1] > 0.0:
                low = hips * 1.3
                _add(rows, n, 0.0, 0.52 * h, 0.0, 0.36 * h, hips, low, figure[_BOTTOM], 1.0)
                n += 1
            if figure[_LIMBS, 2] > 0.0:
                low, r = hips * 1.12, hips * 1.02
                _add(rows, n, 0.0, 0.60 * h, 0.0, 0.34 * h, r, low, figure[_TOP], 1.0)
                n += 1
            r, wide = 0.032 * h, 0.036 * h
            _add(rows, n, 0.0, 0.84 * h, 0.0, 0.80 * h, r, wide, figure[_SKIN], 1.0)
            _add(rows, n + 1, 0.0, high, 0.0, 0.545 * h, chest, waist, figure[_TOP], 1.0)
            left, right, r, wide = -0.25 * chest, -0.2 * waist, chest * 0.5, waist * 0.5
            _add(rows, n + 2, left, top, right, 0.58 * h, r, wide, figure[_TOP], 1.0)
            for c in range(3):  # in the light
                rows[n + 2, 6 + c] = min(1.12 * figure[_TOP, c] + 4.0, 255.0)
            n += 3
        if figure[_BACKPACK, 0] >= 0.0 and step == (0 if away < 0 else 4):
            back = -0.09 * h * ahead
            r = h * g * hypot(0.075 * beside, 0.05 * ahead)
            wide = h * g * hypot(0.085 * beside, 0.06 * ahead)
            _add(rows, n, back, 0.75 * h, back, 0.60 * h, r, wide, figure[_BACKPACK], 1.0)
            n += 1
        if step == 5:
            hat = figure[_LOOK, 1] > 0.0
            cap = figure[_TOP] if hat else figure[_HAIR]
            turn, r = 0.012 * h * ahead, 0.050 * h
            if figure[_LOOK, 0] > 0.0:
                end, wide, low = -2.5 * turn, 0.058 * h, 0.05 * h
                _add(rows, n, -turn, 0.93 * h, end, 0.83 * h, wide, low, figure[_HAIR], 1.0)
                n += 1
            _add(rows, n, turn, 0.945 * h, turn, 0.905 * h, r, r * 0.82, figure[_SKIN], 1.0)
            n += 1
            if away > 0.25:
                wide, low = r * 1.06, r * 0.95
                _add(rows, n, 0.0, 0.95 * h, 0.0, 0.91 * h, wide, low, cap, 1.0)
                n += 1
            else:
                at, end, wide, low = -1.6 * turn, -1.2 * turn, r * 0.95, r * 0.8
                _add(rows, n, at, 0.955 * h, end, 0.965 * h, wide, low, cap, 1.0)
                at, end, wide, low = -2.6 * turn, -3.0 * turn, r * 0.7, r * 0.5
                _add(rows, n + 1, at, 0.95 * h, end, 0.92 * h, wide, low, cap, 1.0)
                n += 2
            if hat:
                at, wide, low = 4.5 * turn, r * 0.4, r * 0.3
                _add(rows, n, -turn, 0.965 * h, at, 0.96 * h, wide, low, cap, 1.0)
                n += 1
    return n


@compiled
def _add(
    rows: Array, n: int, au: float, av: float, bu: float, bv: float, first: float, last: float,
    colour: Array, tone: float,
) -> None:  # fmt: skip
    rows[n, 0], rows[n, 1] = au, av
    rows[n, 2], rows[n, 3] = bu, bv
    rows[n, 4], rows[n, 5] = first, last
    for c in range(3):
        rows[n, 6 + c] = colour[c] * tone
