"""Tracked videos on their way to the platform, as a user types it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from labellerr_loopback import Delays, Emulator, ask, start_emulator
from tests.annotation.labellerr.videos import write_video
from tests.integration.conftest import TINY, Outcome, Project

REMEMBERS = True
Run = Callable[..., Outcome]
WORDS = [
    *TINY,
    "stages=[prepare,track,review]",
    "model.weights=shipped",
    "model.imgsz=320",
    "dataset.width=480",
    "dataset.height=288",
    "dataset.density=1",
    "tracks.interpolate=5",
    "dataset.seed=1",  # with gaps to fill
    "tracker.class_aware=true",
]


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Emulator]:
    with start_emulator(tmp_path / "labellerr", delays=Delays(0, 0, 0)) as running:
        yield running


def test_the_tracks_of_results_json_are_on_the_platform(
    here: Run, project: Project, emulator: Emulator
) -> None:
    words = [*WORDS, f"labellerr.url={emulator.url}"]
    outcome = here(*words)
    assert outcome.code == 0, outcome.err
    assert "review     no images: the data set's pool split is empty" in outcome.out
    (run,) = project.runs()
    (path,) = project.folder.glob("outputs/*/*/tracking/sim-0/results.json")
    results = json.loads(path.read_text())
    assert any(one["interpolated"] for one in results["objects"])  # no masks, so they are not sent
    tracked = _tracks(results)
    sent = _answers(emulator, run.data.tags["labellerr.video_project"])
    assert sent == {"sim-0.mp4": tracked}
    assert len(tracked) >= 3 and len({name for name, _ in tracked}) >= 2
    metrics = run.data.metrics
    assert metrics["review/videos"] == 1
    assert metrics["review/video_tracks"] == len(tracked)

    planned = here(*words, "plan=true").out.splitlines()[-1].split(maxsplit=2)
    assert planned == ["review", "platform", "tracked .mp4 videos; never taken from the store"]
    before = dict(emulator.faults.calls)
    outcome = here(*words)
    assert outcome.code == 0, outcome.err
    assert "sim-0.json was applied before" in outcome.out
    again = project.runs()[-1]
    assert again.data.tags["labellerr.video_project"] == run.data.tags["labellerr.video_project"]
    assert again.data.metrics["review/video_tracks"] == len(tracked)
    made = [k for k in emulator.faults.calls if "/create" in k or k.endswith("upload_answers")]
    assert len(made) == 4  # data set, template, project, answers
    assert all(emulator.faults.calls[k] == before[k] == 1 for k in made)

    # Nothing of it where it is not asked for, or where this command does not track.
    for more in ("labellerr.videos=false", "stages=[prepare,review]"):
        before = dict(emulator.faults.calls)
        outcome = here(*words, more)  # then a review has nothing to send at all
        assert (outcome.code, "pool split is empty" in outcome.err) == (2, True)
        assert emulator.faults.calls == before


def test_what_the_platform_does_not_take_fails_no_run(
    here: Run, project: Project, emulator: Emulator
) -> None:
    more = project.folder / "more"
    write_video(more / "old.avi")
    write_video(more / "frames" / "clip.avi")
    _frames(more / "frames")
    refusal = "answer_format 'video_json' is not known"
    emulator.fault("status", path="upload_answers$", status=400, message=refusal, times=-1)
    outcome = here(*WORDS, f"dataset.videos={more}", f"labellerr.url={emulator.url}")
    assert outcome.code == 0, outcome.err
    lines = [line for line in outcome.out.splitlines() if line.startswith("review ")]
    assert "review     not sent, only .mp4 is taken: frames (frames), old.avi" in lines
    (line,) = [line for line in lines if "video_json is not taken" in line]
    assert refusal in line
    (run,) = project.runs()
    assert run.info.status == "FINISHED"
    assert (run.data.metrics["review/videos"], run.data.metrics["review/video_tracks"]) == (0, 0)
    sent = _answers(emulator, run.data.tags["labellerr.video_project"])
    assert sent == {"sim-0.mp4": []}


def _tracks(results: dict[str, Any]) -> list[tuple[str, list[int]]]:
    """Class and frames with a mask, of the tracks that have one."""
    frames: dict[int, list[int]] = {}
    for one in results["objects"]:
        if one["segmentation"] is not None:
            frames.setdefault(one["track_id"], []).append(one["frame"])
    names = {track["track_id"]: track["class_name"] for track in results["tracks"]}
    return sorted((names[track_id], found) for track_id, found in frames.items())


def _answers(emulator: Emulator, project_id: str) -> dict[str, list[tuple[str, list[int]]]]:
    url = f"{emulator.url}/_emulator/projects/{project_id}/files"
    files = ask("GET", url)["files"]
    return {
        file["file_name"]: sorted(
            (a["question"], [int(n) for n in a["data"]["frames"]]) for a in file["answers"]
        )
        for file in files
    }


def _frames(folder: Path) -> None:
    import cv2

    from segtrack.dataset.video import probe_video, read_frames

    clip = folder / "clip.avi"
    for number, image in enumerate(read_frames(probe_video(clip))):
        cv2.imwrite(str(folder / f"{number}.png"), image)
    clip.unlink()
