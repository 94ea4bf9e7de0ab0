"""Reviewed videos from end to end: sent, corrected by a person, pulled, scored by hand."""

from __future__ import annotations

import csv
import math
import shutil
import signal
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from pycocotools import mask as coco_mask

from labellerr_loopback import Emulator, ask
from segtrack.annotation import SentVideos, VideoReview, pull_videos
from segtrack.annotation.labellerr import video_json
from segtrack.annotation.labellerr.adapter import Labellerr
from segtrack.annotation.labellerr.http_platform import HttpPlatform
from segtrack.annotation.labellerr.session import Session
from segtrack.annotation.labellerr.video_review import review_videos
from segtrack.base.errors import DataError, NothingToExport
from segtrack.command.score import document
from segtrack.dataset.sequences import VideoSequence
from segtrack.dataset.video import probe_video
from segtrack.pipeline.reviewed_videos import Judge
from segtrack.scoring import score_kit
from segtrack.settings import LabellerrSettings
from segtrack.tracker.tracks import (
    TrackRows,
    Tracks,
    TracksInfo,
    TrackSummary,
    TracksWriter,
    write_info,
)
from tests.integration.conftest import module_run

from .conftest import unique
from .reviews import Numbers, ignore
from .videos import FPS, HEIGHT, WIDTH, write_video

ROOT = Path(__file__).parents[3]
FRAMES = 10
ALL = range(FRAMES)
DRAWN = "test_one_right_one_false_one_missed", "test_nothing_of_it_was_there"  # figures too
Place = Callable[[int], tuple[int, int]]
Path_ = Mapping[int, tuple[int, int]]
"""Upper left corner of an object of 10 x 8 px, by frame."""


def upper(frame: int) -> tuple[int, int]:
    return 2 + 4 * frame, 3


def lower(frame: int) -> tuple[int, int]:
    return 44 - 4 * frame, 30


def nowhere(frame: int) -> tuple[int, int]:
    return 50, 16


def along(place: Place, frames: Iterable[int] = ALL) -> dict[int, tuple[int, int]]:
    return {frame: place(frame) for frame in frames}


@dataclass(frozen=True)
class Object:
    """What a tracker says of one object."""

    track_id: int
    class_id: int
    places: Path_
    score: float = 0.9


def tracked(folder: Path, objects: Iterable[Object], names: tuple[str, ...]) -> Tracks:
    """Trajectories whose boxes are the extents of the outlines that are sent of their masks."""
    folder.mkdir(parents=True)
    objects = sorted(objects, key=lambda one: one.track_id)
    with TracksWriter(folder / "tracks.parquet") as writer:
        for frame in ALL:
            there = [one for one in objects if frame in one.places]
            if not there:
                continue
            corners = np.array([one.places[frame] for one in there], np.float32)
            boxes = np.concatenate([corners + 0.25, corners + np.array([9.75, 7.75])], axis=1)
            writer.add(
                TrackRows(
                    frame,
                    np.array([one.track_id for one in there], np.int64),
                    np.array([one.class_id for one in there], np.int16),
                    np.array([one.score for one in there], np.float32),
                    boxes.astype(np.float32),
                    [_rle(*one.places[frame]) for one in there],
                    np.zeros(len(there), bool),
                    boxes.astype(np.float32),
                )
            )
    summary = [
        TrackSummary(
            one.track_id, one.class_id, min(one.places), max(one.places), len(one.places), one.score
        )
        for one in objects
    ]
    info = TracksInfo(names, FRAMES, WIDTH, HEIGHT, FPS, {"name": "by hand"})
    write_info(folder, info, summary)
    return Tracks.load(folder)


def _rle(x: int, y: int) -> bytes:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8, order="F")
    mask[y : y + 8, x : x + 10] = 1
    return bytes(coco_mask.encode(mask)["counts"])


def outline(place: tuple[int, int]) -> list[dict[str, float]]:
    x, y = place
    ring = [(x + 0.25, y + 0.25), (x + 0.25, y + 7.75), (x + 9.75, y + 7.75), (x + 9.75, y + 0.25)]
    return [{"x": px, "y": py} for px, py in ring]


