"""YOLO folders from start to end: what comes out, and what each oddity is answered with."""

import io
import json
import os
import shutil
from pathlib import Path

import cv2
import pytest
from PIL import Image
from pycocotools.coco import COCO

from segtrack.base.errors import DataError, SettingsError
from segtrack.dataset import Dataset, YoloSettings, prepare, signature
from segtrack.dataset.checks import ChecksFailed
from segtrack.settings import SplitFractions
from tests.dataset.conftest import SQUARE, Prepare, YoloFolder, write_image


def settings(folder: YoloFolder, **changes: object) -> YoloSettings:
    return YoloSettings(path=str(folder.root), **changes)  # type: ignore[arg-type]


def test_the_canonical_form(yolo: YoloFolder, run: Prepare) -> None:
    yolo.write_label(3, f"{SQUARE}\n1 0 0 0.5 0 0.5 0.5")
    before = yolo.snapshot()
    found = run(settings(yolo, splits=SplitFractions(0.5, 0.25, 0.25, 0)))
    dataset = found.dataset
    assert dataset.names == ("car", "person")
    assert dataset.counts == {"train": 6, "val": 3, "test": 3, "pool": 0}
    assert dataset.class_map == {"car": "car", "person": "person"}
    every = sorted(name for names in found.splits().values() for name in names)
    assert every == [f"images/{i:02}.jpg" for i in range(12)]
    split = next(s for s, names in found.splits().items() if "images/03.jpg" in names)
    coco = dataset.coco(split)
    image = next(i for i in coco["images"] if i["file_name"] == "images/03.jpg")
    assert (image["width"], image["height"]) == (64, 48)
    square, triangle = (a for a in coco["annotations"] if a["image_id"] == image["id"])
    assert square["segmentation"] == [[16, 12, 48, 12, 48, 36, 16, 36]]
    assert (square["bbox"], square["area"]) == ([16, 12, 32, 24], 768)
    assert (square["category_id"], square["iscrowd"], square["visible_fraction"]) == (0, 0, None)
    assert (triangle["category_id"], triangle["area"]) == (1, 384)
    assert coco["categories"] == [{"id": 0, "name": "car"}, {"id": 1, "name": "person"}]
    assert found.reported["data/images/train"] == 6
    assert found.reported["data/annotations/" + split] == len(coco["annotations"])
    assert yolo.snapshot() == before  # nothing of the user's was touched


def test_some_images_by_their_ids(yolo: YoloFolder, run: Prepare) -> None:
    dataset = run(settings(yolo, splits=SplitFractions(0.5, 0.5, 0, 0))).dataset
    for split in ("train", "val"):
        rows, annotations = dataset.images(split), dataset.coco(split)["annotations"]
        wanted = {row.image_id for row in rows[1:4]}
        own = [one for one in annotations if one["image_id"] in wanted]
        assert list(dataset.iter_annotations(split, wanted)) == own != []
        assert list(dataset.images_of(wanted)) == rows[1:4]
        assert list(dataset.coco_images(split, wanted)) == list(dataset.coco_images(split))[1:4]
        assert list(dataset.coco_images("test", wanted)) == []
        assert list(dataset.iter_annotations("test", wanted)) == []
    assert list(dataset.images_of([])) == []


def test_exports_and_contact_sheet(yolo: YoloFolder, run: Prepare) -> None:
    dataset = run(settings(yolo)).dataset
    exported = COCO(str(dataset.folder / "test.coco.json"))
    assert exported.dataset["annotations"] == dataset.coco("test")["annotations"]
    assert exported.dataset["images"] == dataset.coco("test")["images"]
    sheet = cv2.imread(str(dataset.folder / "contact_sheet.jpg"))
    assert sheet.shape[1] > 4 * 400
    assert json.loads((dataset.folder / "checks.json").read_text())["errors"] == 0
    assert not (dataset.folder / "work.sqlite").exists()


def test_the_training_tree_links_to_the_images(yolo: YoloFolder, run: Prepare) -> None:
    dataset = run(settings(yolo)).dataset
    tree = dataset.yolo_yaml.parent
    for split in ("train", "val", "test"):
        rows = dataset.images(split)
        links = sorted((tree / "images" / split).iterdir())
        assert [link.resolve() for link in links] == [row.path for row in rows]
        labels = sorted((tree / "labels" / split).iterdir())
        assert [p.stem for p in labels] == [p.stem for p in links]
        assert {p.read_text() for p in labels} == {SQUARE + "\n"}
    text = dataset.yolo_yaml.read_text()
    assert text == "train: images/train\nval: images/val\ntest: images/test\nnames:\n" + (
        "  0: car\n  1: person\n"
    )


