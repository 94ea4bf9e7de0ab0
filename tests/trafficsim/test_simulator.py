"""The simulator: equal seeds give equal bytes, labels fit the pixels, knobs do what they say."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from pycocotools import mask as coco

from segtrack.base.errors import SegtrackError
from trafficsim import (
    CLASS_NAMES,
    Frame,
    Instance,
    SimulatorKnobs,
    render_still,
    render_video,
)
from trafficsim.camera import look
from trafficsim.effects import _noise_tile
from trafficsim.facades import _drawn, _kept, choose_front
from trafficsim.ground import _tiles
from trafficsim.groundlight import make_ground_light
from trafficsim.labels import Silhouette, label, outline
from trafficsim.order import back_to_front
from trafficsim.plants import _drawn_tree, make_tree
from trafficsim.raster import stamp_whole
from trafficsim.scene import Furniture, make_street
from trafficsim.traffic import make_traffic
from trafficsim.vehicles import make_vehicle

SEED = 7
SMALL = SimulatorKnobs(width=320, height=180)


@pytest.fixture(scope="module")
def stills() -> list[Frame]:
    return [render_still(SimulatorKnobs(), SEED, index) for index in range(10)]


@pytest.fixture(scope="module")
def video() -> list[Frame]:
    return list(render_video(SimulatorKnobs(density=0.8), SEED, 3, 30))


def same(a: Frame, b: Frame) -> bool:
    """Whether two frames are equal to the byte."""
    return np.array_equal(a.image, b.image) and signature(a) == signature(b)


def signature(frame: Frame) -> list[Any]:
    return [
        (i.track_id, i.class_id, i.rle["counts"], i.visible_fraction, i.polygons[0].tolist())
        for i in frame.instances
    ]


def filled(polygons: tuple[NDArray[np.float32], ...], size: tuple[int, int]) -> NDArray[np.uint8]:
    mask = np.zeros(size, np.uint8)
    for polygon in polygons:
        cv2.fillPoly(mask, [polygon.astype(np.int32)], 1)
    return mask


def overlap(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    return float((a & b).sum() / (a | b).sum())


class TestSeeds:
    def test_still_repeats_to_the_byte(self, stills: list[Frame]) -> None:
        assert same(stills[2], render_still(SimulatorKnobs(), SEED, 2))

    def test_video_repeats_to_the_byte(self) -> None:
        first, second = (list(render_video(SMALL, SEED, 1, 4)) for _ in range(2))
        assert all(same(a, b) for a, b in zip(first, second, strict=True))

    @pytest.mark.parametrize(("seed", "index"), [(SEED, 1), (SEED + 1, 0)])
    def test_another_seed_or_index_is_another_scene(self, seed: int, index: int) -> None:
        change = cv2.absdiff(
            render_still(SMALL, SEED, 0).image, render_still(SMALL, seed, index).image
        )
        assert change.mean() > 10.0


class TestLabels:
    def test_image_and_number_of_instances(self, stills: list[Frame]) -> None:
        assert {frame.image.shape for frame in stills} == {(360, 640, 3)}
        assert {frame.image.dtype for frame in stills} == {np.dtype(np.uint8)}
        assert 6.0 <= np.mean([len(frame.instances) for frame in stills]) <= 14.0

    def test_all_classes_occur(self, stills: list[Frame]) -> None:
        seen = {i.class_id for frame in stills for i in frame.instances}
        assert seen == set(range(len(CLASS_NAMES)))

    def test_box_and_area_are_those_of_the_mask(self, stills: list[Frame]) -> None:
        checked = 0
        for instance in (i for frame in stills for i in frame.instances):
            mask = coco.decode(instance.rle)
            rows, columns = np.nonzero(mask)
            box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
            assert instance.bbox_xyxy == box
            assert instance.area == mask.sum()
            assert 0.0 < instance.visible_fraction <= 1.0
            checked += 1
        assert checked > 60

    def test_polygons_give_the_mask_back(self, stills: list[Frame]) -> None:
        """With OpenCV's rasteriser and with COCO's."""
        worst = {"opencv": 1.0, "coco": 1.0}
        for instance in (i for frame in stills for i in frame.instances):
            for polygon in instance.polygons:
                assert polygon.dtype == np.float32 and polygon.ndim == 2 and len(polygon) >= 3
                assert polygon.min() >= 0.0 and (polygon <= (640, 360)).all()
            if instance.area > 100:
                mask = coco.decode(instance.rle)
                drawn = filled(instance.polygons, (360, 640))
                worst["opencv"] = min(worst["opencv"], overlap(drawn, mask))
                rings = [polygon.ravel().tolist() for polygon in instance.polygons]
                merged = coco.decode(coco.merge(coco.frPyObjects(rings, 360, 640)))
                worst["coco"] = min(worst["coco"], overlap(merged, mask))
        assert min(worst.values()) > 0.9, worst

    def test_no_pixel_has_two_owners(self, stills: list[Frame]) -> None:
        for frame in stills:
            owners = np.zeros((360, 640), np.int32)
            for instance in frame.instances:
                owners += coco.decode(instance.rle)
            assert owners.max(initial=0) <= 1

    def test_labelled_pixels_differ_from_the_empty_street(self) -> None:
        """A label lies on its object: without traffic the same scene looks different there."""
        knobs = SimulatorKnobs(light="day", fog=0.0)
        full = render_still(knobs, SEED, 5)
        empty = render_still(dataclasses.replace(knobs, density=0.0), SEED, 5)
        assert empty.instances == ()
        change = cv2.absdiff(full.image, empty.image).max(axis=2)
        assert len(full.instances) > 3
        for instance in full.instances:
            inside = change[coco.decode(instance.rle) == 1]
            assert np.median(inside) > 12, (instance.track_id, np.median(inside))


class TestPieces:
    @pytest.mark.parametrize(
        ("size", "box"),
        [
            ((29, 27), (0, 0, 27, 29)),  # the whole image
            ((29, 27), (0, 2, 27, 20)),  # runs end at no edge
            ((29, 27), (13, 0, 27, 29)),  # whole columns run into one another
            ((30, 40), (5, 6, 25, 22)),
        ],
    )
    def test_pixels_are_cut_out(
        self, size: tuple[int, int], box: tuple[int, int, int, int]
    ) -> None:
        rng = np.random.default_rng(0)
        x0, y0, x1, y1 = box
        for share in (0.7, 0.9, 1.1):
            ids = np.full(size, 7, np.uint8)
            ids[y0:y1, x0:x1] -= rng.random((y1 - y0, x1 - x0)) < share
            mask = (ids == 6).astype(np.uint8)
            found = label(ids, 6, Silhouette(1, box), 1, 2)
            assert found is not None and found.area == mask.sum()
            left, top, width, height = cv2.boundingRect(mask)
            assert found.bbox_xyxy == (left, top, left + width, top + height)
            expected = coco.encode(np.asfortranarray(mask))["counts"].decode()
            assert found.rle == {"size": list(size), "counts": expected}
        assert label(ids, 9, Silhouette(1, box), 1, 2) is None

    def test_outline_keeps_holes_and_parts(self) -> None:
        mask = np.zeros((40, 60), np.uint8)
        mask[2:30, 3:33] = 255
        mask[10:20, 10:25] = 0
        mask[5:35, 40:50] = 255
        mask[38, 55] = 255  # too small to be kept
        rings = outline(np.kron(mask, np.ones((2, 2), np.uint8)))
        assert len(rings) == 2
        mask[38, 55] = 0
        assert np.array_equal(filled(tuple(rings), mask.shape), mask // 255)

    def test_visible_fraction_by_hand(self) -> None:
        ids = np.zeros((40, 60), np.uint8)
        square = stamped(ids, 10, 10, 29, 29)
        assert square.area == 400
        assert found(ids, square).visible_fraction == 1.0
        ids[:, 20:40] = 0  # the right half is behind something
        assert found(ids, square).visible_fraction == 0.5
        assert found(ids, square).bbox_xyxy == (10.0, 10.0, 20.0, 30.0)

    def test_outside_of_the_image_counts_as_hidden(self) -> None:
        ids = np.zeros((40, 60), np.uint8)
        square = stamped(ids, -10, 10, 9, 29)
        assert found(ids, square).visible_fraction == 0.5

    @pytest.mark.parametrize(
        ("seen", "reason"),
        [((20, 9), "too low"), ((6, 12), "too few pixels"), ((2, 60), "a sliver of a large thing")],
    )
    def test_too_little_to_see_gets_no_label(self, seen: tuple[int, int], reason: str) -> None:
        ids = np.zeros((200, 200), np.uint8)
        square = Silhouette(6400, (5, 5, 85, 85))
        ids[10 : 10 + seen[1], 10 : 10 + seen[0]] = 1
        assert label(ids, 1, square, 1, 1) is None, reason

    @pytest.mark.parametrize(
        ("seen", "ignored"),
        [
            ((20, 16), False),  # a fifth is hidden behind something, 320 px of it are seen
            ((20, 15), True),  # too low
            ((9, 16), True),  # too few pixels
            ((10, 16), False),
        ],
    )
    def test_small_things_are_ignored(self, seen: tuple[int, int], ignored: bool) -> None:
        ids = np.zeros((200, 200), np.uint8)
        square = Silhouette(400, (10, 10, 30, 30))
        ids[10 : 10 + seen[1], 10 : 10 + seen[0]] = 1
        assert found(ids, square).ignore is ignored

    @pytest.mark.parametrize(
        ("width", "ignored"), [(24, False), (23, True), (12, True)], ids=["quarter", "less", "1/8"]
    )
    def test_hidden_things_are_ignored(self, width: int, ignored: bool) -> None:
        ids = np.zeros((600, 600), np.uint8)
        square = Silhouette(96**2, (100, 100, 196, 196))
        ids[100:196, 100 : 100 + width] = 1
        assert found(ids, square).ignore is ignored
        small = np.zeros((200, 200), np.uint8)  # where the same part fills 1% of the image
        small[100:196, 100 : 100 + width] = 1
        assert not found(small, square).ignore

    @pytest.mark.parametrize(
        ("footprints", "depths", "expected"),
        [
            # one behind the other, from any order
            ([(0, 1, 5, 6), (0, 1, 9, 10)], [5.5, 9.5], [1, 0]),
            # a long bus beside a car: its middle is nearer, but it stands behind the car
            ([(3, 5, 2, 14), (0, 2, 9, 13)], [8.0, 11.0], [0, 1]),
            # seen from between them neither hides the other: the farther first
            ([(-3, -2, 5, 6), (2, 3, 5, 7)], [5.5, 6.0], [1, 0]),
            ([], [], []),
        ],
    )
    def test_order_of_painting(
        self, footprints: list[Any], depths: list[float], expected: list[int]
    ) -> None:
        places = np.array(footprints, dtype=np.float64).reshape(-1, 4)
        assert back_to_front(places, (0.0, 0.0), np.array(depths)).tolist() == expected


class TestVideo:
    def test_identities(self, video: list[Frame]) -> None:
        classes: dict[int, int] = {}
        for frame in video:
            ids = [i.track_id for i in frame.instances]
            assert len(ids) == len(set(ids)) and min(ids, default=1) >= 1
            for instance in frame.instances:
                assert classes.setdefault(instance.track_id, instance.class_id) == instance.class_id
        assert set(classes) == set(range(1, len(classes) + 1))
        lasting = [k for k in classes if all(k in by_id(frame) for frame in video)]
        assert len(lasting) >= 5

    def test_motion_is_bounded(self, video: list[Frame]) -> None:
        moved = []
        for before, after in itertools.pairwise(video):
            old = by_id(before)
            for key, new in by_id(after).items():
                if key in old and min(new.visible_fraction, old[key].visible_fraction) > 0.8:
                    step = np.array(centre(new)) - centre(old[key])
                    moved.append(np.abs(step).max() / 640)
        assert len(moved) > 150
        assert max(moved) < 0.08
        assert max(moved) > 0.001

    def test_more_frames_per_second_are_smaller_steps(self) -> None:
        steps = {}
        for fps in (5.0, 20.0):
            knobs = dataclasses.replace(SMALL, fps=fps, shake=0.0, density=0.8)
            a, b = (by_id(frame) for frame in render_video(knobs, SEED, 3, 2))
            steps[fps] = np.mean([np.abs(np.array(centre(b[k])) - centre(a[k])).max()
                                  for k in a.keys() & b.keys()])  # fmt: skip
        assert steps[20.0] < 0.6 * steps[5.0]

    def test_shake_moves_picture_and_labels_alike(self) -> None:
        calm, shaken = (
            list(render_video(dataclasses.replace(SMALL, shake=shake), SEED, 3, 6))
            for shake in (0.0, 1.0)
        )
        shifts = [global_shift(a, b) for a, b in zip(calm, shaken, strict=True)]
        assert max(np.hypot(*shift) for shift in shifts) > 2.0
        for a, b, shift in zip(calm, shaken, shifts, strict=True):
            whole = {k: i for k, i in by_id(b).items() if i.visible_fraction == 1.0}
            both = [k for k, i in by_id(a).items() if i.visible_fraction == 1.0 and k in whole]
            for key in both:
                step = np.array(centre(whole[key])) - centre(by_id(a)[key])
                assert np.allclose(step, shift, atol=0.75)

    def test_street_stands_still_without_shake(self) -> None:
        knobs = dataclasses.replace(SMALL, shake=0.0, density=0.0)
        a, b = render_video(knobs, SEED, 2, 2)
        assert np.hypot(*global_shift(a, b)) < 0.1

    def test_nothing_drives_through_anything(self) -> None:
        crossed = 0
        for seed in range(4):
            knobs = SimulatorKnobs(density=1.0, occlusion=0.5 + 0.5 * (seed % 2))
            rng = np.random.default_rng(seed)
            street, camera, _ = make_street(rng, knobs)
            traffic = make_traffic(rng, street, knobs, float(camera.position[0]))
            for _ in range(40):
                boxes = np.array(
                    [(v.lane.x, v.z, *v.body.half_size[:2])
                     for v in traffic.vehicles + traffic.parked]
                )  # fmt: skip
                gap = np.abs(boxes[:, None, :2] - boxes[None, :, :2])
                touching = (gap < boxes[:, None, 2:] + boxes[None, :, 2:] - 0.02).all(axis=2)
                assert touching.sum() == len(boxes)  # each only itself
                for place in traffic.places():
                    away = np.abs(boxes[:, :2] - (place.x, place.z))
                    assert not (away < boxes[:, 2:]).all(axis=1).any()
                    crossed += abs(place.x) < street.road
                traffic.advance(0.5)
        assert crossed > 20


class TestKnobs:
    def test_density(self) -> None:
        few, some, many = (
            sum(len(render_still(replaced(density=d), SEED, k).instances) for k in range(4))
            for d in (0.1, 0.5, 1.0)
        )
        assert few < some < many

    def test_occlusion(self) -> None:
        free, hidden = (mean_fraction(replaced(occlusion=o), 10) for o in (0.0, 1.0))
        assert hidden < free - 0.03

    def test_light(self) -> None:
        day, dusk, night = (
            sum(image(replaced(light=light, fog=0.0), k).mean() for k in (1, 4))
            for light in ("day", "dusk", "night")
        )
        assert night < dusk < day

    def test_fog_takes_contrast(self) -> None:
        clear, foggy = (
            sum(image(replaced(light="day", fog=fog), k).std() for k in (1, 4))
            for fog in (0.0, 1.0)
        )
        assert foggy < 0.95 * clear

    @pytest.mark.parametrize(("width", "height"), [(161, 97), (90, 160), (33, 32), (500, 120)])
    def test_odd_sizes(self, width: int, height: int) -> None:
        knobs = SimulatorKnobs(width=width, height=height, density=1.0, shake=1.0)
        for frame in [render_still(knobs, SEED, 2), *render_video(knobs, SEED, 3, 2)]:
            assert frame.image.shape == (height, width, 3)
            for instance in frame.instances:
                assert coco.decode(instance.rle).shape == (height, width)

    @pytest.mark.parametrize(
        ("name", "value", "allowed"),
        [
            ("width", 31, "32 to 4096"),
            ("width", 640.0, "whole number"),
            ("height", 5000, "32 to 4096"),
            ("height", True, "whole number"),
            ("density", -0.1, "0 to 1"),
            ("density", float("nan"), "0 to 1"),
            ("occlusion", 1.1, "0 to 1"),
            ("fog", "thick", "0 to 1"),
            ("shake", 2, "0 to 1"),
            ("light", "noon", "day, dusk, night, mixed"),
            ("fps", 0.0, "above 0"),
            ("fps", float("inf"), "at most 1000"),
        ],
    )
    def test_refused(self, name: str, value: Any, allowed: str) -> None:
        with pytest.raises(SegtrackError) as caught:
            SimulatorKnobs(**{name: value})
        message = str(caught.value)
        assert name in message and repr(value) in message and allowed in message


def replaced(**changes: Any) -> SimulatorKnobs:
    return dataclasses.replace(SMALL, **changes)


def image(knobs: SimulatorKnobs, index: int) -> NDArray[np.uint8]:
    return render_still(knobs, SEED, index).image


def mean_fraction(knobs: SimulatorKnobs, count: int) -> float:
    """Mean visible share of what the image's border does not cut."""
    shares = []
    for k in range(count):
        for instance in render_still(knobs, SEED, k).instances:
            x0, y0, x1, y1 = instance.bbox_xyxy
            if x0 > 0 and y0 > 0 and x1 < knobs.width and y1 < knobs.height:
                shares.append(instance.visible_fraction)
    return float(np.mean(shares))


