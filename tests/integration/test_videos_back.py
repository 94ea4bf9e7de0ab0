"""Tracked videos reviewed and pulled, as a user types it: scores, the next version, odd cases."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from labellerr_loopback import Delays, Emulator, ask, start_emulator
from tests.integration.conftest import TINY, Outcome, Project

REMEMBERS = True
Run = Callable[..., Outcome]
SIM = [
    *TINY,
    "model.weights=shipped",
    "model.imgsz=320",
    "dataset.width=480",
    "dataset.height=288",
    "dataset.density=1",
    "dataset.video_seconds=2",
    *("dataset.train=1", "dataset.val=1", "dataset.test=1"),
    "render.enabled=false",
]
KINDS = ("accepted", "corrected", "split", "joined", "deleted", "added")


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Emulator]:
    with start_emulator(tmp_path / "labellerr", delays=Delays(0, 0, 0)) as running:
        yield running


def line(outcome: Outcome, beginning: str) -> str:
    (found,) = [one for one in outcome.out.splitlines() if one.startswith(beginning)]
    return found


def test_the_loop(here: Run, project: Project) -> None:
    """The platform that is this run's own, whose annotator goes by the simulator's truth."""
    sim = [*SIM, "dataset.pool=2"]
    outcome = here(*sim, "stages=[prepare,track,review,pull]")
    assert outcome.code == 0, outcome.err
    simulated = line(outcome, "annotator  1 video simulated: ").split(": ", 1)[1]
    done = dict(part.split()[::-1] for part in simulated.split(";")[0].split(", "))
    (run,) = project.runs()
    numbers = run.data.metrics
    seen = {kind: int(numbers[f"review/track/{kind}"]) for kind in KINDS}
    assert {k: v for k, v in seen.items() if v} == {k: int(v) for k, v in done.items()}
    assert seen["corrected"] and seen["added"]
    assert numbers["review/track/sent"] == sum(seen.values()) - seen["added"]
    assert 0.3 < numbers["review/track/hota"] < 1 and numbers["review/track/video/sim-0/mota"] < 1
    (folder,) = project.folder.glob(".segtrack/labellerr/video_pulls/*/")
    kept = {name for name in project.artifacts(run) if name.startswith("review/videos/")}
    assert {"review/videos/classes.png", "review/videos/tracks.csv"} <= kept
    assert "review/videos/scores/timeline_sim-0.png" in kept
    tracks = list(csv.DictReader((folder / "tracks.csv").open()))
    assert {row["outcome"] for row in tracks} == {kind for kind in KINDS if seen[kind]}

    # Training and evaluation see nothing of it; tracking is scored by the review.
    version = project.folder / ".segtrack" / "reviewed" / run.data.tags["dataset.next_version"]
    facts = json.loads((version / "version.json").read_text())
    assert (facts["version"], len(facts["images"]), facts["videos"]) == (2, 2, ["sim-0"])
    assert numbers["review/images"] == 2 and "review/review.json" in project.artifacts(run)
    again = here(*(w for w in SIM if not w.startswith("dataset.")), "dataset=reviewed",
                 "dataset.workers=1", "stages=[prepare,track]")  # fmt: skip
    assert again.code == 0, again.err
    assert "detect     reused" in again.out and "associate  reused" in again.out
    scored = project.runs()[-1].data.metrics
    for name in ("hota", "mota", "idf1", "idsw", "mask_hota", "motsa", "class/car/hota"):
        assert scored[f"track/{name}"] == numbers[f"review/track/{name}"], name

    # The same pull again: nobody reviews twice, and it is the same version.
    once_more = here(*sim, "stages=[pull]")
    assert once_more.code == 0, once_more.err
    assert "annotator" not in once_more.out
    assert project.runs()[-1].data.tags["dataset.next_version"] == version.name
    later = project.runs()[-1].data.metrics
    assert {k: later[k] for k in numbers if k.startswith("review/track/")} == {
        k: v for k, v in numbers.items() if k.startswith("review/track/")
    }

    # A version of a version keeps the reviewed tracks, though the first one is gone.
    words = ["dataset=reviewed", f"dataset.path={version}", "dataset.workers=1"]
    model = [w for w in SIM if not w.startswith("dataset.")]
    third = here(*model, *words, "stages=[prepare,track,review,pull]")
    assert third.code == 0, third.err
    name = project.runs()[-1].data.tags["dataset.next_version"]
    assert name.startswith("003-")
    rows = json.loads((version.parent / name / "videos.json").read_text())
    assert [row["gt"] for row in rows] == ["videos/sim-0/gt/gt.txt"]


def test_nothing_reviewed_yet(here: Run, project: Project, emulator: Emulator) -> None:
    """A video without ground truth is for people: one line says where, and with which command."""
    video = filmed(here, project)
    words = [*SIM, "dataset.video_count=0", f"labellerr.url={emulator.url}"]
    outcome = here(*words, f"video={video}", "stages=[prepare,track,review,pull]")
    assert outcome.code == 0, outcome.err
    said = line(outcome, "pull       nothing to do yet: ")
    project_id = project.runs()[-1].data.tags["labellerr.video_project"]
    assert project_id in said and emulator.url in said
    alone = here(*words, "stages=[prepare,pull]")
    assert alone.code == 1
    assert f"project {project_id}: of 1 videos none has one of the statuses" in alone.err
    assert emulator.url in alone.err and "Traceback" not in alone.err

    target = f"{emulator.url}/_emulator/projects/{project_id}/files"
    (file,) = ask("GET", target)["files"]
    count = len(file["answers"])
    done = {"file_id": file["file_id"], "status": "accepted"}
    kept = [{"answer_id": answer["answer_id"]} for answer in file["answers"][1:]]
    ask("POST", target, json={"files": [{**done, "answers": kept}]})

    # The file was moved and renamed meanwhile: it is known by its content, where it is named.
    moved = project.folder / "elsewhere" / "street.mp4"
    moved.parent.mkdir()
    video.rename(moved)
    outcome = here(*words, "stages=[prepare,pull]")
    assert outcome.code == 0, outcome.err
    assert f"tracks: {count - 1} accepted, 0 corrected, 0 split, 0 joined, 1 deleted" in outcome.out
    assert "1 reviewed videos are no longer there as they were sent" in outcome.out
    assert "dataset.next_version" not in project.runs()[-1].data.tags
    outcome = here(*words, f"video={moved}", "stages=[prepare,pull]")
    assert outcome.code == 0, outcome.err
    version = project.folder / ".segtrack/reviewed" / project.runs()[-1].data.tags[
        "dataset.next_version"]  # fmt: skip
    (row,) = json.loads((version / "videos.json").read_text())
    assert (row["name"], row["path"]) == ("street", str(moved))

    # The next version has it as a sequence with ground truth; and says so where it is gone.
    tracked = [w for w in SIM if not w.startswith("dataset.")]
    tracked += ["dataset=reviewed", "dataset.workers=1", "stages=[prepare,track]"]
    outcome = here(*tracked)
    assert outcome.code == 0, outcome.err
    metrics = project.runs()[-1].data.metrics
    assert metrics["track/video/street/hota"] < 1 and metrics["track/fp"] > 0
    cut = moved.read_bytes()
    moved.write_bytes(cut[:-2000])
    outcome = here(*tracked)
    assert outcome.code == 2
    assert f"{moved}: another video" in outcome.err


def filmed(here: Run, project: Project) -> Path:
    """A video of the simulator, without what is known of it."""
    assert here(*SIM, "stages=[prepare]").code == 0
    (found,) = project.folder.glob(".segtrack/results/prepare/*/videos/sim-0.mp4")
    video = project.folder / "mine" / "clip.mp4"
    video.parent.mkdir()
    shutil.copyfile(found, video)
    return video


def test_a_state_folder_of_an_earlier_release(
    here: Run, project: Project, emulator: Emulator
) -> None:
    """What was sent was not noted then: the same command finds it, and sends nothing again."""
    words = [*SIM, f"labellerr.url={emulator.url}"]
    assert here(*words, "stages=[prepare,track,review]").code == 0
    (record,) = project.folder.glob(".segtrack/labellerr/videos/*/*/videos.json")
    for left in record.parent.iterdir():
        if left.is_dir():
            shutil.rmtree(left)
    record.unlink()
    before = dict(emulator.faults.calls)
    outcome = here(*words, "stages=[prepare,track,review,pull]")
    assert outcome.code == 0, outcome.err
    assert "sim-0.json was applied before" in outcome.out
    made = [k for k in before if "/create" in k or k.endswith("upload_answers")]
    assert all(emulator.faults.calls[k] == before[k] == 1 for k in made) and len(made) == 4
    assert "review/track/hota" in project.runs()[-1].data.metrics
