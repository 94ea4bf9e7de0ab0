"""AP without each image: by hand, against pycocotools without that image, and what is refused."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from segtrack.base.errors import DataError, SettingsError
from segtrack.base.statistics import Estimate, compare
from segtrack.evaluation.jackknife import METRICS, blocks_of, check_paired, estimates
from segtrack.evaluation.matching import KINDS
from segtrack.evaluation.measurement import measure
from segtrack.evaluation.ranking import precisions
from segtrack.evaluation.units import ImageUnits, MatchedDetections
from segtrack.evaluation.visible import VisibleObjects
from segtrack.settings import EvaluationSettings
from tests.evaluation.scenes import (
    Detection,
    HandMade,
    Object,
    hand_made,
    random_scene,
    write_predictions,
)
from tests.evaluation.test_scores import independent

NAMES = ("car", "person", "truck")
BOX, FAR = (10, 10, 10, 10), (60, 60, 10, 10)
CROWD = (50, 50, 40, 40)
SHIFTED = (12, 10, 10, 10)  # IoU .667: right at 4 of 10 thresholds
HALF = 51 / 101  # precision 1 at the recalls 0, .01, ..., .50, then 0
NAN = float("nan")

# name: objects and detections of some images; AP at IoU .5 of all of them, without each, of each
CASES = {
    "found in one image, missed in the other, where a false one is surer": (
        [Object(0, 0, BOX), Object(1, 0, BOX)],
        [Detection(0, 0, 0.9, BOX), Detection(1, 0, 0.95, FAR)],
        # after the false one the right one: precision 1/2, recall 1/2
        (HALF / 2, (0, 1), (1, 0)),
    ),
    "two false before one right in three": (
        [Object(0, 0, BOX), Object(1, 0, BOX), Object(2, 0, BOX)],
        [Detection(0, 0, 0.9, BOX), Detection(1, 0, 0.95, FAR), Detection(2, 0, 0.97, FAR)],
        # precision 1/3 up to the recall 1/3; of the two that are left 1/2 up to 1/2
        (34 / 101 / 3, (0, HALF / 2, HALF / 2), (1, 0, 0)),
    ),
    "a false one between right ones": (
        [Object(0, 0, BOX), Object(1, 0, BOX), Object(2, 0, BOX)],
        [
            Detection(0, 0, 0.9, BOX),
            Detection(1, 0, 0.8, FAR),
            Detection(1, 0, 0.7, BOX),
            Detection(2, 0, 0.6, BOX),
        ],
        # precision 1 up to the recall 1/3, then 3/4; without the first 2/3 everywhere
        ((34 + 67 * 3 / 4) / 101, (2 / 3, 1, (51 + 50 * 2 / 3) / 101), (1, 1 / 2, 1)),
    ),
    "classes that only one image has: the mean is over those that are left": (
        [Object(0, 0, BOX), Object(1, 1, BOX)],
        [Detection(0, 0, 0.9, BOX), Detection(0, 1, 0.9, FAR), Detection(1, 1, 0.8, BOX)],
        # of persons the false one is first; it does not count where nobody is
        ((1 + 1 / 2) / 2, (1, 1), (1, 1)),
    ),
    "crowds are neither right nor wrong, and no objects": (
        [Object(0, 0, BOX), Object(1, 0, CROWD, crowd=True)],
        [Detection(1, 0, 0.95, (55, 55, 9, 9)), Detection(0, 0, 0.9, BOX)],
        (1, (NAN, 1), (1, NAN)),
    ),
    "a class that was missed everywhere": (
        [Object(0, 0, BOX), Object(1, 0, BOX), Object(1, 1, FAR)],
        [Detection(0, 0, 0.9, BOX), Detection(1, 0, 0.9, BOX)],
        (0.5, (0.5, 1), (1, 0.5)),
    ),
    "equal scores in two images: those of the first come first": (
        [Object(0, 0, BOX), Object(1, 0, BOX)],
        [Detection(0, 0, 0.5, BOX), Detection(1, 0, 0.5, FAR), Detection(1, 0, 0.4, BOX)],
        # right; false; right
        ((51 + 50 * 2 / 3) / 101, (1 / 2, 1), (1, 1 / 2)),
    ),
    "equal scores in one image: as they stand": (
        [Object(0, 0, BOX), Object(1, 0, BOX)],
        [Detection(0, 0, 0.5, FAR), Detection(0, 0, 0.5, BOX), Detection(1, 0, 0.4, BOX)],
        # false, right, right: the highest from each recall on is 2/3
        (2 / 3, (1, 1 / 2), (1 / 2, 1)),
    ),
}


def evaluated(
    folder: Path,
    objects: Sequence[Object],
    found: Sequence[Detection],
    images: int = 2,
    group_by: str | None = None,
) -> ImageUnits:
    dataset = hand_made(NAMES, images, objects)
    predictions = write_predictions(folder, NAMES, images, found)
    return measure(dataset, "test", predictions, EvaluationSettings(), group_by).units


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_by_hand(tmp_path: Path, case: tuple[list[Object], list[Detection], tuple]) -> None:
    objects, found, (whole, without, alone) = case
    units = evaluated(tmp_path, objects, found, len(without))
    for kind in KINDS:
        got = estimates(units, [f"{kind}_map50"])[f"{kind}_map50"]
        assert got.names == tuple(f"image {i}.png" for i in range(len(without)))
        np.testing.assert_allclose(got.whole, [whole], atol=1e-12)
        np.testing.assert_allclose(got.without, [without], atol=1e-12)
        np.testing.assert_allclose(got.alone, [alone], atol=1e-12)
        counts = [sum(o.image == i and not o.crowd for o in objects) for i in range(len(without))]
        assert got.size.tolist() == counts


def test_all_thresholds_and_one_class(tmp_path: Path) -> None:
    """A shifted detection is right at 4 of 10 thresholds; a class may be in one image only."""
    objects = [Object(0, 0, BOX), Object(1, 0, BOX), Object(1, 1, FAR)]
    found = [Detection(0, 0, 0.9, BOX), Detection(1, 0, 0.8, SHIFTED)]
    got = estimates(
        evaluated(tmp_path, objects, found),
        ["box_map50_95", "class/car/box_map50_95", "class/person/box_map50_95"],
    )
    cars = 0.4 + 0.6 * HALF
    for metric, whole, without, alone, size in [
        ("box_map50_95", cars / 2, (0.2, 1), (1, 0.2), (1, 2)),
        ("class/car/box_map50_95", cars, (0.4, 1), (1, 0.4), (1, 1)),
        ("class/person/box_map50_95", 0, (0, NAN), (NAN, 0), (0, 1)),
    ]:
        assert got[metric].whole == pytest.approx([whole])
        np.testing.assert_allclose(got[metric].without, [without], atol=1e-12)
        np.testing.assert_allclose(got[metric].alone, [alone], atol=1e-12)
        assert got[metric].size.tolist() == list(size)


def rest(dataset: HandMade, found: list[Detection], group: str) -> tuple[HandMade, list[Detection]]:
    """The data set without the images whose names begin so."""
    rows = [row for row in dataset.rows if not row.file_name.startswith(group)]
    ids = {row.image_id for row in rows}
    annotations = [a for a in dataset.annotations if a["image_id"] in ids]
    return HandMade(dataset.names, rows, annotations), [d for d in found if d.image in ids]


@pytest.mark.parametrize("seed", range(3))
def test_equals_pycocotools_without_each_group(tmp_path: Path, seed: int) -> None:
    """Scenes with crowds, equal scores, groups of one to three images, and rare classes."""
    size = 12
    dataset, found = random_scene(seed, NAMES, size)
    names = [f"{'abcdefgh'[i * 7 % 8]}-{i:02d}.png" for i in range(size)]
    rows = [replace(row, file_name=n) for row, n in zip(dataset.rows, names, strict=True)]
    dataset = replace(dataset, rows=rows)
    predictions = write_predictions(tmp_path / "whole", NAMES, size, found)
    units = measure(dataset, "test", predictions, EvaluationSettings(), "^[a-z]-").units
    got = estimates(units, METRICS)
    assert got[METRICS[0]].names == tuple(f"{letter}-" for letter in "abcdefgh")
    for place, group in enumerate(["none", *got[METRICS[0]].names]):
        left, of_left = rest(dataset, found, group)
        kept = write_predictions(tmp_path / group, NAMES, size, of_left)
        for kind in KINDS:
            expected = independent(left, kept, kind)[:2]
            each = [got[f"{kind}_map50_95"], got[f"{kind}_map50"]]
            values = [e.without[0, place - 1] if place else e.whole[0] for e in each]
            np.testing.assert_allclose(values, expected, atol=1e-12, rtol=0)


def test_images_are_paired_by_name_whatever_their_ids(tmp_path: Path) -> None:
    """The same images numbered in reverse: every score is the same, so nothing differs."""
    size = 12
    dataset, found = random_scene(3, NAMES, size)
    rng = np.random.default_rng(0)
    found = [replace(d, score=float(s)) for d, s in zip(found, rng.random(len(found)), strict=True)]
    turned = HandMade(
        NAMES,
        [replace(row, image_id=size - 1 - row.image_id) for row in dataset.rows[::-1]],
        [{**a, "image_id": size - 1 - a["image_id"]} for a in dataset.annotations],
    )
    each: list[Estimate] = []
    for name, data, detections in [
        ("a", dataset, found),
        ("b", turned, [replace(d, image=size - 1 - d.image) for d in found]),
    ]:
        predictions = write_predictions(tmp_path / name, NAMES, size, detections)
        units = measure(data, "test", predictions, EvaluationSettings()).units
        each.append(estimates(units)[METRICS[0]])
    one, other = each
    assert np.std(one.without) > 0.005
    assert one.names == other.names
    np.testing.assert_allclose(one.without, other.without, atol=1e-12)
    np.testing.assert_allclose(one.alone, other.alone, atol=1e-12)


def test_very_many_groups_become_random_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = 12
    dataset, found = random_scene(4, NAMES, size)
    predictions = write_predictions(tmp_path, NAMES, size, found)
    units = measure(dataset, "test", predictions, EvaluationSettings()).units
    every = estimates(units)[METRICS[0]]
    monkeypatch.setattr("segtrack.evaluation.jackknife.MOST", 5)
    monkeypatch.setattr("segtrack.evaluation.jackknife.LEAST", 5)
    blocks = estimates(units)[METRICS[0]]
    assert blocks.names == ("0", "1", "2", "3", "4")
    assert blocks.whole == every.whole
    assert blocks.size.sum() == every.size.sum()
    assert len(set(blocks.without[0].tolist())) == 5


@pytest.mark.parametrize(
    ("groups", "images", "blocks"),
    [
        (7, 7, 7),
        (5000, 5000, 5000),
        (20_000, 20_000, 5000),
        (40_000, 40_000, 2500),
        (200_000, 200_000, 500),
        (1_000_000, 1_000_000, 500),
        (1000, 1_000_000, 500),
        (300, 1_000_000, 300),
    ],
)
def test_blocks_of_very_many_images_cost_no_more(groups: int, images: int, blocks: int) -> None:
    assert blocks_of(groups, images) == blocks


def test_one_image(tmp_path: Path) -> None:
    a = evaluated(tmp_path / "a", [Object(0, 0, BOX)], [Detection(0, 0, 0.9, BOX)], images=1)
    got = estimates(a)[METRICS[0]]
    assert got.whole == pytest.approx([1])
    assert got.alone[0] == pytest.approx([1])
    assert np.isnan(got.without).tolist() == [[True]]


def test_seeds_are_rows(tmp_path: Path) -> None:
    objects = [Object(0, 0, BOX), Object(1, 0, BOX)]
    runs = [
        evaluated(tmp_path / "a", objects, [Detection(0, 0, 0.9, BOX)]),
        evaluated(tmp_path / "b", objects, [Detection(i, 0, 0.9, BOX) for i in (0, 1)]),
    ]
    got = estimates(runs, ["mask_map50"])["mask_map50"]
    assert got.whole == pytest.approx([HALF, 1])
    np.testing.assert_allclose(got.without, [[0, 1], [1, 1]], atol=1e-12)
    np.testing.assert_allclose(got.alone, [[1, 0], [1, 1]], atol=1e-12)


def test_what_cannot_be_compared(tmp_path: Path) -> None:
    a = evaluated(tmp_path / "a", [Object(0, 0, BOX)], [])
    b = evaluated(tmp_path / "b", [Object(0, 0, FAR)], [])
    text = (
        f"A on the split test with fingerprint {a.fingerprint[:16]} .2 images, 1 objects., "
        f"B on the split test with fingerprint {b.fingerprint[:16]} .2 images, 1 objects."
    )
    with pytest.raises(DataError, match=text):
        check_paired(a, b, ("A", "B"))
    grouped = evaluated(tmp_path / "g", [Object(0, 0, BOX)], [], group_by="^image")
    assert estimates(grouped)[METRICS[0]].names == ("image",)
    with pytest.raises(DataError, match=r"A has 2, B 1\. Evaluate both with the same dataset"):
        check_paired(a, grouped, ("A", "B"))
    for metric in ("mask_map75", "class/bus/mask_map50", "class/mask_map50", "HOTA"):
        with pytest.raises(SettingsError, match=f"{metric}: there is no such score .* mask_map50,"):
            estimates(a, [metric])
    with pytest.raises(DataError, match="class/person/box_map50: the split test has no objects"):
        estimates(a, ["class/person/box_map50"])
    empty = evaluated(tmp_path / "c", [], [Detection(0, 0, 0.9, BOX)])
    with pytest.raises(DataError, match="mask_map50_95: the split test has no objects"):
        estimates(empty)


def street(images: int, seed: int, skill: float) -> ImageUnits:
    """One class. How many objects an image has and how many of them are found depends on the image:
    it is as hard for every run. ``skill`` is added to the rate at which objects are found."""
    world, run = np.random.default_rng(seed), np.random.default_rng([seed, int(1000 * skill)])
    objects = 1 + world.poisson(4, images)
    rate = np.clip(world.uniform(0.4, 0.8, images) + skill, 0, 1)
    hits, wrong = run.binomial(objects, rate), world.poisson(2, images)
    count = hits + wrong
    right = np.repeat(np.tile([1023, 0], images), np.column_stack([hits, wrong]).ravel())
    score = np.where(right > 0, run.beta(4, 2, len(right)), run.beta(2, 4, len(right)))
    kept = MatchedDetections(
        count, score.astype(np.float32), right.astype(np.uint16), np.zeros(len(right), np.uint16)
    )
    cells, of_class = np.arange(images), np.zeros(images, np.int16)
    nothing = VisibleObjects.of([])
    names = cells.astype(str)
    return ImageUnits(
        "test", "", ("car",), names, of_class, cells, objects, {"mask": kept}, nothing
    )


def test_coverage_of_the_interval() -> None:
    """95% intervals over 40 images hold the population's difference in about 95 of 100 worlds."""
    a, b = (street(20_000, 0, skill) for skill in (0, 0.05))
    metric = "mask_map50"
    whole = [precisions(units, "mask", np.zeros(20_000, int)).whole[0, 0] for units in (a, b)]
    true = whole[1] - whole[0]
    assert 0.03 < true < 0.08
    held = 0
    for world in range(1, 201):
        one, other = (estimates(street(40, world, skill), [metric]) for skill in (0, 0.05))
        found = compare(one[metric], other[metric])
        held += found.low <= true <= found.high
    assert 0.91 <= held / 200 <= 0.99


def test_two_images_give_an_interval_within_what_scores_can_differ_by() -> None:
    one, other = (estimates(street(2, 1, skill), ["mask_map50"])["mask_map50"] for skill in (0, 1))
    gap = compare(one, other)
    assert (gap.low, gap.high, gap.units) == (-1, 1, 2)
    assert gap.se > 0.08  # t of 1 degree of freedom, at the least, is 12.7