def by_id(frame: Frame) -> dict[int, Instance]:
    return {instance.track_id: instance for instance in frame.instances}


def centre(instance: Instance) -> tuple[float, float]:
    x0, y0, x1, y1 = instance.bbox_xyxy
    return ((x0 + x1) / 2, (y0 + y1) / 2)


def found(ids: NDArray[np.uint8], silhouette: Silhouette) -> Instance:
    instance = label(ids, 1, silhouette, 1, 1)
    assert instance is not None
    return instance


def stamped(ids: NDArray[np.uint8], x0: int, y0: int, x1: int, y1: int) -> Silhouette:
    """A rectangle, whose corner pixels are given, as object 1."""
    corners = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], np.float64)
    area, left, top, right, bottom = stamp_whole(ids, corners, np.array([4]), 1)
    return Silhouette(area, (left, top, right, bottom))


def global_shift(a: Frame, b: Frame) -> tuple[float, float]:
    grey = [cv2.cvtColor(f.image, cv2.COLOR_BGR2GRAY).astype(np.float32) for f in (a, b)]
    window = cv2.createHanningWindow((grey[0].shape[1], grey[0].shape[0]), cv2.CV_32F)
    (dx, dy), _ = cv2.phaseCorrelate(grey[0], grey[1], window)
    return dx, dy


