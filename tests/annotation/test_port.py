"""A review through a platform that is not Labellerr, and Labellerr as the stages see it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labellerr_loopback import Delays, Emulator, start_emulator
from segtrack import annotation
from segtrack.annotation import Progress, Reviewed
from segtrack.annotation.labellerr.adapter import Labellerr
from segtrack.annotation.returned import Returned, new_returned
from segtrack.annotation.sent import FILE, OBJECTS, SCHEMA, SentImage, pack_ring
from segtrack.base.errors import DataError, SettingsError
from segtrack.base.files import file_digest
from segtrack.settings import LabellerrMode, LabellerrSettings
from tests.annotation.labellerr.reviews import Numbers, ignore, small_dataset


def square(x: float, y: float, side: float = 10.0) -> np.ndarray:
    return np.array([[x, y], [x + side, y], [x + side, y + side], [x, y + side]])


class OnPaper:
    """A platform of one method: what people drew is given."""

    def __init__(self, drawn: dict[str, list[tuple[str, np.ndarray]]]) -> None:
        self.drawn = drawn

    @contextmanager
    def pull(self, sent: Reviewed, scratch: Path) -> Iterator[Returned]:
        with new_returned(scratch / "labels.db") as back:
            for name, shapes in self.drawn.items():
                back.names.add(name)
                for class_name, ring in shapes:
                    back.add(name, class_name, ring)
            back.complete()
            yield back
        (scratch / "labels.db").unlink()


def sent_by_hand(folder: Path) -> Reviewed:
    """Two images under review, 40 x 30 px, with two predictions and one."""
    folder.mkdir()
    sent = Reviewed(folder, "p", "paper", (), ("car", "bus"), 2, 3, 0.25, 0.5, "w", "d")
    with closing(sqlite3.connect(folder / OBJECTS)) as db:
        db.executescript(SCHEMA)
        for i, name in enumerate(("a.jpg", "b.jpg")):
            row = SentImage(name, name, i, str(folder / name), 40, 30, "", "")
            db.execute("INSERT INTO images VALUES (?,?,?,?,?,?,?,?)", row)
        for name, class_name, score, ring in (
            ("a.jpg", "car", 0.9, square(2, 2)),
            ("a.jpg", "bus", 0.4, square(20, 15)),
            ("b.jpg", "car", 0.6, square(5, 5)),
        ):
            db.execute(
                "INSERT INTO objects VALUES (?,?,?,?)", (name, class_name, score, pack_ring(ring))
            )
        db.commit()
    record = {**asdict(sent), "digest": file_digest(folder / OBJECTS)}
    del record["folder"]
    (folder / FILE).write_text(json.dumps(record))
    return Reviewed.load(folder)


def test_a_review_on_another_platform(tmp_path: Path) -> None:
    sent, numbers = sent_by_hand(tmp_path / "sent"), Numbers()
    drawn = {"a.jpg": [("car", square(2, 2)), ("car", square(20, 2, 5))]}
    paper: Any = OnPaper(drawn)
    done = annotation.pull(paper, sent, tmp_path / "back", numbers, say=ignore)
    assert (done.images, done.pending) == (1, 1)
    assert (done.accepted, done.corrected, done.deleted, done.added) == (1, 0, 1, 1)
    assert (done.precision, done.recall, done.auto_accept) == (0.5, 0.5, 0.9)
    assert numbers["review/band/high/accepted"] == numbers["review/band/low/deleted"] == 1
    labels = json.loads(done.labels.read_text())
    assert [row["file_name"] for row in labels["images"]] == ["a.jpg"]
    assert [row["bbox"] for row in labels["annotations"]] == [[2, 2, 10, 10], [20, 2, 5, 5]]
    assert not (done.folder / "labels.db").exists()


def test_nothing_of_the_review_came_back(tmp_path: Path) -> None:
    sent, paper = sent_by_hand(tmp_path / "sent"), OnPaper({})
    with pytest.raises(DataError, match="was sent by the review in"):
        annotation.pull(paper, sent, tmp_path / "back", Numbers(), say=ignore)  # type: ignore[arg-type]
    assert not (tmp_path / "back").exists()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with start_emulator(tmp_path_factory.mktemp("emulator"), delays=Delays(0, 0, 0)) as emulator:
        yield emulator


def test_labellerr_as_the_stages_see_it(served: Emulator, tmp_path: Path) -> None:
    """Pushed, looked at, reviewed by the simulated annotator, and looked at again."""
    dataset = small_dataset(tmp_path / "dataset", tmp_path / "cache")
    settings = LabellerrSettings(mode=LabellerrMode.emulator, url=served.url, timeout=20.0)
    images = annotation.ImageSet("port", list(dataset.iter_images("pool")), dataset.names)
    with closing(annotation.open_platform(settings, tmp_path / "memory")) as platform:
        assert not (tmp_path / "memory").exists()  # nothing was called yet
        platform.check(images.images)
        project = platform.push(images, ignore).project_id
        expected = Progress(project, "port", 5, 5, 0, {"None": 5})
        assert platform.status(project) == expected
        assert platform.kept_labels(project) is None
        done = platform.rehearse(project, dataset, "pool")
        assert done is not None and done.files == 5 and done.counts["added"] > 0
        assert platform.status(project) == Progress(project, "port", 5, 0, 5, {"accepted": 5})
        kept = platform.labels(project)
        assert (kept.images, kept.annotations) == (5, done.counts["added"])
        assert platform.kept_labels(project) == kept
        assert served.url in str(platform.by_hand(project))
        with pytest.raises(SettingsError, match="no such project"):
            platform.status("nope")
        with pytest.raises(DataError, match="nothing of data set 'port' was sent for review"):
            platform.last_review("port")


def test_a_pull_of_another_data_set_says_what_was_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent_by_hand(tmp_path / "theirs-1")
    monkeypatch.setattr(Labellerr, "_reviews", tmp_path)
    platform = Labellerr(LabellerrSettings(), tmp_path / "memory")
    with pytest.raises(DataError, match=r"nothing of data set 'mine'.* sent is 'paper': pull"):
        platform.last_review("mine")


def test_nobody_is_simulated_on_the_cloud(tmp_path: Path) -> None:
    cloud = Labellerr(LabellerrSettings(mode=LabellerrMode.cloud), tmp_path)
    nobody: Any = None
    assert cloud.rehearse("p", nobody, "pool") is None
    assert cloud.by_hand("p") is None