def test_ultralytics_reads_the_tree(yolo: YoloFolder, run: Prepare) -> None:
    from segtrack.model.ultralytics import library  # noqa: F401  before ultralytics

    dataset = run(settings(yolo)).dataset
    from ultralytics.data import YOLODataset
    from ultralytics.data.utils import check_det_dataset

    data = check_det_dataset(str(dataset.yolo_yaml), autodownload=False)
    images = YOLODataset(img_path=data["train"], data=data, task="segment", imgsz=64)
    assert len(images) == dataset.counts["train"]
    assert all(len(label["segments"]) == 1 for label in images.labels)


def test_a_jpeg_that_would_be_rewritten_is_copied(yolo: YoloFolder, run: Prepare) -> None:
    path = yolo.image(2)
    path.write_bytes(path.read_bytes()[:-2])  # without its end marker, but all pixels are there
    found = run(settings(yolo, decode=False))
    copies = [p for p in found.dataset.yolo_yaml.parent.glob("images/*/*") if not p.is_symlink()]
    assert [p.name for p in copies] == ["0000002_02.jpg"]


def test_declared_splits_are_kept(yolo: YoloFolder, run: Prepare) -> None:
    (yolo.root / "train.txt").write_text("./images/00.jpg\n\nimages/01.jpg\n")
    for number in range(2, 6):
        write_image(yolo.root / "val" / "images" / f"v{number}.jpg", 50 + number)
    (yolo.root / "val" / "labels").mkdir()
    for number in range(2, 6):
        (yolo.root / "val" / "labels" / f"v{number}.txt").write_text(SQUARE)
    yolo.write_yaml("train: train.txt\nval: [val/images]\nnames: {0: car, 1: person}\n")
    found = run(settings(yolo))
    assert found.splits() == {
        "train": ["images/00.jpg", "images/01.jpg"],
        "val": [f"val/images/v{i}.jpg" for i in range(2, 6)],
        "test": [],
        "pool": [],
    }
    assert "train_is_val" not in found.codes()


@pytest.mark.parametrize(
    ("yaml", "code"),
    [
        ("train: images\nval: images\nnames: [car]\n", "train_is_val"),
        ("train: images\nnames: [car]\n", "no_val"),
    ],
)
def test_nothing_to_score_on_is_divided_and_said(
    yolo: YoloFolder, run: Prepare, yaml: str, code: str
) -> None:
    yolo.write_yaml(yaml)
    found = run(settings(yolo, splits=SplitFractions(0.5, 0.25, 0.25, 0)))
    assert found.dataset.counts == {"train": 6, "val": 3, "test": 3, "pool": 0}
    (finding,) = [f for f in found.findings() if f["code"] == code]
    assert finding["file"].endswith("data.yaml")
    assert any(line.startswith(code) for line in found.dataset.warnings)


def test_an_image_in_two_splits_stays_where_it_is_scored(yolo: YoloFolder, run: Prepare) -> None:
    (yolo.root / "val.txt").write_text("images/00.jpg\nimages/01.jpg\n")
    yolo.write_yaml("train: images\nval: val.txt\nnames: [car, person]\n")
    found = run(settings(yolo))
    assert found.splits()["val"] == ["images/00.jpg", "images/01.jpg"]
    assert len(found.splits()["train"]) == 10
    assert found.codes()["in_two_splits"] == 2


def test_groups_stay_on_one_side(tmp_path: Path, run: Prepare) -> None:
    folder = YoloFolder(tmp_path / "data", count=30)
    found = run(settings(folder, group_by=r"/(\d)\d\.jpg$"))  # 00..09, 10..19, 20..29
    sides = [{name[7] for name in names} for names in found.splits().values()]
    assert sum(len(side) for side in sides) == 3


def test_merged_and_chosen_classes(tmp_path: Path, run: Prepare) -> None:
    folder = YoloFolder(tmp_path / "data", names="[car, person, bus]")
    folder.write_label(0, f"{SQUARE}\n2{SQUARE[1:]}\n1{SQUARE[1:]}")
    found = run(settings(folder, classes={"vehicle": ["bus", "car"]}))
    assert found.dataset.names == ("vehicle",)
    assert found.dataset.class_map == {"car": "vehicle", "bus": "vehicle"}
    total = sum(v for k, v in found.reported.items() if k.startswith("data/annotations"))
    assert total == 13  # the person is left out
    with pytest.raises(SettingsError, match="nearest: 'person'"):
        run(settings(folder, classes=["persons"]))


