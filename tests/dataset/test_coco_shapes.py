"""Segmentations and boxes in all the forms that exporters write."""

import json
from typing import Any

import numpy as np
import pytest
from pycocotools import mask

from segtrack.dataset.coco_annotations import RawAnnotation, read_annotations
from segtrack.dataset.coco_shapes import Unreadable, read_box, read_shape

SIZE = (64, 48)
POLYGON = [20, 10, 60, 10, 60, 40, 20, 40]
PAIRS = [[20, 10], [60, 10], [60, 40], [20, 40]]
POINTS = [{"x": x, "y": y} for x, y in PAIRS]
BOX = [20, 10, 40, 30]
PIXELS = np.zeros((48, 64), np.uint8, order="F")
PIXELS[10:40, 20:60] = 1
PACKED = mask.encode(PIXELS)["counts"]
RUNS = [970, *[30, 18] * 39, 30, 200]
ALONG = [10 * 64 + 20, *[40, 24] * 29, 40, 8 * 64 + 4]  # the same mask, row after row


def rle(counts: Any, size: Any = (48, 64)) -> dict[str, Any]:
    return {"size": list(size) if size else None, "counts": counts}


def drawn(segmentation: Any, box: Any = BOX) -> tuple[np.ndarray, set[str]]:
    """The mask by pycocotools, and the codes of what was odd."""
    shape = read_shape({"segmentation": segmentation, "bbox": box}, SIZE)
    assert not shape.problems
    parts: list[Any] = [{"size": [48, 64], "counts": counts} for counts in shape.masks]
    for polygon in shape.polygons:
        parts += mask.frPyObjects([polygon.reshape(-1).tolist()], 48, 64)
    return mask.decode(mask.merge(parts)), set(shape.oddities)


@pytest.mark.parametrize(
    ("segmentation", "odd"),
    [
        ([POLYGON], set()),
        ([[*POLYGON, 20, 10]], set()),  # closed
        ([[float(v) for v in POLYGON]], set()),
        ([POLYGON, [], None], set()),
        (POLYGON, {"flat_polygon"}),
        ([[POLYGON]], {"nested_polygons"}),
        ([[[POLYGON]]], {"nested_polygons"}),
        (PAIRS, {"flat_polygon", "point_pairs"}),
        ([PAIRS], {"point_pairs"}),
        ([[PAIRS]], {"nested_polygons", "point_pairs"}),
        (POINTS, {"flat_polygon", "point_pairs"}),
        ([POINTS], {"point_pairs"}),
        ([list(map(str, POLYGON))], {"text_numbers"}),
        (list(map(str, POLYGON)), {"flat_polygon", "text_numbers"}),
        ([f"{x},{y}" for x, y in PAIRS], {"flat_polygon", "point_pairs"}),
        ([" ".join(map(str, POLYGON))], {"text_shape"}),
        (";".join(f"{x},{y}" for x, y in PAIRS), {"flat_polygon", "text_shape"}),
        (json.dumps([POLYGON]), {"text_shape"}),
        (str([tuple(pair) for pair in PAIRS]), {"flat_polygon", "point_pairs", "text_shape"}),
        (rle(PACKED.decode()), set()),
        (rle(RUNS), set()),
        (rle(RUNS, (48.0, 64.0)), set()),
        (rle([float(v) for v in RUNS], (48.0, 64.0)), {"rle_numbers"}),
        (rle(list(map(str, RUNS)), ("48", "64")), {"rle_numbers"}),
        (rle(str(RUNS)), {"rle_text"}),
        (rle(str(PACKED)), {"rle_text"}),  # "b'...'"
        (rle(PACKED.decode(), None), {"rle_no_size"}),
        ([rle(RUNS)], {"rle_in_list"}),
        ([rle(RUNS), rle(RUNS)], {"rle_in_list"}),
        ([rle(RUNS), [20, 10, 40, 10, 40, 30]], {"rle_in_list"}),
        (rle(ALONG), {"rle_along"}),
        (rle(RUNS, (64, 48)), {"rle_swapped"}),
        (rle(ALONG, (64, 48)), {"rle_swapped"}),
        (json.dumps(rle(RUNS)), {"text_shape"}),
    ],
)
def test_forms_of_one_shape(segmentation: Any, odd: set[str]) -> None:
    found, codes = drawn(segmentation)
    assert np.array_equal(found, PIXELS)
    assert codes == odd


