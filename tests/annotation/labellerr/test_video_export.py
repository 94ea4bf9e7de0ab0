"""Reading what comes back of videos: joined by id or name, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segtrack.annotation.labellerr import video_export
from segtrack.annotation.labellerr.port import Question
from segtrack.annotation.labellerr.video_export import read_videos
from segtrack.annotation.video_returned import ReturnedVideos
from segtrack.annotation.video_sent import SentVideo, SentVideos
from segtrack.base.errors import DataError

QUESTIONS = (Question("person", "#E69F00", "q1"), Question("car", "#56B4E9", "q2"))
SQUARE = [(2.0, 3.0), (12.0, 3.0), (12.0, 11.0), (2.0, 11.0)]


def sent(folder: Path, *names: str, fps: float = 10.0) -> SentVideos:
    videos = tuple(
        SentVideo(name, f"{name}.mp4", f"id-{name}", f"{name}.mp4", "a" * 64, 64, 48, fps, 50, 1,
                  (), f"{name}.json", name)
        for name in (names or ("clip",))
    )  # fmt: skip
    ids = {"person": "q1", "car": "q2"}
    return SentVideos(folder, "p", "title", "streets", ("person", "car"), ids, videos)


def frame(number: int, points: Any = SQUARE, **more: Any) -> dict[str, Any]:
    answer = [{"x": x, "y": y} for x, y in points] if isinstance(points, list) else points
    return {"frame": number, "answer": answer, **more}


def track(*frames: dict[str, Any]) -> dict[str, Any]:
    return {"startFrame": 0, "frames": {str(one["frame"]): one for one in frames}}


def video(*annotations: dict[str, Any], name: str = "clip.mp4", **more: Any) -> dict[str, Any]:
    return {"file_name": name, "annotations": list(annotations), **more}


def answered(name: str, *tracks: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"question_name": name, "question_type": "polygon", "answer": list(tracks), **more}


def read(
    folder: Path,
    *videos: dict[str, Any],
    of: SentVideos | None = None,
    questions: tuple[Question, ...] = QUESTIONS,
    files: dict[str, str] | None = None,
) -> ReturnedVideos:
    path = folder / "export.json"
    path.write_text(json.dumps(list(videos)))
    return read_videos(path, of or sent(folder), questions, files)


def test_tracks_in_the_order_of_the_file(tmp_path: Path) -> None:
    first, second = track(frame(7), frame(3)), track(frame(0, [(1, 1), (5, 1), (5, 9)]))
    back = read(tmp_path, video(answered("car", first), answered("person", second)))
    assert (back.names, back.unknown, back.remarks) == ({"clip"}, [], [])
    one, other = back.read("clip")
    assert (one.track_id, one.class_name, list(one.outlines)) == (0, "car", [3, 7])
    assert (other.track_id, other.class_name, list(other.outlines)) == (1, "person", [0])
    np.testing.assert_array_equal(one.outlines[3], SQUARE)


def test_files_by_id_else_by_name(tmp_path: Path) -> None:
    """Two videos; the platform renamed one, and gives the other's name in another case."""
    back = read(
        tmp_path,
        video(answered("car", track(frame(0))), name="new.mp4", labellerr_file_id="id-a"),
        video(name="B.mp4"),
        video(name="stranger.mp4"),
        of=sent(tmp_path, "a", "b", "c"),
        files={"a.mp4": "accepted", "b.mp4": "accepted", "c.mp4": "skipped", "d.mp4": "rejected"},
    )
    assert back.names == {"a", "b"}
    assert back.unknown == ["stranger.mp4"]
    assert back.statuses == {"skipped": 1, "rejected": 1}
    assert [len(back.read(name)) for name in ("a", "b")] == [1, 0]


def test_classes_that_were_renamed(tmp_path: Path) -> None:
    """By the question's id, or by the one that the template has for a text."""
    now = (Question("pedestrian", "", "q1"), Question("vehicle ", "", "q2"))
    by_id = answered("vehicle ", track(frame(0)), labellerr_question_id="q2")
    by_text = answered("pedestrian", track(frame(1)))
    strange = answered("boat", track(frame(2)), track(frame(3)))
    back = read(tmp_path, video(by_id, by_text, strange), questions=now)
    assert [one.class_name for one in back.read("clip")] == ["car", "person"]
    assert back.remarks == ["clip.mp4: 2 tracks of 'boat', no class; left out"]


def test_two_questions_that_changed_names(tmp_path: Path) -> None:
    now = (Question("car", "", "q1"), Question("person", "", "q2"))
    back = read(tmp_path, video(answered("car", track(frame(0)))), questions=now)
    assert [one.class_name for one in back.read("clip")] == ["person"]


