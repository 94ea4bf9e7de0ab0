"""How people carry themselves, in the picture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.trafficsim.staging import DAY, camera, figure, film, mask_of, person
from trafficsim.poses import see_figure

GREEN = (0.0, 255.0, 0.0)
EYE_LEVEL = camera(1.7, 0.0)


@pytest.mark.parametrize(
    ("facing", "low", "high", "side"),
    [
        (0.0, 0.1, 0.4, 0),  # walks away
        (np.pi, 0.0, 0.01, 0),
        (0.5 * np.pi + 0.3, 0.01, 0.2, -1),  # to the right, a little towards the camera
        (-0.5 * np.pi - 0.3, 0.01, 0.2, 1),
    ],
    ids=["from behind", "from the front", "from its left", "from its right"],
)
def test_a_backpack_is_on_the_back(facing: float, low: float, high: float, side: int) -> None:
    walker = person(0.0, 6.0, facing)
    walker = replace(walker, figure=replace(figure(), backpack=GREEN, top=(200.0, 0.0, 0.0)))
    frame = film(EYE_LEVEL, DAY, people=[walker])
    (one,) = frame.instances
    blue, green, red = np.moveaxis(frame.image.astype(int), 2, 0)
    pack = mask_of(one) & (green > 80) & (blue < 30) & (red < 30)
    assert low <= pack.sum() / one.area <= high
    if side:
        away = np.nonzero(pack)[1].mean() - 159.5
        assert side * away > 3.0


@pytest.mark.parametrize("phase", [0.5 * np.pi, 1.5 * np.pi])
def test_arms_swing_against_legs(phase: float) -> None:
    walking = replace(figure(), bag=(0.0, 0.0, 250.0), bottom=(0.0, 200.0, 0.0))
    heading = 0.5 * np.pi + 0.3  # to the right, and a little towards the camera
    points, counts, colours = see_figure(
        EYE_LEVEL.rotation, EYE_LEVEL.position, EYE_LEVEL.lens, np.array([0.0, 0.0, 6.0]),
        walking.rows, heading, phase, DAY.rows, (0.0, 0.0, 0.0),
    )  # fmt: skip
    parts = np.split(points[:, 0], np.cumsum(counts)[:-1])

    def where(colour: tuple[float, float, float], gain: float) -> NDArray[np.float64]:
        wanted = 0.4 * gain * np.array(colour)
        found = [
            part for part, tone in zip(parts, colours, strict=True) if tone == pytest.approx(wanted)
        ]
        assert found
        return np.concatenate(found)

    # of its legs the one on the picture's left, which is its right one, is darker; in that hand
    # it has the bag
    leg = where(walking.bottom, 0.88).mean() - 159.5
    bag = where((0.0, 0.0, 250.0), 1.0).mean() - 159.5
    assert abs(leg) > 5.0 and abs(bag) > 3.0
    assert leg * bag < 0.0


def test_what_is_carried_in_the_far_hand_is_behind_the_legs() -> None:
    """A bag is in the right hand."""
    seen = []
    for facing in (0.5 * np.pi, -0.5 * np.pi):  # from its right and from its left
        dressed = replace(figure(), bag=GREEN, bottom=(200.0, 0.0, 0.0))
        image = film(
            EYE_LEVEL, DAY, people=[replace(person(0.0, 6.0, facing), figure=dressed)]
        ).image
        body = image[80:150, 140:180].astype(int)
        seen.append(((body[..., 1] > 150) & (body[..., ::2].max(axis=2) < 60)).sum())
    assert seen[0] > 1.3 * seen[1] and seen[0] > 20, seen
