"""Recall by visible fraction and size, and of hidden objects at one precision, by hand."""

from pathlib import Path

import numpy as np
import pytest

from segtrack.evaluation.hidden import groups_of, hidden_recall, hidden_without
from segtrack.evaluation.measurement import Evaluation, measure
from segtrack.evaluation.summary import summary_text
from segtrack.evaluation.units import ImageUnits
from segtrack.evaluation.visible import (
    NOT_FOUND,
    Stratum,
    VisibleObjects,
    slice_names,
    strata,
)
from segtrack.settings import EvaluationSettings
from tests.evaluation.scenes import Detection, Object, hand_made, random_scene, write_predictions

A, B, C, D, E, F = ((x, y, 10, 10) for y in (0, 50) for x in (0, 30, 60))
NAMES = ("car", "person")
NAN = float("nan")


def _measure(
    folder: Path,
    objects: list[Object],
    found: list[Detection],
    edges: list[float],
    images: int = 2,
) -> Evaluation:
    predictions = write_predictions(folder, NAMES, images, found)
    settings = EvaluationSettings(visible_bins=edges, confusion_conf=0.75)
    return measure(hand_made(NAMES, images, objects), "val", predictions, settings)


def test_slices_by_hand(tmp_path: Path) -> None:
    objects = [
        Object(0, 0, A, 0.05),  # 100 of 2,000 px²: medium; found with .9
        Object(0, 0, B, 0.4),  # missed
        Object(0, 0, C, 0.5),  # the edge belongs to the upper slice; found with .7
        Object(1, 0, D, 1.0, crowd=True),  # AP ignores it; found with .8
        Object(1, 0, E),  # of an unknown fraction: in no slice
        Object(1, 1, F, 0.2),  # a person, missed
    ]
    found = [
        Detection(0, 0, 0.9, A),
        Detection(0, 0, 0.7, C),
        Detection(1, 0, 0.8, D),
        Detection(1, 0, 0.95, E),
        Detection(1, 0, 0.85, (80, 80, 10, 10)),
    ]
    evaluation = _measure(tmp_path, objects, found, [0.0, 0.5, 1.0])
    third = pytest.approx(1 / 3)
    nothing = 0.0, 1.0  # is known from one image
    # Two images: Wilson's of 3 (t of 2 / t of 1 degree of freedom, 4.302653 / 12.706205) squared.
    ends = pytest.approx(0.009482, abs=1e-5), pytest.approx(0.963121, abs=1e-5)
    of_two = pytest.approx(0.094531, abs=1e-5), pytest.approx(0.905469, abs=1e-5)
    most = pytest.approx(1.959964**2 / (2 + 1.959964**2))  # of none of two
    assert [row for row in evaluation.slices if row.class_id is None] == [
        Stratum("0.00-0.50", None, None, 3, 0, third, third, *ends),
        Stratum("0.00-0.50", "small", None, 2, 0, 0.0, 0.0, 0.0, most),
        Stratum("0.00-0.50", "medium", None, 1, 0, 1.0, 1.0, *nothing),
        Stratum("0.50-1.00", None, None, 2, 1, 1.0, 0.5, *of_two, "no person"),
        Stratum("0.50-1.00", "small", None, 2, 1, 1.0, 0.5, *of_two),
    ]
    assert [row for row in evaluation.slices if row.class_id == 1] == [
        Stratum("0.00-0.50", None, 1, 1, 0, 0.0, 0.0, *nothing),
        Stratum("0.00-0.50", "small", 1, 1, 0, 0.0, 0.0, *nothing),
    ]
    metrics = evaluation.metrics()
    assert metrics["val/visible/0.50-1.00/mask_recall50"] == 1
    assert metrics["val/visible/0.50-1.00/mask_recall50_conf"] == 0.5
    text = summary_text(evaluation)
    assert "\n0.50-1.00 visible: no person.\n" in text
    assert "Left out: 1 objects whose visible fraction is not known, 0 outside" in text


