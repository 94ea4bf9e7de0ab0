"""Tracked videos to the platform: what is sent, what is left out and said, nothing twice."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from labellerr_loopback import Emulator, ask
from segtrack.annotation.labellerr.http_platform import HttpPlatform
from segtrack.annotation.labellerr.session import Session
from segtrack.annotation.labellerr.video_review import review_videos
from segtrack.annotation.port import VideosSent
from segtrack.base.errors import PlatformError
from segtrack.dataset.sequences import VideoSequence
from segtrack.dataset.video import probe_video
from segtrack.settings import LabellerrSettings
from segtrack.tracker.tracks import Tracks

from .conftest import unique
from .videos import rectangle, write_tracks, write_video

Tracked = list[tuple[VideoSequence, Tracks]]
SENDING = ("upload_answers", "/create", "connect/local", "/storage/")


def video(folder: Path, shift: int = 0) -> tuple[VideoSequence, Tracks]:
    """A video with a person and two cars; one car only as a box."""
    masks = {
        1: {f: rectangle(2 + f + shift, 3) for f in range(4)},
        2: {f: rectangle(30, 20 + f, 5, 12) for f in range(1, 3)},
        3: {0: None, 1: None},
    }
    sequence = probe_video(write_video(folder / "clip.mp4", shade=shift))
    return sequence, write_tracks(folder / "tracks", masks, {1: 1, 2: 0, 3: 1})


def send(
    platform: HttpPlatform, tracked: Tracked, root: Path, name: str, said: list[str] | None = None
) -> VideosSent | None:
    say = [].append if said is None else said.append
    session = Session(platform, root / "ledger", LabellerrSettings(timeout=20.0), say)
    return review_videos(session, tracked, name, root / "videos")


def there(emulator: Emulator, project_id: str) -> dict[str, list[tuple[str, list[int]]]]:
    """Class and frames of every trajectory, by file name."""
    url = f"{emulator.url}/_emulator/projects/{project_id}/files"
    files = ask("GET", url)["files"]
    return {
        file["file_name"]: [
            (a["question"], [int(n) for n in a["data"]["frames"]]) for a in file["answers"]
        ]
        for file in files
    }


def test_trajectories_are_in_the_project(
    platform: HttpPlatform, emulator: Emulator, tmp_path: Path
) -> None:
    name, said = unique("streets"), list[str]()
    sent = send(platform, [video(tmp_path / "a")], tmp_path, name, said)
    assert sent is not None and (sent.videos, sent.tracks) == (1, 2)
    found = there(emulator, sent.project_id)
    assert found == {"clip.mp4": [("person", [1, 2]), ("car", [0, 1, 2, 3])]}
    project = platform.project(sent.project_id)
    assert project.name.startswith(f"{name} video review ")
    questions = platform.template(project.template_id).questions
    assert [(q.name, q.color, q.kind) for q in questions] == [
        ("person", "#E69F00", "polygon"),
        ("car", "#56B4E9", "polygon"),
    ]
    (dataset_id,) = project.dataset_ids
    (dataset,) = [d.name for d in platform.datasets("video") if d.dataset_id == dataset_id]
    assert re.fullmatch(f"{name} videos [0-9a-f]{{8}}", dataset)
    assert "clip.mp4: 2 tracks, 6 outlines" in said
    assert not [p for p in (tmp_path / "videos").rglob("*") if p.suffix in (".db", ".partial")]


def test_the_same_again_sends_nothing(
    platform: HttpPlatform, emulator: Emulator, tmp_path: Path
) -> None:
    name, tracked = unique("streets"), [video(tmp_path / "a")]
    first = send(platform, tracked, tmp_path, name)
    before = dict(emulator.faults.calls)
    said: list[str] = []
    assert send(platform, tracked, tmp_path, name, said) == first
    assert any("clip.json was applied before" in text for text in said)
    grown = {k for k, v in emulator.faults.calls.items() if v > before.get(k, 0)}
    assert not [k for k in grown if any(part in k for part in SENDING) and "status" not in k]


def test_other_trajectories_of_the_same_video(
    platform: HttpPlatform, emulator: Emulator, tmp_path: Path
) -> None:
    """They go to a project of their own, over the same data set."""
    name, (sequence, tracks) = unique("streets"), video(tmp_path / "a")
    first = send(platform, [(sequence, tracks)], tmp_path, name)
    other = write_tracks(tmp_path / "other", {1: {0: rectangle(9, 9)}}, {1: 1})
    second = send(platform, [(sequence, other)], tmp_path, name)
    assert first is not None and second is not None
    assert first.project_id != second.project_id
    ids = [platform.project(p.project_id).dataset_ids for p in (first, second)]
    assert ids[0] == ids[1]
    assert there(emulator, second.project_id) == {"clip.mp4": [("car", [0])]}
    assert len(there(emulator, first.project_id)["clip.mp4"]) == 2


def test_a_video_that_is_sent_no_more_is_in_no_new_project(
    platform: HttpPlatform, emulator: Emulator, tmp_path: Path
) -> None:
    """It may be a test sequence by now; a project has all files of its data sets."""
    name = unique("streets")
    first, second = video(tmp_path / "a"), video(tmp_path / "b")
    second = (replace(second[0], name="other"), second[1])
    send(platform, [first, second], tmp_path, name)
    test = (replace(second[0], role="test"), second[1])
    sent = send(platform, [first, test], tmp_path, name)
    assert sent is not None
    assert sorted(there(emulator, sent.project_id)) == ["clip.mp4"]


def test_two_files_of_one_name_stay_apart(
    http: HttpPlatform, emulator: Emulator, tmp_path: Path
) -> None:
    (a, a_tracks), (b, b_tracks) = video(tmp_path / "a"), video(tmp_path / "b", shift=5)
    tracked = [(a, a_tracks), (replace(b, name="clip-2"), b_tracks)]
    sent = send(http, tracked, tmp_path, unique("streets"))
    assert sent is not None and (sent.videos, sent.tracks) == (2, 4)
    assert sorted(there(emulator, sent.project_id)) == ["clip-2.mp4", "clip.mp4"]


def test_what_is_not_sent_is_said(http: HttpPlatform, emulator: Emulator, tmp_path: Path) -> None:
    good, tracks = video(tmp_path / "a")
    avi = probe_video(write_video(tmp_path / "old.avi"))
    frames = replace(good, name="frames", path=tmp_path)
    text = replace(good, name="text", path=None)
    secret = replace(good, name="secret", role="test")
    tuning = replace(good, name="tuning", role="tuning")
    boxes = write_tracks(tmp_path / "boxes", {1: {0: None}}, {1: 1})
    nothing = replace(good, name="nothing")
    tracked = [(s, tracks) for s in (avi, frames, text, secret, tuning)] + [(nothing, boxes)]
    said: list[str] = []
    sent = send(http, tracked, tmp_path, unique("streets"), said)
    assert sent is not None and sent.videos == 1
    assert list(there(emulator, sent.project_id)) == ["tuning.mp4"]
    assert said[:3] == [
        "not sent, only .mp4 is taken: old.avi, frames (frames), text (frames)",
        "not sent, sequences with the role test never leave: secret",
        "not sent, no track with a mask: nothing.mp4",
    ]


def test_nothing_to_send(http: HttpPlatform, emulator: Emulator, tmp_path: Path) -> None:
    sequence, tracks = video(tmp_path / "a")
    before = dict(emulator.faults.calls)
    assert send(http, [], tmp_path, unique("none")) is None
    assert send(http, [(replace(sequence, role="test"), tracks)], tmp_path, unique("none")) is None
    assert emulator.faults.calls == before


REFUSALS = [
    "answer_format 'video_json': this platform reads coco_json",
    "Invalid annotation_format. Must be one of json, coco_json",
    "unknown answer format",
]


@pytest.mark.parametrize("message", REFUSALS)
def test_a_platform_without_the_format(
    platform: HttpPlatform, emulator: Emulator, tmp_path: Path, message: str
) -> None:
    """It is said in one line, and the videos are there for whoever draws."""
    emulator.fault("status", path="upload_answers$", status=400, message=message, times=-1)
    (a, a_tracks), (b, b_tracks) = video(tmp_path / "a"), video(tmp_path / "b")
    tracked = [(a, a_tracks), (replace(b, name="b"), b_tracks)]
    said: list[str] = []
    name = unique("streets")
    sent = send(platform, tracked, tmp_path, name, said)
    assert sent is not None and (sent.videos, sent.tracks) == (0, 0)
    assert there(emulator, sent.project_id) == {"b.mp4": [], "clip.mp4": []}
    (line,) = [text for text in said if "video_json is not taken" in text]
    assert message in line and "\n" not in line
    folder = Path(line.rpartition("they lie in ")[2])
    assert sorted(p.name for p in folder.glob("*.json")) == ["b.json", "clip.json"]
    assert emulator.faults.calls["POST /actions/upload_answers"] == 1
    # Once it takes them, the same call sends what is missing.
    emulator.faults.clear()
    sent = send(platform, tracked, tmp_path, name)
    assert sent is not None and (sent.videos, sent.tracks) == (2, 4)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (
            {"kind": "status", "path": "upload_answers$", "status": 400, "message": "odd"},
            "400 .odd",
        ),
        (
            {
                "kind": "status",
                "path": "upload_answers$",
                "status": 400,
                "message": "not a video_json file: frames",
            },
            "not a video_json file: frames",
        ),
        ({"kind": "files_not_updated", "names": ("clip.mp4",)}, r"not updated \(clip\.mp4\)"),
        ({"kind": "job_fails"}, "failed: check the file's format against the template"),
        ({"kind": "status", "path": "datasets/create", "status": 403}, "datasets/create: .* 403"),
    ],
)
def test_other_refusals_are_errors(
    platform: HttpPlatform,
    emulator: Emulator,
    tmp_path: Path,
    fault: dict[str, Any],
    message: str,
) -> None:
    emulator.fault(**fault, times=-1)
    tracked, name = [video(tmp_path / "a")], unique("streets")
    with pytest.raises(PlatformError, match=message):
        send(platform, tracked, tmp_path, name)
    emulator.faults.clear()
    sent = send(platform, tracked, tmp_path, name)
    assert sent is not None and sent.tracks == 2
