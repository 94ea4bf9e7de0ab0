"""Data sets of images, there and back: the objects are the same, and what is lost is said."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segtrack.base.errors import DataError, SettingsError
from segtrack.base.files import file_digest
from segtrack.convert import FORMATS, Conversion
from segtrack.convert.images import unique_names
from segtrack.dataset import Dataset, Version, parent_digest, write_version
from tests.convert.conftest import (
    NAMES,
    Convert,
    Say,
    annotation,
    converted,
    dots,
    iou,
    objects,
    packed,
    read,
    ring,
    write_coco_folder,
)
from tests.dataset.conftest import Prepare, prepare_into, write_image
from tests.dataset.test_same_results import labellerr

IMAGES = [name for name, form in FORMATS.items() if not form.tracks]
# The least IoU of any object with itself: CVAT's coordinates have two decimals, YOLO's nine digits,
# outlines of masks run along the borders of pixels, and COCO's drawing of them costs some.
LEAST = 0.99
# What each cannot hold, of 12 objects in 6 images: in each split a polygon of two parts, a ring, a
# mask of two parts and a box; in train a crowd.
SAID = {
    "yolo": [
        "1 regions of many objects are left out: YOLO segmentation has none",
        "2 masks have holes, which are filled: YOLO segmentation has outlines only",
        "4 objects of several parts are joined by lines of no width: YOLO segmentation has one "
        "outline for an object",
        "2 masks are written as the outlines of their pixels: YOLO segmentation has no masks",
    ],
    "coco": [],
    "cvat-images": ["1 regions of many objects are left out: CVAT for images 1.1 has none"],
    "labelme": ["1 regions of many objects are left out: LabelMe has none"],
    "labelstudio": [
        "1 regions of many objects are left out: Label Studio has none",
        "2 objects of several outlines are written as masks: Label Studio has one outline for an "
        "object",
    ],
    "supervisely": [
        "1 regions of many objects are left out: Supervisely has none",
        "2 objects of several outlines are written as masks: Supervisely has one outline for an "
        "object",
    ],
    "datumaro": [],
}  # fmt: skip


@dataclass(frozen=True)
class Written:
    """A data set in one format, and what was said."""

    given: Path
    done: Conversion
    folder: Path
    before: Dataset
    after: Dataset


@pytest.fixture(scope="module", params=IMAGES)
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Each format once, with its name."""
    home = tmp_path_factory.mktemp("written")
    given, run, name = write_coco_folder(home / "given"), prepare_into(home), request.param
    done = converted(given, home / "out", name)
    before = read(run, "coco", given)
    after = read(run, FORMATS[name].reads, home / "out")
    return name, Written(given, done, home / "out", before, after)


def test_there_and_back(written: tuple[str, Written]) -> None:
    name, made = written
    assert made.done.read == "dataset=coco, 6 images (train 4, val 2)"
    assert list(made.done.losses) == SAID[name]
    assert made.done.pictures == 6
    assert made.done.things == (12 if FORMATS[name].holds.crowds else 11)
    assert made.after.counts == {"train": 4, "val": 2, "test": 0, "pool": 0}
    before, after = objects(made.before), objects(made.after)
    assert after.keys() == before.keys()
    holds = FORMATS[name].holds
    for image, ones in before.items():
        expected = [one for one in ones if holds.crowds or not one.crowd]
        left = list(after[image])
        assert len(left) == len(expected)
        for one in expected:
            near = max(left, key=lambda other: iou(one.pixels, other.pixels))
            left = [other for other in left if other is not near]
            assert (near.name, near.crowd) == (one.name, one.crowd)
            if one.exact and holds.masks:
                assert near.exact and (near.pixels == one.pixels).all()
                continue
            lost = one.exact or one.pixels[45:60, 60:90].all()  # a hole filled, parts joined
            assert iou(one.pixels, near.pixels) >= (0.8 if lost and name == "yolo" else LEAST)


def test_what_is_written_is_read_without_a_complaint(written: tuple[str, Written]) -> None:
    usual = ("box_only", "duplicate", "annotations_found", "self_intersecting", "mended_name")
    usual += ("image_without_label",)
    said = written[1].after.warnings
    assert [line for line in said if not line.startswith(usual)] == []