def test_ignored_objects_take_what_is_left_over(tmp_path: Path) -> None:
    """One detection each, the best first, at IoU .5; none of a judged object."""
    objects = [
        Object(0, 0, A, 0.3, crowd=True),
        Object(0, 0, (2, 0, 10, 10), 1.0),  # IoU .67 with A
        Object(0, 0, (30, 0, 20, 20), 0.4, crowd=True),
        Object(1, 0, D, 0.2, crowd=True),
        Object(1, 1, F, crowd=True),  # a crowd of unknown fraction is no object
    ]
    found = [
        Detection(0, 0, 0.9, (1, 0, 10, 10)),  # IoU .82 with both: the judged one has it
        Detection(0, 0, 0.5, A),
        Detection(0, 0, 0.4, A),
        Detection(0, 0, 0.8, (30, 0, 10, 10)),  # inside of the crowd, but only a quarter of it
        Detection(1, 1, 0.8, D),  # another class
        Detection(1, 1, 0.8, F),
    ]
    kept = _measure(tmp_path, objects, found, [0.0, 1.0]).units.visible
    columns = (values.tolist() for values in (kept.visible, kept.ignored, kept.score))
    by_place = {(v, i): s for v, i, s in zip(*columns, strict=True)}
    assert by_place == {
        (0.3, True): 0.5,
        (1.0, False): pytest.approx(0.9),
        (0.4, True): NOT_FOUND,
        (0.2, True): NOT_FOUND,
    }


def test_recall_over_everything_is_that_of_the_curves(tmp_path: Path) -> None:
    dataset, found = random_scene(3, NAMES, 40)
    for one in dataset.annotations:
        one["visible_fraction"] = None if one["iscrowd"] else 0.5
    predictions = write_predictions(tmp_path, NAMES, 40, found)
    evaluation = measure(dataset, "val", predictions, EvaluationSettings(visible_bins=[0.0, 1.0]))
    for k in range(len(NAMES)):
        row = next(r for r in evaluation.slices if (r.class_id, r.size) == (k, None))
        assert row.objects == evaluation.class_counts[k][1]
        assert row.recall_conf == pytest.approx(evaluation.curves.recall[k, 50])  # from .25 on
        assert row.recall == pytest.approx(evaluation.curves.recall[k, 0])


def test_nothing_known_is_no_table(tmp_path: Path) -> None:
    unknown = _measure(tmp_path, [Object(0, 0, A)], [], [0.0, 1.0])
    assert (unknown.slices, unknown.hidden) == ([], {})
    assert not any("visible" in name or "hidden" in name for name in unknown.metrics())
    one = VisibleObjects.of([(0, 0, 0.9, 100, False, 0.5)])
    empty = strata(one, one.image, [0, 0.5, 1], NAMES, 0.25)
    assert empty[0] == Stratum("0.00-0.50", None, None, 0, 0, None, None)


def test_sizes_are_of_the_whole_object() -> None:
    rows = [(0, 0, v, area, False, 0.5) for v, area in ((1, 1023), (1, 1024), (0.1, 922), (0, 1))]
    assert VisibleObjects.of(rows).size().tolist() == [0, 1, 2, 2]


@pytest.mark.parametrize(
    ("here", "remark"),
    [
        ([0] * 8 + [1] * 2, ""),
        ([0] * 6 + [1] * 4, "other classes than all objects"),
        ([0] * 10, "no person"),
    ],
)
def test_slices_with_other_classes_say_so(here: list[int], remark: str) -> None:
    """Of all objects about a fifth are persons."""
    rows = [(0, k, 0.9, 100, False, 0.5) for k in [0] * 320 + [1] * 70]
    rows += [(0, k, 0.1, 10, False, 0.5) for k in here]
    objects = VisibleObjects.of(rows)
    found = strata(objects, objects.image, [0, 0.5, 1], NAMES, 0.25)
    whole = {row.visible: row.remark for row in found if row.class_id is row.size is None}
    assert whole == {"0.00-0.50": remark, "0.50-1.00": ""}


def test_names_of_slices() -> None:
    assert slice_names([0.0, 0.25, 1.0]) == ["0.00-0.25", "0.25-1.00"]


BIG = (0, 50, 40, 40)  # 1,600 px²: medium


def _hidden_scene(folder: Path) -> ImageUnits:
    """Precision by score: .9 right, .85 right, .8 right, .7 right, .6 false: 4/5; .5 false: 4/6."""
    objects = [
        Object(0, 1, A, 0.4),  # small and hidden, found with .9
        Object(0, 1, B, 0.3),  # small and hidden, found with .5 only
        Object(1, 1, A, 0.95),  # small and clear, found with .85
        Object(1, 1, B, 1.0),  # small and clear, missed
        Object(1, 1, BIG, 1.0),  # medium and clear, found with .8: no hidden one is like it
        Object(2, 1, C, 0.7),  # neither hidden nor clear, found with .7
        Object(2, 1, (0, 50, 30, 30), 0.05),  # too hidden
        Object(2, 0, D, 0.2),  # a car: no detections at all
    ]
    found = [
        Detection(0, 1, 0.9, A),
        Detection(1, 1, 0.85, A),
        Detection(1, 1, 0.8, BIG),
        Detection(2, 1, 0.7, C),
        Detection(2, 1, 0.6, (80, 80, 10, 10)),
        Detection(0, 1, 0.5, (80, 80, 10, 10)),
        Detection(0, 1, 0.4, B),
        Detection(0, 1, 0.3, (80, 60, 10, 10)),
    ]
    return _measure(folder, objects, found, [0.0, 1.0], images=3).units