def track(places: Path_) -> dict[str, Any]:
    """What a person draws."""
    frames = {
        str(f): {"frame": f, "answer": outline(place), "timestamp": f / FPS}
        for f, place in sorted(places.items())
    }
    return {"startFrame": min(places), "frames": frames}


class Desk:
    """One review: what was sent, and what a person does to it."""

    def __init__(
        self, platform: HttpPlatform, emulator: Emulator, root: Path, tracks: Iterable[Tracks]
    ) -> None:
        self.platform, self.url, self.root = platform, emulator.url, root
        videos: list[tuple[VideoSequence, Tracks]] = []
        for i, one in enumerate(tracks):
            file = write_video(root / f"clip{i}.mp4", frames=FRAMES, shade=10 * i)
            videos.append((probe_video(file), one))
        settings = LabellerrSettings(timeout=20.0)
        session = Session(platform, root / "ledger", settings, ignore)
        done = review_videos(session, videos, unique("streets"), root / "videos")
        assert done is not None and done.kept is not None
        self.sent = done.kept

    @property
    def target(self) -> str:
        return f"{self.url}/_emulator/projects/{self.sent.project_id}/files"

    def answers(self, name: str = "clip0.mp4") -> list[dict[str, Any]]:
        (file,) = (f for f in ask("GET", self.target)["files"] if f["file_name"] == name)
        return list(file["answers"])

    def work(
        self,
        answers: list[dict[str, Any]] | None,
        name: str = "clip0.mp4",
        status: str = "accepted",
    ) -> None:
        file = {"file_name": name, "status": status, "answers": answers}
        ask("POST", self.target, json={"files": [file]})

    def keep(self, *track_ids: int) -> list[dict[str, Any]]:
        """Answers that stay as they are, by the tracker's ids."""
        ids = self.sent.videos[0].track_ids
        there = self.answers()
        return [{"answer_id": there[ids.index(i)]["answer_id"]} for i in track_ids]

    def pull(self, said: list[str] | None = None) -> tuple[VideoReview, Numbers]:
        numbers = Numbers()
        adapter = Labellerr(LabellerrSettings(timeout=20.0), self.root, self.platform)
        say = ignore if said is None else said.append
        folder = self.root / "pulled"
        review = pull_videos(adapter, self.sent, folder, Judge(), numbers, say=say)
        return review, numbers


@pytest.fixture
def desk(
    http: HttpPlatform, emulator: Emulator, tmp_path: Path, request: pytest.FixtureRequest
) -> Callable[..., Desk]:
    if request.node.name not in DRAWN:
        request.getfixturevalue("blank_figures")

    def make(*objects: Object, names: tuple[str, ...] = ("person",)) -> Desk:
        return Desk(http, emulator, tmp_path, [tracked(tmp_path / "tracks", objects, names)])

    return make


def close(numbers: Mapping[str, float], **expected: float) -> None:
    found = {name: numbers[f"review/track/{name}"] for name in expected}
    assert found == pytest.approx(expected, abs=1e-9)