def _rename(folder: YoloFolder) -> None:
    folder.image(1).rename(folder.root / "images" / "IMG_1.JPG")
    folder.label(1).rename(folder.root / "labels" / "img_1.txt")


def _exif(folder: YoloFolder) -> None:
    exif = Image.Exif()
    exif[274] = 6
    Image.new("RGB", (40, 30)).save(folder.image(4), exif=exif)


def _same_stem(folder: YoloFolder) -> None:
    write_image(folder.root / "images" / "05.png", 99)


def _save(number: int, mode: str) -> object:
    def change(folder: YoloFolder) -> None:
        folder.image(number).unlink()
        data = io.BytesIO()
        Image.new(mode, (64, 48)).save(data, "PNG")
        folder.image(number).with_suffix(".png").write_bytes(data.getvalue())

    return change


@pytest.mark.parametrize(
    ("change", "code", "count", "file", "message"),
    [
        (_rename, "mended_name", 1, "IMG_1.JPG", "its label is called img_1.txt; it is taken"),
        (lambda f: f.label(2).unlink(), "image_without_label", 1, "02.jpg", "has no label file"),
        (lambda f: f.image(2).unlink(), "label_without_image", 1, "02.txt", "belongs to no image"),
        (_same_stem, "shared_label", 1, "05.txt", "is the label of 05.jpg and of 05.png"),
        (_exif, "exif_rotation", 1, "04.jpg", "EXIF orientation 6 turns it to 30 x 40"),
        (_save(6, "L"), "grayscale", 1, "06.png", "is grayscale (mode L)"),
        (_save(6, "RGBA"), "alpha_channel", 1, "06.png", "has an alpha channel (mode RGBA)"),
        (_save(6, "I;16"), "bit_depth", 1, "06.png", "has 16 bits per channel"),
        (lambda f: write_image(f.image(7), 7, 64, 8), "tiny_image", 1, "07.jpg", "64 x 8 pixels"),
        (
            lambda f: f.write_label(8, "1 0 0 .5 .5"),
            "box_only",
            1,
            "08.txt",
            "1 of 12 labels are boxes",
        ),
        (
            lambda f: f.write_label(8, f"{SQUARE}\n0 .1 .1 .9 .9 .9 .1 .1 .9"),
            *("self_intersecting", 1, "08.txt", "intersects itself"),
        ),
        (lambda f: f.write_label(9, "1 .5 .5 2 .5 1 1"), "clipped", 1, "09.txt", "is clipped"),
    ],
)
def test_warnings(
    yolo: YoloFolder,
    run: Prepare,
    change: object,
    code: str,
    count: int,
    file: str,
    message: str,
) -> None:
    change(yolo)  # type: ignore[operator]
    found = run(settings(yolo))
    of_kind = [f for f in found.findings() if f["code"] == code]
    assert len(of_kind) == count
    assert of_kind[0]["severity"] == "warning"
    assert Path(of_kind[0]["file"]).name == file
    assert message in of_kind[0]["message"]
    assert of_kind[0]["hint"]
    assert any(line.startswith(f"{code}: ") for line in found.dataset.warnings)
    assert found.reported["data/warnings"] == len(found.findings())


def test_a_renamed_label_still_counts(yolo: YoloFolder, run: Prepare) -> None:
    _rename(yolo)
    found = run(settings(yolo))
    assert sum(v for k, v in found.reported.items() if k.startswith("data/annotations")) == 12


def test_names_that_differ_in_case_only_keep_their_own_labels(
    yolo: YoloFolder, run: Prepare
) -> None:
    write_image(yolo.root / "images" / "A.jpg", 50)
    write_image(yolo.root / "images" / "a.jpg", 51)
    (yolo.root / "labels" / "A.txt").write_text(SQUARE)
    found = run(settings(yolo))
    assert found.codes()["image_without_label"] == 1
    assert "mended_name" not in found.codes()


def test_a_rotated_image_is_labelled_as_it_is_displayed(yolo: YoloFolder, run: Prepare) -> None:
    _exif(yolo)
    dataset = run(settings(yolo, splits=SplitFractions(1, 0, 0, 0))).dataset
    row = dataset.images("train")[4]
    assert (row.width, row.height) == cv2.imread(str(row.path)).shape[1::-1] == (30, 40)
    annotation = dataset.coco("train")["annotations"][4]
    assert annotation["bbox"] == [7.5, 10, 15, 20]