def test_hidden_recall_by_hand(tmp_path: Path) -> None:
    units = _hidden_scene(tmp_path)
    assert groups_of(units) == ["people", "vehicles"]
    people = hidden_recall(units, "people")
    assert people.threshold == pytest.approx(0.6)
    assert (people.hidden, people.clear) == (0.5, 0.5)
    assert (people.objects, people.left_out) == ((2, 2), 0)
    vehicles = hidden_recall(units, "vehicles")
    assert np.isnan([vehicles.threshold, vehicles.hidden, vehicles.clear]).all()
    assert (vehicles.objects, vehicles.left_out) == ((0, 0), 1)


def test_hidden_recall_without_each_image(tmp_path: Path) -> None:
    # Without the first: .85, .8, .7 are right and .6 is not: 3/4, so from .7 on; nothing is hidden.
    # Without the second: .9, .7 right, .6 false: 2/3, so from .7 on; no clear ones.
    # Without the third: .9, .85, .8 right, .5 false, .4 right: 4/5; all hidden ones are found.
    left_out = hidden_without(_hidden_scene(tmp_path), "people", np.array([0, 1, 2]))
    np.testing.assert_array_equal(left_out, [[NAN, NAN, 1.0], [NAN, NAN, 0.5]])


def test_clear_objects_are_weighted_to_the_hidden_ones(tmp_path: Path) -> None:
    """Three hidden ones are small and one is medium: clear recall is 3/4 of 1/2 and 1/4 of 1."""
    small = [(x, 0, 10, 10) for x in range(0, 100, 20)]
    objects = [Object(0, 0, box, 0.4) for box in small[:3]] + [Object(0, 0, (0, 50, 30, 30), 0.4)]
    objects += [Object(1, 0, box, 0.95) for box in small[:2]]
    objects += [Object(1, 0, BIG, 1.0), Object(1, 0, (50, 50, 40, 40), 1.0)]
    found = [Detection(1, 0, 0.9, small[0]), Detection(1, 0, 0.9, BIG)]
    found += [Detection(1, 0, 0.9, (50, 50, 40, 40)), Detection(0, 0, 0.9, small[0])]
    evaluation = _measure(tmp_path, objects, found, [0.0, 1.0])
    assert evaluation.hidden["vehicles"].clear == pytest.approx(3 / 4 * 1 / 2 + 1 / 4)
    assert evaluation.hidden["vehicles"].hidden == 0.25
    assert evaluation.metrics()["val/hidden/vehicles/mask_recall_p80"] == 0.25
    text = summary_text(evaluation)
    assert (
        "vehicles at precision 0.8 (score from 0.900): recall 0.250 of 4 objects 10 to 50% visible;"
        " 0.625 of 4 at least 90% visible, weighted to the same classes and sizes\n" in text
    )
    assert "people: no score gives a precision of 0.8" in text


@pytest.mark.parametrize(
    ("unit", "found", "expected"),
    [
        (range(10), [1] * 9 + [0], (0.595850, 0.982124)),  # Wilson's
        # Two in each of five images, found or missed together: as many as 40 / 9 independent ones,
        # times (t of 9 / t of 4 degrees of freedom, 2.262157 / 2.776445) squared.
        (np.repeat(range(5), 2), [1] * 8 + [0] * 2, (0.284943, 0.975700)),
        (range(9), [1] * 9, (0.700855, 1)),
        ([0] * 9, [1] * 9, (0, 1)),  # of one image nothing is known
    ],
)
def test_intervals_are_by_the_units_of_images(
    unit: np.ndarray, found: list[int], expected: tuple[float, float]
) -> None:
    rows = [(i, 0, 0.5, 100, False, 0.9 if one else NOT_FOUND) for i, one in enumerate(found)]
    (whole, *_) = strata(VisibleObjects.of(rows), np.array(unit), [0, 1], NAMES, 0.25)
    assert (whole.low, whole.high) == pytest.approx(expected, abs=1e-5)
