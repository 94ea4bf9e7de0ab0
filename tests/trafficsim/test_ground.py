"""The ground: its polygons and its light, by hand and against plain numpy."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from trafficsim.camera import Camera, clip_near, look
from trafficsim.ground import _tiles
from trafficsim.ground_kernels import SIDE, light_up, outlines
from trafficsim.groundlight import GroundLight

Array = NDArray[np.float64]

ORIGIN = (-30.0, -70.0)


def camera(yaw: float = 0.3, size: tuple[int, int] = (318, 179)) -> Camera:
    centre = ((size[0] - 1) / 2, (size[1] - 1) / 2)
    return look((1.0, 4.5, -2.0), yaw, -0.12, 280.0, centre, size)


def seen(view: Camera, corners: Array, least: float = 0.0) -> list[tuple[int, Array]]:
    """The number and the outline, px, of each polygon, corners (P, 4, 2) in m, that is seen."""
    pixels, counts, numbers = outlines(
        corners.reshape(-1, 2), np.full(len(corners), 4), view.position, view.rotation,
        view.focal, view.centre, view.size, least,
    )  # fmt: skip
    parts = np.split(pixels, np.cumsum(counts)[:-1])
    return list(zip(numbers.tolist(), parts, strict=True)) if len(counts) else []


def rectangle(x0: float, x1: float, z0: float, z1: float) -> Array:
    return np.array([[(x0, z0), (x1, z0), (x1, z1), (x0, z1)]])


class TestOutlines:
    @pytest.mark.parametrize(("yaw", "left"), [(0.0, {4}), (0.9, {3, 4, 5}), (-1.5, {4, 5})])
    def test_they_are_what_the_camera_projects_and_cuts(self, yaw: float, left: set[int]) -> None:
        rng, view = np.random.default_rng(4), camera(yaw)
        low = rng.uniform(-60.0, 60.0, (300, 2))
        boxes = np.concatenate([low, low + rng.uniform(0.05, 60.0, (300, 2))], axis=1)
        corners = np.concatenate([rectangle(x0, x1, z0, z1) for x0, z0, x1, z1 in boxes])
        expected = {}
        for number, one in enumerate(corners):
            ahead = clip_near(view.to_camera(np.insert(one, 1, 0.0, axis=1)))
            if len(ahead) < 3:
                continue
            outline = view.to_pixels(ahead)
            low, high = outline.min(axis=0), outline.max(axis=0)
            if (high >= -1.0).all() and (low <= view.size).all():
                expected[number] = outline
        found = seen(view, corners)
        assert [number for number, _ in found] == list(expected)
        assert {len(outline) for outline in expected.values()} == left
        for number, outline in found:
            assert outline == pytest.approx(expected[number], rel=1e-9, abs=1e-7)

    @pytest.mark.parametrize(
        "corners",
        [
            rectangle(-5.0, 5.0, -40.0, -20.0),  # behind
            rectangle(400.0, 420.0, 1.0, 9.0),  # beside
            rectangle(-5.0, 5.0, 30.0, 30.03),  # a twentieth of a pixel
            rectangle(2.0, 2.0, 5.0, 9.0),  # nothing
            np.empty((0, 4, 2)),
        ],
    )
    def test_what_nobody_sees_is_left_out(self, corners: Array) -> None:
        assert seen(camera(0.0), corners, 0.1) == []

    def test_how_thick_is_measured_in_pixels(self) -> None:
        level = look((0.0, 4.0, 0.0), 0.0, 0.0, 300.0, (160.0, 90.0), (320, 180))
        joint = rectangle(-4.0, 4.0, 20.0, 20.1)  # 300 * 4 * (1 / 20 - 1 / 20.1) = 0.30 px
        assert seen(level, joint, 0.31) == []
        ((_, outline),) = seen(level, joint, 0.28)
        assert outline[:2] == pytest.approx(np.array([(100.0, 150.0), (220.0, 150.0)]))


class TestLightUp:
    plain = np.zeros((2, SIDE, SIDE), np.int8)
    dark = (np.zeros((880, 240), np.uint8), np.zeros((220, 60), np.uint8))

    def lit(
        self, view: Camera, top: int, gains: Array, tiles: NDArray[np.int8] = plain,
        shares: tuple[NDArray[np.uint8], NDArray[np.uint8]] = dark,
        first: tuple[float, float] = (0.0, 0.0), value: int = 100,
    ) -> NDArray[np.uint8]:  # fmt: skip
        image = np.full((view.size[1], view.size[0], 3), value, np.uint8)
        light_up(
            image, top, view.position, view.rotation, view.focal, view.centre, tiles, first,
            shares, ORIGIN, gains,
        )  # fmt: skip
        return image

    def places(self, view: Camera, top: int) -> tuple[Array, Array, Array]:
        """x and z on the ground, and the depth, m, of all pixels from row `top` on."""
        rows, columns = np.mgrid[top : view.size[1], : view.size[0]]
        rays = np.stack([columns - view.centre[0], rows - view.centre[1]], axis=-1) / view.focal
        rays = np.concatenate([rays, np.ones_like(rays[..., :1])], axis=-1) @ view.rotation
        depth = -view.position[1] / rays[..., 1]
        x, z = (view.position[i] + depth * rays[..., i] for i in (0, 2))
        return x, z, depth

    def test_colours_are_multiplied_rounded_and_cut_off(self) -> None:
        image = self.lit(
            camera(), 70, np.array([[0.5, 0.996, 9.0], [0.0] * 3, [0.0] * 3]), value=101
        )
        assert (image[:70] == 101).all()
        assert (image[70:] == (51, 101, 255)).all()

    @pytest.mark.parametrize("size", [(1, 1), (2, 5), (5, 2), (37, 3)])
    def test_small_images_too(self, size: tuple[int, int]) -> None:
        for top in range(size[1]):
            image = self.lit(camera(size=size), top, np.full((3, 3), 0.5))
            assert (image[:top] == 100).all() and (image[top:] == 50).all()

    @pytest.mark.parametrize("yaw", [0.0, 0.9, -1.5])
    def test_grain_is_that_of_the_nearest_cell_and_fades(self, yaw: float) -> None:
        view, top = camera(yaw), 70
        grain = np.random.default_rng(1).integers(-80, 80, (SIDE, SIDE)).astype(np.int8)
        image = self.lit(
            view, top, np.ones((3, 3)), np.stack([grain, grain * 0]), first=(3.5, 90.2)
        )
        x, z, depth = self.places(view, top)
        fade = np.clip(18.0 / depth - 0.25, 0.0, 1.0)
        rows, columns = (np.rint(v).astype(int) % SIDE for v in (48 * z + 90.2, 48 * x + 3.5))
        expected = np.rint(100.0 * (1.0 + fade * grain[rows, columns] / 400.0))
        apart = np.abs(image[top:] - expected[..., None])
        assert expected.std() > 5.0 and (expected == 100.0).mean() > 0.05
        # a place between two cells may belong to either
        assert (apart > 1.0).mean() < 0.001

    @pytest.mark.parametrize("yaw", [0.0, 0.9, -1.5])
    def test_sun_and_lamps_shine_where_they_do_on_the_raster(self, yaw: float) -> None:
        view, top = camera(yaw), 75
        waves = [
            np.rint(127.5 + 127.0 * np.sin(np.arange(n) / length)).astype(np.uint8)
            for n, length in ((880, 24.0), (60, 3.0))
        ]
        shares = np.repeat(waves[0][:, None], 240, axis=1), np.repeat(waves[1][None], 220, axis=0)
        gains = np.array([[0.5, 0.4, 0.3], [0.3, 0.6, 0.2], [0.1, 0.3, 0.7]])
        image = self.lit(view, top, gains, shares=shares)
        x, z, depth = self.places(view, top)
        sun, lamp = (
            cv2.remap(
                share.astype(np.float32), ((x + 30.0) * cells).astype(np.float32),
                ((z + 70.0) * cells).astype(np.float32), cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REPLICATE,
            )[..., None] / 255.0
            for share, cells in zip(shares, (4, 1), strict=True)
        )  # fmt: skip
        apart = np.abs(image[top:] - 100.0 * (gains[0] + sun * gains[1] + lamp * gains[2]))
        # what is far has finer waves than every fourth pixel shows
        assert apart[depth < 25.0].max() < 2.0

    def test_stains_change_evenly(self) -> None:
        image = self.lit(camera(), 75, np.ones((3, 3)) / 3, np.stack([self.plain[0], _tiles()[1]]))
        near = image[110:, :, 0].astype(int)
        assert near.std() > 0.5
        assert max(np.abs(np.diff(near, axis=axis)).max() for axis in (0, 1)) <= 2


def test_the_grounds_tiles_repeat_without_a_seam() -> None:
    for tile in _tiles().astype(int):
        for axis in (0, 1):
            steps = np.abs(np.diff(tile, axis=axis)).mean()
            seam = np.abs(np.take(tile, 0, axis) - np.take(tile, -1, axis)).mean()
            assert seam < 1.5 * steps


@pytest.mark.parametrize(
    ("x", "z", "sun", "lamp"),
    [
        (-30.0, -70.0, 100.0, 40.0),
        (-29.875, -70.0, 150.0, 41.25),  # half a cell of the sun, an eighth of the lamps'
        (-29.875, -69.875, 100.0, 41.09375),
        (-29.5, -70.0, 0.0, 45.0),
        (-99.0, -99.0, 100.0, 40.0),  # beyond the first cells
        (99.0, 999.0, 0.0, 40.0),
    ],
)
def test_light_at_a_place(x: float, z: float, sun: float, lamp: float) -> None:
    suns, lamps = np.zeros((880, 240), np.uint8), np.full((220, 60), 40, np.uint8)
    suns[0, :2], suns[1, 0], lamps[0, 1] = (100, 200), 100, 50
    found = GroundLight(suns, lamps, ORIGIN, True, True).at(x, z)
    assert [255.0 * share for share in found] == pytest.approx([sun, lamp])
    assert GroundLight(suns, lamps, ORIGIN, False, False).at(x, z) == (1.0, 0.0)