def test_one_right_one_false_one_missed(desk: Callable[..., Desk]) -> None:
    """10 of 20 boxes found, 5 false ones: MOTA 1 - 15/20, IDF1 20/35, DetA 10/25, AssA 1."""
    one = desk(Object(1, 0, along(upper)), Object(2, 0, along(nowhere, range(5)), 0.6))
    one.work([*one.keep(1), {"question": "person", "track": track(along(lower))}])
    said: list[str] = []
    review, numbers = one.pull(said)
    close(numbers, hota=math.sqrt(0.4), mota=0.25, idf1=20 / 35, idsw=0, fp=5, fn=10)
    close(numbers, mask_hota=math.sqrt(0.4), motsa=0.25)
    close(numbers, sent=2, accepted=1, corrected=0, split=0, joined=0, deleted=1, added=1)
    named = {"hota": math.sqrt(0.4), "accepted": 1, "deleted": 1, "added": 1}
    close(numbers, **{f"class/person/{key}": value for key, value in named.items()})
    close(numbers, **{"video/clip0/hota": math.sqrt(0.4)})
    assert said[0] == (
        "videos: 1 back, 0 not back; tracks: 1 accepted, 0 corrected, 0 split, 0 joined, "
        "1 deleted, 1 added"
    )
    assert said[1] == (
        "the tracker against the review: HOTA 0.632, mask HOTA 0.632, MOTA 0.250, IDF1 0.571, "
        "0 identity switches"
    )
    (video,) = review.videos
    assert (video.judged, video.sequence.frame_count) == (FRAMES, FRAMES)
    assert video.sequence.gt == one.root / "pulled" / "truth" / "clip0" / "gt" / "gt.txt"
    rows = list(csv.DictReader((review.folder / "tracks.csv").open()))
    assert [(r["track_id"], r["outcome"], r["became"]) for r in rows] == [
        ("1", "accepted", "1"),
        ("2", "deleted", ""),
        ("", "added", "3"),
    ]
    total = list(csv.DictReader((review.folder / "classes.csv").open()))[-1]
    assert (total["class"], total["sent"], total["IDSW"]) == ("all", "2", "0")
    assert float(total["HOTA"]) == pytest.approx(100 * math.sqrt(0.4))
    assert (review.folder / "classes.png").stat().st_size > 10_000
    assert (review.folder / "scores" / "hota_over_alpha.png").is_file()


def test_nothing_of_it_was_there(desk: Callable[..., Desk]) -> None:
    """All deleted: there is nothing to be a fraction of, but false positives to count."""
    one = desk(Object(1, 0, along(upper)))
    one.work([])
    review, numbers = one.pull()
    close(numbers, deleted=1, accepted=0, fp=10, fn=0)
    assert "review/track/hota" not in numbers
    (video,) = review.videos
    assert video.sequence.gt is not None and video.sequence.gt.read_text() == ""
    assert (review.folder / "classes.png").stat().st_size > 10_000


def test_two_identities_that_changed_places(desk: Callable[..., Desk]) -> None:
    """All boxes found, two switches: MOTA 1 - 2/20, IDF1 20/40, AssA 5/15, HOTA its root."""
    half, rest = range(5), range(5, 10)
    one = desk(
        Object(1, 0, along(upper, half) | along(lower, rest)),
        Object(2, 0, along(lower, half) | along(upper, rest)),
    )
    first, second = (answer["answer_id"] for answer in one.answers())
    one.work(
        [
            {"answer_id": first, "track": track(along(upper))},
            {"answer_id": second, "track": track(along(lower))},
        ]
    )
    _, numbers = one.pull()
    close(numbers, hota=math.sqrt(1 / 3), mota=0.9, idf1=0.5, idsw=2, deta=1, assa=1 / 3)
    close(numbers, split=2, accepted=0, joined=0)
    switches = (one.root / "pulled" / "scores" / "id_switches.csv").read_text().splitlines()
    # Boxes and masks, both objects.
    assert len(switches) == 1 + 4 and all(",5," in row for row in switches[1:])
    assert (one.root / "pulled" / "scores" / "id_switches_clip0.jpg").stat().st_size > 5_000
    assert not list((one.root / "pulled").rglob("truth.npz"))


def test_everything_accepted_is_perfect(desk: Callable[..., Desk]) -> None:
    one = desk(Object(1, 0, along(upper)), Object(2, 1, along(lower)), names=("person", "car"))
    one.work(None)
    _, numbers = one.pull()
    close(numbers, hota=1, mota=1, idf1=1, mask_hota=1, accepted=2, deleted=0)
    close(numbers, **{"class/car/hota": 1, "class/person/accepted": 1})


def test_where_the_tracker_lost_it_it_is_not_judged(desk: Callable[..., Desk]) -> None:
    gap = [frame for frame in ALL if frame not in (4, 5)]
    one = desk(Object(1, 0, along(upper, gap)))
    one.work(None)
    _, numbers = one.pull()
    close(numbers, hota=1, mota=1, fn=0, accepted=1)
    # Somebody sees that it is there: two misses.
    (answer,) = one.answers()
    one.work([{"answer_id": answer["answer_id"], "track": track(along(upper))}])
    _, numbers = one.pull()
    close(numbers, mota=0.8, fn=2, corrected=1)


