"""Which images are chosen, by hand and beside all other choices."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from segtrack.curation import in_doubt, k_center, least_per_group, shortlist, standardized
from segtrack.curation.choosing import nearest


def column(*values: float) -> np.ndarray:
    return np.array(values, float).reshape(-1, 1)


def alone(count: int) -> np.ndarray:
    """Every image a group of its own."""
    return np.arange(count)


def test_in_doubt_is_the_number_of_predictions_that_are_expected_to_be_wrong() -> None:
    score, owner = np.array([0.9, 0.5, 0.2, 1.0, 0.25]), np.array([0, 0, 0, 2, 3])
    assert in_doubt(score, owner, 4) == pytest.approx([0.1 + 0.5 + 0.2, 0, 0, 0.25])


@pytest.mark.parametrize("count, limit", [(1, 1), (3, 1), (4, 2), (5, 3), (7, 5), (99, 5)])
def test_no_group_gives_more_than_it_takes(count: int, limit: int) -> None:
    assert least_per_group(np.array([0, 0, 0, 1, 2, 0, 0]), count) == limit


def test_a_shortlist_holds_the_largest_values_of_every_group() -> None:
    value, group = np.array([5.0, 9, 7, 6, 8, 7]), np.array([1, 0, 0, 1, 0, 2])
    assert shortlist(value, group, 2, 1).tolist() == [1, 5]
    assert shortlist(value, group, 3, 1).tolist() == [1, 5, 3]
    assert shortlist(value, group, 3, 2).tolist() == [1, 4, 5]
    assert shortlist(value, group, 2, 1, among=2).tolist() == [1, 4, 5, 3]
    assert shortlist(value, alone(6), 2, 1, among=2).tolist() == [1, 4, 2, 5]
    assert shortlist(value, group, 99, 99).tolist() == [1, 4, 2, 5, 3, 0]


def test_a_shortlist_always_leaves_enough_groups_to_choose_from() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        group = np.unique(rng.integers(0, rng.integers(1, 9), 30), return_inverse=True)[1]
        count, among = int(rng.integers(1, 31)), int(rng.integers(1, 5))
        limit = least_per_group(group, count)
        found = shortlist(rng.random(30), group, count, limit, among)
        assert np.minimum(np.bincount(group[found]), limit).sum() >= count
        assert len(set(found.tolist())) == len(found) <= among * count


def test_k_center_by_hand() -> None:
    features, value = column(0, 1, 2, 10, 11), np.array([0.0, 1, 0, 2, 0])
    every = np.arange(5)
    found = k_center(features, column(0.5), every, value, alone(5), 4, 1)
    # 11 is farthest (10.5), then 2 (1.5), then 10 (1), then 0 and 1 are as far (.5).
    assert found.order.tolist() == [4, 2, 3, 1]
    assert found.distance == pytest.approx([0.5, 0.5, 1.5, 1, 10.5])
    # Nothing is covered: the largest value is the first, and 0 farthest from it.
    found = k_center(features, np.zeros((0, 1)), every, value, alone(5), 2, 1)
    assert found.order.tolist() == [3, 0]
    assert math.isinf(found.distance[3])
    assert found.distance[[0, 1, 2, 4]] == pytest.approx([10, 1, 2, 1])
    # What is not a candidate is never taken, and its distance is known.
    found = k_center(features, column(0.5), every[:3], value, alone(5), 9, 1)
    assert found.order.tolist() == [2, 1, 0]
    assert found.distance[[3, 4]] == pytest.approx([8, 9])


def test_k_center_takes_no_more_of_a_group_than_allowed() -> None:
    features, group = column(100, 90, 80, 3, 2.5, 1), np.array([0, 0, 0, 1, 1, 2])
    every, value = np.arange(6), np.zeros(6)
    found = k_center(features, column(0), every, value, group, 4, 1)
    assert found.order.tolist() == [0, 3, 5], "fewer than asked for"
    found = k_center(features, column(0), every, value, group, 4, 2)
    assert found.order.tolist() == [0, 2, 3, 5]


def test_k_center_is_a_prefix_of_a_larger_choice_and_at_most_twice_the_best_radius() -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        features, covered = rng.normal(size=(9, 2)), rng.normal(size=(2, 2))
        every, value = np.arange(9), rng.random(9)
        found = k_center(features, covered, every, value, alone(9), 3, 1)
        more = k_center(features, covered, every, value, alone(9), 6, 1)
        assert more.order[:3].tolist() == found.order.tolist()
        assert (np.diff(found.distance[found.order]) <= 1e-9).all()
        radius = found.distance[np.setdiff1d(every, found.order)].max()
        best = min(
            nearest(features, np.concatenate([covered, features[list(some)]])).max()
            for some in itertools.combinations(range(9), 3)
        )
        assert best - 1e-9 <= radius <= 2 * best + 1e-9


def test_distances_are_those_of_scipy() -> None:
    from scipy.spatial.distance import cdist

    rng = np.random.default_rng(2)
    features, covered = rng.normal(size=(1500, 5)), rng.normal(size=(7, 5))
    assert nearest(features, covered) == pytest.approx(cdist(features, covered).min(1))
    assert nearest(features, features[:1])[0] == pytest.approx(0, abs=1e-6)


def test_features_are_brought_to_one_scale() -> None:
    rng = np.random.default_rng(3)
    raw = rng.normal(size=(400, 8)) * np.geomspace(1e-3, 1e3, 8) + 5
    raw[:, 3] = 7.0  # a channel that is off
    one, other = standardized(raw[:300], raw[300:])
    every = np.concatenate([one, other])
    assert every[:, 3] == pytest.approx(0)
    assert every.mean(0) == pytest.approx(0, abs=1e-9)
    live = np.delete(every, 3, axis=1)
    assert live.std(0) == pytest.approx(1 / math.sqrt(7))
    gaps = ((every[:, None] - every[None]) ** 2).sum(2)
    assert math.sqrt(gaps.mean()) == pytest.approx(math.sqrt(2))