def test_equal_images_are_said_and_do_not_leak(tmp_path: Path, run: Prepare) -> None:
    folder = YoloFolder(tmp_path / "data", count=40)
    for number in range(20, 40):
        shutil.copy(folder.image(number - 20), folder.image(number))
    found = run(settings(folder))
    assert found.codes()["duplicate_image"] == 20
    assert "leakage" not in found.codes()
    for names in found.splits().values():
        numbers = {int(name[7:9]) for name in names}
        assert numbers == {(n + 20) % 40 for n in numbers}


def test_equal_images_across_declared_splits_are_leakage(yolo: YoloFolder, run: Prepare) -> None:
    shutil.copy(yolo.image(0), write_image(yolo.root / "val" / "x.jpg", 1))
    yolo.write_yaml("train: images\nval: val\nnames: [car, person]\n")
    found = run(settings(yolo))
    (finding,) = [f for f in found.findings() if f["code"] == "leakage"]
    assert "00.jpg" in finding["file"]
    assert "x.jpg (val)" in finding["message"]


def test_a_class_that_a_split_lacks(yolo: YoloFolder, run: Prepare) -> None:
    yolo.write_label(0, "1" + SQUARE[1:])
    found = run(settings(yolo))
    assert found.codes()["class_missing"] >= 1
    missing = [f for f in found.findings() if f["code"] == "class_missing"]
    assert any("has no person" in one["message"] for one in missing)
    assert {one["hint"].partition(" mean")[0] for one in missing} == {"scores of this class"}


def _cut(folder: YoloFolder) -> None:
    write_image(folder.image(3), 3, 320, 240)
    folder.image(3).write_bytes(folder.image(3).read_bytes()[:3000])


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (_cut, ["03.jpg: not readable as an image", "truncated", "restore the file"]),
        (lambda f: f.image(4).write_bytes(b""), ["04.jpg: the file is empty (0 bytes)"]),
        (
            lambda f: f.write_label(5, SQUARE + " 0.5"),
            ["05.txt:1: 9 coordinates, an odd number", "a row is a class id and x y pairs"],
        ),
        (lambda f: f.write_label(6, f"{SQUARE}\n0 nan 0 1 0 1 1"), ["06.txt:2: 'nan' is not"]),
        (lambda f: f.write_label(6, "0 a 0 1 0 1 1"), ["06.txt:1: 'a' is not a number"]),
        (
            lambda f: f.write_label(7, "9" + SQUARE[1:]),
            ["07.txt:1: class id 9 is not a whole number from 0 to 1", "names in data.yaml"],
        ),
        (
            lambda f: [f.write_label(i, "") for i in range(12)],
            [
                "no usable label of car, person in 12 images",
                "check dataset.path",
                "yet to be labelled belong into the split pool, as with dataset=images",
            ],
        ),
        (
            lambda f: shutil.rmtree(f.root / "images") or (f.root / "images").mkdir(),
            ["holds no image and no video", ".jpeg"],
        ),
    ],
)
def test_errors(
    yolo: YoloFolder, run: Prepare, tmp_path: Path, change: object, parts: list[str]
) -> None:
    change(yolo)  # type: ignore[operator]
    before = yolo.snapshot()
    with pytest.raises(ChecksFailed) as caught:
        run(settings(yolo))
    for part in parts:
        assert part in str(caught.value)
    report = caught.value.report
    assert str(report) in str(caught.value)
    assert parts[0].split(": ")[0] in report.read_text()
    assert report.is_relative_to(tmp_path / "cache")  # the stage's folder does not last
    assert json.loads(report.with_suffix(".json").read_text())["errors"] == 1
    assert not (tmp_path / "out-1" / "dataset.json").exists()
    assert yolo.snapshot() == before


def test_images_that_are_still_to_be_annotated(yolo: YoloFolder, run: Prepare) -> None:
    """Raw images are a data set too, as long as they are the pool's."""
    shutil.rmtree(yolo.root / "labels")
    yolo.write_yaml("path: .\npool: images\nnames: [car, person]\n")
    dataset = run(settings(yolo)).dataset
    assert dataset.counts == {"train": 0, "val": 0, "test": 0, "pool": 12}
    assert dataset.names == ("car", "person")
    assert list(dataset.iter_annotations("pool")) == []
    yolo.write_yaml("path: .\npool: images\ntest: images\nnames: [car, person]\n")
    with pytest.raises(ChecksFailed, match="no usable label"):
        run(settings(yolo))


