"""A telephone's video from the command to the results: turned, pixels not square, own times."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from tests.dataset.filming import Film
from tests.integration.conftest import Outcome, Project
from tests.model.conftest import make_tiny_weights

SECONDS = [0, 0.1, 0.15, 0.4, 1.0, 1.05]


def held_upright(stream: Any) -> None:
    stream.codec_context.sample_aspect_ratio = Fraction(3, 2)
    stream.set_display_rotation(-90)


def test_results_follow_what_a_player_shows(
    here: Callable[..., Outcome],
    project: Project,
    tmp_path: Path,
) -> None:
    with Film(tmp_path / "v.mp4") as made:
        thumbnail = made.stream(codec="mjpeg", rate=1, size=(64, 48))
        stream = made.stream(change=held_upright)
        made.show(thumbnail, [0])
        made.show(stream, SECONDS)
    weights = make_tiny_weights(tmp_path / "tiny.pt", ("car",))
    outcome = here(
        f"video={tmp_path / 'v.mp4'}",
        f"model.weights={weights.path}",
        *("stages=[track]", "model.conf_floor=0.0001", "model.max_det=5", "model.imgsz=64"),
        *("tracker.low_thresh=0.0001", "tracker.track_thresh=0.0002"),
        *("tracker.new_track_thresh=0.0002", "tracks.min_length=1"),
    )
    assert outcome.code == 0, outcome.err
    assert "holds 2 video streams" in outcome.err
    assert "frames are taken as a player shows them, 120x240" in outcome.err
    (path,) = (project.folder / "outputs").rglob("tracking/v/results.json")
    document = json.loads(path.read_text())
    video = document["video"]
    assert (video["width"], video["height"], video["frame_count"]) == (120, 240, 6)
    assert video["fps"] == pytest.approx(5 / 1.05, abs=1e-6)
    assert document["objects"]
    for found in document["objects"]:
        assert found["time_s"] == pytest.approx(SECONDS[found["frame"]], abs=1e-4)
    with av.open(f"file:{path.with_name('annotated.mp4')}") as file:
        shown = [(frame.width, frame.height, frame.time) for frame in file.decode(video=0)]
    assert [size[:2] for size in shown] == [(240, 480)] * 6  # drawn at twice its size
    assert [time for *_, time in shown] == pytest.approx(SECONDS, abs=1e-4)
