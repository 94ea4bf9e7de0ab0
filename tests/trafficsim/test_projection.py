"""What the camera sees of solids: by hand, and against numpy and OpenCV."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from trafficsim.camera import NEAR
from trafficsim.mesh import GLOWING, HEADLIGHT, TAILLIGHT, Mesh, MeshBuilder
from trafficsim.pedestrians import make_figure
from trafficsim.poses import see_figure
from trafficsim.projection import in_sight, see_ground, see_mesh, see_outline
from trafficsim.raster import stamp, stamp_whole

Array = NDArray[np.float64]

AHEAD = np.array([(1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, 1.0)])
EYE = np.array([0.0, 1.0, 0.0])
LENS = 100.0, 50.0, 40.0
GREY = 100.0, 50.0, 20.0
# ambient, sun, where the sun is, lamp, haze
LIGHT = np.array([(0.5,) * 3, (1.0,) * 3, (0.0, 1.0, 0.0), (0.2,) * 3, (200.0,) * 3])


def box(z0: float = -1.0, z1: float = 1.0, kind: int = 0) -> Mesh:
    """2 m wide and 2 m high, with a panel on the front."""
    builder = MeshBuilder()
    builder.box((-1.0, 1.0), (0.0, 2.0), (z0, z1), GREY)
    builder.face(
        [(-0.5, 0.5, z0), (0.5, 0.5, z0), (0.5, 1.5, z0), (-0.5, 1.5, z0)], (40.0, 60.0, 80.0), kind
    )
    return builder.build()


def seen(
    mesh: Mesh, position: tuple[float, float, float], shares: tuple[float, float, float],
    lights_on: bool = False, braking: bool = False,
) -> tuple[list[Array], Array, list[Array]]:  # fmt: skip
    """Painted polygons, their colours, and the hulls of the outline."""
    place = np.array(position)
    points, counts, colours = see_mesh(
        AHEAD, EYE, LENS, place, mesh.vertices, mesh.counts, mesh.albedo, mesh.kinds,
        mesh.parts, mesh.centres, LIGHT, shares, lights_on, braking,
    )  # fmt: skip
    outline, corners = see_outline(mesh.rims, mesh.solids, place, AHEAD, EYE, LENS)
    return divided(points, counts), colours, divided(outline, corners)


def divided(points: Array, counts: NDArray[np.int64]) -> list[Array]:
    return np.split(points, np.cumsum(counts))[:-1]


def test_a_box_ahead_by_hand() -> None:
    faces, colours, hulls = seen(box(), (0.0, 0.0, 3.0), (1.0, 0.5, 0.0))
    # 2 m away 1 m is 50 px, and the camera looks at the middle: only the front shows
    square = [(0, -10), (0, 90), (100, -10), (100, 90)]
    assert len(faces) == 2
    assert sorted(map(tuple, faces[0].tolist())) == square
    assert faces[1].tolist() == [[25, 65], [75, 65], [75, 15], [25, 15]]
    assert [sorted(map(tuple, hull.tolist())) for hull in hulls] == [square]
    # upright: 0.8 of what is ambient, no sun from above, 0.55 of half a lamp's light
    assert colours == pytest.approx(np.array([GREY, (40, 60, 80)]) * (0.5 * 0.8 + 0.2 * 0.275))


def test_sun_and_haze_by_hand() -> None:
    faces, colours, _ = seen(box(), (0.0, -2.0, 3.0), (0.5, 0.0, 0.25))
    assert len(faces) == 3
    top = max(range(3), key=lambda i: colours[i, 0])
    assert colours[top] == pytest.approx(0.75 * np.array(GREY) * (0.5 + 0.5) + 0.25 * 200.0)
    below = {0, 1, 2} - {top}
    assert colours[list(below)].max() < colours[top].max()


@pytest.mark.parametrize(
    ("kind", "lights_on", "braking", "expected"),
    [
        (0, True, True, (16.0, 24.0, 32.0)),
        (GLOWING, False, False, (16.0, 24.0, 32.0)),
        (GLOWING, True, False, (40.0, 60.0, 80.0)),
        (HEADLIGHT, False, True, (16.0, 24.0, 32.0)),
        (HEADLIGHT, True, False, (215.0, 245.0, 255.0)),
        (TAILLIGHT, True, False, (50.0, 45.0, 235.0)),
        (TAILLIGHT, False, True, (70.0, 70.0, 255.0)),
    ],
)
def test_lights_shine(
    kind: int, lights_on: bool, braking: bool, expected: tuple[float, float, float]
) -> None:
    _, colours, _ = seen(box(kind=kind), (0.0, 0.0, 3.0), (1.0, 0.0, 0.0), lights_on, braking)
    assert colours[1] == pytest.approx(expected)


def test_near_things_are_cut_and_those_behind_are_none() -> None:
    shares = 1.0, 0.0, 0.0
    faces, _, hulls = seen(box(-2.0, 2.0), (3.0, 0.0, 0.0), shares)  # beside the camera
    assert len(faces) == 1 and len(hulls) == 1
    edge = 50.0 + 100.0 * 2.0 / NEAR  # where its side leaves the near plane
    assert faces[0][:, 0].max() == pytest.approx(edge)
    assert faces[0][:, 0].min() == pytest.approx(50.0 + 100.0 * 2.0 / 2.0)
    assert hulls[0][:, 0].max() == pytest.approx(50.0 + 100.0 * 4.0 / NEAR)
    faces, _, hulls = seen(box(), (0.0, 0.0, -3.0), shares)
    assert faces == [] and [len(hull) for hull in hulls] == [0]


def test_parts_are_painted_by_layer_and_then_far_first() -> None:
    builder = MeshBuilder()
    for z, tone, layer in ((1.0, 10.0, 1), (2.0, 20.0, 0), (3.0, 30.0, 0), (4.0, 40.0, 0)):
        builder.box((-1.0, 1.0), (0.0, 2.0), (z, z + 0.5), (tone,) * 3, layer)
    _, colours, _ = seen(builder.build(), (0.0, 0.0, 3.0), (1.0, 0.0, 0.0))
    assert colours[:, 0] == pytest.approx([16.0, 12.0, 8.0, 4.0])


def test_turned_by_a_quarter() -> None:
    mesh = box(-1.0, 3.0).turned(0.5 * np.pi)  # what was ahead is to the right
    assert mesh.half_size == pytest.approx((3.0, 1.0, 2.0))
    faces, _, _ = seen(mesh, (0.0, 0.0, 3.0), (1.0, 0.0, 0.0))
    assert np.concatenate(faces)[:, 0].max() == pytest.approx(50.0 + 3.0 * 50.0)


@settings(deadline=None)  # the first call compiles
@given(st.lists(st.tuples(*[st.integers(-40, 40)] * 2), min_size=3, max_size=40))
def test_shadows_are_hulls(points: list[tuple[int, int]]) -> None:
    ground = np.array([(x / 8.0, 0.0, 9.0 + z / 8.0) for x, z in points])
    pixels, counts = see_ground(AHEAD, EYE, LENS, ground, np.array([len(points)]), (1.0, 0.0, 1.0))
    flat = ground[:, [0, 2]].astype(np.float32)
    hull = cv2.convexHull(np.unique(flat, axis=0))[:, 0]
    area = cv2.contourArea(hull)
    assert counts.tolist() in ([len(pixels)], [0])
    if area > 0.0:
        depth = 100.0 * EYE[1] / (pixels[:, 1] - 40.0)
        found = np.stack([(pixels[:, 0] - 50.0) * depth / 100.0, depth], axis=1)
        assert cv2.contourArea(found.astype(np.float32)) == pytest.approx(area, rel=1e-3, abs=1e-3)
        assert len(found) == len(cv2.convexHull(found.astype(np.float32))) or area < 0.1


def test_a_shadow_falls_as_far_as_it_is_told() -> None:
    pole = np.array([(0.0, 0.0, 4.0), (0.1, 0.0, 4.0), (0.0, 2.0, 4.0)])
    behind = pole - (0.0, 0.0, 40.0)
    pixels, counts = see_ground(
        AHEAD, EYE, LENS, np.concatenate([behind, pole]), np.array([3, 3]), (1.5, 0.0, 2.0)
    )
    assert counts.tolist() == [0, 3]
    tip = 50.0 + 100.0 * 3.0 / 8.0, 40.0 + 100.0 / 8.0
    assert any(corner == pytest.approx(tip) for corner in pixels.tolist())


def test_boxes_in_sight_by_hand() -> None:
    things = np.array(
        [
            (0, 3, 1, 1, 2, 14),  # ahead, 2 m away
            (1.5, 0, 0.5, 3, 1, 14),  # beside the camera
            (0, -3, 1, 1, 2, 14),  # behind
            (40, 3, 1, 1, 2, 14),  # aside
            (0, 16, 1, 1, 2, 14),  # from 100 * 2 / 14 = 14.3 m on too small
            (0, 10.2857, 1, 1, 2, 14),
        ],
        np.float64,
    )
    size = 640, 80
    shown, looks, windows = in_sight(AHEAD, EYE, LENS, size, things, np.inf)
    assert shown.tolist() == [0, 1, 5]
    expected = [(3, 1), (0, 100 / 14 / 8), (10.2857, 0.5)]
    assert looks == pytest.approx(np.array(expected), abs=1e-4)
    room = 0.15 * 100 + 2 + 0.4 * 100 / 2
    assert windows[0].tolist() == [0, 0, 100 + room + 1, 90 + room + 1]
    right, below = 50 + 100 * 2 / NEAR, 40 + 100 * 1 / NEAR
    left = 50 + 100 * 1 / 3
    room = np.array([0.15 * (right - left), 0.15 * (below - 40)]) + 2 + 0.4 * 100 / NEAR
    assert windows[1].tolist() == [
        int(max(left - room[0], 0)), 0, int(right + room[0] + 1), int(below + room[1] + 1)
    ]  # fmt: skip
    # before the street's end
    shown, looks, _ = in_sight(AHEAD, EYE, LENS, size, things, 25.0)
    assert shown.tolist() == [0, 1, 5] and looks[2, 1] == pytest.approx(0.5, abs=1e-4)
    shown, looks, _ = in_sight(AHEAD, EYE, LENS, size, things, 15.0)
    assert shown.tolist() == [0, 1] and looks[0, 1] == pytest.approx(2.0 / 8.0)
    assert len(in_sight(AHEAD, EYE, LENS, size, things[:0], 15.0)[0]) == 0


def test_a_silhouette_is_the_union_and_counts_what_is_outside() -> None:
    rng = np.random.default_rng(4)
    for _ in range(40):
        shapes = []
        for _ in range(4):
            angles = np.sort(rng.uniform(0, 2 * np.pi, 5))
            ring = np.stack([np.cos(angles), np.sin(angles)], axis=1) * rng.uniform(2, 20)
            shapes.append(ring + rng.uniform(20, 60, 2))
        points, counts = np.concatenate(shapes), np.full(4, 5)
        whole = np.zeros((90, 90), np.uint8)
        stamp(whole, points, counts, np.full(4, 3))
        ids = np.zeros((50, 45), np.uint8)
        area, x0, y0, x1, y1 = stamp_whole(ids, points, counts, 3)
        assert np.array_equal(ids, whole[:50, :45])
        assert area == np.count_nonzero(whole)
        left, top, width, height = cv2.boundingRect(whole)
        assert x0 <= left <= x0 + 1 and y0 <= top <= y0 + 1
        assert left + width <= x1 <= left + width + 1 and top + height <= y1 <= top + height + 1
    square = np.array([(-3000, -3000), (2999, -3000), (2999, 2999), (-3000, 2999)], np.float64)
    assert stamp_whole(ids, square, np.array([4]), 1)[0] == 6000**2
    assert (ids == 1).all()


@pytest.mark.parametrize("heading", [0.0, 1.0, -2.5])
@pytest.mark.parametrize("phase", [np.nan, 0.7])
def test_a_person_stands_on_the_ground_and_is_as_high_as_it_is(
    heading: float, phase: float
) -> None:
    figure, position = make_figure(np.random.default_rng(2)), np.array([0.5, 0.0, 5.0])
    points, counts, colours = see_figure(
        AHEAD, EYE, LENS, position, figure.rows, heading, phase, LIGHT, (0.5, 0.0, 0.0)
    )
    assert len(points) == counts.sum() and len(counts) == len(colours)
    assert points[:, 1].max() == pytest.approx(40.0 + 20.0, abs=1.0)
    assert points[:, 1].min() == pytest.approx(60.0 - 20.0 * figure.height, abs=1.0)
    assert abs(points[:, 0] - 60.0).max() < 20.0 * 0.4 * figure.height
    for wanted in (figure.skin, figure.shoe, figure.hair):
        assert np.isclose(colours, (0.5 + 0.55 * 0.5) * np.array(wanted)).all(axis=1).any()
    _, _, hazy = see_figure(
        AHEAD, EYE, LENS, position, figure.rows, heading, phase, LIGHT, (0.5, 0.0, 0.25)
    )
    assert hazy == pytest.approx(0.75 * colours + 0.25 * 200.0)
    behind = np.array([0.5, 0.0, -5.0])
    nothing = see_figure(
        AHEAD, EYE, LENS, behind, figure.rows, heading, phase, LIGHT, (0.5, 0.0, 0.0)
    )
    assert [len(part) for part in nothing] == [0, 0, 0]
