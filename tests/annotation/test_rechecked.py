"""Labels before and after people looked at them again: what was done, and how good a list was."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segtrack import annotation
from segtrack.annotation import Pushed, Reviewed, Suspect
from segtrack.annotation.matching import Shape
from segtrack.annotation.recheck_changes import changes, kind_rows
from segtrack.annotation.rechecks import labels_by_image
from segtrack.annotation.returned import Returned, new_returned
from segtrack.annotation.sent import SentImage
from segtrack.dataset import Dataset, ImageRow, YoloSettings
from tests.annotation.labellerr.reviews import Numbers, prepared
from tests.integration.test_suspect import PLACES, SIDE, draw

SIZE = (100, 80)
KINDS = ("overlooked", "badly_located", "swapped", "spurious", "duplicate")


def square(x: float, y: float, side: float = 20.0) -> np.ndarray:
    return np.array([[x, y], [x + side, y], [x + side, y + side], [x, y + side]])


@pytest.mark.parametrize(
    "sent, labels, expected",
    [
        ([("car", 5, 5)], [("car", 5, 5)], [("kept", 0, 0)]),
        ([("car", 5, 5)], [], [("deleted", 0, -1)]),
        ([], [("car", 5, 5)], [("added", -1, 0)]),
        ([("car", 5, 5)], [("car", 8, 5)], [("corrected", 0, 0)]),  # IoU .74
        ([("car", 5, 5)], [("car", 18, 5)], [("corrected", 0, 0)]),  # .21: drawn anew beside it
        ([("car", 5, 5)], [("car", 20, 5)], [("deleted", 0, -1), ("added", -1, 0)]),  # .14
        ([("car", 5, 5)], [("bus", 5, 5)], [("class_changed", 0, 0)]),
        ([("car", 5, 5)], [("bus", 8, 5)], [("class_changed", 0, 0)]),
        ([("car", 5, 5)], [("bus", 15, 5)], [("deleted", 0, -1), ("added", -1, 0)]),  # .33
        # The object of its own class comes first, and what is left is another one.
        (
            [("car", 5, 5), ("bus", 5, 5)],
            [("bus", 5, 5), ("bus", 50, 40)],
            [("deleted", 0, -1), ("kept", 1, 0), ("added", -1, 1)],
        ),
    ],
)
def test_changes_by_hand(
    sent: list[tuple[str, float, float]],
    labels: list[tuple[str, float, float]],
    expected: list[tuple[str, int, int]],
) -> None:
    before, after = (
        [Shape(name, square(x, y)) for name, x, y in shapes] for shapes in (sent, labels)
    )
    found = [(one.outcome, one.sent, one.label) for one in changes(before, after, SIZE)]
    assert found == expected


def row(name: str, kind: str, outcome: str, label: bool = True) -> dict[str, Any]:
    wrong = outcome != "kept"
    return {"file_name": name, "kind": kind, "outcome": outcome, "wrong": wrong, "label": label}


def test_kinds_by_hand() -> None:
    rows = [
        row("a", "spurious", "deleted"),
        row("a", "spurious", "kept"),
        row("a", "overlooked", "added"),
        row("b", "overlooked", "kept", label=False),
        row("b", "", "kept"),
        row("b", "", "corrected"),
        row("b", "", "added"),
    ]
    found = {one["kind"]: one for one in kind_rows(rows, KINDS)}
    numbers = {
        kind: [one[key] for key in ("objects", "kept", "corrected", "deleted", "added", "wrong")]
        for kind, one in found.items()
    }
    assert numbers == {
        "overlooked": [2, 1, 0, 0, 1, 1],
        "badly_located": [0, 0, 0, 0, 0, 0],
        "swapped": [0, 0, 0, 0, 0, 0],
        "spurious": [2, 1, 0, 1, 0, 1],
        "duplicate": [0, 0, 0, 0, 0, 0],
        "suspects": [4, 2, 0, 1, 1, 2],
        "not_suspect": [2, 1, 1, 0, 1, 1],  # what was added has no label that could be right
        "all": [5, 2, 1, 1, 2, 3],
    }
    assert found["spurious"]["wrong_share"] == 0.5 and found["swapped"]["wrong_share"] is None
    assert found["suspects"]["low"] < 0.5 < found["suspects"]["high"]


class OnPaper:
    """A platform on which people's labels are given, by the file's name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.drawn: dict[str, list[np.ndarray]] = {}

    def memory(self, name: str) -> Path:
        return self.folder / name / "account"

    def known_as(self, project_id: str, images: list[ImageRow]) -> list[SentImage]:
        return [
            SentImage(
                *(Path(r.file_name).stem, r.file_name, r.image_id, str(r.path), r.width, r.height),
                *("", r.sha256),
            )
            for r in images
        ]

    @contextmanager
    def pull(self, sent: Reviewed, scratch: Path) -> Iterator[Returned]:
        with new_returned(scratch / "labels.db") as back:
            for name, rings in self.drawn.items():
                back.names.add(name)
                for ring in rings:
                    back.add(name, "square", ring)
            back.complete()
            yield back
        (scratch / "labels.db").unlink()