def test_all_problems_come_together(yolo: YoloFolder, run: Prepare) -> None:
    for number in range(12):
        yolo.write_label(number, f"7 {number} 0 1\n0 nan 1 1\n{SQUARE} 1")
    yolo.image(1).write_bytes(b"")
    with pytest.raises(ChecksFailed) as caught:
        run(settings(yolo))
    message = str(caught.value)
    assert "has 38 problems" in message  # 12 files of 3, one image, and so no label at all
    assert "... and 28 more" in message
    assert "class_id 12" in message
    assert "odd_coordinates 12" in message
    assert len(message.splitlines()) == 13


@pytest.mark.parametrize(
    ("yaml", "message"),
    [
        ("train: images\n", r"data\.yaml: names is missing or empty.*names: \{0: person"),
        ("train: images\nnames: []\n", "names is missing or empty"),
        ("train: images\nnames: {1: car, 2: bus}\n", r"names has the ids \[1, 2\].*0 to 1"),
        ("train: images\nnames: [car, car]\n", "names holds car twice"),
        ("train: pictures\nnames: [car]\n", "train: pictures does not exist"),
        ("train: 3\nnames: [car]\n", "train is 3; allowed is a folder"),
        ("names: [car]\n", "names no images; add for example  train: images"),
        ("train: [\n", "cannot be read as YAML"),
        ("just text", "holds str, not keys"),
    ],
)
def test_bad_data_yaml(yolo: YoloFolder, run: Prepare, yaml: str, message: str) -> None:
    yolo.write_yaml(yaml)
    with pytest.raises(DataError, match=message):
        run(settings(yolo))


def test_folders_that_are_no_data_set(tmp_path: Path, run: Prepare) -> None:
    with pytest.raises(DataError, match=r"dataset\.path: .*nowhere does not exist"):
        run(YoloSettings(path=str(tmp_path / "nowhere")))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="is an empty folder"):
        run(YoloSettings(path=str(tmp_path / "empty")))
    (tmp_path / "empty" / "a.txt").touch()
    with pytest.raises(DataError, match=r"no data\.yaml in it; write one"):
        run(YoloSettings(path=str(tmp_path / "empty")))
    with pytest.raises(DataError, match="needs a folder"):
        run(YoloSettings())


def test_a_listed_image_that_is_not_there(yolo: YoloFolder, run: Prepare) -> None:
    (yolo.root / "train.txt").write_text("images/00.jpg\nimages/77.jpg\nimages/03.JPEG\n")
    yolo.write_yaml("train: train.txt\nval: train.txt\nnames: [car, person]\n")
    with pytest.raises(ChecksFailed, match=r"train\.txt:2: images/77\.jpg does not exist"):
        run(settings(yolo))
    (yolo.root / "train.txt").write_text("images/00.jpg\nimages/03.JPEG\n")
    found = run(settings(yolo))
    mended = [f for f in found.findings() if f["code"] == "mended_name"]
    assert {(f["line"], f["message"]) for f in mended} == {
        (2, "images/03.JPEG is called images/03.jpg; it is taken")
    }


def test_another_machines_path_in_data_yaml(yolo: YoloFolder, run: Prepare) -> None:
    yolo.write_yaml("path: /elsewhere/data\ntrain: ../images\nval: ../images\nnames: [car]\n")
    assert sum(run(settings(yolo)).dataset.counts.values()) == 12


def test_odd_paths_work(tmp_path: Path, run: Prepare) -> None:
    folder = YoloFolder(tmp_path / "données, [v2] (neu)")
    folder.image(0).rename(folder.root / "images" / "straße, 1 [a].jpg")
    folder.label(0).rename(folder.root / "labels" / "straße, 1 [a].txt")
    found = run(settings(folder))
    assert "images/straße, 1 [a].jpg" in [n for names in found.splits().values() for n in names]
    tree = [p.name for p in found.dataset.yolo_yaml.parent.glob("images/*/*")]
    assert any(name.endswith("_stra_e_1_a_.jpg") for name in tree)
    assert found.codes().keys() == {"train_is_val", "class_never"}