def test_every_second_frame(desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that holds no more: people saw frames 0, 2, ... and those alone are judged."""
    monkeypatch.setattr(video_json, "_fitting", lambda db, room: 2)
    one = desk(Object(1, 0, along(upper)), Object(2, 0, along(lower, range(1, 8))))
    (first, second) = one.answers()
    assert [int(f) for f in first["data"]["frames"]] == [0, 2, 4, 6, 8, 9]
    assert [int(f) for f in second["data"]["frames"]] == [1, 2, 4, 6, 7]
    one.work([{"answer_id": first["answer_id"]}])  # the second is deleted
    said: list[str] = []
    review, numbers = one.pull(said)
    # 5 frames judged: 5 true boxes found, 3 false ones (2, 4 and 6).
    close(numbers, mota=1 - 3 / 5, fp=3, fn=0, hota=math.sqrt(5 / 8), accepted=1, deleted=1)
    assert said[2] == (
        "clip0: judged are the 5 frames that were sent, every 2. of 10; in its ground truth those "
        "between lie on straight lines"
    )
    (video,) = review.videos
    assert (video.judged, video.sequence.frame_count, video.sequence.fps) == (5, 10, FPS)
    assert video.sequence.gt is not None
    rows = [line.split(",") for line in video.sequence.gt.read_text().splitlines()]
    # The object goes straight, so that what lies between is where it was.
    assert [(int(r[0]) - 1, float(r[2])) for r in rows] == [(f, 2.25 + 4 * f) for f in ALL]
    _same_as_the_command(one, "mot17", "mot", "pedestrian", numbers)


@pytest.mark.parametrize(
    ("names", "benchmark", "folder", "scored"),
    [
        (("person",), "mot17", "mot", {"person": "pedestrian"}),
        (("car", "person"), "kitti_mots", "mots", {"car": "car", "person": "pedestrian"}),
    ],
)
def test_the_scores_are_those_of_the_script(
    desk: Callable[..., Desk],
    names: tuple[str, ...],
    benchmark: str,
    folder: str,
    scored: dict[str, str],
) -> None:
    """Of the files that were judged, by the rules of a benchmark with these classes."""
    last = len(names) - 1
    one = desk(
        Object(1, 0, along(upper, range(6)) | along(lower, range(6, 10))),
        Object(2, 0, along(lower, range(1, 5)), 0.7),
        Object(3, last, along(nowhere), 0.5),
        Object(4, last, along(lambda f: (20, 16), (0, 1, 2, 7, 8, 9)), 0.8),
        names=names,
    )
    first = next(a for a in one.answers() if "6" in a["data"]["frames"])
    moved = {f: (x + 1, y + 1) for f, (x, y) in along(upper).items()}
    answers = [
        {"answer_id": first["answer_id"], "track": track(moved)},
        {"question": names[0], "track": track(along(lower))},
        {"question": names[last], "track": track(along(lambda f: (20, 38 - f)))},
        *one.keep(3, 4),
    ]
    one.work(answers)
    _, numbers = one.pull()
    for name, kit in scored.items():
        _same_as_the_command(one, benchmark, folder, kit, numbers, name)


def _same_as_the_command(
    one: Desk,
    benchmark: str,
    folder: str,
    kit: str,
    numbers: Mapping[str, float],
    name: str = "person",
) -> None:
    pulled = one.root / "pulled"
    scores = score_kit(benchmark, pulled / "judged", pulled / "tracker" / folder)
    theirs = document(scores)["combined"][kit]
    prefix = "mask " if folder == "mots" else ""
    rows = {row["class"]: row for row in csv.DictReader((pulled / "classes.csv").open())}
    keys = ("HOTA", "DetA", "AssA", "MOTA", "IDF1", "IDSW", "FP", "FN")
    ours = {key: float(rows[name][f"{prefix}{key}"]) for key in keys}
    assert ours == pytest.approx({key: theirs[key] for key in keys}, abs=1e-9)
    assert 0 < ours["HOTA"] < 100
    metric = "mask_hota" if folder == "mots" else "hota"
    assert numbers[f"review/track/class/{name}/{metric}"] == pytest.approx(ours["HOTA"] / 100)


def test_what_was_saved_on_the_page(desk: Callable[..., Desk], emulator: Emulator) -> None:
    """A split, a join, a new name, a deletion, as the page saves them; then accept."""
    half, rest = range(5), range(5, 10)
    one = desk(
        Object(1, 0, along(upper)),  # to be split
        Object(2, 0, along(lower, half)),  # to be joined
        Object(3, 0, along(lower, rest)),
        Object(4, 0, along(nowhere)),
        Object(5, 0, along(lambda f: (20, 17))),
    )
    (file,) = ask("GET", one.target)["files"]
    address = f"{emulator.page(one.sent.project_id)}files/{file['file_id']}/answers"
    shown = requests.get(address, timeout=30).json()["response"]
    ids = one.sent.videos[0].track_ids
    answers = dict(zip(ids, shown["answers"], strict=True))

    def put(track_id: int, frames: dict[str, Any], **more: Any) -> dict[str, Any]:
        answer = answers[track_id]
        changed = {**answer["track"], "startFrame": min(map(int, frames)), "frames": frames}
        return {"id": answer["id"], "question_id": answer["question_id"],
                "track": changed, **more}  # fmt: skip

    of = {i: answer["track"]["frames"] for i, answer in answers.items()}
    whole = of[1]
    change = {
        "revision": shown["revision"],
        "put": [
            put(1, {n: whole[n] for n in map(str, half)}),
            put(1, {n: whole[n] for n in map(str, rest)}, id=str(uuid.uuid4())),
            put(2, {**of[2], **of[3]}),
            {**put(5, of[5]), "track": {**answers[5]["track"], "name": "the slow one"}},
        ],
        "removed": [answers[3]["id"], answers[4]["id"]],
        "status": "accepted",
    }
    saved = requests.patch(address, json=change, timeout=30)
    assert saved.status_code == 200, saved.text
    review, numbers = one.pull()
    close(numbers, sent=5, split=1, joined=2, deleted=1, accepted=1, corrected=0, added=0)
    rows = list(csv.DictReader((review.folder / "tracks.csv").open()))
    assert [(r["track_id"], r["outcome"], r["became"], r["untouched"]) for r in rows] == [
        ("1", "split", "1 6", "10"),
        ("2", "joined", "2", "5"),
        ("3", "joined", "2", "5"),
        ("4", "deleted", "", "0"),
        ("5", "accepted", "5", "10"),
    ]
    # One object became two, and two of the tracker's are one: a switch, and one too many.
    close(numbers, idsw=1, fp=10, fn=0, mota=1 - 11 / 30)


def test_nothing_reviewed_yet(desk: Callable[..., Desk]) -> None:
    one = desk(Object(1, 0, along(upper)))
    with pytest.raises(NothingToExport, match=r"of 1 videos none has one .* \(1 None\)"):
        one.pull()
    one.work(None, status="rejected")
    with pytest.raises(NothingToExport, match=r"\(1 rejected\)"):
        one.pull()
    assert not (one.root / "pulled").exists()


def test_some_are_skipped(http: HttpPlatform, emulator: Emulator, tmp_path: Path) -> None:
    tracks = [
        tracked(tmp_path / f"tracks{i}", [Object(1, 0, along(upper))], ("person",))
        for i in range(3)
    ]
    one = Desk(http, emulator, tmp_path, tracks)
    one.work(None, "clip1.mp4")
    one.work(None, "clip2.mp4", status="skipped")
    said: list[str] = []
    review, _ = one.pull(said)
    assert [video.sent.name for video in review.videos] == ["clip1"]
    assert (review.pending, review.statuses) == (2, {"None": 1, "skipped": 1})
    assert said[0].startswith("videos: 1 back, 2 not back (1 None, 1 skipped); tracks: 1 accepted")


def test_a_question_that_was_renamed(desk: Callable[..., Desk], emulator: Emulator) -> None:
    """The template's own record, as the platform's screen would change it."""
    one = desk(Object(1, 0, along(upper)))
    one.work(None)
    with emulator_state(emulator) as db:
        rows = db.execute("SELECT id, questions FROM templates").fetchall()
        for template_id, text in rows:
            changed = text.replace('"question": "person"', '"question": "pedestrian"')
            db.execute("UPDATE templates SET questions = ? WHERE id = ?", (changed, template_id))
    try:
        _, numbers = one.pull()
    finally:
        with emulator_state(emulator) as db:
            for template_id, text in rows:
                db.execute("UPDATE templates SET questions = ? WHERE id = ?", (text, template_id))
    close(numbers, accepted=1, hota=1)


def emulator_state(emulator: Emulator):  # type: ignore[no-untyped-def]
    import sqlite3

    return sqlite3.connect(emulator.folder / "state.db", timeout=30)


def test_a_video_of_the_same_name(http: HttpPlatform, emulator: Emulator, tmp_path: Path) -> None:
    """Another video that is called clip0 too: each has a project, and gets its own tracks back."""
    desks = []
    for i, place in enumerate((upper, lower)):
        root = tmp_path / str(i)
        tracks = tracked(root / "tracks", [Object(1, 0, along(place))], ("person",))
        write_video(root / "clip0.mp4", frames=FRAMES, shade=90 * i)
        desks.append(Desk(http, emulator, root, [tracks]))
    first, second = desks
    assert first.sent.project_id != second.sent.project_id
    second.work(None)
    with pytest.raises(NothingToExport):
        first.pull()
    review, _ = second.pull()
    assert review.videos[0].sequence.gt is not None
    assert review.videos[0].sequence.gt.read_text().startswith("1,1,44.25,30.25,")


def test_what_was_sent_can_be_found_again(desk: Callable[..., Desk]) -> None:
    one = desk(Object(1, 0, along(upper)))
    assert SentVideos.load(one.sent.folder) == one.sent
    (video,) = one.sent.videos
    assert (video.name, video.every, video.track_ids) == ("clip0", 1, (1,))
    adapter = Labellerr(LabellerrSettings(timeout=20.0), one.root, one.platform)
    account = one.root / "videos" / one.platform.account
    account.mkdir()
    shutil.copytree(one.sent.folder, account / one.sent.folder.name)
    found = adapter.last_videos(one.sent.name)
    assert found is not None and replace(found, folder=one.sent.folder) == one.sent
    assert adapter.last_videos("another") is None
    by_content = adapter.last_videos("renamed", [video.sha256])
    assert by_content is not None and by_content.project_id == one.sent.project_id


def test_what_was_sent_is_damaged(desk: Callable[..., Desk]) -> None:
    one = desk(Object(1, 0, along(upper)))
    one.work(None)
    (one.sent.folder / one.sent.videos[0].file).write_text("[]")
    with pytest.raises(DataError, match="damaged or missing"):
        one.pull()
    assert not (one.root / "pulled").exists()


def test_a_killed_pull_goes_on(desk: Callable[..., Desk], emulator: Emulator) -> None:
    """Nothing of it is left behind, least of all the export, which names people."""
    one = desk(Object(1, 0, along(upper)), Object(2, 0, along(nowhere, range(5)), 0.6))
    one.work(one.keep(1))
    before, _ = one.pull()
    tables = {path.name: path.read_bytes() for path in before.folder.glob("*.csv")}
    words = [emulator.url, str(one.sent.folder), str(before.folder)]
    done = module_run("tests.annotation.labellerr.killed_video_pull", *words)
    assert done.code == -signal.SIGKILL, done.err
    assert {path.name: path.read_bytes() for path in before.folder.glob("*.csv")} == tables
    # In the midst of it.
    assert (before.folder.with_name("pulled.partial") / "export.json").exists()
    again, numbers = one.pull()
    assert {path.name: path.read_bytes() for path in again.folder.glob("*.csv")} == tables
    close(numbers, accepted=1, deleted=1)
    assert not before.folder.with_name("pulled.partial").exists()
    assert not list(one.root.rglob("export.json"))
