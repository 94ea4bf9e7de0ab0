"""An export and the images on this machine: the canonical data set, and everything reported."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from labellerr_loopback import Emulator, ask
from segtrack import dataset as datasets
from segtrack.annotation.labellerr.exporting import export_labels, latest_export
from segtrack.annotation.labellerr.http_platform import HttpPlatform
from segtrack.annotation.labellerr.port import Question
from segtrack.annotation.labellerr.push import push
from segtrack.annotation.labellerr.session import Session
from segtrack.base.content_names import without_tag
from segtrack.base.errors import DataError, NothingToExport, PlatformError, SettingsError
from segtrack.base.files import file_digest
from segtrack.dataset import Dataset, KeptExport, LabellerrDatasetSettings, Unlabelled
from segtrack.dataset.checks import ChecksFailed
from segtrack.settings import LabellerrSettings, SplitFractions
from tests.annotation.labellerr.conftest import jpeg, unique

CLASSES = ("person", "car", "bus")
SQUARE = [[2.0, 3.0], [12.0, 3.0], [12.0, 13.0], [2.0, 13.0]]
ALL_TRAIN = SplitFractions(1.0, 0.0, 0.0, 0.0)


@pytest.fixture
def pushed(http: HttpPlatform, images: Callable[[int], list[Path]], tmp_path: Path) -> str:
    """A project with six images, the first four labelled; returns its id."""
    paths, ledger = images(6), tmp_path / "ledger"
    done = push(session(http, ledger), paths, CLASSES, unique("p"))
    work(http, done.project_id, {f"00{i}.jpg": ["bus", "car"][: i % 3] for i in range(4)})
    return done.project_id


def work(http: HttpPlatform, project_id: str, labels: dict[str, list[str]]) -> None:
    """What a person does: a square for each class name, then the status accepted."""
    there = {without_tag(f.file_name): f.file_name for f in http.project_files(project_id)}
    files = [
        {
            "file_name": there[name],
            "status": "accepted",
            "answers": [{"question": c, "polygon": SQUARE} for c in classes],
        }
        for name, classes in labels.items()
    ]
    url = f"{http.http.url}/_emulator/projects/{project_id}/files"
    ask("POST", url, json={"files": files})


def export(http: HttpPlatform, project_id: str, tmp_path: Path) -> KeptExport:
    known = session(http, tmp_path / "ledger", statuses=["accepted"])
    return export_labels(known, project_id, tmp_path / "exports")


def session(http: HttpPlatform, ledger: Path, **knobs: Any) -> Session:
    """Says nothing; waits as long as ``http`` would."""
    settings = LabellerrSettings(**{"timeout": http.timeout, **knobs})
    return Session(http, ledger, settings, lambda text: None)


def prepare(kept: KeptExport, path: Path, folder: Path, **knobs: Any) -> Dataset:
    settings = LabellerrDatasetSettings(
        path=str(path), project_id="p", export=str(kept.folder), splits=ALL_TRAIN, workers=1
    )
    folder.mkdir()
    cache = folder.parent / "cache"
    numbers: dict[str, float] = {}

    def report(name: str, value: float, step: int = 0) -> None:
        numbers[name] = value

    datasets.prepare(replace(settings, **knobs), 0, folder, report, cache)
    return Dataset.load(folder)


def labels(dataset: Dataset, split: str = "train") -> dict[str, list[str]]:
    found: dict[str, list[str]] = {row.file_name: [] for row in dataset.iter_images(split)}
    names = {row.image_id: row.file_name for row in dataset.iter_images(split)}
    for one in dataset.iter_annotations(split):
        found[names[one["image_id"]]].append(dataset.names[one["category_id"]])
    return found


def test_labels_come_with_the_templates_classes_and_the_rest_is_the_pool(
    http: HttpPlatform, pushed: str, tmp_path: Path
) -> None:
    kept = export(http, pushed, tmp_path)
    assert (kept.images, kept.annotations, kept.names) == (4, 3, CLASSES)
    dataset = prepare(kept, tmp_path / "images", tmp_path / "out")
    assert dataset.names == CLASSES
    assert labels(dataset) == {
        "000.jpg": [],
        "001.jpg": ["bus"],
        "002.jpg": ["bus", "car"],
        "003.jpg": [],
    }
    assert labels(dataset, "pool") == {"004.jpg": [], "005.jpg": []}
    first = next(dataset.iter_annotations("train"))
    assert np.array(first["segmentation"]).reshape(-1, 2).tolist() == SQUARE
    (unlabelled,) = [w for w in dataset.warnings if w.startswith("unlabelled")]
    assert "2 images of the folder are not in the export" in unlabelled
    ignored = prepare(kept, tmp_path / "images", tmp_path / "out2", unlabelled=Unlabelled.ignore)
    assert ignored.counts["pool"] == 0
    assert ignored.split_fingerprint("train") == dataset.split_fingerprint("train")


def test_a_yolo_folder_keeps_its_splits_and_the_labels_of_its_test_images(
    http: HttpPlatform, pushed: str, tmp_path: Path
) -> None:
    root = tmp_path / "images"
    square = "0 0.25 0.25 0.75 0.25 0.75 0.75 0.25 0.75\n"
    for split, count in (("test", 2), ("pool", 1)):
        for i in range(count):
            (root / split / "images").mkdir(parents=True, exist_ok=True)
            (root / split / "images" / f"{split}{i}.jpg").write_bytes(jpeg())
    (root / "test" / "labels").mkdir()
    rows = square + square.replace("0 ", "1 ", 1)  # a dog, which nobody asks for, and a car
    (root / "test" / "labels" / "test0.txt").write_text(rows)
    (root / "pool" / "images" / "004.jpg").write_bytes((root / "004.jpg").read_bytes())
    (root / "004.jpg").unlink()
    (root / "data.yaml").write_text(
        "val: [000.txt]\ntest: test/images\npool: pool/images\nnames: [dog, car]\n"
    )
    (root / "000.txt").write_text("001.jpg\n")
    work(http, pushed, {"004.jpg": ["person"]})
    dataset = prepare(export(http, pushed, tmp_path), root, tmp_path / "out")
    assert dataset.names == CLASSES
    assert labels(dataset, "test") == {
        "test/images/test0.jpg": ["car"],
        "test/images/test1.jpg": [],
    }
    (one,) = dataset.iter_annotations("test")
    assert one["bbox"] == [10.0, 7.5, 20.0, 15.0]
    assert labels(dataset, "val") == {"001.jpg": ["bus"]}
    # Of the pool, what was labelled is trained on; what was not stays, as 005.jpg does.
    trained = labels(dataset)
    assert sorted(trained) == ["000.jpg", "002.jpg", "003.jpg", "pool/images/004.jpg"]
    assert trained["pool/images/004.jpg"] == ["person"]
    assert sorted(labels(dataset, "pool")) == ["005.jpg", "pool/images/pool0.jpg"]
    warnings = "\n".join(dataset.warnings)
    assert "1 labels are of classes that the template does not ask for: dog (1)" in warnings
    assert "test1.jpg: has no label file" in (dataset.folder / "checks.txt").read_text()
    ignored = prepare(
        export(http, pushed, tmp_path), root, tmp_path / "out2", unlabelled=Unlabelled.ignore
    )
    assert sorted(labels(ignored, "pool")) == ["pool/images/pool0.jpg"]
    assert ignored.split_fingerprint("test") == dataset.split_fingerprint("test")


def test_who_is_in_the_test_split_stays_there_when_more_are_labelled(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    names = [f"{i // 2:03d}{'ab'[i % 2]}.png" for i in range(120)]
    for i, name in enumerate(names):
        Image.new("RGB", (16, 12), (2 * i, 90, 90)).save(folder / name)
    shares = SplitFractions(0.6, 0.2, 0.2, 0.0)

    def test_of(count: int, out: str, **knobs: Any) -> set[str]:
        """Of the first ``count`` images, in another order each time."""
        kept = kept_by_hand(tmp_path / f"export-{out}", sorted(names[:count], key=hash))
        dataset = prepare(kept, folder, tmp_path / out, splits=shares, **knobs)
        splits = ("train", "val", "test", "pool")
        found = {split: {Path(n).name for n in labels(dataset, split)} for split in splits}
        assert len(found["pool"]) == 120 - count
        rest = count - len(found["test"])
        assert abs(len(found["val"]) - rest / 4) <= 1  # the others in shares that are exact
        return found["test"]

    few, many = test_of(60, "few"), test_of(120, "many")
    assert few == many & set(names[:60])
    assert abs(len(many) - 24) <= 3 * np.sqrt(120 * 0.2 * 0.8)
    # Names and places do not matter, the content does; groups stay together.
    renamed = folder / "elsewhere"
    renamed.mkdir()
    for name in names:
        (folder / name).rename(renamed / f"x{name}")
    names = [f"x{name}" for name in names]
    assert test_of(60, "renamed") == {f"x{name}" for name in few}
    together = test_of(120, "groups", group_by=r"x(\d+)")
    assert together == {f"x{n[1:4]}{side}.png" for n in together for side in "ab"}
    assert test_of(60, "fewer groups", group_by=r"x(\d+)") == together & set(names[:60])


def kept_by_hand(folder: Path, names: list[str]) -> KeptExport:
    folder.mkdir()
    rows = [{"id": i, "file_name": n, "width": 16, "height": 12} for i, n in enumerate(names)]
    one = {"category_id": 0, "segmentation": [[2, 2, 9, 2, 9, 9]], "bbox": [2, 2, 7, 7]}
    objects = [{"id": i, "image_id": i, "iscrowd": 0, **one} for i in range(len(names))]
    content = {"categories": [{"id": 0, "name": "car"}], "images": rows, "annotations": objects}
    (folder / KeptExport.LABELS).write_text(json.dumps(content))
    facts = {"project_id": "p", "digest": folder.name, "names": ["car"], "images": len(names)}
    facts["annotations"] = len(names)
    (folder / KeptExport.FACTS).write_text(json.dumps(facts))
    return KeptExport.load(folder)


def test_the_signature_is_the_labels_content(
    http: HttpPlatform, pushed: str, tmp_path: Path
) -> None:
    first, again = export(http, pushed, tmp_path), export(http, pushed, tmp_path)
    assert again == first  # although the platform gave it another id and date
    settings = LabellerrDatasetSettings(path=str(tmp_path / "images"), export=str(first.folder))
    before = datasets.signature(settings)
    work(http, pushed, {"001.jpg": ["car"]})
    changed = export(http, pushed, tmp_path)
    assert changed.digest != first.digest
    assert datasets.signature(replace(settings, export=str(changed.folder))) != before
    assert latest_export(tmp_path / "exports", pushed) == changed
    assert latest_export(tmp_path / "exports", "another") is None
    kept = [p.name for p in (tmp_path / "exports" / pushed).iterdir()]
    assert sorted(kept) == sorted([first.digest, changed.digest])  # and nothing half


def test_an_image_that_was_pushed_is_found_by_its_id(http: HttpPlatform, tmp_path: Path) -> None:
    """``b.JPG`` went as ``b.jpg``, and another file is called exactly that."""
    folder = tmp_path / "images"
    (folder / "x").mkdir(parents=True)
    (folder / "x" / "b.JPG").write_bytes(jpeg())
    ledger = tmp_path / "ledger"
    done = push(session(http, ledger), [folder / "x" / "b.JPG"], CLASSES, unique("p"))
    (folder / "b.jpg").write_bytes(jpeg(50, 50))
    work(http, done.project_id, {"b.jpg": ["car"]})
    dataset = prepare(export(http, done.project_id, tmp_path), folder, tmp_path / "out")
    assert labels(dataset) == {"x/b.JPG": ["car"]}
    assert not [w for w in dataset.warnings if w.startswith("mended_name")]


@pytest.fixture
def pictures(http: HttpPlatform, tmp_path: Path) -> str:
    """A project of three pictures in ``a``, pushed with their digests and labelled."""
    paths = picture_folder(tmp_path / "a", 0)
    stamps = {path: file_digest(path) for path in paths}
    ledger = tmp_path / "ledger"
    done = push(session(http, ledger), paths, CLASSES, unique("p"), stamps=stamps)
    work(http, done.project_id, {path.name: ["car"] for path in paths})
    return done.project_id


def picture_folder(folder: Path, seed: int) -> list[Path]:
    """``0.png`` to ``2.png``, 40 x 30 px; all seeds give the same names and sizes in bytes."""
    folder.mkdir()
    pixels = np.random.default_rng(seed).integers(0, 256, (3, 30, 40, 3), np.uint8)
    paths = [folder / f"{i}.png" for i in range(3)]
    for path, image in zip(paths, pixels, strict=True):
        Image.fromarray(image).save(path, compress_level=0)
    return paths


def test_the_pictures_that_were_pushed_are_joined_silently_wherever_they_lie(
    http: HttpPlatform, pictures: str, tmp_path: Path
) -> None:
    kept = export(http, pictures, tmp_path)
    rows = json.loads((kept.folder / "labels.json").read_text())["images"]
    paths = sorted((tmp_path / "a").iterdir())
    assert sorted(row["sha256"] for row in rows) == sorted(map(file_digest, paths))
    assert "local" not in rows[0]  # the same export, wherever they lie
    dataset = prepare(kept, tmp_path / "a", tmp_path / "out")
    shutil.copytree(tmp_path / "a", tmp_path / "copy")
    copied = prepare(kept, tmp_path / "copy", tmp_path / "out2")
    for one in (dataset, copied):
        assert labels(one) == {f"{i}.png": ["car"] for i in range(3)}
        assert not [line for line in one.warnings if "image" in line.split(":")[0]]
    assert copied.fingerprint == dataset.fingerprint
    assert export(http, pictures, tmp_path) == kept


def test_other_pictures_of_the_same_names_are_an_error(
    http: HttpPlatform, pictures: str, tmp_path: Path
) -> None:
    other = picture_folder(tmp_path / "b", 1)
    sizes = [path.stat().st_size for path in other]
    assert sizes == [(tmp_path / "a" / path.name).stat().st_size for path in other]
    kept = export(http, pictures, tmp_path)
    with pytest.raises(
        ChecksFailed, match=r"b/0\.png: is not the picture that was pushed"
    ) as error:
        prepare(kept, tmp_path / "b", tmp_path / "out")
    assert "image_changed" in error.value.report.read_text()
    assert error.value.report.read_text().count("is not the picture that was pushed") == 3


def test_a_picture_that_was_replaced_in_place_is_an_error(
    http: HttpPlatform, pictures: str, tmp_path: Path
) -> None:
    kept = export(http, pictures, tmp_path)
    prepare(kept, tmp_path / "a", tmp_path / "out")  # the cache knows the files as they were
    shutil.copy(picture_folder(tmp_path / "b", 1)[1], tmp_path / "a" / "1.png")
    again = export(http, pictures, tmp_path)
    assert again == kept  # the labels are the same
    with pytest.raises(ChecksFailed, match=r"a/1\.png: is not the picture") as error:
        prepare(again, tmp_path / "a", tmp_path / "out2")
    assert error.value.report.read_text().count("is not the picture that was pushed") == 1


@pytest.mark.parametrize("old", [False, True])
def test_without_digests_the_names_tell_what_was_pushed(
    http: HttpPlatform, pictures: str, tmp_path: Path, old: bool
) -> None:
    """The ledger knows size and time only, or nothing, as another machine's does."""
    with closing(sqlite3.connect(tmp_path / "ledger" / "pushed.db")) as db:
        db.execute("UPDATE files SET stamp = '3642-1700000000000000000'")
        if old:
            db.execute("ALTER TABLE files DROP COLUMN stamp")
        db.commit()
    kept = export(http, pictures, tmp_path)
    assert "sha256" not in (kept.folder / "labels.json").read_text()
    for path in (tmp_path / "a").iterdir():
        path.rename(path.with_name(f"x{path.name}"))
    assert labels(prepare(kept, tmp_path / "a", tmp_path / "out")) == {
        f"x{i}.png": ["car"] for i in range(3)
    }
    picture_folder(tmp_path / "b", 1)
    with pytest.raises(ChecksFailed, match=r"b/0\.png: is not the picture that was pushed"):
        prepare(kept, tmp_path / "b", tmp_path / "out2")


