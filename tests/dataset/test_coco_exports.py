"""COCO JSON as exporters write it: ids, categories, images, repeats."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask

from segtrack.base.errors import DataError
from segtrack.dataset.checks import ChecksFailed
from tests.dataset.coco_export import (
    NAMES,
    Change,
    Content,
    Export,
    both,
    classes,
    each,
    messages,
    roots,
)
from tests.dataset.conftest import Prepare


@pytest.fixture
def export(tmp_path: Path, run: Prepare) -> Export:
    return Export(tmp_path / "set", run)


@pytest.mark.parametrize("occluded", [True, False])
def test_turned_boxes_of_cvat(export: Export, occluded: bool) -> None:
    """Its COCO has the box that is not turned, and by how much; outlines are turned already."""
    said = {"occluded": False} if occluded else {}
    values = iter(([], [], [[20, 10, 60, 10, 60, 40, 20, 40]], []))
    degrees = iter((90.0, 0.0, 90.0, -90.0))

    def change(made: Content) -> None:
        for one in made["annotations"]:
            one["segmentation"] = next(values)
            one["attributes"] = {**said, "rotation": next(degrees)}

    found = export.prepared(change)
    # Of a turned rectangle somebody has drawn the outline.
    assert messages(found)["box_only"].startswith(f"{1 if occluded else 3} of 4 labels are boxes")
    rows = found.dataset.coco("train")["annotations"]
    flat, turned = [20, 10, 40, 30], [25, 5, 30, 40]
    expected = [turned, flat, flat, turned] if occluded else [flat] * 4
    for row, box in zip(rows, expected, strict=True):
        assert row["bbox"] == pytest.approx(box) and row["area"] == 1200


def test_a_turned_box_of_cvat_is_turned_clockwise(export: Export) -> None:
    def change(made: Content) -> None:
        made["annotations"][0].update(
            segmentation=[], attributes={"occluded": False, "rotation": 30.0}
        )

    (row, *_) = export.prepared(change).dataset.coco("train")["annotations"]
    points = np.array(row["segmentation"][0]).reshape(-1, 2)
    # Of 20, 10, 40, 30 the upper left corner is the highest: -20, -15 from the centre at 40, 25.
    highest = 40 - 20 * 0.75**0.5 + 15 * 0.5, 25 - 20 * 0.5 - 15 * 0.75**0.5
    assert points[points[:, 1].argmin()].tolist() == pytest.approx(highest, abs=0.01)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (each("category_id", "annotations", str), "id_types"),
        (each("category_id", "annotations", float), "id_types"),
        (each("category_id", "annotations", "{}.0".format), "id_types"),
        (each("id", "categories", str), "id_types"),
        (both(each("id", "categories", str), each("category_id", "annotations", str)), ""),
        (each("id", "images", str), "id_types"),
        (each("image_id", "annotations", str), "id_types"),
        (each("image_id", "annotations", float), "id_types"),
        (both(each("id", "images", str), each("image_id", "annotations", str)), ""),
        (
            both(each("id", "images", "u{}".format), each("image_id", "annotations", "u{}".format)),
            "",
        ),
        (each("id", "annotations", "u{}".format), ""),
        (each("image_id", "annotations", "{:06}".format), "name_for_id"),
        (each("id", "images", "{:06}".format), "name_for_id"),
        (each("image_id", "annotations", "{:02}.jpg".format), "name_for_id"),
        (each("image_id", "annotations", "frame/{:02}.jpg".format), "name_for_id"),
        (each("image_id", "annotations", "D:\\x\\{:02}.jpg".format), "name_for_id"),
        (each("category_id", "annotations", {1: "person", 2: "car"}.get), "name_for_id"),
        (each("category_id", "annotations", {1: "Person", 2: "CAR"}.get), "name_for_id"),
        (
            both(
                each("id", "images", lambda i: 10**25 + i),
                each("image_id", "annotations", lambda i: 10**25 + i),
            ),
            "",
        ),
        (each("id", "categories", lambda i: i + 88), None),
    ],
)
def test_ids(export: Export, change: Change, code: str | None) -> None:
    if code is None:  # other ids than those of annotations
        with pytest.raises(ChecksFailed, match=r"4 of 4 annotations .* category_id 1 \(a whole nu"):
            export.prepared(change)
        return
    found = export.prepared(change)
    assert classes(found) == NAMES
    assert set(found.codes()) == {code} - {""}
    assert all(count <= 2 for count in found.codes().values())  # not one per annotation


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (each("category_id", "annotations", lambda i: [i]), r"category_id \[1\] \(a list\)"),
        (each("category_id", "annotations", lambda i: i + 0.5), r"1\.5 \(a number with a fraction"),
        (each("category_id", "annotations", lambda i: None), r"category_id None \(null\)"),
        (each("category_id", "annotations", "c{}".format), r"category_id 'c1' \(text\)"),
        (each("image_id", "annotations", lambda i: {"id": i}), "image_id is an object"),
        (each("image_id", "annotations", lambda i: i + 7), r"image_id 8 \(a whole number\)"),
        (each("image_id", "annotations", "x{}".format), r"image_id 'x1' \(text\), which no image"),
        (
            lambda made: made["images"][1].update(id="1"),
            r"image id 1 is there twice, for 01\.jpg and for 02\.jpg \(give every image its own id",
        ),
    ],
)
def test_ids_that_say_nothing_are_refused_in_one_message(
    export: Export, change: Change, message: str
) -> None:
    with pytest.raises(ChecksFailed, match=message) as caught:
        export.prepared(change)
    assert "has 1 problem:" in str(caught.value)


def test_crowds(export: Export) -> None:
    values = iter(["1", None, 1.0, "0"])
    found = export.prepared(each("iscrowd", "annotations", lambda _: next(values)))
    rows = found.dataset.coco("train")["annotations"]
    assert [row["iscrowd"] for row in rows] == [1, 0, 1, 0]
    found = export.prepared(each("iscrowd", "annotations", lambda _: "perhaps"))
    assert found.codes() == {"odd_crowd": 4}


@pytest.mark.parametrize(
    ("change", "names", "seen", "codes"),
    [
        (
            roots((0, "street", "none"), (1, "person", "street"), (2, "car", "street")),
            ("person", "car"),
            NAMES,
            {"root_category"},
        ),
        (
            roots((0, "car", "none"), (1, "person", "car"), (2, "car", "car")),
            ("person", "car"),
            NAMES,
            {"root_category"},
        ),
        (
            roots((1, "person", "x"), (2, "car", "x"), (9, "x", None)),
            ("person", "car"),
            NAMES,
            {"root_category"},
        ),
        (  # used: it is a class
            roots((1, "vehicle", "none"), (2, "car", "vehicle")),
            ("vehicle", "car"),
            ["vehicle", "car"] * 2,
            set(),
        ),
        (  # not of all others
            roots((0, "vehicle", None), (1, "person", "human"), (2, "car", "vehicle")),
            ("vehicle", "person", "car"),
            NAMES,
            {"class_never"},
        ),
        (
            roots((1, "car", "x"), (2, "car", "y"), (3, "dog", "x")),
            ("car", "dog"),
            ["car"] * 4,
            {"same_class_name", "class_never"},
        ),
        (
            roots((1, " car", ""), (2, "car\n", "")),
            ("car",),
            ["car"] * 4,
            {"same_class_name", "category_name"},
        ),
        (
            roots((1, None, ""), (2, " ", "")),
            ("category_1", "category_2"),
            ["category_1", "category_2"] * 2,
            {"category_name"},
        ),
        (roots((1, 7, ""), (2, True, "")), ("7", "True"), ["7", "True"] * 2, {"category_name"}),
        (roots((1, "Car", ""), (2, "car", "")), ("Car", "car"), ["Car", "car"] * 2, set()),
        (
            roots((1, "person", ""), (1, "person", ""), (2, "car", "")),
            ("person", "car"),
            NAMES,
            {"same_class_name"},
        ),
        (
            both(
                lambda made: made.update(categories=["person", "car"]),
                each("category_id", "annotations", {1: "person", 2: "car"}.get),
            ),
            ("person", "car"),
            NAMES,
            {"name_for_id"},
        ),
        (
            both(
                roots(("b", "person", ""), ("a", "car", "")),
                each("category_id", "annotations", {1: "b", 2: "a"}.get),
            ),
            ("person", "car"),  # text ids stay in the order of the file
            NAMES,
            set(),
        ),
        (
            both(
                roots((90, "person", ""), (0, "car", "")),
                each("category_id", "annotations", {1: 90, 2: 0}.get),
            ),
            ("car", "person"),
            NAMES,
            set(),
        ),
    ],
)
def test_categories(
    export: Export, change: Change, names: tuple[str, ...], seen: list[str], codes: set[str]
) -> None:
    found = export.prepared(change)
    assert found.dataset.names == names
    assert classes(found) == seen
    assert set(found.codes()) == codes


@pytest.mark.parametrize("categories", [None, []])
def test_without_categories_their_ids_are_named(export: Export, categories: Any) -> None:
    with pytest.raises(DataError, match=r"categories is missing or empty; .* category_id 1, 2"):
        export.prepared(lambda made: made.update(categories=categories))


def test_a_root_that_another_file_uses_stays(export: Export) -> None:
    export.prepared(roots((1, "vehicle", ""), (2, "car", "vehicle")))
    shutil.copy(export.root / "a.json", export.root / "b.json")
    with_root = roots((0, "vehicle", ""), (1, "car", "vehicle"), (2, "bus", "vehicle"))
    found = export.prepared(with_root, annotations=["a.json", "b.json"])
    assert set(found.dataset.names) == {"vehicle", "car", "bus"}


def test_a_picture_under_two_ids(export: Export) -> None:
    def change(made: Content) -> None:
        made["images"].append({"id": 9, "file_name": "images/01.jpg"})
        made["annotations"].append({**made["annotations"][0], "id": 9, "image_id": 9})
        made["annotations"].append({**made["annotations"][1], "id": 10, "image_id": 9})

    found = export.prepared(change)
    assert classes(found) == ["person", "car", *NAMES[1:]]  # of both, the repeat once
    assert found.codes() == {"image_twice": 1, "repeated_label": 1}
    assert messages(found)["image_twice"] == "image 9 is images/01.jpg, as image 1 is"


def test_repeats(export: Export) -> None:
    def change(made: Content) -> None:
        first = made["annotations"][0]
        made["annotations"] += [first, {**first, "id": 8, "area": 900}, {**first, "category_id": 2}]
        made["images"].append(made["images"][2])

    found = export.prepared(change)
    assert classes(found) == ["person", "car", *NAMES[1:]]
    assert found.codes() == {"image_twice": 1, "repeated_label": 2, "repeated_id": 1}
    assert (
        "1 annotation ids are there more than once (id 1; up to 3 times)"
        in (messages(found)["repeated_id"])
    )


def move(to: str) -> Change:
    return lambda made: [
        one.update({to: "D:\\set\\" + one.pop("file_name")}) for one in made["images"]
    ]


@pytest.mark.parametrize(
    ("change", "codes"),
    [
        (move("path"), {"other_key", "mended_name"}),
        (move("coco_url"), {"other_key", "mended_name"}),
        (each("file_name", "images", "C:\\a\\images\\{}".format), {"mended_name"}),
        (each("file_name", "images", "/home/me/images/{}".format), {"mended_name"}),
        (each("file_name", "images", "https://host/x/images/{}?v=1".format), {"mended_name"}),
        (each("file_name", "images", "images/{}".format), set()),
        (each("width", "images", str), set()),
        (each("height", "images", float), set()),
        (each("width", "images", lambda _: 0), set()),
        (each("width", "images", lambda _: None), set()),
        (each("width", "images", lambda _: "?"), set()),
        (each("width", "images", lambda _: "128"), {"size_differs"}),
        (
            both(each("width", "images", lambda _: 48), each("height", "images", lambda _: 64)),
            {"size_differs"},
        ),
    ],
)
def test_names_and_sizes_of_images(export: Export, change: Change, codes: set[str]) -> None:
    found = export.prepared(change)
    assert classes(found) == NAMES
    assert set(found.codes()) == codes


def shares(made: Content) -> None:
    for one in made["annotations"]:
        x, y, w, h = (v / s for v, s in zip(one["bbox"], (64, 48, 64, 48), strict=True))
        one.update(bbox=[x, y, w, h], area=w * h)
        one["segmentation"] = [[x, y, x + w, y, x + w, y + h, x, y + h]]


def test_coordinates_that_are_shares_are_said(export: Export) -> None:
    found = export.prepared(shares)
    assert found.codes() == {"shares": 1}
    assert messages(found)["shares"].startswith("4 of 4 objects are under 1 px")
    boxes = export.prepared(both(shares, each("segmentation", "annotations", lambda _: [])))
    assert set(boxes.codes()) == {"shares", "box_only"}

    def one_only(made: Content) -> None:
        made["annotations"][0].update(segmentation=[[0, 0, 1, 0, 1, 1]], area=0.5)

    assert export.prepared(one_only).codes() == {"box_differs": 1}


def test_a_segmentation_that_lies_elsewhere_than_its_box(export: Export) -> None:
    """As where x and y are swapped; what the image's border cuts off is none."""

    def swapped(made: Content) -> None:
        made["annotations"][0].update(segmentation=[[10, 20, 40, 20, 40, 60, 10, 60]])
        made["annotations"][1].update(
            segmentation=[[50, 10, 150, 10, 150, 40, 50, 40]], bbox=[50, 10, 100, 30], area=420
        )

    found = export.prepared(swapped)
    assert found.codes() == {"area_differs": 1, "box_differs": 1, "clipped": 2}
    assert messages(found)["box_differs"] == (
        "annotation 1: its bbox is [20, 10, 40, 30], its segmentation lies in 10, 20, 30, 28"
    )


@pytest.mark.parametrize(("w", "h"), [(1, 20), (2, 2), (20, 1)])
def test_a_thin_object_whose_box_counts_a_pixel_less(export: Export, w: int, h: int) -> None:
    """As of programs that take the last pixel from the first: half of the box, or all of it."""
    pixels = np.zeros((48, 64), np.uint8, order="F")
    pixels[10 : 10 + h, 20 : 20 + w] = 1

    def thin(made: Content) -> None:
        rle = {"size": [48, 64], "counts": mask.encode(pixels)["counts"].decode()}
        box = [20, 10, w - 1, h - 1]
        made["annotations"][0].update(segmentation=rle, bbox=box, area=w * h)

    assert "box_differs" not in export.prepared(thin).codes()
