"""Which files a COCO data set has, and what is no COCO."""

import json
import shutil
from pathlib import Path

import pytest

from segtrack.base.errors import DataError
from segtrack.dataset import CocoSettings
from segtrack.dataset.sources.coco.annotation_files import annotation_files
from tests.dataset.coco_export import (
    NAMES,
    Export,
    classes,
    content,
    roots,
)
from tests.dataset.conftest import Prepare, write_image


@pytest.fixture
def export(tmp_path: Path, run: Prepare) -> Export:
    return Export(tmp_path / "set", run)


def layout(root: Path, *files: str) -> None:
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text("{}")


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (
            ["train", "valid", "test"],
            {"train": ("train",), "valid": ("val",), "test": ("test",)},
        ),
        (["train", "valid"], {"train": ("train",), "valid": ("val",)}),
        (["train"], {"train": ()}),
    ],
)
def test_roboflow(tmp_path: Path, files: list[str], expected: dict[str, tuple[str, ...]]) -> None:
    layout(tmp_path, *(f"{file}/_annotations.coco.json" for file in files), "notes/x.json")
    found = annotation_files(tmp_path, None)
    assert {one.path.parent.name: one.splits for one in found} == expected
    assert all("dataset.annotations is not given" in one.note for one in found)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (
            ["instances_train2017", "instances_val2017", "captions_train2017"],
            {"instances_train2017": ("train",), "instances_val2017": ("val",)},
        ),
        (["instances_default"], {"instances_default": ()}),
        (
            ["instances_Train", "instances_Validation"],
            {"instances_Train": ("train",), "instances_Validation": ("val",)},
        ),
        (["all"], {"all": ()}),
        (["train", "test"], {"train": ("train",), "test": ("test",)}),
    ],
)
def test_usual_files(
    tmp_path: Path, files: list[str], expected: dict[str, tuple[str, ...]]
) -> None:
    layout(tmp_path, *(f"annotations/{file}.json" for file in files))
    found = annotation_files(tmp_path, None)
    assert {one.path.stem: one.splits for one in found} == expected


@pytest.mark.parametrize(
    "files", [[], ["a.json", "b.json"], ["train_a.json", "train_b.json"], ["deep/er/a.json"]]
)
def test_files_that_are_not_clear_are_asked_for(tmp_path: Path, files: list[str]) -> None:
    layout(tmp_path, *files)
    with pytest.raises(DataError, match=r"name it with dataset\.annotations=FILE") as caught:
        annotation_files(tmp_path, None)
    assert all(Path(file).name in str(caught.value) for file in files if "deep" not in file)
    (problem,) = CocoSettings(path=str(tmp_path)).problems()
    assert problem.key == "dataset.annotations"


def test_a_folder_of_roboflow_is_read_whole(export: Export) -> None:
    for split, keep in (("train", 2), ("valid", 1), ("test", 1)):
        folder = export.root / split
        made = content()
        made["images"] = made["images"][:keep]
        made["annotations"] = made["annotations"][:keep]
        roots((0, "cars", "none"), (1, "person", "cars"), (2, "car", "cars"))(made)
        folder.mkdir()
        (folder / "_annotations.coco.json").write_text(json.dumps(made))
        for image in made["images"]:  # of one name in each folder
            write_image(folder / image["file_name"], len(split) * 10 + image["id"])
    shutil.rmtree(export.root / "images")
    found = export.run(CocoSettings(path=str(export.root)))
    assert found.splits() == {
        "train": ["train/01.jpg", "train/02.jpg"],
        "val": ["valid/01.jpg"],
        "test": ["test/01.jpg"],
        "pool": [],
    }
    assert found.dataset.names == ("person", "car")
    assert found.codes()["annotations_found"] == 3


def test_where_files_are_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    layout(here, "a.json", "both.json")
    layout(there, "sub/b.json", "both.json")
    monkeypatch.chdir(here)
    (one,) = annotation_files(there, "a.json")
    assert (one.path, one.note) == (Path("a.json"), "")
    (one,) = annotation_files(there, "sub/b.json")
    assert one.path == there / "sub/b.json"
    assert one.note == f"sub/b.json is taken from dataset.path: {there}/sub/b.json"
    (one,) = annotation_files(there, "both.json")
    assert one.path == Path("both.json")
    assert one.note == f"both.json of the working folder is taken, not {there}/both.json"
    found = annotation_files(there, {"train": ["a.json", "sub/b.json"], "test": "both.json"})
    assert [one.splits for one in found] == [("test",), ("train",), ("train",)]
    with pytest.raises(DataError, match=r"c\.json does not exist, neither in the working folder"):
        annotation_files(there, "c.json")
    with pytest.raises(DataError, match=r"sub is a folder; name it .* b\.json"):
        annotation_files(there, "sub")
    (problem,) = CocoSettings(path=str(there / "both.json")).problems()
    assert "is the JSON: dataset.path=FOLDER dataset.annotations=" in str(problem)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it is empty"),
        ('{"images": [{"id": 1}, {"i', "it is cut off after 26 bytes"),
        ('[{"image_id": 1, "category_id": 1, "bbox": [1], "score": 0.5}]', "COCO results"),
        ('[{"image_id": 1, "category_id": 1, "bbox": [1]}]', "it is a list of annotations"),
        ("[1]", "it is a list: one object"),
        ('{"image_id": 1}\n{"image_id": 2}\n', "JSON lines"),
        ('{"shapes": [], "imagePath": "a.jpg", "version": 1}', "dataset=labelme"),
        ('[{"data": {"image": "a"}, "annotations": [{"result": []}]}]', "dataset=labelstudio"),
        ('<?xml version="1.0"?>\n<annotations><meta/></annotations>', "dataset=cvat"),
        ("<html><body>", "it is a web page"),
        ("version https://git-lfs.github.com/spec/v1\noid", "git lfs pull"),
        ("PK\x03\x04", "ZIP archive"),
        ("{'images': []}", "json.dump"),
        ('{"type": "FeatureCollection", "features": []}', "GeoJSON"),
        ('{"item": {"slots": []}, "annotations": []}', "V7 Darwin"),
        ('{"images": null, "annotations": [], "categories": []}', "images is not a list"),
    ],
)
def test_what_is_no_coco_is_named(export: Export, text: str, message: str) -> None:
    (export.root / "b.json").write_text(text)
    with pytest.raises(DataError, match=rf"b\.json: not COCO JSON: .*{message}"):
        export.prepared(annotations="b.json")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le"])
def test_encodings(export: Export, encoding: str) -> None:
    text = json.dumps(content(), ensure_ascii=False).replace("person", "pers\u00f6n")
    (export.root / "b.json").write_text(text, encoding)
    assert export.prepared(annotations="b.json").dataset.names == ("pers\u00f6n", "car")


def test_a_file_without_annotations_is_images_without_objects(export: Export) -> None:
    made = content()
    del made["annotations"]
    (export.root / "b.json").write_text(json.dumps(made))
    found = export.prepared(annotations=["a.json", "b.json"])
    assert classes(found) == NAMES
    assert found.codes()["no_annotations"] == 1