def test_a_still_does_not_depend_on_what_was_drawn_before() -> None:
    """Fronts, trees and tiles are kept between stills, and nobody writes to them."""
    knobs, kept = SimulatorKnobs(), (_drawn, _kept, _drawn_tree, _tiles, _noise_tile)
    render_still(knobs, 3, 8)
    after = render_still(knobs, 3, 5)
    for one in kept:
        one.cache_clear()
    first = render_still(knobs, 3, 5)
    assert all(one.cache_info().misses > 0 for one in kept)
    assert same(first, after) and same(first, render_still(knobs, 3, 5))


@pytest.mark.parametrize("x", [-6.0, 0.0, 5.0])
def test_a_tree_stands_on_its_foot(x: float) -> None:
    """Also where the camera looks down, so that its crown leans away from the middle."""
    _, _, light = make_street(np.random.default_rng(SEED), SimulatorKnobs(light="day"))
    camera = look((0.0, 5.0, 0.0), 0.0, -0.2, 600.0, (319.5, 179.5), (640, 360))
    tree = Furniture("tree", x, 14.0, 1.0, 1)
    depth = float(camera.to_camera(np.array([[x, 0.0, 14.0]]))[0, 2])
    sprite = make_tree(np.random.default_rng(SEED), tree, camera, light, (1.0, 0.0), depth)
    assert sprite is not None
    solid = sprite.picture[..., 3] > 127
    foot = camera.to_pixels(camera.to_camera(np.array([[x, 0.02, 14.0]])))[0]
    row = solid[round(foot[1]) - sprite.box[1] - 1]
    assert row.any()
    assert np.flatnonzero(row).mean() + sprite.box[0] == pytest.approx(foot[0], abs=3.0)
    crown = camera.to_pixels(camera.to_camera(np.array([[x, 4.6, 14.0]])))[0]
    assert solid[round(crown[1]) - sprite.box[1], round(crown[0]) - sprite.box[0]]


