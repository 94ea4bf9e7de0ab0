"""Division into splits: shares, groups, balance, the same every time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segtrack.base.errors import SettingsError
from segtrack.dataset.splits import Grouping, Strata, divide, fractions_of, strata, targets
from segtrack.settings import SPLITS, SplitFractions

DEFAULT = fractions_of(SplitFractions())


def make(groups: list[int], classes: list[list[int]], class_count: int) -> Strata:
    """From the group and the classes of every image."""
    owner = [i for i, found in enumerate(classes) for _ in found]
    ids = [c for found in classes for c in found]
    return strata(
        np.array(groups, np.int64), np.array(owner, np.int64), np.array(ids, np.int32), class_count
    )


@st.composite
def images(draw: st.DrawFn) -> tuple[list[int], list[list[int]], np.ndarray]:
    count = draw(st.integers(1, 60))
    groups = draw(st.lists(st.integers(0, 12), min_size=count, max_size=count))
    groups = np.unique(groups, return_inverse=True)[1].tolist()
    classes = draw(st.lists(st.lists(st.integers(0, 3)), min_size=count, max_size=count))
    weights = np.array(draw(st.lists(st.integers(0, 5), min_size=4, max_size=4)), float)
    fractions = weights / weights.sum() if weights.sum() else np.array([1.0, 0, 0, 0])
    return groups, classes, fractions


@settings(deadline=None)
@given(images(), st.integers(0, 3))
def test_any_division(found: tuple[list[int], list[list[int]], np.ndarray], seed: int) -> None:
    groups, classes, fractions = found
    divided = divide(make(groups, classes, 4), fractions, seed)
    assert np.array_equal(divided, divide(make(groups, classes, 4), fractions, seed))
    assert len(divided) == max(groups) + 1  # one split per group: a group is never divided
    assert (fractions[divided] > 0).all()  # a split of share 0 gets nothing
    wanted = targets(len(groups), fractions)
    got = np.bincount(divided[groups], minlength=4)
    largest = int(np.bincount(groups).max())
    # A group comes whole, so a split is off by less than the largest group at most.
    assert (np.abs(got - wanted) <= largest * 3).all()
    # Single images: exactly.
    alone = divide(make(list(range(len(groups))), classes, 4), fractions, seed)
    assert np.array_equal(np.bincount(alone, minlength=4), wanted)


def test_every_class_gets_its_share() -> None:
    rng = np.random.default_rng(0)
    # 400 images; class 0 in all, class 1 in 100, class 2 in 20.
    classes = [[0] + [1] * (i % 4 == 0) + [2] * (i % 20 == 7) for i in range(400)]
    rng.shuffle(classes)
    divided = divide(make(list(range(400)), classes, 3), DEFAULT, seed=1)
    assert np.bincount(divided, minlength=4).tolist() == [280, 60, 60, 0]
    for class_id, expected in ((1, [70, 15, 15, 0]), (2, [14, 3, 3, 0])):
        having = divided[[class_id in c for c in classes]]
        assert np.bincount(having, minlength=4).tolist() == expected


def test_another_seed_is_another_division() -> None:
    groups = make(list(range(100)), [[0]] * 100, 1)
    assert not np.array_equal(divide(groups, DEFAULT, 0), divide(groups, DEFAULT, 1))


def test_large_groups_do_not_starve_the_small_splits() -> None:
    # 10 groups of 10 images: 70, 15 and 15 of 100 can only be 70 and two of 10 or 20.
    groups = [i // 10 for i in range(100)]
    divided = divide(make(groups, [[0]] * 100, 1), DEFAULT, 0)
    counts = np.bincount(divided[groups], minlength=4).tolist()
    assert counts[0] == 70
    assert sorted(counts[1:]) == [0, 10, 20]


@pytest.mark.parametrize(
    ("count", "expected"),
    [(0, [0, 0, 0, 0]), (1, [1, 0, 0, 0]), (10, [7, 2, 1, 0]), (100, [70, 15, 15, 0])],
)
def test_targets(count: int, expected: list[int]) -> None:
    assert targets(count, DEFAULT).tolist() == expected


@pytest.mark.parametrize(
    ("pattern", "names", "numbers"),
    [
        (None, ["a1", "a2", "a1"], [0, 1, 2]),
        (r"^[a-z]+", ["a1", "a2", "b1", "a3"], [0, 0, 1, 0]),  # all of the match
        (r"(cam\d)_\d+", ["cam1_7", "cam2_7", "cam1_8"], [0, 1, 0]),  # what is captured
        (r"cam(\d)", ["cam1", "x", "x", "cam1"], [0, 1, 2, 0]),  # no match: on its own
        (r"(a)|(b)", ["a", "b", "ab"], [0, 1, 0]),
    ],
)
def test_grouping(pattern: str | None, names: list[str], numbers: list[int]) -> None:
    grouping = Grouping(pattern)
    assert [grouping.number(name) for name in names] == numbers


def test_bad_settings() -> None:
    with pytest.raises(SettingsError, match=r"group_by is '\(', not a regular expression"):
        Grouping("(")
    with pytest.raises(SettingsError, match=r"train 0.7, val 0.2, test 0.15.*sum to 1.05"):
        fractions_of(SplitFractions(val=0.2))
    with pytest.raises(SettingsError, match="0 to 1"):
        fractions_of(SplitFractions(train=1.5, val=-0.5, test=0))
    assert SPLITS == ("train", "val", "test", "pool")
