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
        ("0 0.6 0", "warning", "few_points", 1, "polygon has 1 different points, needs 3"),
        ("0 0.6 1", "warning", "few_points", 1, "polygon has 1 different points, needs 3"),
        ("0 .5 .5 .2 .4 .9", "error", "odd_coordinates", 1, "a box and one number more"),
        ("0 3 .5 .5 .2 .4", "error", "odd_coordinates", 1, "a box and one number more"),
        ("0 .5 .5 .4 .4 .91 3", "error", "confidence_and_id", 1, ".91 and 3 behind a box are"),
        ("0 .5 .5 .4 .4 0.910000 3.000000", "error", "confidence_and_id", 1, "behind a box are"),
        ("0 .5 .5 .4 .4 3 .91", "error", "confidence_and_id", 1, "3 and .91 behind a box are"),
        (f"0 {SQUARE} 12 0.5", "error", "confidence_and_id", 1, "12 and 0.5 behind a polygon"),
        ("0 .5 .5 .4 .4 0 12", "error", "confidence_and_id", 1, "0 and 12 behind a box are"),
        (f"0 {SQUARE} 0.88 12", "error", "confidence_and_id", 1, "behind a polygon are"),
        (f"0 {SQUARE} 1 2", "error", "confidence_and_id", 1, "1 and 2 behind a polygon are"),
        ("0 .5 .5 .4 .4 .91 1", "warning", "perhaps_track_id", 1, ".91 and 1 behind a box may be"),
        ("0 .5 .5 .4 .4 .91 0", "warning", "perhaps_track_id", 1, ".91 and 0 behind a box may be"),
        (f"0 {SQUARE} 0.5 1", "warning", "perhaps_track_id", 1, "0.5 and 1 behind a polygon may"),
        ("0 .5 .5 .4 .4 .1 .2 2 .3 .4 2", "error", "pose", 1, "a box and 2 keypoints"),
        ("0 .5 .5 .4 .4 .1 .2 2 .3 .4 2 0 0 0", "error", "pose", 1, "a box and 3 keypoints"),
        ("0 .5 .5 -.2 .4", "error", "negative_size", 1, "width -.2 and the height .4"),
        ("0 .1 .1 .9 .9", "warning", "clipped", 1, "box reaches out"),
        ("person .5 .5 .2 .4", "error", "not_a_number", 1, "'person' is not a number"),
        ("0 0,5 0,5 0,2 0,2", "error", "not_a_number", 1, "'0,5' is not a number"),
        (f"{SQUARE} 0 # car", "error", "not_a_number", 1, "'#' is not a number"),
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
    _, remarks = parse_labels(text.encode(), class_count=2)
    (remark,) = (r for r in remarks if r.code == code)
    assert {r.code for r in remarks} <= {code, "box_only", "self_intersecting"}
    assert (remark.severity, remark.code, remark.line) == (severity, code, line)
    assert part in remark.message
    assert remark.hint


@pytest.mark.parametrize(
    "text",
    [
        "0 .1 .1 .9 .1 .5 1",  # a triangle that stands on the lower edge
        "0 .2 .5 .6 .4 .91 1",  # no box inside of the image
        "0 .1 .2 .9 .2 .9 1 .1 1",  # two points on the edge
        "0 .1 .9 .1 0 .9 0",
        "0 0 0 1 0 1 1",
        "0 0 0 1 0 1 1 0 1",
    ],
)
def test_polygons_that_end_at_an_edge_are_polygons(text: str) -> None:
    labels, remarks = parse_labels(text.encode(), 1)
    assert len(labels) == 1
    assert {r.code for r in remarks} <= {"self_intersecting"}


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (f"0,{SQUARE.replace(' ', ',')}".encode(), "separator"),
        (f"0, {SQUARE.replace(' ', ', ')} ".encode(), "separator"),
        (f"0;{SQUARE.replace(' ', ';')}".encode(), "separator"),
        (f"class x1 y1 x2 y2\n0 {SQUARE}".encode(), "header_row"),
        (f"class,x1,y1\n0 {SQUARE}".encode(), "header_row"),
        (f"0\t{SQUARE.replace(' ', chr(9))}\r\n".encode(), ""),
        (f"0.0 {SQUARE}\r".encode(), ""),
        (f"0 {SQUARE}".encode("utf-16"), ""),
        (f"\ufeff0 {SQUARE}".encode(), ""),
    ],
)
def test_rows_as_other_programs_write_them(data: bytes, code: str) -> None:
    labels, remarks = parse_labels(data, 1)
    assert labels.class_id.tolist() == [0]
    assert labels.points.reshape(-1).tolist() == [float(v) for v in SQUARE.split()]
    assert [r.code for r in remarks] == [code] * bool(code)


def test_equal_rows_count_once() -> None:
    box = "1 .5 .5 .2 .4"
    text = f"0 {SQUARE}\n{box}\n0  {SQUARE}0\n1 {SQUARE}\n{box}\n"
    labels, remarks = parse_labels(text.encode(), 2)
    assert labels.class_id.tolist() == [0, 1, 1]
    assert [(r.code, r.line) for r in remarks] == [
        ("box_only", 2),
        ("repeated_label", 3),
        ("repeated_label", 5),
    ]


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
