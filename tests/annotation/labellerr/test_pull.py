"""Reviewed labels back: the report against what was planted, and the next version."""

from __future__ import annotations

import csv
import json
import shutil
import signal
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from labellerr_loopback import Delays, Emulator, ask, start_emulator
from labellerr_loopback.annotator import Rates, Record, annotate
from segtrack.annotation.labellerr import EMULATOR_CREDENTIALS
from segtrack.annotation.labellerr.adapter import Labellerr
from segtrack.annotation.labellerr.http_platform import HttpPlatform
from segtrack.annotation.labellerr.loopback import truth_of
from segtrack.annotation.labellerr.port import Question, Template
from segtrack.annotation.labellerr.review_export import read_export
from segtrack.annotation.labellerr.transport import Transport
from segtrack.annotation.matching import KINDS, Shape, compare
from segtrack.annotation.pulled import Review
from segtrack.annotation.sent import Reviewed, SentImage
from segtrack.annotation.versions import next_version
from segtrack.base.errors import DataError, PlatformError
from segtrack.base.files import file_digest
from segtrack.dataset import Dataset, ImagesSettings, ReviewedSettings, TrafficSimSettings
from segtrack.model.predictions import Predictions, PredictionsInfo, PredictionsWriter
from segtrack.pipeline.stages.pull import _pull as pull_stage
from segtrack.pipeline.stages.review import Sent
from segtrack.settings import LabellerrSettings
from tests.integration.conftest import module_run

from .conftest import QUICK, unique
from .reviews import Numbers, _frame, planted_predictions, prepared, send, small_dataset, take_back

RATES = Rates(miss_correction=0.2, miss_deletion=0.4, miss_addition=0.3, wrong_deletion=0.1)
SQUARE = np.array([[2.0, 3.0], [12.0, 3.0], [12.0, 13.0], [2.0, 13.0]])


@dataclass(frozen=True)
class Loop:
    """One review from end to end."""

    dataset: Dataset
    predictions: Predictions
    platform: HttpPlatform
    sent: Reviewed
    record: Record
    review: Review
    numbers: Numbers
    root: Path


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    folder = tmp_path_factory.mktemp("emulator")
    with start_emulator(folder, delays=Delays(0, 0, 0)) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def platform(served: Emulator) -> HttpPlatform:
    return HttpPlatform(Transport(served.url, EMULATOR_CREDENTIALS, QUICK), 20.0)


@pytest.fixture(scope="module")
def loop(
    served: Emulator, platform: HttpPlatform, tmp_path_factory: pytest.TempPathFactory
) -> Loop:
    root = tmp_path_factory.mktemp("loop")
    dataset = small_dataset(root / "dataset", root / "cache")
    predictions = planted_predictions(dataset, root / "predictions")
    sent = send(platform, dataset, predictions, root, "loop", conf_bucket=True)
    truth = truth_of(dataset, "pool")
    record = annotate(served.url, sent.project_id, truth, RATES, 5)
    numbers = Numbers()
    review = take_back(platform, sent.folder, root / "pull", numbers, truth)
    return Loop(dataset, predictions, platform, sent, record, review, numbers, root)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def test_the_report_says_what_the_annotator_did(loop: Loop) -> None:
    seen = loop.record.seen()
    assert min(seen.values()) > 0  # every kind happened
    assert {kind: getattr(loop.review, kind) for kind in KINDS} == seen
    assert {kind: loop.numbers[f"review/{kind}"] for kind in KINDS} == seen
    table = {
        (row["class"], row["band"]): row for row in rows_of(loop.review.folder / "outcomes.csv")
    }
    for name in loop.dataset.names:
        row = table[name, "all"]
        assert {kind: int(row[kind]) for kind in KINDS} == loop.record.seen(name), name
    for band in ("low", "medium", "high"):
        of_band = [a for a in loop.record.actions if a.conf_bucket == band]
        kinds = {"accepted": ("accepted", "unmended", "left"), "corrected": ("corrected",)}
        kinds["deleted"] = ("deleted", "rejected")
        for kind, parts in kinds.items():
            assert int(table["all", band][kind]) == sum(a.kind in parts for a in of_band)
    assert loop.review.images == 5 and loop.review.pending == 0
    assert loop.numbers["review/sent"] == loop.sent.objects