@pytest.mark.parametrize("name", [n for n in IMAGES if FORMATS[n].suffix])
def test_the_labels_alone(
    given: Path, tmp_path: Path, run: Prepare, convert: Convert, name: str
) -> None:
    """A single file, read beside the pictures."""
    home = tmp_path / "labels"
    path = home / f"labels{FORMATS[name].suffix}"
    convert(given, path, name)
    assert [entry.name for entry in home.iterdir()] == [path.name]
    for file in given.glob("images/*/*"):
        (home / "images").mkdir(exist_ok=True)
        (home / "images" / file.name).write_bytes(file.read_bytes())
    more = {"annotations": str(path)} if name == "coco" else {}
    dataset = read(run, FORMATS[name].reads, home, **more)
    assert sum(dataset.counts.values()) == 6
    wanted = 12 if FORMATS[name].holds.crowds else 11
    assert sum(len(ones) for ones in objects(dataset).values()) == wanted


def test_images_that_nobody_looked_at_stay_unlabelled(
    tmp_path: Path, run: Prepare, convert: Convert
) -> None:
    given = tmp_path / "given"
    for i in range(3):
        write_image(given / f"{i}.jpg", i)
    shape = {"label": "car", "points": [[5, 5], [30, 5], [30, 30]], "shape_type": "polygon"}
    content = {"shapes": [shape], "imagePath": "0.jpg", "imageHeight": 48, "imageWidth": 64}
    (given / "0.json").write_text(json.dumps({**content, "flags": {}}))
    empty = {**content, "shapes": [], "imagePath": "1.jpg", "flags": {}}
    (given / "1.json").write_text(json.dumps(empty))
    for name in IMAGES:
        if name == "coco":  # which lists what was looked at, and leaves out the rest
            continue
        convert(given, tmp_path / name, name)
        dataset = read(run, FORMATS[name].reads, tmp_path / name)
        assert (name, dataset.counts["train"], dataset.counts["pool"]) == (name, 2, 1)


def test_classes_are_chosen_and_merged(
    given: Path, tmp_path: Path, run: Prepare, command: Say
) -> None:
    classes = "dataset.classes={thing: [car, traffic light]}"
    lines = command(given, tmp_path / "out", "--to", "labelme", classes)
    assert lines[0] == f"{given}: dataset=coco, 6 images (train 4, val 2)"
    assert lines[-1] == f"{tmp_path / 'out'}: LabelMe, 6 images, 8 objects"
    assert read(run, "labelme", tmp_path / "out").names == ("thing",)


def test_a_prepared_data_set_and_a_reviewed_version(
    given: Path, tmp_path: Path, run: Prepare, convert: Convert
) -> None:
    prepared = read(run, "coco", given)
    done = convert(prepared.folder, tmp_path / "out", "coco")
    assert done.read == "a prepared data set, 6 images (train 4, val 2)"
    before, after = objects(prepared), objects(read(run, "coco", tmp_path / "out"))
    assert {k: len(v) for k, v in after.items()} == {k: len(v) for k, v in before.items()}
    labels = tmp_path / "labels.json"
    empty = {"images": [], "annotations": [], "categories": [{"id": 0, "name": NAMES[0]}]}
    labels.write_text(json.dumps(empty))
    splits = prepared.split_fingerprints
    digest = parent_digest(prepared.folder)
    sha = file_digest(labels)
    version = Version(2, prepared.fingerprint, splits, digest, sha, (), "p", "0" * 64, "auto")
    folder = write_version(version, prepared.folder, labels, tmp_path / "versions")
    done = convert(folder, tmp_path / "reviewed", "labelme")
    assert (done.read, done.things) == ("dataset=reviewed, 6 images (train 4, val 2)", 11)


def test_labels_of_a_labellerr_project(tmp_path: Path, run: Prepare, command: Say) -> None:
    """Of an export that was kept, joined with the images of a folder."""
    _, *words = labellerr(tmp_path)
    lines = command(tmp_path / "own", tmp_path / "out", "--to", "coco", "dataset=labellerr", *words)
    assert lines[0] == f"{tmp_path / 'own'}: dataset=labellerr, 10 images (train 9, test 1)"
    assert sum(map(len, objects(read(run, "coco", tmp_path / "out")).values())) == int(
        lines[-1].split()[-2]
    )


