"""The first command that somebody types for a video of their own."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.integration.conftest import Outcome, Project
from tests.integration.test_bad_input import Folder
from tests.model.conftest import make_tiny_weights

Run = Callable[..., Outcome]
NAMES = ("car", "truck", "traffic light")


@pytest.fixture
def words(tmp_path: Path) -> tuple[str, ...]:
    """A video of noise, and weights whose every guess is taken."""
    weights = make_tiny_weights(tmp_path / "tiny.pt", NAMES)
    video = cv2.VideoWriter(str(tmp_path / "v.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48))
    noise = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    for _ in range(4):
        video.write(noise)
    video.release()
    return (
        f"video={tmp_path / 'v.avi'}",
        f"model.weights={weights.path}",
        *("stages=[track]", "model.conf_floor=0.0001", "model.max_det=5", "model.imgsz=64"),
        *("tracker.low_thresh=0.0001", "tracker.track_thresh=0.0002"),
        "tracker.new_track_thresh=0.0002",
    )


def results(project: Project) -> dict[str, dict[str, str]]:
    (path,) = (project.folder / "outputs").rglob("tracking/v/results.json")
    return json.loads(path.read_text())  # type: ignore[no-any-return]


def test_the_classes_are_those_of_the_weights(
    here: Run, project: Project, words: tuple[str, ...]
) -> None:
    outcome = here(*words)
    assert outcome.code == 0, outcome.err
    assert "video= chooses tracker=bytetrack_video (" in outcome.out
    assert "), dataset=none (the classes are those of the weights" in outcome.out
    assert results(project)["model"]["classes"] == dict(zip("012", NAMES, strict=True))
    (run,) = project.runs()
    assert run.data.params["dataset.source"] == run.data.tags["choice.dataset"] == "none"
    assert run.data.tags["choice.tracker"] == "bytetrack_video"
    assert "dataset.density" not in run.data.params  # of the simulator, which was not used
    assert "classes.left_out" not in run.data.tags
    assert "left out" not in outcome.out and "warning: the weights" not in outcome.out


def test_classes_are_chosen_and_what_that_leaves_out_is_counted(
    here: Run, project: Project, words: tuple[str, ...]
) -> None:
    outcome = here(*words, "dataset.classes={vehicle: [truck, caar], sign: [Sign]}")
    assert outcome.code == 0, outcome.err
    assert results(project)["model"]["classes"] == {"0": "vehicle", "1": "sign"}
    lacking = "caar (nearest: car), Sign"
    assert f"warning: the weights have no class {lacking}: none" in outcome.out
    (run,) = project.runs()
    assert run.data.tags["classes.lacking"] == lacking
    found = re.search(r"left out, .* \(detections from 0.0001 on\): (.*)", outcome.out)
    assert found and found[1] == run.data.tags["classes.left_out"]
    assert dict(part.rsplit(" ", 1) for part in found[1].split(", ")).keys() == {"car"}
    again = here(*words, "dataset.classes={vehicle: [truck, caar], sign: [Sign]}")
    assert found[0] in again.out and lacking in again.out  # said of a result of the store too


def test_a_data_set_that_is_named_and_prepared_says_the_classes(
    here: Run, project: Project, words: tuple[str, ...], tmp_path: Path
) -> None:
    """Of cars and people; the weights know cars, trucks and traffic lights."""
    data = Folder(tmp_path / "data")
    named = ("dataset=yolo", f"dataset.path={data.root}")
    outcome = here(*words, *named, "stages=[prepare,track]")
    assert outcome.code == 0, outcome.err
    assert results(project)["model"]["classes"] == {"0": "car", "1": "person"}
    assert "warning: the weights have no class person: none of it can be found" in outcome.out
    assert "dataset=none" not in outcome.out
    (run,) = project.runs()
    assert run.data.tags["choice.dataset"] == "yolo"
    assert set(run.data.tags) & {"classes.lacking"}


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("stages=[track] video=v.mp4", r"lacks weights: give model.weights=FILE, or add prep"),
        (
            "stages=[track] video=v.mp4 model=yolo26n-seg",
            "; model.weights=auto takes what is published of model=yolo26n-seg",
        ),
        ("stages=[track]", "lacks weights and a video: give model.weights=FILE and video=FILE, or"),
        ("stages=[track] model.weights=shipped", r"lacks a video: give video=FILE, or add prepare"),
        ("stages=[evaluate]", r"needs a data set, .*: add prepare and train to stages, or prepare"),
        (
            "stages=[track,review] video=v.mp4 model.weights=shipped",
            r"data set, .*: add prepare to",
        ),
        (
            "dataset=images dataset.path=photos stages=[shards]",
            r"s\] lacks weights: give .*=FILE\.",
        ),
        ("dataset=none stages=[prepare]", "dataset=none: prepare needs a data set: dataset=NAME"),
        ("dataset=none stages=[track]", "video=null: dataset=none has no videos: video=FILE"),
        ("dataset=none stages=[track] video=v.mp4", "nothing to train on: model.weights=FILE"),
    ],
)
def test_what_a_command_lacks_is_named(
    here: Run, words: tuple[str, ...], typed: str, message: str
) -> None:
    typed = typed.replace("video=v.mp4", words[0])
    if "photos" in typed:
        photos = Path(words[0].partition("=")[2]).parent / "photos"
        photos.mkdir()
        cv2.imwrite(str(photos / "a.png"), np.zeros((32, 32, 3), np.uint8))
        typed = typed.replace("photos", str(photos))
    done = here(*typed.split())
    assert (done.code, "Traceback" in done.err) == (2, False)
    assert re.search(message, done.err), done.err
    if "none" not in typed:
        assert re.search(message, here(*typed.split(), "plan=true").out)


def test_a_data_set_without_a_training_lacks_weights(here: Run, words: tuple[str, ...]) -> None:
    """Whose weights are published is told how to have them, and of no training from scratch."""
    small = [f"dataset.{split}=1" for split in ("train", "val", "test", "pool", "video_count")]
    assert here("stages=[prepare]", *small).code == 0
    done = here("stages=[track]", words[0], *small, "model=yolo26n-seg")
    assert done.code == 2
    assert done.err.endswith(
        "error: stages=[track] lacks weights, and the store has no training of model=yolo26n-seg "
        "with these settings: give model.weights=FILE, or model.weights=auto for what is published "
        "of yolo26n-seg, or add train to stages.\n"
    ), done.err
    assert "weights    yolo26n-seg scratch" in done.out and "training begins" not in done.out