def test_without_digests_and_digits_nothing_is_compared(http: HttpPlatform, tmp_path: Path) -> None:
    """As an earlier release pushed, or as people uploaded in the browser."""
    ledger, paths = tmp_path / "ledger", picture_folder(tmp_path / "a", 0)
    done = push(session(http, ledger), paths, CLASSES, unique("p"))
    work(http, done.project_id, {path.name: ["car"] for path in paths})
    kept = export(http, done.project_id, tmp_path)
    picture_folder(tmp_path / "b", 1)
    assert prepare(kept, tmp_path / "b", tmp_path / "out").counts["train"] == 3


def test_copies_of_a_labelled_picture_are_not_sent_to_be_reviewed(
    http: HttpPlatform, pictures: str, tmp_path: Path
) -> None:
    shutil.copy(tmp_path / "a" / "1.png", tmp_path / "a" / "copy.png")
    dataset = prepare(export(http, pictures, tmp_path), tmp_path / "a", tmp_path / "out")
    assert dataset.counts == {"train": 3, "val": 0, "test": 0, "pool": 0}
    assert "1 images hold the same as labelled ones" in "\n".join(dataset.warnings)


def test_a_file_that_a_person_exported(http: HttpPlatform, pictures: str, tmp_path: Path) -> None:
    """COCO JSON from the platform's own page: categories that were answered, in its order."""
    report = http.start_export(pictures, "by hand", ["accepted"])
    http.wait_export(pictures, report)
    file = http.download_export(pictures, report, tmp_path / "export-#1.json")
    kept = KeptExport.load(file)
    assert (kept.names, kept.images, kept.annotations) == (("car",), 3, 3)
    (tmp_path / "a").rename(tmp_path / "moved")
    (tmp_path / "moved" / "1.png").rename(tmp_path / "moved" / "other.png")
    settings = LabellerrDatasetSettings(path=str(tmp_path / "moved"), export=str(file))
    assert not list(settings.problems())
    dataset = prepare(replace(kept, folder=file), tmp_path / "moved", tmp_path / "out")
    assert labels(dataset) == {"0.png": ["car"], "2.png": ["car"], "other.png": ["car"]}
    file.write_text('{"images": [{"id": 0}], "annotations": [], "categories": []}')
    with pytest.raises(DataError, match="has no categories: no file that was exported"):
        KeptExport.load(file)
    file.write_text("nonsense")
    with pytest.raises(DataError, match="is not COCO JSON as Labellerr exports it"):
        KeptExport.load(file)
    gone = LabellerrDatasetSettings(path=str(tmp_path), export=str(tmp_path / "gone.json"))
    assert "no such file or folder" in str(next(iter(gone.problems())))


