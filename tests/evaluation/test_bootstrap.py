"""AP of drawn images: by hand, against pycocotools on copied images, and what a comparison says."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from segtrack.base.errors import DataError, SettingsError
from segtrack.base.statistics import Interval
from segtrack.evaluation.bootstrap import METRICS, check_paired, drawn_scores
from segtrack.evaluation.matching import KINDS
from segtrack.evaluation.measurement import measure
from segtrack.evaluation.ranking import Ranking
from segtrack.evaluation.units import ImageUnits, MatchedDetections
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
SHIFTED = (12, 10, 10, 10)  # IoU .667: right at 4 of 10 thresholds
HALF = 51 / 101  # precision 1 at the recalls 0, .01, ..., .50, then 0
NAN = float("nan")

# name: objects and detections of two images; by copies of them, AP at IoU .5 of cars and persons
CASES = {
    "found in one image, missed in the other, where a false one is surer": (
        [Object(0, 0, BOX), Object(1, 0, BOX)],
        [Detection(0, 0, 0.9, BOX), Detection(1, 0, 0.95, FAR)],
        {
            # after the false ones the right one: precision 1/2, recall 1/2
            (1, 1): (HALF / 2, NAN),
            (2, 0): (1, NAN),
            (0, 2): (0, NAN),
            # one false, two right of three objects: precisions 1/2 and 2/3 at recalls 1/3 and 2/3
            (2, 1): (67 / 101 * 2 / 3, NAN),
            # two false, one right of three: precision 1/3 up to the recall 1/3
            (1, 2): (34 / 101 / 3, NAN),
            # three of three found, no false one
            (3, 0): (1, NAN),
            # recalls up to .07, which is 7 / 100 though 100 times it is more than 7 as a float
            (7, 93): (8 / 101 * 7 / 100, NAN),
        },
    ),
    "a class that only one image has": (
        [Object(0, 0, BOX), Object(1, 1, BOX)],
        [Detection(0, 0, 0.9, BOX), Detection(0, 1, 0.9, FAR), Detection(1, 1, 0.8, BOX)],
        {
            (1, 1): (1, 0.5),
            (2, 0): (1, NAN),  # false persons do not count where nobody is
            (0, 2): (NAN, 1),
            (1, 2): (1, 2 / 3),
            (2, 1): (1, 1 / 3),
            (0, 0): (NAN, NAN),
        },
    ),
    "crowds are neither right nor wrong": (
        [Object(0, 0, BOX), Object(1, 0, (50, 50, 40, 40), crowd=True)],
        [Detection(1, 0, 0.95, (55, 55, 9, 9)), Detection(0, 0, 0.9, BOX)],
        {(1, 1): (1, NAN), (2, 3): (1, NAN), (0, 2): (NAN, NAN)},
    ),
    "equal scores in one image: copies of the pair follow each other": (
        [Object(0, 0, BOX)],
        [Detection(0, 0, 0.5, FAR), Detection(0, 0, 0.5, BOX)],
        # false, right, false, right: precision 1/2 at recalls 1/2 and 1
        {(1, 1): (0.5, NAN), (2, 0): (0.5, NAN), (3, 0): (0.5, NAN)},
    ),
    "the right one of equal ones first": (
        [Object(0, 0, BOX)],
        [Detection(0, 0, 0.5, BOX), Detection(0, 0, 0.5, FAR)],
        # right, false, right, false: precision 1 at recall 1/2, 2/3 at recall 1
        {(1, 0): (1, NAN), (2, 0): ((51 + 50 * 2 / 3) / 101, NAN)},
    ),
    "one on a crowd among equal ones": (
        [Object(0, 0, BOX), Object(0, 0, (50, 50, 40, 40), crowd=True)],
        [
            Detection(0, 0, 0.5, BOX),
            Detection(0, 0, 0.5, (55, 55, 9, 9)),
            Detection(0, 0, 0.5, (30, 10, 10, 10)),
        ],
        {(1, 0): (1, NAN), (2, 0): ((51 + 50 * 2 / 3) / 101, NAN)},
    ),
    "equal scores in two images: those of the first come first": (
        [Object(0, 0, BOX), Object(1, 0, BOX)],
        [Detection(0, 0, 0.5, BOX), Detection(1, 0, 0.5, FAR), Detection(1, 0, 0.4, BOX)],
        # right; false; right
        {(1, 1): ((51 + 50 * 2 / 3) / 101, NAN), (2, 2): ((51 + 50 * 2 / 3) / 101, NAN)},
    ),
}


def evaluated(
    folder: Path, objects: Sequence[Object], found: Sequence[Detection], images: int = 2
) -> ImageUnits:
    dataset = hand_made(NAMES, images, objects)
    predictions = write_predictions(folder, NAMES, images, found)
    return measure(dataset, "test", predictions, EvaluationSettings()).units


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_by_hand(tmp_path: Path, case: tuple[list[Object], list[Detection], dict]) -> None:
    objects, found, expected = case
    units = evaluated(tmp_path, objects, found)
    for kind in KINDS:
        ranking = Ranking.of(units, kind)
        for copies, values in expected.items():
            got = ranking.average_precision(np.array(copies))
            np.testing.assert_allclose(got[:2, 0], values, atol=1e-12, err_msg=str(copies))


def copied(
    dataset: HandMade, found: list[Detection], copies: np.ndarray
) -> tuple[HandMade, list[Detection]]:
    """The data set in which each image is there so often, with fresh ids and names."""
    source = np.repeat(np.arange(len(copies)), copies).tolist()
    annotations = [
        {**annotation, "image_id": new}
        for new, old in enumerate(source)
        for annotation in dataset.annotations
        if annotation["image_id"] == old
    ]
    rows = [
        replace(dataset.rows[old], image_id=new, file_name=f"copy {new}.png")
        for new, old in enumerate(source)
    ]
    return (
        HandMade(dataset.names, rows, [{**a, "id": i + 1} for i, a in enumerate(annotations)]),
        [replace(d, image=new) for new, old in enumerate(source) for d in found if d.image == old],
    )


@pytest.mark.parametrize("seed", range(4))
def test_equals_pycocotools_on_copied_images(tmp_path: Path, seed: int) -> None:
    """Scenes with crowds, equal scores and classes that some draws have no object of."""
    size = 12
    dataset, found = random_scene(seed, NAMES, size)
    predictions = write_predictions(tmp_path / "whole", NAMES, size, found)
    units = measure(dataset, "test", predictions, EvaluationSettings()).units
    rng = np.random.default_rng(seed)
    for draw in range(4):
        copies = np.bincount(rng.integers(size, size=size), minlength=size)
        if draw == 3:
            copies = np.repeat([4, 0], [3, size - 3])  # three images make all of it
        more = copied(dataset, found, copies)
        of_copies = write_predictions(tmp_path / str(draw), NAMES, len(more[0].rows), more[1])
        reported = measure(more[0], "test", of_copies, EvaluationSettings())
        by_name = np.empty(size, int)
        by_name[units.rank] = copies
        for kind, scores in zip(KINDS, reported.scores, strict=True):
            ap = Ranking.of(units, kind).average_precision(by_name)
            classes = [[row[f"{kind}_map50_95"], row[f"{kind}_map50"]] for row in scores.per_class]
            figures = np.column_stack([ap.mean(axis=1), ap[:, 0]])
            np.testing.assert_allclose(figures, np.array(classes, float), atol=1e-9, rtol=0)
            expected = independent(more[0], of_copies, kind)[:2]
            got = np.nanmean(figures, axis=0)
            assert 0 < expected[0] < 1
            np.testing.assert_allclose(got, expected, atol=1e-9, rtol=0)


def gap(a: ImageUnits, b: ImageUnits, metric: str = METRICS[0], samples: int = 300) -> Interval:
    one, other = drawn_scores(a, b, [metric], samples)
    return one.to(other, metric)


def test_two_images_by_hand(tmp_path: Path) -> None:
    """The draws are 11, 12, 21, 22; b finds the object of the second image, too."""
    objects = [Object(0, 0, BOX), Object(1, 0, BOX)]
    a = evaluated(tmp_path / "a", objects, [Detection(0, 0, 0.9, BOX)])
    b = evaluated(
        tmp_path / "b", objects, [Detection(0, 0, 0.9, BOX), Detection(1, 0, 0.8, SHIFTED)]
    )
    one, other = (scores.drawn for scores in drawn_scores(a, b, METRICS, samples=4000))
    assert set(one) == set(other) == set(METRICS)
    assert one["mask_map50"][0] == pytest.approx(HALF)
    assert other["box_map50_95"][0] == pytest.approx(0.4 + 0.6 * HALF)
    for drawn, values in [
        (one["mask_map50"], [0, HALF, 1]),
        (one["box_map50_95"], [0, HALF, 1]),
        (other["mask_map50"], [1, 1, 1]),
        (other["mask_map50_95"], [0.4, 0.4 + 0.6 * HALF, 1]),
    ]:
        assert len(drawn) == 4001
        for value, share in zip(values, (0.25, 0.5, 0.25), strict=True):
            near = np.isclose(drawn[1:], value).mean()
            assert near == pytest.approx(1 if values == [1, 1, 1] else share, abs=0.03)
    # The same draws: where the second image was drawn twice, a scores 0 and b .4.
    np.testing.assert_allclose(other["mask_map50_95"][one["mask_map50"] == 0], 0.4)


def test_a_run_against_itself(tmp_path: Path) -> None:
    dataset, found = random_scene(5, NAMES, 20)
    predictions = write_predictions(tmp_path, NAMES, 20, found)
    units = measure(dataset, "test", predictions, EvaluationSettings()).units
    for metric in (*METRICS, "class/person/box_map50"):
        assert gap(units, units, metric) == Interval(0.0, 0.0, 0.0, 0.0)


def test_half_of_the_detections_removed_is_surely_worse(tmp_path: Path) -> None:
    boxes = [(x, y, 10, 10) for x in (0, 20, 40) for y in (0, 20)]
    objects = [Object(i, k % 3, box) for i in range(20) for k, box in enumerate(boxes)]
    scores = np.random.default_rng(0).random(len(objects)).tolist()
    found = [
        Detection(o.image, o.class_id, score, o.box if i % 9 else (70, 70, 10, 10))
        for i, (o, score) in enumerate(zip(objects, scores, strict=True))
    ]
    whole = evaluated(tmp_path / "a", objects, found, images=20)
    half = evaluated(tmp_path / "b", objects, found[::2], images=20)
    check_paired(whole, half, ("A", "B"))
    for metric in METRICS:
        worse, better = gap(whole, half, metric), gap(half, whole, metric)
        assert worse.low < worse.difference < worse.high < -0.2
        assert worse.above == 0
        assert (better.low, better.high) == pytest.approx((-worse.high, -worse.low))


def test_draws_are_by_image_whatever_its_id(tmp_path: Path) -> None:
    """The same images numbered in reverse: every draw has the same scores, so nothing differs."""
    size = 12
    dataset, found = random_scene(3, NAMES, size)
    rng = np.random.default_rng(0)
    found = [replace(d, score=float(s)) for d, s in zip(found, rng.random(len(found)), strict=True)]
    turned = HandMade(
        NAMES,
        [replace(row, image_id=size - 1 - row.image_id) for row in dataset.rows[::-1]],
        [{**a, "image_id": size - 1 - a["image_id"]} for a in dataset.annotations],
    )
    units = []
    for name, data, detections in [
        ("a", dataset, found),
        ("b", turned, [replace(d, image=size - 1 - d.image) for d in found]),
    ]:
        predictions = write_predictions(tmp_path / name, NAMES, size, detections)
        units.append(measure(data, "test", predictions, EvaluationSettings()).units)
    assert units[0].rank.tolist() == units[1].rank.tolist()[::-1]
    one, other = (scores.drawn for scores in drawn_scores(*units, METRICS, samples=50))
    for metric in METRICS:
        assert np.std(one[metric]) > 0.01
        np.testing.assert_allclose(one[metric], other[metric], atol=1e-12)


def test_draws_without_a_class_have_no_score_of_it(tmp_path: Path) -> None:
    """A quarter of the draws of two images has no person; the mean is over the others then."""
    objects = [Object(0, 0, BOX), Object(1, 1, BOX), Object(1, 0, FAR)]
    found = [Detection(0, 0, 0.9, BOX), Detection(1, 0, 0.9, FAR)]
    units = evaluated(tmp_path, objects, found)
    metrics = ["class/person/mask_map50", "mask_map50"]
    drawn = drawn_scores(units, units, metrics, 2000)[0].drawn
    without = np.isnan(drawn["class/person/mask_map50"])
    assert without.mean() == pytest.approx(0.25, abs=0.03)
    assert set(drawn["mask_map50"][without]) == {1.0}
    assert set(drawn["mask_map50"][~without]) == {0.5}
    assert gap(units, units, "class/person/mask_map50") == Interval(0.0, 0.0, 0.0, 0.0)


def test_one_image_says_nothing(tmp_path: Path) -> None:
    a = evaluated(tmp_path / "a", [Object(0, 0, BOX)], [], images=1)
    b = evaluated(tmp_path / "b", [Object(0, 0, BOX)], [Detection(0, 0, 0.9, BOX)], images=1)
    found = gap(a, b)
    assert found.difference == pytest.approx(1)
    assert np.isnan([found.low, found.high, found.above]).all()


def test_what_cannot_be_compared(tmp_path: Path) -> None:
    a = evaluated(tmp_path / "a", [Object(0, 0, BOX)], [])
    b = evaluated(tmp_path / "b", [Object(0, 0, FAR)], [])
    text = (
        f"A on the split test with fingerprint {a.fingerprint[:16]} .2 images, 1 objects., "
        f"B on the split test with fingerprint {b.fingerprint[:16]} .2 images, 1 objects."
    )
    with pytest.raises(DataError, match=text):
        check_paired(a, b, ("A", "B"))
    for metric in ("mask_map75", "class/bus/mask_map50", "class/mask_map50", "HOTA"):
        with pytest.raises(SettingsError, match=f"{metric}: there is no such score .* mask_map50,"):
            drawn_scores(a, a, [metric])
    with pytest.raises(DataError, match="class/person/box_map50: the split test has no objects"):
        drawn_scores(a, a, ["class/person/box_map50"])
    empty = evaluated(tmp_path / "c", [], [Detection(0, 0, 0.9, BOX)])
    with pytest.raises(DataError, match="mask_map50_95: the split test has no objects"):
        drawn_scores(empty, empty, ["mask_map50_95"])


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
    return ImageUnits("test", "", ("car",), cells, of_class, cells, objects, {"mask": kept})


def test_coverage_of_the_interval() -> None:
    """95% intervals over 40 images hold the population's difference in 93 or 94 of 100 worlds (374
    of 400, 300 draws each): percentile intervals of few units are a little short."""
    a, b = (street(20_000, 0, skill) for skill in (0, 0.05))
    true = gap(a, b, "mask_map50", samples=1).difference
    assert 0.03 < true < 0.08
    held = 0
    for world in range(1, 121):
        found = gap(*(street(40, world, skill) for skill in (0, 0.05)), "mask_map50", 150)
        held += found.low <= true <= found.high
    assert 0.88 <= held / 120 <= 0.99
