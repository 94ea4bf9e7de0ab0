"""What stands in front of what: furniture, houses, and what fades in; and how many are drawn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.trafficsim.staging import BARE, DAY, camera, car, changed, film, inner, mask_of, person
from trafficsim.furniture import make_sprite
from trafficsim.groundlight import make_ground_light
from trafficsim.scene import Building, Furniture

EYE_LEVEL = camera(1.7, 0.0)


def test_a_post_hides_who_stands_behind_it() -> None:
    street = replace(BARE, furniture=(Furniture("postbox", 0.0, 6.0, 1.0, 1),))
    empty, post = (film(EYE_LEVEL, DAY, s).image for s in (BARE, street))
    alone, hidden = (film(EYE_LEVEL, DAY, s, people=[person(0.1, 9.0)]) for s in (BARE, street))
    solid = changed(empty, post)
    assert inner(solid).sum() > 200
    assert np.array_equal(hidden.image[inner(solid)], post[inner(solid)])
    (whole,), (rest,) = alone.instances, hidden.instances
    overlap = mask_of(whole) & solid
    assert 0.3 < overlap.sum() / whole.area < 0.9
    assert not (mask_of(rest) & inner(solid)).any()
    assert np.array_equal(mask_of(rest) & ~solid, mask_of(whole) & ~solid)
    assert whole.visible_fraction == 1.0
    assert rest.visible_fraction == pytest.approx(rest.area / whole.area)
    assert rest.visible_fraction < 0.75


def test_a_post_behind_somebody_hides_nothing() -> None:
    street = replace(BARE, furniture=(Furniture("postbox", 0.0, 12.0, 1.0, 1),))
    alone, before = (film(EYE_LEVEL, DAY, s, people=[person(0.1, 9.0)]) for s in (BARE, street))
    (whole,), (same,) = alone.instances, before.instances
    assert same.rle == whole.rle and same.visible_fraction == 1.0
    inside = inner(mask_of(whole))
    assert np.array_equal(alone.image[inside], before.image[inside])


def test_a_near_house_hides_a_far_one() -> None:
    view = camera(pitch=0.05)
    near, far = Building(-1, 12.0, 22.0, 6.0, 0.0, 3), Building(-1, 26.0, 40.0, 6.0, 0.0, 4)
    none, one, other, both = (
        film(view, DAY, replace(BARE, buildings=houses)).image
        for houses in ((), (near,), (far,), (near, far))
    )
    front, behind = inner(changed(none, one)), inner(changed(none, other))
    assert (front & behind).sum() > 300 and (behind & ~front).sum() > 100
    assert np.array_equal(both[front], one[front])
    assert changed(both, one)[behind & ~front].mean() > 0.9


def test_the_paint_of_furniture_is_seen() -> None:
    ground, found = make_ground_light(BARE, DAY), set()
    for seed in range(12):
        piece = Furniture("postbox", 0.0, 6.0, 1.0, 1)
        sprite = make_sprite(np.random.default_rng(seed), piece, EYE_LEVEL, DAY, ground)
        assert sprite is not None
        blue, green, red, _ = sprite.picture[sprite.picture[..., 3] == 255].mean(axis=0)
        if red > 2.0 * max(blue, green):
            found.add("red")
        elif blue > 1.5 * max(green, red):
            found.add("blue")
        elif min(green, red) > 2.0 * blue:
            found.add("yellow")
    assert found == {"red", "blue", "yellow"}


@pytest.mark.parametrize("kind", ["postbox", "hydrant", "planter", "tree"])
def test_edges_of_furniture_have_its_own_colours(kind: str) -> None:
    """No line is seen around it: where it covers a part of a pixel, its colour is that part."""
    grey = replace(DAY, haze_density=9.0)  # in which everything is of the colour of the haze
    ground, piece = make_ground_light(BARE, grey), Furniture(kind, 0.3, 7.0, 1.0, 1)
    sprite = make_sprite(np.random.default_rng(0), piece, EYE_LEVEL, grey, ground)
    assert sprite is not None
    cover = sprite.picture[..., 3:].astype(float)
    assert ((cover > 60) & (cover < 200)).sum() > 10
    assert np.abs(sprite.picture[..., :3] - cover * (200.0 / 255.0)).max() < 3.0


@pytest.mark.parametrize("side", [-1, 1])
def test_a_piece_at_the_edge_of_the_picture_is_there(side: int) -> None:
    ground, right = make_ground_light(BARE, DAY), 0.5 * 320 / 256 * 8.0  # m, at a depth of 8 m
    for beyond, seen in ((-0.8, True), (0.5, True), (9.0, False)):
        piece = Furniture("kiosk", side * (right + beyond), 8.0, 1.0, side)
        sprite = make_sprite(np.random.default_rng(0), piece, EYE_LEVEL, DAY, ground)
        assert (sprite is not None) is seen, beyond
        if sprite is not None:
            assert sprite.box[2] == 320 if side > 0 else sprite.box[0] == 0
            edge = sprite.picture[:, -1 if side > 0 else 0]
            assert (edge[:, 3] == 255).sum() > 30


def test_of_three_hundred_people_no_more_are_drawn_than_have_a_number() -> None:
    view = camera(15.0, -0.75, (640, 480))
    columns, rows = np.meshgrid(15.0 + 21.0 * np.arange(30), 130.0 + 36.0 * np.arange(10))
    feet = np.stack([columns.ravel(), rows.ravel()], axis=1)  # px, so that nobody hides another
    rays = np.insert((feet - view.centre) / view.focal, 2, 1.0, axis=1) @ view.rotation
    places = view.position - rays * (view.position[1] / rays[:, 1:2])
    people = [
        person(x, z, np.pi, 1_000_000 + 10_000 * k) for k, (x, _, z) in enumerate(places.tolist())
    ]
    frame = film(view, DAY, people=people)
    assert len(frame.instances) == 250
    assert min(i.visible_fraction for i in frame.instances) > 0.5
    boxes = np.array([i.bbox_xyxy for i in frame.instances])
    heads = view.to_pixels(view.to_camera(places + np.array([0.0, 1.75, 0.0])))
    away = np.abs(0.5 * (feet + heads) - 0.5 * (boxes[:, :2] + boxes[:, 2:])[:, None]).max(axis=2)
    assert away.min(axis=1).max() < 8.0 and len(set(away.argmin(axis=1).tolist())) == 250


def test_what_fades_in_is_half_transparent_and_has_no_label_before_that() -> None:
    """The same car before the end of a street, which is nearer from picture to picture."""
    shares = 0.45, 0.55, 1.0
    streets = [replace(BARE, end=12.0 + 10.0 + 8.0 * share) for share in shares]
    empty = [film(EYE_LEVEL, DAY, street).image.astype(float) for street in streets]
    frames = [film(EYE_LEVEL, DAY, street, vehicles=[car(0.0, 12.0)]) for street in streets]
    assert [len(frame.instances) for frame in frames] == [0, 1, 1]
    inside = inner(mask_of(frames[2].instances[0]))
    inside[100:] = False  # there its shadow is seen through it
    assert inside.sum() > 200
    full = frames[2].image.astype(float)
    for share, frame, street in zip(shares, frames, empty, strict=True):
        assert np.abs(full - street)[inside].mean() > 10.0
        expected = share * full + (1.0 - share) * street
        assert np.abs(frame.image - expected)[inside].max() < 2.0, share