@pytest.mark.parametrize(
    "segmentation",
    [None, [], [[]], [[], []], [[[]]], {}, [{}], "", "[]", "null", float("nan"), [None], rle([])],
)
def test_empty_segmentations(segmentation: Any) -> None:
    shape = read_shape({"segmentation": segmentation}, SIZE)
    assert (shape.polygons, shape.masks, shape.problems) == ([], [], [])


@pytest.mark.parametrize(
    ("segmentation", "box", "message", "box_counts"),
    [
        (rle(RUNS, (64, 48)), None, "no bbox tells which way it runs", True),
        (rle(RUNS, (64, 48)), [1, 2, 3, 4], "its bbox fits neither way", True),
        (rle(RUNS, (96, 128)), BOX, r"has size \[96, 128\], the image has \[48, 64\]", False),
        (rle([1, 2]), BOX, "covers 3 pixels, the image has 3072", True),
        (rle([1.5, 2]), BOX, "counts are not whole numbers", True),
        (rle("~"), BOX, "holds the character '~'", True),
        (rle(None), BOX, "counts are None", True),
        ([[1, 2, [3], 4]], BOX, r"a coordinate: \[3\] is not a number", True),
        (5, BOX, "segmentation is 5", True),
        ([[1, 2, True, 4, 5, 6]], BOX, "True is not a number", True),
    ],
)
def test_unreadable_segmentations(
    segmentation: Any, box: Any, message: str, box_counts: bool
) -> None:
    shape = read_shape({"segmentation": segmentation, "bbox": box}, SIZE)
    with pytest.raises(Unreadable, match=message) as caught:
        raise shape.problems[0]
    assert caught.value.box_counts == box_counts
    assert not shape.masks


@pytest.mark.parametrize(
    ("annotation", "odd"),
    [
        ({"bbox": BOX}, set()),
        ({"bbox": list(map(float, BOX))}, set()),
        ({"bbox": list(map(str, BOX))}, {"odd_box"}),
        ({"bbox": "20,10,40,30"}, {"odd_box"}),
        ({"bbox": "[20, 10, 40, 30]"}, {"odd_box"}),
        ({"bbox": [BOX]}, {"odd_box"}),
        ({"bbox": {"x": 20, "y": 10, "width": 40, "height": 30}}, {"odd_box"}),
        ({"bbox": {"left": 20, "top": "10", "width": 40, "height": 30}}, {"odd_box"}),
        ({"bbox": {"xmin": 20, "ymin": 10, "xmax": 60, "ymax": 40}}, {"odd_box"}),
        ({"bbox": [60, 40, -40, -30]}, {"negative_box"}),
        ({"bbox": BOX, "area": 1200}, set()),
        ({"bbox": BOX, "area": 390}, set()),  # that of a mask
        ({"bbox": [20, 10, 60, 40], "area": 1200}, {"box_corners"}),
        ({"bbox": [20, 10, 60, 40], "bbox_mode": 0}, {"box_corners"}),
    ],
)
def test_forms_of_one_box(annotation: dict[str, Any], odd: set[str]) -> None:
    oddities: dict[str, str] = {}
    corners = read_box(annotation, oddities)
    assert sorted(corners.tolist()) == [[20, 10], [20, 40], [60, 10], [60, 40]]
    assert set(oddities) == odd


