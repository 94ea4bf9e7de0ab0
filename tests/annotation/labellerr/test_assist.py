"""Proposals: on files that nobody works on, once each, as polygons of the predicted masks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labellerr_loopback import Emulator, ask
from segtrack.annotation.labellerr.assist import propose
from segtrack.annotation.labellerr.http_platform import HttpPlatform
from segtrack.annotation.labellerr.session import Session
from segtrack.annotation.outlines import shapes_of
from segtrack.base.errors import PlatformError
from segtrack.base.rle import encode_box
from segtrack.dataset.canonical import ImageRow
from segtrack.model.predictions import (
    FrameDetections,
    Predictions,
    PredictionsInfo,
    PredictionsWriter,
)
from segtrack.settings import LabellerrSettings
from tests.annotation.labellerr.conftest import make_project

Images = Callable[[int], list[Path]]
UPLOAD = "POST /actions/upload_answers"


def rectangle(left: int, top: int, width: int, height: int) -> bytes | None:
    """A mask in an image of 40 x 30 px."""
    return encode_box(np.ones((height, width)), 30, 40, (left, top))


def predictions(folder: Path, frames: dict[int, list[tuple[int, float, bytes | None]]]) -> Any:
    folder.mkdir()
    with PredictionsWriter(folder) as writer:
        for number, found in frames.items():
            classes = np.array([f[0] for f in found], np.int16)
            scores = np.array([f[1] for f in found], np.float32)
            boxes = np.zeros((len(found), 4), np.float32)
            writer.add(FrameDetections(number, classes, scores, boxes, [f[2] for f in found]))
        writer.finish(PredictionsInfo(("car", "bus"), 9))
    return Predictions.load(folder)


def rows(paths: list[Path]) -> list[ImageRow]:
    return [ImageRow(i, path.name, path, 40, 30, "") for i, path in enumerate(paths)]


def answers(emulator: Emulator, project_id: str) -> dict[str, list[dict[str, Any]]]:
    url = f"{emulator.url}/_emulator/projects/{project_id}/files"
    found = ask("GET", url)["files"]
    return {file["file_name"]: file["answers"] for file in found}


class Proposer:
    """``propose`` with what a test does not care about; remembers what was said."""

    def __init__(self, platform: HttpPlatform, paths: list[Path], tmp_path: Path) -> None:
        self.platform, self.paths, self.folder = platform, paths, tmp_path
        self.project_id = make_project(platform, paths, tmp_path / "ledger")
        self.said: list[str] = []

    def __call__(self, found: Predictions, code: str = "one") -> Any:
        settings = LabellerrSettings(timeout=20.0)
        session = Session(self.platform, self.folder / "ledger", settings, self.said.append)
        names, images = ["car", "bus"], rows(self.paths)
        folder = self.folder / "sent"
        return propose(session, self.project_id, images, found, names, folder, code)


def test_a_polygon_for_each_mask_that_is_sure_enough(tmp_path: Path) -> None:
    found = predictions(
        tmp_path / "p",
        {
            0: [(1, 0.9, rectangle(5, 6, 20, 10)), (0, 0.2, rectangle(0, 0, 5, 5))],
            2: [(0, 0.8, None)],  # a box
            3: [(0, 0.25, rectangle(0, 0, 40, 30)), (1, 0.5, rectangle(1, 2, 6, 7))],
        },
    )
    images = rows([Path(f"{i}.jpg") for i in range(5)])
    frames = [frame for _, frame in found.by_image(images)]
    assert [frame is None for frame in frames] == [False, True, False, False, True]
    polygons = [
        [] if f is None else [a for a, _ in shapes_of(f, (40, 30), ["car", "bus"], 0.25, 0.0)]
        for f in frames
    ]
    assert [len(p) for p in polygons] == [1, 0, 0, 2, 0]
    (one,), two = polygons[0], polygons[3]
    assert (one.class_name, one.score) == ("bus", pytest.approx(0.9))
    ring = one.polygon
    np.testing.assert_allclose(ring.min(axis=0), [5, 6], atol=0.3)
    np.testing.assert_allclose(ring.max(axis=0), [25, 16], atol=0.3)
    assert [(a.class_name, a.score) for a in two] == [("bus", 0.5), ("car", 0.25)]


def test_only_files_that_nobody_works_on_and_each_once(
    platform: HttpPlatform, emulator: Emulator, images: Images, tmp_path: Path
) -> None:
    paths = images(5)
    send = Proposer(platform, paths, tmp_path)
    ids = {f.file_name: f.file_id for f in platform.project_files(send.project_id)}
    for name, status in (("001.jpg", "review"), ("002.jpg", "assigned"), ("003.jpg", "accepted")):
        platform.set_status(send.project_id, [ids[name]], status)
    mask = rectangle(5, 6, 20, 10)
    # The last image has none yet.
    found = predictions(tmp_path / "a", {i: [(0, 0.9, mask), (1, 0.3, mask)] for i in range(4)})
    done = send(found)
    assert (done.objects, send.said[0]) == (2, "3 of 5 images are worked on: left as they are")
    there = answers(emulator, send.project_id)
    assert {name: len(found) for name, found in there.items()} == {
        "000.jpg": 2,
        **dict.fromkeys(("001.jpg", "002.jpg", "003.jpg", "004.jpg"), 0),
    }
    assert [(a["question"], a["conf_bucket"], a["source"]) for a in there["000.jpg"]] == [
        ("car", "high", "preannotation"),
        ("bus", "low", "preannotation"),
    ]
    calls = emulator.faults.calls[UPLOAD]
    assert (send(found).objects, emulator.faults.calls[UPLOAD]) == (0, calls)
    # A file is taken up, one is given back, and the model is another: only what is free and has no
    # proposals gets some.
    platform.set_status(send.project_id, [ids["003.jpg"]], "None")
    other = predictions(tmp_path / "b", {i: [(1, 0.6, mask)] for i in range(5)})
    assert send(other, "two").objects == 2
    assert send.said[-2].startswith("1 of 5 images have proposals already: left as")
    there = answers(emulator, send.project_id)
    assert {name: [a["question"] for a in found] for name, found in there.items()} == {
        "000.jpg": ["car", "bus"],
        "001.jpg": [],
        "002.jpg": [],
        "003.jpg": ["bus"],
        "004.jpg": ["bus"],
    }


def test_what_was_not_applied_is_sent_again(
    http: HttpPlatform, emulator: Emulator, images: Images, tmp_path: Path
) -> None:
    send = Proposer(http, images(2), tmp_path)
    mask = rectangle(5, 6, 20, 10)
    found = predictions(tmp_path / "a", {0: [(0, 0.9, mask)], 1: [(0, 0.3, mask)]})
    emulator.fault("job_fails", nth=3, times=1)  # the first is asked for twice, then it is done
    with pytest.raises(PlatformError, match="fail"):
        send(found)
    assert send(found).objects == 1
    assert emulator.faults.calls[UPLOAD] == 3
    assert [len(found) for found in answers(emulator, send.project_id).values()] == [1, 1]


def test_bands_that_were_applied_are_not_sent_again_whatever_people_did_meanwhile(
    http: HttpPlatform, emulator: Emulator, images: Images, tmp_path: Path
) -> None:
    """The files differ, since an image is taken up: their digests alone would not say it."""
    send = Proposer(http, images(3), tmp_path)
    mask = rectangle(5, 6, 20, 10)
    both = [(0, 0.9, mask), (1, 0.3, mask)]
    found = predictions(tmp_path / "a", dict.fromkeys(range(3), both))
    emulator.fault("job_fails", nth=3, times=1)  # high is applied, low is not
    with pytest.raises(PlatformError, match="fail"):
        send(found)
    ids = {f.file_name: f.file_id for f in http.project_files(send.project_id)}
    http.set_status(send.project_id, [ids["002.jpg"]], "assigned")
    other = predictions(tmp_path / "b", {i: [(1, 0.6, mask)] for i in range(3)})
    assert send(other, "two").objects == 0  # of whatever model: the platform might keep both
    assert send.said[-1].startswith("2 of 3 images have proposals already")
    assert send(found).objects == 2
    assert "2 images have some of these proposals already: only the rest is sent" in send.said
    bands = {
        name: [a["conf_bucket"] for a in found]
        for name, found in answers(emulator, send.project_id).items()
    }
    assert bands == {"000.jpg": ["high", "low"], "001.jpg": ["high", "low"], "002.jpg": ["high"]}
    calls = emulator.faults.calls[UPLOAD]
    assert (send(found).objects, emulator.faults.calls[UPLOAD]) == (0, calls)


def test_nothing_was_predicted(
    http: HttpPlatform, emulator: Emulator, images: Images, tmp_path: Path
) -> None:
    send = Proposer(http, images(1), tmp_path)
    done = send(predictions(tmp_path / "a", {}))
    assert (done.jobs, done.objects, emulator.faults.calls[UPLOAD]) == ((), 0, 0)