def test_the_picture_files(given: Path, tmp_path: Path, convert: Convert) -> None:
    convert(given, tmp_path / "copy", "datumaro")
    convert(given, tmp_path / "link", "datumaro", pictures="link")
    convert(given, tmp_path / "none", "datumaro", pictures="none")
    name = "images/train/street 1.jpg"
    source = given / name
    assert (tmp_path / "copy" / name).read_bytes() == source.read_bytes()
    assert (tmp_path / "copy" / name).stat().st_ino != source.stat().st_ino
    assert (tmp_path / "link" / name).stat().st_ino == source.stat().st_ino
    assert not list((tmp_path / "none").rglob("*.jpg"))


def test_nothing_is_overwritten_and_nothing_half_is_left(
    given: Path, tmp_path: Path, convert: Convert, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = tmp_path / "taken"
    taken.mkdir()
    with pytest.raises(SettingsError, match="never overwritten"):
        convert(given, taken, "coco")
    file = tmp_path / "taken.json"
    file.write_text("mine")
    with pytest.raises(SettingsError, match="never overwritten"):
        convert(given, file, "coco")
    assert file.read_text() == "mine" and not list(taken.iterdir())
    bad = write_coco_folder(tmp_path / "bad")
    (bad / "images" / "val" / "street 6.jpg").write_bytes(b"no picture")
    before = set(tmp_path.iterdir())
    with pytest.raises(DataError, match="street 6"):
        convert(bad, tmp_path / "new", "labelme")
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("{given}", "{new}", "--to", "labelbox"), "did you mean labelme"),
        (("{given}", "{new}.json", "--to", "yolo"), "yolo is written as a folder"),
        (("{given}", "{new}.xml", "--to", "coco"), "a folder; its file ends with .json"),
        (("{given}", "{given}/new", "--to", "coco"), "which is only read"),
        (("{given}", "{new}", "--to", "mot"), "no track ids, which --to mot needs"),
        (("{given}", "{new}"), "required: --to"),
        (("{given}/nothing", "{new}", "--to", "yolo"), "is not there"),
        (("{given}/images", "{new}", "--to", "yolo"), "holds no"),
        (("{given}", "{new}", "--to", "yolo", "dataset.clases=[car]"), "did you mean"),
        (("{given}", "{new}", "--to", "yolo", "--video", "x.mp4"), "goes with tracks"),
        (("{given}", "{new}", "--to", "yolo", "dataset=labelme"), "dataset=coco"),
    ],
)
def test_what_cannot_be_done_is_said(
    given: Path, tmp_path: Path, command: Say, words: tuple[str, ...], says: str
) -> None:
    filled = [word.format(given=given, new=tmp_path / "new") for word in words]
    with pytest.raises((DataError, SettingsError)) as caught:
        command(*filled)
    assert says in str(caught.value)
    assert sorted(p.name for p in tmp_path.iterdir() if p.name.startswith((".", "new"))) == []


def test_no_report_is_named_that_went_with_the_working_folder(tmp_path: Path, command: Say) -> None:
    bad = tmp_path / "bad"
    (bad / "images").mkdir(parents=True)
    (bad / "labels").mkdir()
    for number in range(12):
        write_image(bad / f"images/{number}.png", number)
        (bad / f"labels/{number}.txt").write_text("0 nonsense\n")
    (bad / "data.yaml").write_text("train: images\nval: images\nnames: [car]\n")
    with pytest.raises(DataError, match=r"and 3 more .*\n.*keeps a report of all") as caught:
        command(str(bad), str(tmp_path / "new"), "--to", "coco")
    assert "partial" not in str(caught.value)


def test_odd_folders_of_paths(tmp_path: Path, run: Prepare, command: Say) -> None:
    given = write_coco_folder(tmp_path / 'a, b = [c] (d) "e" it\'s')
    command(given, tmp_path / "out {1}", "--to", "labelstudio")
    assert sum(read(run, "labelstudio", tmp_path / "out {1}").counts.values()) == 6


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["images/a.jpg", "images/b.jpg"], ["a.jpg", "b.jpg"]),
        (["x/a.jpg", "y/a.png", "y/b.png"], ["x__a.jpg", "y__a.png", "b.png"]),
        (["a.jpg", "A.png"], ["a.jpg", "A__1.png"]),
        (["../z/a.jpg", "a.jpg"], ["z__a.jpg", "a.jpg"]),
        (['i/a:b"c.jpg', "i/a?b.jpg"], ["a_b_c.jpg", "a_b.jpg"]),
    ],
)
def test_names_are_unique(paths: list[str], names: list[str]) -> None:
    assert list(unique_names(lambda: paths)) == names