def test_names_are_mended_and_lost_images_reported(
    http: HttpPlatform, pushed: str, tmp_path: Path
) -> None:
    here = tmp_path / "here"
    shutil.copytree(tmp_path / "images", here / "a")
    (here / "a" / "001.jpg").rename(here / "a" / "001.JPG")
    (here / "a" / "002.jpg").unlink()
    dataset = prepare(export(http, pushed, tmp_path), here, tmp_path / "out")
    assert labels(dataset) == {"a/000.jpg": [], "a/001.JPG": ["bus"], "a/003.jpg": []}
    warnings = "\n".join(dataset.warnings)
    assert "001.jpg is called 001.JPG; it is taken" in warnings
    assert f"002.jpg is labelled, but not in {here}" in warnings


def test_an_ambiguous_name_is_an_error_and_so_is_a_folder_without_any(
    http: HttpPlatform, pushed: str, tmp_path: Path
) -> None:
    kept = export(http, pushed, tmp_path)
    for name in ("a", "b"):
        (tmp_path / "here" / name).mkdir(parents=True)
        (tmp_path / "here" / name / "001.jpg").write_bytes(jpeg())
    with pytest.raises(DataError, match=r"001\.jpg may be .*a/001\.jpg or .*b/001\.jpg"):
        prepare(kept, tmp_path / "here", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="none of the export's 4 images is in"):
        prepare(kept, tmp_path / "empty", tmp_path / "out2")