def test_fingerprints_are_of_the_content(tmp_path: Path, run: Prepare) -> None:
    one = YoloFolder(tmp_path / "one")
    two = YoloFolder(tmp_path / "other place" / "two")
    a, b = run(settings(one)).dataset, run(settings(two)).dataset
    assert a.fingerprint == b.fingerprint
    assert a.split_fingerprints == b.split_fingerprints
    test = a.images("test")[0]
    changed = int(Path(test.file_name).stem)
    two.write_label(changed, SQUARE.replace("0.75", "0.74"))
    c = run(settings(two)).dataset
    assert c.fingerprint != a.fingerprint
    assert c.split_fingerprint("test") != a.split_fingerprint("test")
    assert c.split_fingerprint("train") == a.split_fingerprint("train")
    assert run(settings(one), seed=1).dataset.fingerprint != a.fingerprint


def test_a_second_prepare_reads_only_what_changed(yolo: YoloFolder, run: Prepare) -> None:
    first = run(settings(yolo))
    assert first.reported["speed/files_read"] == 24
    again = run(settings(yolo))
    assert again.reported["speed/files_read"] == 0
    assert again.dataset.fingerprint == first.dataset.fingerprint
    assert again.findings() == first.findings()
    yolo.write_label(3, SQUARE + "\n1 .1 .1 .9 .9 .9 .1 .1 .9")
    changed = run(settings(yolo))
    assert changed.reported["speed/files_read"] == 1
    assert changed.dataset.fingerprint != first.dataset.fingerprint
    assert changed.codes()["self_intersecting"] == 1
    assert run(settings(yolo)).codes()["self_intersecting"] == 1  # remarks are remembered too
    write_image(yolo.image(5), 500)
    assert run(settings(yolo)).reported["speed/files_read"] == 1


def test_what_was_not_decoded_is_read_again_to_decode(yolo: YoloFolder, run: Prepare) -> None:
    assert run(settings(yolo, decode=False)).reported["speed/files_read"] == 24
    assert run(settings(yolo)).reported["speed/files_read"] == 12
    assert run(settings(yolo, decode=False)).reported["speed/files_read"] == 0


def test_a_damaged_cache_is_made_anew(yolo: YoloFolder, run: Prepare, tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "files.sqlite").write_bytes(b"not a database" * 100)
    assert run(settings(yolo)).reported["speed/files_read"] == 24


def test_processes_give_the_same_as_one(tmp_path: Path, run: Prepare) -> None:
    folder = YoloFolder(tmp_path / "data", count=4)
    for number in range(300):
        write_image(folder.root / "images" / f"x{number}.png", number, 16, 12)
        (folder.root / "labels" / f"x{number}.txt").write_text(SQUARE)
    one = run(settings(folder, workers=1)).dataset
    shutil.rmtree(tmp_path / "cache")
    two = run(settings(folder, workers=2))
    assert two.reported["speed/files_read"] == 608
    assert two.dataset.fingerprint == one.fingerprint


def test_signature(yolo: YoloFolder, tmp_path: Path) -> None:
    first = signature(settings(yolo))
    assert signature(settings(yolo)) == first
    os.utime(yolo.label(3), ns=(1, 1))
    second = signature(settings(yolo))
    assert second != first
    yolo.image(3).rename(yolo.root / "images" / "z.jpg")
    assert signature(settings(yolo)) not in (first, second)
    outside = YoloFolder(tmp_path / "outside")
    yolo.write_yaml("train: ../outside/images\nval: images\nnames: [car, person]\n")
    third = signature(settings(yolo))
    outside.write_label(0, "")
    assert signature(settings(yolo)) != third
    with pytest.raises(DataError, match="does not exist"):
        signature(YoloSettings(path=str(tmp_path / "no")))


def test_remains_of_a_killed_attempt_do_no_harm(yolo: YoloFolder, tmp_path: Path) -> None:
    folder = tmp_path / "partial"
    (folder / "yolo" / "images" / "train").mkdir(parents=True)
    (folder / "yolo" / "images" / "train" / "0000000_old.jpg").touch()
    (folder / "work.sqlite").write_bytes(b"half")
    one = settings(yolo, workers=1)
    prepare(one, 0, folder, lambda name, value, step=0: None, tmp_path / "cache")
    assert Dataset.load(folder).counts["train"] == 8
    assert len(list(folder.glob("yolo/images/train/*"))) == 8


def test_loading_a_folder_that_is_no_data_set(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"dataset\.json: not readable as a prepared data set"):
        Dataset.load(tmp_path)


def test_a_name_that_is_not_text_is_an_error(yolo: YoloFolder, run: Prepare) -> None:
    try:
        (yolo.root / "images" / os.fsdecode(b"caf\xe9.jpg")).write_bytes(b"x")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    with pytest.raises(ChecksFailed, match=r"caf\\udce9\.jpg'?: the name cannot be written"):
        run(settings(yolo))
