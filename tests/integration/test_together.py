"""One command detects in several videos at once, as it does on a GPU; here on the CPU."""

from __future__ import annotations

import json
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from segtrack.base.processes import process_mark
from segtrack.model import Together
from segtrack.pipeline import runner
from tests.integration.conftest import LOADED, ROOT, Outcome, Project
from tests.model.conftest import make_tiny_weights

Run = Callable[..., Outcome]
LENGTHS = {"a": 7, "b": 30, "c": 5}


@pytest.fixture
def words(tmp_path: Path) -> tuple[str, ...]:
    """Three videos of noise, one of another shape, and weights whose every guess is taken."""
    weights = make_tiny_weights(tmp_path / "tiny.pt")
    folder = tmp_path / "videos"
    folder.mkdir()
    for name, count in LENGTHS.items():
        film(folder / f"{name}.avi", count, (48, 64) if name == "c" else (64, 48))
    return (
        *(f"video={folder}", f"model.weights={weights.path}", "model.batch=4", "model.imgsz=64"),
        *("stages=[track]", "model.conf_floor=0.0001", "model.max_det=5", "render.enabled=false"),
        *("tracker.low_thresh=0.0001", "tracker.track_thresh=0.0002"),
        "tracker.new_track_thresh=0.0002",
    )


def film(path: Path, count: int, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(count)
    video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, size)
    for _ in range(count):
        video.write(rng.integers(0, 255, (size[1], size[0], 3), np.uint8))
    video.release()


@pytest.fixture
def three(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many at once as on a GPU, and more than one where the CPU is asked."""
    monkeypatch.setattr(Together, "most", 3)


def stored(project: Project) -> dict[str, bytes]:
    """Every stage's result of a video, without times."""
    root = project.folder / ".segtrack" / "results"
    parts = [p for kind in ("detect", "associate") for p in root.glob(f"{kind}/*/*.*")]
    kept = {str(p.relative_to(root)): p.read_bytes() for p in parts}
    return {k: v for k, v in kept.items() if not k.endswith(("stage.json", "metrics.jsonl"))}


def written(project: Project) -> dict[str, bytes]:
    """The text files beside results.json."""
    found = (project.folder / "outputs").rglob("tracking/*/mot*.txt")
    return {f"{path.parent.name}/{path.name}": path.read_bytes() for path in found}


def not_here(*_: Any) -> None:
    raise AssertionError("this process is busy with the network")


def objects(project: Project, name: str) -> Any:
    (path,) = (project.folder / "outputs").rglob(f"tracking/{name}/results.json")
    return json.loads(path.read_text())["objects"]


def test_results_are_those_of_one_after_the_other(
    here: Run,
    project: Project,
    words: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    first = here(*words)
    assert first.code == 0, first.err
    assert "together" not in first.out
    alone, found = stored(project), {name: objects(project, name) for name in LENGTHS}
    texts = written(project)
    assert all(found.values()) and len([k for k in alone if k.startswith("detect/")]) >= 6
    for name in (".segtrack", "outputs"):
        shutil.rmtree(project.folder / name)
    with monkeypatch.context() as patched:
        patched.setattr(Together, "most", 3)
        patched.setattr(runner, "cores", lambda: 4)
        for name in ("association.make_tracker", "results.replacing"):  # other processes do it
            patched.setattr(f"segtrack.tracker.{name}", not_here)
        second = here(*words)
        assert second.code == 0, second.err
        assert second.out.count("detect     3 together") == 1
        for name in ("detect", "associate"):
            assert second.out.count(f"{name:10} built in ") == 3
        assert stored(project) == alone
        assert {name: objects(project, name) for name in LENGTHS} == found
        assert written(project) == texts
    with monkeypatch.context() as patched:
        patched.setattr(Together, "most", 3)
        # What is there is left alone: one that is missing is not together with anything.
        film(tmp_path / "videos" / "d.avi", 3, (64, 48))
        third = here(*words)
        assert "together" not in third.out
        assert third.out.count("detect     reused") == 3
        assert third.out.count("detect     built in ") == 1
    one, other, _ = (run.data for run in project.runs())
    assert one.metrics["builds/detect"] == other.metrics["builds/detect"] == 3
    assert one.metrics["detect/detections"] == other.metrics["detect/detections"]
    assert set(one.metrics) == set(other.metrics)


@pytest.mark.usefixtures("three")
def test_a_video_that_cannot_be_read_leaves_the_others_their_results(
    here: Run, project: Project, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one after the other: the one before it is tracked in, and the error names it."""
    from segtrack import dataset
    from segtrack.base.errors import DataError

    theirs = dataset.read_frames

    def read(sequence: Any, times: Any = None) -> Any:
        if sequence.name == "b":
            raise DataError(f"{sequence.path}: this video is gone")
        return theirs(sequence, times)

    monkeypatch.setattr(dataset, "read_frames", read)
    outcome = here(*words)
    assert outcome.code == 2
    assert outcome.err.count("b.avi: this video is gone") == 1
    assert len([one for one in project.results() if one.startswith("detect/")]) == 2
    assert objects(project, "a")
    assert project.runs()[0].info.status == "FAILED"
    monkeypatch.setattr(dataset, "read_frames", theirs)
    again = here(*words)
    assert again.code == 0, again.err
    assert again.out.count("detect     reused") == 2


def children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(one) for task in tasks for one in task.read_text().split()]


KILLED = """
import sys
sys.path.insert(0, {root!r})
from segtrack.model import Together, together
from segtrack.pipeline import runner
Together.most = 3
runner.cores = lambda: {cores}
import time
take, most = together._Meeting._compute, 0
def slow(self, asking):
    global most
    most = max(most, len(self._seats))
    if asking and len(self._seats) < most:  # one has all that it asked for, and is soon stored
        while self._left == 3: time.sleep(0.01)
        print("one is done", flush=True)
        time.sleep(60)
    take(self, asking)
together._Meeting._compute = slow
from segtrack.command.app import main
sys.argv = ["src/run.py"]
sys.exit(main(sys.argv[1:] or {words!r}))
"""


@pytest.mark.parametrize(
    ("number", "cores"), [(signal.SIGKILL, 4), (signal.SIGTERM, 4), (signal.SIGINT, 4)]
)
def test_a_video_that_was_done_when_the_command_is_killed_stays(
    project: Project, here: Run, words: tuple[str, ...], number: int, cores: int
) -> None:
    text = KILLED.format(root=str(ROOT / "src"), words=list(words), cores=cores)
    with LOADED.start([sys.executable, "-c", text], project.folder, merged=True) as child:
        while "one is done" not in child.out:
            assert child.poll() is None, child.out
            time.sleep(0.02)
        helpers = [pid for pid in children(child.pid) if process_mark(pid)]
        assert len(helpers) >= 2
        begin = time.monotonic()
        child.send_signal(number)
        child.wait(timeout=60)
        assert time.monotonic() - begin < 30
    while any(map(process_mark, helpers)):
        assert time.monotonic() - begin < 30
        time.sleep(0.02)
    assert child.returncode == (-signal.SIGKILL if number == signal.SIGKILL else 130)
    done = len([one for one in project.results() if one.startswith("detect/")])
    assert 1 <= done < 3
    partial = project.folder / ".segtrack" / "partial"
    if number != signal.SIGKILL:
        assert not list(partial.glob("detect/*"))
        return
    assert len(list(partial.glob("detect/*"))) == 3 - done
    outcome = here(*words)
    assert outcome.code == 0, outcome.err
    assert outcome.out.count("detect     reused") == done
    assert not list(partial.glob("detect/*"))