def test_light_on_the_ground_changes_evenly() -> None:
    """What drives through the light of lamps does not flicker."""
    knobs = SimulatorKnobs(light="night", fog=0.0)
    street, _, scene = make_street(np.random.default_rng(SEED), knobs)
    ground = make_ground_light(street, scene)
    for x in (-3.0, 3.0):
        lamp = np.array([ground.at(x, z)[1] for z in np.arange(5.0, 40.0, 0.1).tolist()])
        assert np.ptp(lamp) > 0.2
        assert np.abs(np.diff(lamp)).max() < 0.03


@pytest.mark.parametrize(
    ("extent", "size", "expected"),
    [
        ((10.0, 10.5), (160, 168), (160, 168)),
        ((10.0, 10.5), (81, 41), (80, 42)),
        ((10.0, 10.5), (1, 1), (5, 5.25)),
        ((1.25, 10.5), (20, 168), (20, 168)),
        ((10.0, 10.5), (9000, 9000), (160, 168)),
    ],
)
def test_a_front_has_about_the_size_that_is_asked_for(
    extent: tuple[float, float], size: tuple[float, float], expected: tuple[float, float]
) -> None:
    front = choose_front(np.random.default_rng(SEED), extent, size, 0.3)
    assert front.shown == pytest.approx(expected)
    rows, columns = front.texture.shape
    assert rows == np.ceil(expected[1]) and columns >= expected[0]


@pytest.mark.parametrize("class_id", [1, 2, 3])
def test_a_vehicle_is_as_large_before_it_is_built(class_id: int) -> None:
    sizes = []
    for seed in range(60):
        body = make_vehicle(class_id, np.random.default_rng(seed)).turned(np.pi * (seed % 2))
        sizes.append(body.half_size)
        assert body.half_size == pytest.approx(body.mesh.half_size, abs=1e-12)
    assert len(set(sizes)) == 60