def test_corrections_against_the_truth(loop: Loop) -> None:
    """Before and after of corrected predictions are what the annotator measured."""
    actions = [a for a in loop.record.actions if a.kind == "corrected"]
    before = np.mean([a.iou_before for a in actions])
    after = np.mean([a.iou_after for a in actions])
    assert loop.numbers["review/truth_before"] == pytest.approx(before, abs=0.01)
    # An export has whole pixels, the annotator did not.
    assert loop.numbers["review/truth_after"] == pytest.approx(after, abs=0.03)
    assert loop.numbers["review/truth_after"] > loop.numbers["review/truth_before"] + 0.05


def test_precision_and_recall(loop: Loop) -> None:
    objects = rows_of(loop.review.folder / "objects.csv")
    hits = sum(row["iou"] != "" and float(row["iou"]) >= 0.5 for row in objects)
    kinds = Counter(row["kind"] for row in objects)
    labels = kinds["accepted"] + kinds["corrected"] + kinds["added"]
    assert loop.review.precision == pytest.approx(hits / loop.sent.objects)
    assert loop.review.recall == pytest.approx(hits / labels)


def test_files_of_the_report(loop: Loop) -> None:
    names = {path.name for path in loop.review.folder.iterdir()}
    assert names == {
        *("review.json", "labels.coco.json", "gallery.jpg", "objects.csv"),
        *(f"{stem}.{kind}" for stem in ("outcomes", "images") for kind in ("csv", "html")),
        *("acceptance.png", "acceptance.csv"),
    }
    ranking = [float(row["disagreement"]) for row in rows_of(loop.review.folder / "images.csv")]
    assert ranking == sorted(ranking, reverse=True) and ranking[0] > 0
    assert Review.load(loop.review.folder) == loop.review
    bins = rows_of(loop.review.folder / "acceptance.csv")
    assert sum(int(row["predictions"]) for row in bins) == loop.sent.objects
    assert sum(int(row["accepted"]) for row in bins) == loop.review.accepted


def test_the_same_pull_twice(loop: Loop, tmp_path: Path) -> None:
    again = take_back(loop.platform, loop.sent.folder, tmp_path / "again", Numbers())
    assert again.labels_sha256 == loop.review.labels_sha256
    assert again.labels.read_bytes() == loop.review.labels.read_bytes()
    assert replace(again, folder=loop.review.folder) == loop.review
    same = (tmp_path / "again" / "objects.csv").read_text().splitlines()
    assert len(same) == sum(getattr(again, kind) for kind in KINDS) + 1


