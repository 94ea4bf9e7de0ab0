"""Rows of label files: what each odd one becomes."""

import numpy as np
import pytest

from segtrack.dataset.yolo_labels import parse_labels

SQUARE = "0.2 0.2 0.8 0.2 0.8 0.8 0.2 0.8"


@pytest.mark.parametrize(
    ("text", "severity", "code", "line", "part"),
    [
        (f"0 {SQUARE} 0.5", "error", "odd_coordinates", 1, "9 coordinates, an odd number"),
        ("0", "error", "odd_coordinates", 1, "no coordinates"),
        (f"0 {SQUARE}\n\n1 0.1 x 0.2 0.3", "error", "not_a_number", 3, "'x' is not a number"),
        ("0 0.1 nan 0.2 0.3 0.4 0.5", "error", "not_finite", 1, "'nan' is not a finite number"),
        ("0 0.1 -inf 0.2 0.3 0.4 0.5", "error", "not_finite", 1, "'-inf'"),
        (f"2 {SQUARE}", "error", "class_id", 1, "class id 2 is not a whole number from 0 to 1"),
        (f"-1 {SQUARE}", "error", "class_id", 1, "class id -1"),
        (f"0.5 {SQUARE}", "error", "class_id", 1, "class id 0.5"),
        ("0 0.5 0.5", "warning", "few_points", 1, "1 different points, needs 3"),
        ("0 .1 .1 .1 .1 .2 .2 .1 .1", "warning", "few_points", 1, "2 different points"),
        ("0 .1 .1 .2 .2 .1 .1 .2 .2", "warning", "zero_area", 1, "has no area"),
        ("0 .1 .1 .5 .5 .9 .9", "warning", "zero_area", 1, "has no area"),
        ("0 2 2 3 2 3 3", "warning", "outside", 1, "x 2 to 3, y 2 to 3"),
        ("0 .5 .5 1.5 .5 .5 1", "warning", "clipped", 1, "reaches out of the image (x 0.5 to 1.5"),
        ("0 .1 .1 .9 .9 .9 .1 .1 .9", "warning", "self_intersecting", 1, "intersects itself"),
        ("0 .5 .5 .2 .4", "warning", "box_only", 1, "a box without a polygon"),
    ],
)
def test_remarks(text: str, severity: str, code: str, line: int, part: str) -> None:
    _, (remark,) = parse_labels(text.encode(), class_count=2)
    assert (remark.severity, remark.code, remark.line) == (severity, code, line)
    assert part in remark.message
    assert remark.hint


def test_good_rows() -> None:
    labels, remarks = parse_labels(f"\ufeff1 {SQUARE}\r\n\r\n0.0 0 0 1 0 1 1\n".encode(), 2)
    assert remarks == []
    assert labels.class_id.tolist() == [1, 0]
    assert labels.area == pytest.approx([0.36, 0.5])
    assert labels.bbox_xywh == pytest.approx(np.array([[0.2, 0.2, 0.6, 0.6], [0, 0, 1, 1]]))
    assert labels.points[:4].reshape(-1).tolist() == [float(v) for v in SQUARE.split()]


def test_a_box_becomes_its_rectangle() -> None:
    labels, _ = parse_labels(b"0 0.5 0.5 0.2 0.4", 1)
    assert labels.points == pytest.approx(
        np.array([[0.4, 0.3], [0.6, 0.3], [0.6, 0.7], [0.4, 0.7]])
    )
    assert labels.area == pytest.approx([0.08])


def test_a_bow_tie_has_the_area_of_both_halves() -> None:
    labels, _ = parse_labels(b"0 .1 .1 .9 .9 .9 .1 .1 .9", 1)
    assert labels.area == pytest.approx([0.32], rel=0.01)  # twice 0.8 * 0.4 / 2


def test_a_point_just_out_of_the_image_is_rounding() -> None:
    labels, remarks = parse_labels(b"0 0 0 1.0000005 0 1 1", 1)
    assert remarks == []
    assert labels.points.max() == 1.0


def test_bad_rows_leave_the_good_ones() -> None:
    labels, remarks = parse_labels(f"0 1 nan\n0 {SQUARE}\n7 {SQUARE}".encode(), 2)
    assert len(labels) == 1
    assert [r.line for r in remarks] == [1, 3]


def test_a_file_that_is_not_text() -> None:
    labels, (remark,) = parse_labels(b"\xff\xd8\xff\xe0", 2)
    assert len(labels) == 0
    assert (remark.severity, remark.code) == ("error", "label_not_text")


def test_empty_is_an_image_without_objects() -> None:
    labels, remarks = parse_labels(b"\n \n", 2)
    assert (len(labels), remarks) == (0, [])