def test_an_export_without_labels_has_the_templates_classes_all_the_same(
    http: HttpPlatform, pushed: str, tmp_path: Path
) -> None:
    work(http, pushed, {f"00{i}.jpg": [] for i in range(4)})
    kept = export(http, pushed, tmp_path)
    assert (kept.names, kept.images, kept.annotations) == (CLASSES, 4, 0)
    with pytest.raises(DataError, match="no usable label of person, car, bus in 6 images"):
        prepare(kept, tmp_path / "images", tmp_path / "out")


def test_blanks_around_a_question_are_no_part_of_the_class(
    http: HttpPlatform, pushed: str, tmp_path: Path
) -> None:
    ids = http.project(pushed).dataset_ids
    template = http.ensure_template(unique("t"), (Question("car ", "#E69F00"),))
    project = http.ensure_project(unique("p"), ids, template.template_id)
    work(http, project.project_id, {"000.jpg": ["car "]})
    kept = export(http, project.project_id, tmp_path)
    assert kept.names == ("car",)
    assert labels(prepare(kept, tmp_path / "images", tmp_path / "out")) == {"000.jpg": ["car"]}


def test_what_a_killed_export_left_goes_with_the_next_one(
    http: HttpPlatform, pushed: str, tmp_path: Path
) -> None:
    home = tmp_path / "exports" / pushed
    for name, age in ((".partial-old", 25 * 3600), (".partial-runs", 3600)):
        (home / name).mkdir(parents=True)
        (home / name / "raw.json").write_text('{"annotator": "someone"}')
        os.utime(home / name, (time.time() - age,) * 2)
    kept = export(http, pushed, tmp_path)
    assert sorted(p.name for p in home.iterdir()) == sorted([".partial-runs", kept.digest])