class Desk:
    """The toy squares of ``tests.integration.test_suspect``, some of whose labels are wrong."""

    def __init__(self, root: Path) -> None:
        draw(root / "data")
        settings = YoloSettings(path=str(root / "data"))
        self.root, self.cache = root, root / "cache"
        self.dataset = prepared(settings, root / "dataset", self.cache)
        self.paper: Any = OnPaper(root / "memory")
        self.rows = {
            Path(r.file_name).stem: r
            for split in ("train", "val")
            for r in self.dataset.iter_images(split)
        }

    def labels(self, name: str) -> list[np.ndarray]:
        one = self.rows[name].image_id
        found = labels_by_image(self.dataset, {one})[one]
        return [np.reshape(row["segmentation"][0], (-1, 2)) for row in found]

    def send(self, suspects: list[tuple[str, int | None, str, np.ndarray]]) -> Reviewed:
        rows = [Suspect(self.rows[n], at, kind, 0.9, kind, o) for n, at, kind, o in suspects]
        images = [self.rows[name] for name in dict.fromkeys(one[0] for one in suspects)]
        pushed = Pushed("p", "t", ("d",), len(images), 0, 0)
        return annotation.keep_recheck(
            *(self.paper, pushed, "toy", self.dataset, images, rows, "0123456789", 0.5)
        )

    def last(self, dataset: Dataset | None = None, name: str = "toy") -> Reviewed | None:
        return annotation.last_recheck(self.paper, name, dataset or self.dataset)

    def pull(
        self, dataset: Dataset | None = None
    ) -> tuple[annotation.Rechecked, Numbers, list[str]]:
        sent, numbers, said = self.last(dataset), Numbers(), []
        assert sent is not None
        done = annotation.pull_recheck(
            *(self.paper, sent, dataset or self.dataset, self.root / "pull", KINDS),
            *(numbers, said.append),
        )
        return done, numbers, said


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def place(i: int) -> np.ndarray:
    return square(*PLACES[i], SIDE)


def test_what_was_suspected_is_counted_by_its_kind(desk: Desk) -> None:
    doubles = desk.labels("08_duplicate")
    desk.send(
        [
            ("02_overlooked", None, "overlooked", place(2)),
            ("04_badly_located", 0, "badly_located", desk.labels("04_badly_located")[0]),
            ("06_spurious", 3, "spurious", desk.labels("06_spurious")[3]),
            ("08_duplicate", 3, "duplicate", doubles[3]),
            ("01_right", 1, "swapped", desk.labels("01_right")[1]),
        ]
    )
    right = [place(i) for i in range(3)]
    desk.paper.drawn = {
        "02_overlooked": right,
        "04_badly_located": right,
        "06_spurious": right,
        # The other one of the two went, and the suspicion was right all the same.
        "08_duplicate": [doubles[i] for i in (0, 2, 3)],
    }
    done, numbers, said = desk.pull()
    assert (done.images, done.pending, done.suspects, done.wrong) == (4, 1, 4, 4)
    assert (done.kept, done.corrected, done.deleted, done.added) == (10, 1, 2, 1)
    assert numbers["recheck/suspects/wrong_share"] == 1
    assert numbers["recheck/badly_located/corrected"] == 1
    assert numbers["recheck/duplicate/deleted"] == numbers["recheck/overlooked/added"] == 1
    assert numbers["recheck/not_suspect/wrong"] == numbers["recheck/not_suspect/added"] == 0
    assert said[0] == (
        "4 images back, 1 pending; labels: 10 kept, 1 corrected, 0 class changed, 2 deleted, 1 "
        "added"
    )
    assert said[1].startswith("people found 4 of 4 suspects wrong (100%, 95% interval ")
    assert "overlooked 1 of 1, badly located 1 of 1, spurious 1 of 1, duplicate 1 of 1" in said[1]
    written = json.loads(done.labels.read_text())
    assert len(written["annotations"]) == 12
    assert sum("as_before" in one for one in written["annotations"]) == 10


def test_nothing_changed_is_no_version(desk: Desk) -> None:
    desk.send([("01_right", 0, "spurious", desk.labels("01_right")[0])])
    desk.paper.drawn = {"01_right": desk.labels("01_right")}
    done, numbers, said = desk.pull()
    assert done.file_names == () and numbers["recheck/spurious/wrong_share"] == 0
    assert "people found 0 of 1 suspects wrong" in said[1]
    root = desk.root / "versions"
    assert annotation.next_version(desk.dataset, None, root, "auto", rechecked=done) is None


def test_more_of_the_same_list_joins_what_was_sent(desk: Desk) -> None:
    first = desk.send([("01_right", 0, "spurious", place(0))])
    both = desk.send([("03_right", 0, "spurious", place(0)), ("07_right", 0, "swapped", place(0))])
    assert (first.folder, first.images, both.images) == (both.folder, 1, 3)
    desk.paper.drawn = {name: desk.labels(name) for name in ("01_right", "07_right")}
    done, *_ = desk.pull()
    assert (done.images, done.pending, done.suspects) == (2, 1, 2)


def test_labels_that_are_others_by_now_stay_as_they_are(desk: Desk) -> None:
    names = ["02_overlooked", "06_spurious"]
    desk.send([(name, None, "overlooked", place(2)) for name in names])
    desk.paper.drawn = {name: [place(i) for i in range(3)] for name in names}
    file = next((desk.root / "data").rglob("06_spurious.txt"))
    file.write_text("\n".join(file.read_text().splitlines()[:2]) + "\n")
    settings = YoloSettings(path=str(desk.root / "data"))
    now = prepared(settings, desk.root / "now", desk.cache)
    assert desk.last(now, "another name") is None
    done, _, said = desk.pull(now)
    assert done.others == 1 and [Path(name).stem for name in done.file_names] == names[:1]
    assert any("1 of these images are others here by now" in line for line in said)
