"""COCO files for the platform: what is written, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools.coco import COCO

from segtrack.annotation.labellerr.checks import check_coco, match_file_names, match_questions
from segtrack.annotation.labellerr.coco import AnnotatedImage, Preannotation, write_coco
from segtrack.annotation.labellerr.port import Question
from segtrack.base.bands import band_of
from segtrack.base.errors import DataError

QUESTIONS = (Question("car ", "#E69F00"), Question("Bus", "#56B4E9"), Question("dog", "#000000"))
SQUARE = np.array([[2.0, 3.0], [12.0, 3.0], [12.0, 13.0], [2.0, 13.0]])


def image(*annotations: Preannotation, name: str = "a.jpg") -> AnnotatedImage:
    return AnnotatedImage(name, 40, 30, annotations)


def test_what_is_written(tmp_path: Path) -> None:
    names = match_questions(["car", "bus"], QUESTIONS)
    two = (SQUARE, SQUARE[:3] + 14)
    images = [
        image(Preannotation("bus", (SQUARE,), 0.87654)),
        image(name="without.jpg"),
        image(Preannotation("car", two), name="b.jpg"),
    ]
    written = write_coco(images, names, tmp_path)
    (file,) = written.files
    assert (file.images, file.objects, file.bucket, written.left_out) == (2, 2, None, ())
    assert json.loads(file.path.read_text()) == {
        "categories": [
            {"id": 0, "name": "car ", "supercategory": "Annotation"},
            {"id": 1, "name": "Bus", "supercategory": "Annotation"},
        ],
        "images": [
            {"id": 0, "file_name": "a.jpg", "width": 40, "height": 30},
            {"id": 1, "file_name": "b.jpg", "width": 40, "height": 30},
        ],
        "annotations": [
            {
                "id": 0,
                "image_id": 0,
                "category_id": 1,
                "segmentation": [[2.0, 3.0, 12.0, 3.0, 12.0, 13.0, 2.0, 13.0]],
                "bbox": [2.0, 3.0, 10.0, 10.0],
                "area": 100.0,
                "iscrowd": 0,
                "score": 0.8765,
            },
            {
                "id": 1,
                "image_id": 1,
                "category_id": 0,
                "segmentation": [
                    [2.0, 3.0, 12.0, 3.0, 12.0, 13.0, 2.0, 13.0],
                    [16.0, 17.0, 26.0, 17.0, 26.0, 27.0],
                ],
                "bbox": [2.0, 3.0, 24.0, 24.0],
                "area": 150.0,
                "iscrowd": 0,
            },
        ],
    }
    check_coco(file.path, QUESTIONS, {"a.jpg", "b.jpg"})
    assert len(COCO(str(file.path)).loadAnns([0, 1])) == 2


def test_polygons_are_cut_at_the_border(tmp_path: Path) -> None:
    over = Preannotation(
        "car", (SQUARE + np.array([33, 0]),), 0.9
    )  # x from 35 to 45, the image ends at 40
    outside = Preannotation("car", (SQUARE + np.array([50, 0]),), 0.9)
    written = write_coco([image(over, outside)], {"car": "car"}, tmp_path)
    assert written.left_out == ("a.jpg: car has no area inside of the image",)
    (value,) = json.loads(written.files[0].path.read_text())["annotations"]
    assert (value["bbox"], value["area"]) == ([35.0, 3.0, 5.0, 10.0], 50.0)


@pytest.mark.parametrize(
    ("polygons", "says"),
    [
        ((), "a box without polygon"),
        ((SQUARE[:2],), r"a polygon of shape \(2, 2\)"),
        ((SQUARE.reshape(-1),), r"a polygon of shape \(8,\)"),
        ((SQUARE * np.nan,), "a polygon with coordinates that are not finite"),
    ],
)
def test_refused_objects(polygons: Any, says: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"a\.jpg: car: {says}"):
        write_coco([image(Preannotation("car", polygons))], {"car": "car"}, tmp_path)


def test_unknown_class(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.jpg: van: this class has no question; known are car"):
        write_coco([image(Preannotation("van", (SQUARE,)))], {"car": "car"}, tmp_path)


@pytest.mark.parametrize(
    ("score", "bucket"),
    [(0.0, "low"), (0.49, "low"), (0.5, "medium"), (0.8, "medium"), (0.81, "high"), (None, "high")],
)
def test_bands(score: float | None, bucket: str) -> None:
    assert band_of(score) == bucket


@given(st.integers(1, 60), st.integers(1, 4), st.integers(1_500, 6_000))
def test_files_stay_below_the_limit(
    tmp_path_factory: pytest.TempPathFactory, images: int, each: int, limit: int
) -> None:
    folder = tmp_path_factory.mktemp("split")
    objects = tuple(Preannotation("car", (SQUARE + i,), 0.9) for i in range(each))
    names = [f"\u00e9t\u00e9-{i}.jpg" for i in range(images)]
    written = write_coco(
        [image(*objects, name=n) for n in names], {"car": "c"}, folder, limit=limit
    )
    found = [json.loads(f.path.read_text()) for f in written.files]
    assert all(f.path.stat().st_size <= limit for f in written.files)
    assert [i["file_name"] for coco in found for i in coco["images"]] == names
    assert sum(len(coco["annotations"]) for coco in found) == images * each
    for coco, file in zip(found, written.files, strict=True):
        assert len(coco["images"]) == file.images
        assert {a["image_id"] for a in coco["annotations"]} == set(range(file.images))


def test_one_image_that_is_too_much(tmp_path: Path) -> None:
    many = image(*(Preannotation("car", (SQUARE,)) for _ in range(50)))
    with pytest.raises(DataError, match=r"a\.jpg: its 50 objects alone pass"):
        write_coco([many], {"car": "car"}, tmp_path, limit=2_000)


def test_questions_of_classes() -> None:
    assert match_questions(["dog", "CAR"], QUESTIONS) == {"dog": "dog", "CAR": "car "}
    with pytest.raises(DataError) as caught:
        match_questions(["tram", "buss"], QUESTIONS)
    message = str(caught.value)
    assert "'tram' is no question;" in message
    assert "'buss' is no question (near: 'Bus')" in message
    assert "asks for 'car ', 'Bus', 'dog'" in message
    with pytest.raises(DataError, match="asks for BoundingBox, not polygon"):
        match_questions(["car"], (Question("car", "#E69F00", kind="BoundingBox"),))
    with pytest.raises(DataError, match="may be 'Car' or 'car '"):
        match_questions(["car"], (Question("Car", ""), Question("car ", "")))
    assert match_questions(["car"], (Question("Car", ""), Question("car", ""))) == {"car": "car"}


def test_names_of_files() -> None:
    there = ["a.jpg", "B.JPG", "c.jpg", "C.jpg"]
    found, missing = match_file_names(["a.jpg", "b.jpg", "c.jpg", "c.JPG", "d.jpg"], there)
    assert found == {"a.jpg": "a.jpg", "b.jpg": "B.JPG", "c.jpg": "c.jpg"}
    assert missing == ["c.JPG", "d.jpg"]  # c.JPG may be either


def coco(**changes: Any) -> dict[str, Any]:
    ring = SQUARE.reshape(-1).tolist()
    return {
        "images": [{"id": 0, "file_name": "a.jpg", "width": 40, "height": 30}],
        "categories": [{"id": 0, "name": "car "}],
        "annotations": [{"id": 7, "image_id": 0, "category_id": 0, "segmentation": [ring]}],
        **changes,
    }


def annotation(**changes: Any) -> dict[str, Any]:
    return {"annotations": [{**coco()["annotations"][0], **changes}]}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"categories": []}, "everything, 'categories' is empty or missing"),
        ({"annotations": []}, "everything, there are no annotations"),
        (annotation(segmentation=[]), "annotation 7: a box without polygon"),
        (annotation(segmentation=None), "annotation 7: a box without polygon"),
        (annotation(segmentation={"size": [30, 40], "counts": "x"}), "a run-length mask"),
        (annotation(segmentation=[[1, 2, 3, 4]]), "a polygon that is not"),
        (annotation(segmentation=[[1, 2, 3, 4, 60, 6]]), "a polygon outside of its image"),
        (annotation(segmentation=[[1, -2, 3, 4, 6, 6]]), "a polygon outside of its image"),
        (annotation(image_id=5), "image_id 5 is no image"),
        (annotation(category_id=5), "category_id 5 is no category"),
        (
            {"categories": [{"id": 0, "name": "car"}]},
            "category 'car' is no question; the template has 'car '",
        ),
        ({"categories": [{"id": 0, "name": "van"}]}, "category 'van' is no question."),
        (
            {"images": [{"id": 0, "file_name": "A.JPG"}]},
            "image 'A.JPG' is not in the project; the project has 'a.jpg'",
        ),
    ],
)
def test_what_the_platform_would_leave_out(
    changes: dict[str, Any], says: str, tmp_path: Path
) -> None:
    path = tmp_path / "coco.json"
    path.write_text(json.dumps(coco()))
    check_coco(path, QUESTIONS, {"a.jpg"})
    path.write_text(json.dumps(coco(**changes)))
    with pytest.raises(DataError) as caught:
        check_coco(path, QUESTIONS, {"a.jpg"})
    assert says in str(caught.value) and str(path) in str(caught.value)


def test_files_that_are_too_large_or_no_json(tmp_path: Path) -> None:
    path = tmp_path / "coco.json"
    path.write_text(json.dumps(coco()))
    with pytest.raises(DataError, match=r"Labellerr takes 0\.0 MB at most; send it in parts"):
        check_coco(path, QUESTIONS, {"a.jpg"}, limit=100)
    path.write_text('{"images": [}')
    with pytest.raises(DataError, match="not a COCO file, line 1"):
        check_coco(path, QUESTIONS, {"a.jpg"})