@pytest.mark.parametrize(
    ("box", "message"),
    [
        (None, "neither a segmentation nor a bbox"),
        ([], "neither a segmentation nor a bbox"),
        ([1, 2, 3], r"bbox is \[1, 2, 3\], not \[x, y, width, height\]"),
        ([1, 2, 3, None], "bbox: None is not a number"),
        ([1, 2, 3, float("nan")], "bbox: nan is not a finite number"),
        ({"x": 1, "y": 2}, "not \\[x, y"),
        ("left", "bbox is 'left'"),
        (7, "bbox is 7"),
    ],
)
def test_what_is_no_box(box: Any, message: str) -> None:
    with pytest.raises(Unreadable, match=message):
        read_box({"bbox": box}, {})


def read(**values: Any) -> tuple[dict[str, Any], list[str]]:
    """One annotation: what is kept of it, and the codes of the remarks."""
    raw = RawAnnotation(1, {"id": 5, "category_id": 1, "bbox": BOX, **values})
    labels, remarks, tally = read_annotations([raw], {1: 0}, *SIZE)
    codes = [remark.code for remark in remarks]
    if not len(labels):
        return {"tally": tally}, codes
    kept = {"box": labels.bbox_xywh[0].tolist(), "area": labels.area[0], "tally": tally}
    return {**kept, "parts": len(labels.polygons()[0])}, codes


@pytest.mark.parametrize(
    ("values", "area", "codes"),
    [
        ({}, 1200, []),
        ({"area": 900}, 900, []),
        ({"area": "900"}, 900, []),
        ({"area": 1271}, 1271, []),  # of a box whose last pixel counts
        ({"area": None}, 1200, []),
        ({"area": 0}, 1200, []),
        ({"area": float("nan")}, 1200, []),
        ({"area": 1}, 1200, ["area_differs"]),
        ({"area": 0.3}, 1200, ["area_differs"]),
        ({"area": 5000}, 1200, ["area_differs"]),
    ],
)
def test_area(values: dict[str, Any], area: float, codes: list[str]) -> None:
    kept, found = read(segmentation=[POLYGON], **values)
    assert (kept["area"], found) == (area, codes)


@pytest.mark.parametrize(
    ("segmentation", "codes", "parts"),
    [
        ([[20, 10, 60, 40]], ["few_points", "box_only"], 1),  # two points
        ([BOX], ["few_points", "box_only"], 1),
        ([[20, 10, 40, 10, 60, 10]], ["zero_area", "box_only"], 1),
        ([[]], ["box_only"], 1),
        (rle([3072]), ["box_only"], 1),
        ([POLYGON, [1, 2]], ["few_points"], 1),
        ([POLYGON, [1, 2, 3]], ["odd_coordinates"], 1),
        ([[1, 2, 3], POLYGON, [0, 0, 9, 0, 9, 9]], ["odd_coordinates"], 2),
        ([[-1e308, 0, 1e308, 0, 1e308, 48]], ["outside"], 0),  # what is cut off has no digits
        ([[200, 200, 300, 200, 300, 300]], ["outside"], 0),  # its box would lie there too
    ],
)
def test_what_is_kept_of_bad_shapes(segmentation: Any, codes: list[str], parts: int) -> None:
    kept, found = read(segmentation=segmentation)
    assert (kept.get("parts", 0), found) == (parts, codes)
    assert kept["tally"].unreadable == ("odd_coordinates" in codes)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("far", [1e9, 1e308])
def test_what_no_image_reaches_is_left_out_and_said(far: float) -> None:
    """Half of it lies in the image, so that clipped it would count as an object."""
    kept, found = read(segmentation=[POLYGON, [-far, 0, far, 0, far, 48, -far, 48]])
    assert (kept["parts"], found) == (1, ["outside"])


def test_corners_that_leave_the_image_are_asked_about() -> None:
    kept, codes = read(bbox=[30, 20, 60, 40], segmentation=[])
    assert kept["box"] == [30, 20, 34, 28]
    assert "corners" in codes
    assert "corners" not in read(bbox=[30, 20, 30, 40], segmentation=[])[1]