def test_masks_at_the_border_and_of_all_pixels(
    tmp_path: Path, run: Prepare, convert: Convert
) -> None:
    """The first and the last pixel of every form of run lengths."""
    full = np.ones((64, 96), bool)
    first = np.zeros((64, 96), bool)
    first[0, 0] = True
    noise = np.random.default_rng(3).random((64, 96)) < 0.5
    shapes = [annotation(1, 1, packed(m)) for m in (full, first, noise, ring(), dots())]
    given = write_coco_folder(tmp_path / "given", shapes)
    for name in IMAGES:
        if not FORMATS[name].holds.masks:
            continue
        convert(given, tmp_path / name, name)
        found = objects(read(run, FORMATS[name].reads, tmp_path / name))
        masks = next(ones for ones in found.values() if ones)
        assert len(masks) == 5
        for mask in (full, first, noise, ring(), dots()):
            assert sum((one.pixels == mask).all() for one in masks) == 1, name


def loaded(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


LAYOUTS = {
    "yolo": [
        "data.yaml",
        *("images/train/street 1.jpg", "images/val/street 5.jpg"),
        *("labels/train/street 1.txt", "labels/val/street 5.txt"),
    ],
    "coco": [
        *("annotations/instances_train.json", "annotations/instances_val.json"),
        *("images/train/street 1.jpg", "images/val/street 5.jpg"),
    ],
    "cvat-images": [
        "annotations.xml",
        *("images/train/street 1.jpg", "images/val/street 5.jpg"),
    ],
    "labelme": [
        *("train/street 1.jpg", "train/street 1.json"),
        *("val/street 5.jpg", "val/street 5.json"),
    ],
    "labelstudio": [
        "label_config.xml",
        *("train/street 1.jpg", "train/tasks.json", "val/street 5.jpg", "val/tasks.json"),
    ],
    "supervisely": [
        "meta.json",
        *("train/ann/street 1.jpg.json", "train/img/street 1.jpg"),
        *("val/ann/street 5.jpg.json", "val/img/street 5.jpg"),
    ],
    "datumaro": [
        *("annotations/train.json", "annotations/val.json"),
        *("images/train/street 1.jpg", "images/val/street 5.jpg"),
    ],
}


def test_layouts_are_those_of_the_programs(written: tuple[str, Written]) -> None:
    name, made = written
    files = [path for path in made.folder.rglob("*") if path.is_file()]
    others = tuple(f"street {i}" for i in (2, 3, 4, 6))
    shown = sorted(str(p.relative_to(made.folder)) for p in files if not p.name.startswith(others))
    assert shown == LAYOUTS[name]
    if name == "labelstudio":
        (first, *_) = loaded(made.folder / "train" / "tasks.json")
        assert first["data"] == {"image": "/data/local-files/?d=train/street%201.jpg"}
        assert first["annotations"][0]["result"][0]["type"] == "polygonlabels"
    if name == "labelme":
        shapes = loaded(made.folder / "train" / "street 1.json")["shapes"]
        assert [one["group_id"] for one in shapes] == [None, 1, 1]


def test_class_names_with_signs_of_the_formats(
    tmp_path: Path, run: Prepare, convert: Convert
) -> None:
    """Classes with signs of XML, JSON and YAML."""
    given = write_coco_folder(tmp_path / "given")
    odd = ['<a & "b">', "off: [x]", "010"]  # and, of XML, what it cannot write
    for path in given.glob("annotations/*.json"):
        content = loaded(path)
        for category, name in zip(content["categories"], odd, strict=True):
            category["name"] = name
        path.write_text(json.dumps(content))
    for name in IMAGES:
        convert(given, tmp_path / name, name)
        dataset: Dataset = read(run, FORMATS[name].reads, tmp_path / name)
        listed = name not in ("labelme", "labelstudio")  # whose labels come without a list
        assert dataset.names == tuple(odd if listed else sorted(odd)), name