def test_what_the_platform_cannot_give_is_said_and_leaves_nothing(
    http: HttpPlatform, emulator: Emulator, pushed: str, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match=r"dataset\.project_id=nope: no such project"):
        export(http, "nope", tmp_path)
    with pytest.raises(NothingToExport, match=r"No files found.*labellerr.statuses"):
        export_labels(
            session(http, tmp_path / "ledger", statuses=["review"]), pushed, tmp_path / "exports"
        )
    emulator.fault("export_fails", times=1)
    with pytest.raises(PlatformError, match="failed at the platform"):
        export(http, pushed, tmp_path)
    emulator.faults.clear()
    emulator.fault("export_never_ends")
    with pytest.raises(PlatformError, match=r"not finished after 0\.2 s"):
        export_labels(session(http, tmp_path / "ledger", timeout=0.2), pushed, tmp_path / "exports")
    assert not list((tmp_path / "exports").rglob("*.json"))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("{", "not COCO JSON"),
        ('{"images": []}', "it has no annotations"),
        ('{"images": [1], "annotations": [], "categories": []}', "not COCO JSON"),
        (
            '{"images": [], "annotations": [], "categories": [{"id": 0, "name": "dog"}]}',
            "category 'dog' is no question",
        ),
    ],
)
def test_a_damaged_export_is_refused(
    http: HttpPlatform,
    pushed: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    content: str,
    expected: str,
) -> None:
    def give(project_id: str, report_id: str, path: Path) -> Path:
        path.write_text(content)
        return path

    monkeypatch.setattr(http, "download_export", give)
    with pytest.raises(DataError, match=expected):
        export(http, pushed, tmp_path)
    assert not [p for p in (tmp_path / "exports").rglob("*") if p.is_file()]


def test_a_folder_that_is_no_export_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"dataset.export: .*export.json is not readable"):
        KeptExport.load(tmp_path)
    (tmp_path / "export.json").write_text(json.dumps({"names": []}))
    with pytest.raises(DataError, match="not readable as an export"):
        KeptExport.load(tmp_path)