@pytest.mark.parametrize(
    ("points", "remark"),
    [
        ([(1, 1), (5, 5)], "has an outline of 2 usable points; left out"),
        ([(1, 1), (5, 5), (9, 9)], "has an outline without area inside of it; left out"),
        ([(70, 1), (90, 1), (90, 9)], "has an outline without area inside of it; left out"),
        ([(1, 1), (float("nan"), 1), (5, 9)], "has an outline of 3 usable points; left out"),
    ],
)
def test_outlines_that_are_none(tmp_path: Path, points: Any, remark: str) -> None:
    back = read(tmp_path, video(answered("car", track(frame(4, points), frame(5)))))
    (one,) = back.read("clip")
    assert list(one.outlines) == [5]
    assert f"clip.mp4: frame 4 {remark}" in back.remarks


def test_what_reaches_out_is_cut(tmp_path: Path) -> None:
    wide = [(-20, 10), (30, 10), (30, 20), (-20, 20)]
    back = read(tmp_path, video(answered("car", track(frame(4, wide)))))
    (one,) = back.read("clip")
    assert one.outlines[4].min(0).tolist() == [0, 10] and one.outlines[4].max(0).tolist() == [
        30,
        20,
    ]
    assert back.remarks == [
        "clip.mp4: frame 4 has an outline that reaches out of it; cut at its border"
    ]


def test_boxes_become_outlines(tmp_path: Path) -> None:
    box = {"xmin": 2, "ymin": 3, "xmax": 12, "ymax": 11, "rotation": 0}
    back = read(tmp_path, video(answered("car", track(frame(0, box)))))
    np.testing.assert_array_equal(back.read("clip")[0].outlines[0], SQUARE)


def test_frames_that_the_video_has_not(tmp_path: Path) -> None:
    back = read(tmp_path, video(answered("car", track(frame(49), frame(50)))))
    assert list(back.read("clip")[0].outlines) == [49]
    assert back.remarks == ["clip.mp4: frame 50 is none of its 50 frames; left out"]


def test_frames_that_are_counted_otherwise(tmp_path: Path) -> None:
    """The platform took the video apart at 5 frames/s: its frame 10 is at 2 s."""
    told = video(answered("car", track(frame(0, timestamp=0.0), frame(10, timestamp=2.0))))
    with pytest.raises(DataError, match=r"clip.mp4: frame 10 came back as the one at 2 s, .* 1 s"):
        read(tmp_path, told).read("clip")
    with pytest.raises(DataError, match=r"counted at 5 frames/s, the video was sent with 10"):
        read(tmp_path, video(answered("car", track(frame(0, fps=5)))))


def test_rates_that_are_rounded_are_the_same(tmp_path: Path) -> None:
    of = sent(tmp_path, fps=30000 / 1001)
    late = frame(49, timestamp=round(49 / 30, 3), fps=29.97)
    assert len(read(tmp_path, video(answered("car", track(late))), of=of).read("clip")) == 1


def test_times_of_a_video_whose_rate_varies(tmp_path: Path) -> None:
    of = sent(tmp_path)
    (tmp_path / "clip").mkdir()
    np.save(tmp_path / "clip" / "times.npy", np.concatenate([np.arange(40) / 10, [9.0]]))
    told = video(answered("car", track(frame(39, timestamp=3.9), frame(40, timestamp=9.0))))
    assert list(read(tmp_path, told, of=of).read("clip")[0].outlines) == [39, 40]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[",
        "[1]",
        '[{"file_name": "clip.mp4"}]',
        '[{"annotations": []}]',
        '[{"file_name": "clip.mp4", "annotations": []} {}]',
        '[{"file_name": "clip.mp4", "annotations": [{"question_name": "car", "answer": [1]}]}]',
    ],
)
def test_files_of_another_form_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "export.json"
    path.write_text(text)
    with pytest.raises(DataError, match=r"export.json: the platform's export is not video_json"):
        read_videos(path, sent(tmp_path), QUESTIONS).read("clip")


@pytest.mark.parametrize("chunk", [1, 7, 64, 1000])
def test_files_are_read_piece_by_piece(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(video_export, "_CHUNK", chunk)
    of = sent(tmp_path, "a", "b")
    videos = [video(answered("car", track(frame(i))), name=f"{name}.mp4")
              for i, name in enumerate("ab")]  # fmt: skip
    back = read(tmp_path, *videos, of=of)
    assert [list(back.read(name)[0].outlines) for name in "ab"] == [[0], [1]]