def test_killed_in_the_middle_and_again(served: Emulator, loop: Loop, tmp_path: Path) -> None:
    """What was pulled before stays whole; the next pull leaves nothing of the killed one."""
    folder = tmp_path / "pull"
    shutil.copytree(loop.review.folder, folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    words = [served.url, str(loop.sent.folder), str(folder)]
    killed = module_run("tests.annotation.labellerr.killed_pull", *words, cwd=tmp_path)
    assert killed.code == -signal.SIGKILL, killed.err
    assert (tmp_path / "pull.partial" / "labels.coco.json").exists()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    again = take_back(loop.platform, loop.sent.folder, folder, Numbers())
    assert sorted(path.name for path in tmp_path.iterdir()) == [".pull.lock", "pull"]
    assert {path.name for path in folder.iterdir()} == set(before)
    assert again.labels_sha256 == loop.review.labels_sha256


class PullingRun:
    """A run as far as the stage ``pull`` sees it; the first one takes its time to read."""

    def __init__(self, loop: Loop, root: Path, turn: threading.Barrier, late: list[float]) -> None:
        self.desk = Labellerr(LabellerrSettings(timeout=20.0), root, loop.platform)
        self.sent, self.root, self.turn, self.late = loop.sent, root, turn, late
        self.settings = SimpleNamespace(labellerr=self.desk.settings)
        self.listed, self.record, self.kept = {"review"}, Numbers(), dict[str, bytes]()

    def __call__(self, stage: str) -> Any:
        weights = SimpleNamespace(starting_weights="shipped")
        return SimpleNamespace(value=Sent(self.sent) if stage == "review" else weights)

    def resource(self, name: str, make: Any) -> Labellerr:
        self.turn.wait()
        return self.desk

    def scratch(self, name: str) -> Path:
        return self.root / name

    def keep(self, path: Path, name: str) -> None:
        before = path.stat().st_ino
        for one in sorted(path.iterdir()) if path.is_dir() else [path]:
            self.kept[one.name] = one.read_bytes()
        time.sleep(self.late.pop() if self.late else 0.0)
        assert path.stat().st_ino == before, "replaced while it was read"

    def tag(self, tags: dict[str, str]) -> None:
        pass

    def say(self, text: str) -> None:
        pass


def test_two_runs_that_pull_the_same_end_with_the_same_files(loop: Loop, tmp_path: Path) -> None:
    turn, late = threading.Barrier(2), [1.5]
    runs = [PullingRun(loop, tmp_path, turn, late) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        versions = list(pool.map(lambda run: pull_stage(run, loop.dataset, ()), runs))
    assert versions[0] == versions[1] is not None
    assert runs[0].kept == runs[1].kept and len(runs[0].kept) == 11
    assert runs[0].record == runs[1].record
    assert runs[0].kept["labels.coco.json"] == loop.review.labels.read_bytes()
    places = {path.name for path in (tmp_path / "labellerr" / "pulls").iterdir()}
    assert places == {"review", ".review.lock"}


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_a_picture_on_its_side_keeps_its_outlines(
    served: Emulator, platform: HttpPlatform, tmp_path: Path, suffix: str
) -> None:
    """Cameras note a turn in EXIF data: what people see, and what labels belong to, is turned."""
    (tmp_path / "photos").mkdir()
    image = Image.fromarray(np.random.default_rng(3).integers(0, 255, (30, 50, 3), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6  # 50 x 30 px in the file, shown as 30 x 50
    image.save(tmp_path / "photos" / f"turned{suffix}", exif=exif)
    settings = ImagesSettings(path=str(tmp_path / "photos"), classes=["car"])
    dataset = prepared(settings, tmp_path / "dataset", tmp_path / "cache")
    (row,) = dataset.iter_images("pool")
    assert (row.width, row.height) == (30, 50)
    mask = np.zeros((50, 30), np.uint8)
    mask[38:48, 4:24] = 1
    with PredictionsWriter(tmp_path) as writer:
        writer.add(_frame(row.image_id, [(0, mask, 0.9)]))
        writer.finish(PredictionsInfo(("car",), 1))
    name = unique("turned")
    sent = send(platform, dataset, Predictions.load(tmp_path), tmp_path, name)
    (file,) = ask("GET", f"{served.url}/_emulator/projects/{sent.project_id}/files")["files"]
    assert (file["width"], file["height"]) == (30, 50)
    done = {"file_id": file["file_id"], "status": "accepted"}
    path = f"{served.url}/_emulator/projects/{sent.project_id}/files"
    ask("POST", path, json={"files": [done]})
    review = take_back(platform, sent.folder, tmp_path / "pull", Numbers())
    assert (review.accepted, review.remarks) == (1, ())
    (label,) = json.loads(review.labels.read_text())["annotations"]
    assert label["bbox"] == pytest.approx([4, 38, 20, 10], abs=1)


def test_nothing_was_predicted(served: Emulator, loop: Loop, tmp_path: Path) -> None:
    """All objects are added; what has no denominator is not reported."""
    with PredictionsWriter(tmp_path) as writer:
        writer.finish(PredictionsInfo(loop.dataset.names, 5))
    empty = Predictions.load(tmp_path)
    sent = send(loop.platform, loop.dataset, empty, tmp_path, unique("none"))
    truth = truth_of(loop.dataset, "pool")
    annotate(served.url, sent.project_id, truth)
    numbers = Numbers()
    review = take_back(loop.platform, sent.folder, tmp_path / "pull", numbers)
    assert review.added == sum(map(len, truth.values())) > 0
    assert (review.precision, review.recall, review.auto_accept) == (None, 0.0, None)
    assert "review/precision" not in numbers and numbers["review/recall"] == 0.0


def test_the_next_version(loop: Loop, tmp_path: Path) -> None:
    folder = next_version(loop.dataset, loop.review, tmp_path / "versions", "shipped")
    assert next_version(loop.dataset, loop.review, tmp_path / "versions", "shipped") == folder
    lock = f".{folder.name}.lock"
    assert sorted(p.name for p in (tmp_path / "versions").iterdir()) == [lock, folder.name]
    facts = json.loads((folder / "version.json").read_text())
    assert (facts["version"], facts["parent"]) == (2, loop.dataset.fingerprint)
    settings = ReviewedSettings(path=str(folder))
    second = prepared(settings, tmp_path / "second", tmp_path / "cache")
    assert second.counts == {"train": 8, "val": 1, "test": 2, "pool": 0}
    assert second.names == loop.dataset.names
    assert second.fingerprint != loop.dataset.fingerprint
    for split in ("val", "test"):
        assert second.split_fingerprint(split) == loop.dataset.split_fingerprint(split)
        assert second.coco(split)["annotations"] == loop.dataset.coco(split)["annotations"]
    assert second.split_fingerprint("train") != loop.dataset.split_fingerprint("train")
    ids = {row.file_name: row.image_id for row in second.iter_images("train")}
    pool = {row.file_name: row.image_id for row in loop.dataset.iter_images("pool")}
    assert pool.items() <= ids.items()
    labels = [a for a in second.iter_annotations("train") if a["image_id"] in pool.values()]
    seen = loop.record.seen()
    assert len(labels) == seen["accepted"] + seen["corrected"] + seen["added"]
    old = loop.dataset.coco("train")["annotations"]
    train = {row.image_id for row in loop.dataset.iter_images("train")}
    kept = [a for a in second.iter_annotations("train") if a["image_id"] in train]
    for annotation_ in (*kept, *old):
        del annotation_["id"]  # counts through all splits
    assert kept == old


def test_a_version_of_a_version(loop: Loop, tmp_path: Path) -> None:
    """A partial review first; the rest of the pool then makes version 3. No test label moves."""
    coco = json.loads(loop.review.labels.read_text())
    first = partial_review(loop, tmp_path / "a", {i["id"] for i in coco["images"][:2]})
    two = next_version(loop.dataset, first, tmp_path / "versions", "shipped")
    second = prepared(ReviewedSettings(path=str(two)), tmp_path / "2", tmp_path / "cache")
    assert second.counts == {"train": 5, "val": 1, "test": 2, "pool": 3}
    rest = partial_review(loop, tmp_path / "b", {i["id"] for i in coco["images"][2:]})
    three = next_version(second, rest, tmp_path / "versions", "shipped")
    facts = json.loads((three / "version.json").read_text())
    assert (facts["version"], facts["parent"]) == (3, second.fingerprint)
    third = prepared(ReviewedSettings(path=str(three)), tmp_path / "3", tmp_path / "cache")
    assert third.counts == {"train": 8, "val": 1, "test": 2, "pool": 0}
    assert third.split_fingerprint("test") == loop.dataset.split_fingerprint("test")
    with pytest.raises(DataError, match="not in the pool split"):
        next_version(second, first, tmp_path / "versions", "shipped")


def partial_review(loop: Loop, folder: Path, ids: set[int]) -> Review:
    coco = json.loads(loop.review.labels.read_text())
    coco["images"] = [i for i in coco["images"] if i["id"] in ids]
    coco["annotations"] = [a for a in coco["annotations"] if a["image_id"] in ids]
    folder.mkdir()
    (folder / "labels.coco.json").write_text(json.dumps(coco))
    digest = file_digest(folder / "labels.coco.json")
    return replace(loop.review, folder=folder, labels_sha256=digest)


def test_a_review_of_other_pictures_of_the_same_names(loop: Loop, tmp_path: Path) -> None:
    """The labels were made on other pixels: no version comes of it."""
    settings = TrafficSimSettings(
        train=3, val=1, test=2, pool=5, width=480, height=270, video_count=0, seed=1
    )
    other = prepared(settings, tmp_path / "other", tmp_path / "cache")
    names = [row.file_name for row in other.iter_images("pool")]
    assert names == [row.file_name for row in loop.dataset.iter_images("pool")]
    with pytest.raises(
        DataError, match="5 of the 5 images under review are other pictures"
    ) as error:
        next_version(other, loop.review, tmp_path / "versions", "shipped")
    assert names[0] in str(error.value) and "dataset.path" in str(error.value)
    assert not (tmp_path / "versions").exists()


def test_a_review_that_noted_no_digests(loop: Loop, tmp_path: Path) -> None:
    """One that an earlier release sent can be pulled still; its names are all there is."""
    folder = tmp_path / "review"
    shutil.copytree(loop.sent.folder, folder)
    with sqlite3.connect(folder / "review.db") as db:
        db.execute("ALTER TABLE images DROP COLUMN sha256")
    note_digest(folder)
    review = take_back(loop.platform, folder, tmp_path / "pull", Numbers())
    assert "sha256" not in json.loads(review.labels.read_text())["images"][0]
    version = next_version(loop.dataset, review, tmp_path / "versions", "shipped")
    assert len(json.loads((version / "version.json").read_text())["images"]) == 5


def test_a_version_that_was_tampered_with(loop: Loop, tmp_path: Path) -> None:
    folder = next_version(loop.dataset, loop.review, tmp_path / "versions", "shipped")
    labels = folder / "labels.coco.json"
    text = labels.read_text()
    labels.unlink()  # it is a hard link
    labels.write_text(text.replace("}", "} ", 1))
    with pytest.raises(DataError, match="was changed since the version was made"):
        prepared(ReviewedSettings(path=str(folder)), tmp_path / "x", tmp_path / "cache")
    with pytest.raises(DataError, match="not readable as a reviewed version"):
        prepared(ReviewedSettings(path=str(tmp_path)), tmp_path / "y", tmp_path / "cache")


def test_only_what_is_reviewed_comes_back(served: Emulator, loop: Loop, tmp_path: Path) -> None:
    """Nothing reviewed is an error that leaves nothing; then one file, all its objects deleted."""
    name = unique("partly")
    sent = send(loop.platform, loop.dataset, loop.predictions, tmp_path, name)
    with pytest.raises(PlatformError, match="No files found"):
        take_back(loop.platform, sent.folder, tmp_path / "pull", Numbers())
    assert not list(tmp_path.glob("pull*"))
    files = list(loop.platform.project_files(sent.project_id))
    work = {"file_id": files[0].file_id, "status": "accepted", "answers": []}
    url = f"{served.url}/_emulator/projects/{sent.project_id}/files"
    ask("POST", url, json={"files": [work]})
    review = take_back(loop.platform, sent.folder, tmp_path / "pull", Numbers())
    # Such an export has no categories at all.
    report_id = loop.platform.start_export(sent.project_id, "again", ["accepted"])
    loop.platform.wait_export(sent.project_id, report_id)
    raw = loop.platform.download_export(sent.project_id, report_id, tmp_path / "raw.json")
    assert json.loads(raw.read_text())["categories"] == []
    assert (review.images, review.pending) == (1, 4)
    assert (review.accepted, review.corrected, review.added) == (0, 0, 0)
    assert review.deleted > 0 and review.precision == 0.0 and review.recall is None
    assert review.auto_accept is None
    version = next_version(loop.dataset, review, tmp_path / "versions", "shipped")
    second = prepared(ReviewedSettings(path=str(version)), tmp_path / "2", tmp_path / "cache")
    assert second.counts == {"train": 4, "val": 1, "test": 2, "pool": 4}


TEMPLATE = Template("t", "t", (Question("car ", "#000000", "q0"), Question("dog", "#FFFFFF", "q1")))
IMAGES = [
    SentImage("a.jpg", "pool/a.jpg", 3, "", 40, 30, "f0"),
    SentImage("b.jpg", "pool/b.jpg", 4, "", 40, 30, "f1"),
]


def export_file(path: Path, annotations: list[dict[str, Any]], **more: Any) -> Path:
    images = [
        {"id": 0, "width": 40, "height": 30, "file_name": "renamed.jpg", "labellerr_file_id": "f0"},
        {"id": 1, "width": 40, "height": 30, "file_name": "B.JPG"},
        {"id": 2, "width": 40, "height": 30, "file_name": "strange.jpg"},
    ]
    categories = [
        {"id": 0, "name": "car "},
        {"id": 1, "name": "dog", "labellerr_question_id": "q1"},
    ]
    coco = {"images": images, "annotations": annotations, "categories": categories, **more}
    path.write_text(json.dumps(coco))
    return path


def annotation(*rings: list[float], image: int = 0, category: int = 0) -> dict[str, Any]:
    return {"id": 7, "image_id": image, "category_id": category, "segmentation": list(rings)}


def test_what_an_export_may_hold(tmp_path: Path) -> None:
    annotations = [
        annotation([2, 3, 12, 3, 12, 13, 2, 13]),
        annotation([30, 3, 60, 3, 60, 13, 30, 13]),  # reaches out
        annotation([50, 3, 60, 3, 60, 13, 50, 13]),  # outside
        annotation(),  # a box only
        annotation([1, 1, 5, 1, 5, 5], category=1),  # a question that is no class
        annotation([1, 1, 5, 1, 5, 5], image=2),  # of an image that was not sent
        annotation([1, 1, 5, 1, 5, 5, 1, 5], image=1),
    ]
    path = export_file(tmp_path / "export.json", annotations)
    with read_export(path, tmp_path / "work.db", IMAGES, ["car"], TEMPLATE) as back:
        assert back.names == {"a.jpg", "b.jpg"}
        assert back.unknown == ["strange.jpg"]
        first = back.labels("a.jpg")
        assert [shape.polygon.max(0).tolist() for shape in first] == [[12, 13], [40, 13]]
        (second,) = back.labels("b.jpg")
        assert (second.class_name, len(second.polygon)) == ("car", 4)
        text = "\n".join(back.remarks)
    for part in ("cut at its border", "no area inside", "has no polygon", "answers 'dog'"):
        assert part in text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"categories": [{"id": 0, "name": "bus"}]}, "is no question of the project's template"),
        ({"categories": []}, "which is not listed"),
        ({"images": [{"id": 0, "file_name": "a.jpg", "width": 80, "height": 30}]}, "80 x 30 px"),
        ({"annotations": [{"image_id": 0}]}, "not COCO JSON"),
    ],
)
def test_exports_that_do_not_fit(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = tmp_path / "e.json"
    export_file(path, **{"annotations": [annotation([2, 3, 12, 3, 12, 13])], **change})
    with (
        pytest.raises(DataError, match=message),
        read_export(path, tmp_path / "w.db", IMAGES, ["car"], TEMPLATE),
    ):
        pass


def test_an_export_that_was_cut_off(tmp_path: Path) -> None:
    path = export_file(tmp_path / "e.json", [])
    path.write_text(path.read_text()[:-40])
    with (
        pytest.raises(DataError, match="not COCO JSON"),
        read_export(path, tmp_path / "w.db", IMAGES, ["car"], TEMPLATE),
    ):
        pass


def test_a_class_that_the_template_lost(tmp_path: Path) -> None:
    path = export_file(tmp_path / "e.json", [])
    with (
        pytest.raises(DataError, match="'person' is no question"),
        read_export(path, tmp_path / "w.db", IMAGES, ["car", "person"], TEMPLATE),
    ):
        pass


def note_digest(folder: Path) -> None:
    """Of a review that was changed on purpose."""
    record = json.loads((folder / "review.json").read_text())
    record["digest"] = file_digest(folder / "review.db")
    (folder / "review.json").write_text(json.dumps(record))


@pytest.mark.parametrize("content", [None, b"", b"SQLite format 3\0", b"x" * 100])
def test_a_review_that_was_damaged_on_disk(
    loop: Loop, tmp_path: Path, content: bytes | None
) -> None:
    folder = tmp_path / "review"
    shutil.copytree(loop.sent.folder, folder)
    (folder / "review.db").unlink()
    if content is not None:
        (folder / "review.db").write_bytes(content)
    with pytest.raises(DataError, match=r"review\.db: damaged or missing: .* stages=\[review\]"):
        take_back(loop.platform, folder, tmp_path / "pull", Numbers())
    assert not list(tmp_path.glob("pull*"))


def test_an_export_of_other_images(loop: Loop, tmp_path: Path) -> None:
    """Names the review knows nothing of; nothing is left behind."""
    folder = tmp_path / "review"
    shutil.copytree(loop.sent.folder, folder)
    with sqlite3.connect(folder / "review.db") as db:
        db.execute("UPDATE images SET name = 'x' || image_id, file_id = ''")
    note_digest(folder)
    with pytest.raises(DataError, match="none of the 5 exported images"):
        take_back(loop.platform, folder, tmp_path / "pull", Numbers())
    assert not list(tmp_path.glob("pull*"))


def moved(x: float, y: float) -> np.ndarray:
    return SQUARE + np.array([x, y])


def test_compare() -> None:
    sent = [
        Shape("car", SQUARE, 0.9),  # back as it was
        Shape("car", moved(15, 0.4), 0.8),  # rounded
        Shape("car", moved(0, 14), 0.7),  # moved by 3 px
        Shape("bus", moved(15, 14), 0.6),  # became a car
    ]
    labels = [
        Shape("car", moved(3, 14)),
        Shape("car", moved(15, 14)),
        Shape("car", moved(15, 0)),
        Shape("car", SQUARE),
    ]
    found = compare(sent, labels, (40, 30))
    assert [(o.kind, o.class_name, o.score) for o in found] == [
        ("accepted", "car", 0.9),
        ("accepted", "car", 0.8),
        ("corrected", "car", 0.7),
        ("deleted", "bus", 0.6),
        ("added", "car", None),
    ]
    assert found[2].iou == pytest.approx(7 / 13)
    assert [(o.sent, o.label) for o in found] == [(0, 3), (1, 2), (2, 0), (3, -1), (-1, 1)]
    assert compare([], [], (40, 30)) == []
