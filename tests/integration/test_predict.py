"""Predictions of many images and videos in shards, by this process and by Ray's."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
from pycocotools import mask as coco

from segtrack.base.files import file_digest
from segtrack.bulk import job, running, work
from segtrack.dataset import image_files
from segtrack.store import record as records
from segtrack.tracker import Tracks
from tests.integration.conftest import ROOT, Outcome, Project
from tests.model.conftest import make_tiny_weights

Run = Callable[..., Outcome]
NAMES = ("car", "truck", "boat")
COUNT, SHARD = 11, 4


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of noise of two sizes, one that is none, three videos, one that is none, weights."""
    folder = tmp_path_factory.mktemp("many")
    noise = np.random.default_rng(0)
    (folder / "photos" / "below").mkdir(parents=True)
    for i in range(COUNT):
        shape = (64, 96, 3) if i % 3 else (96, 64, 3)
        place = folder / "photos" / ("below" if i > 7 else "")
        cv2.imwrite(str(place / f"{i:02}.png"), noise.integers(0, 255, shape, np.uint8))
    (folder / "photos" / "03b.jpg").write_bytes(b"no picture")
    (folder / "videos").mkdir()
    for name, frames in (("a", 5), ("b", 9), ("c", 3)):
        path = str(folder / "videos" / f"{name}.avi")
        writer = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*"MJPG"), 10, (96, 64))
        for _ in range(frames):
            writer.write(noise.integers(0, 255, (64, 96, 3), np.uint8))
        writer.release()
    (folder / "videos" / "d.mp4").write_bytes(b"no video")
    make_tiny_weights(folder / "tiny.pt", NAMES)
    return folder


def words(material: Path, *more: str) -> list[str]:
    return [
        "predict",
        *(f"model.weights={material / 'tiny.pt'}", "model.imgsz=64", "model.max_det=5"),
        *("model.conf_floor=0.0001", "model.batch=1", f"scale.shard_size={SHARD}", *more),
    ]


def images(material: Path, *more: str) -> list[str]:
    return words(material, "dataset=images", f"dataset.path={material / 'photos'}", *more)


def videos(material: Path, *more: str) -> list[str]:
    return words(
        material,
        f"video={material / 'videos'}",
        "tracker.track_thresh=0.0003",
        "tracker.new_track_thresh=0.0003",
        "tracker.low_thresh=0.0002",
        *more,
    )


def predicted(project: Project) -> Path:
    """The newest run's folder of shards."""
    return max((project.folder / "outputs").rglob("predict"))


def manifest(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "shards.json").read_text()))


def test_images(here: Run, project: Project, material: Path) -> None:
    outcome = here(*images(material))
    assert outcome.code == 0, outcome.err
    assert "left out: 03b.jpg: not read: not readable as an image" in outcome.out
    folder = predicted(project)
    told = manifest(folder)
    assert (told["kind"], told["files"], told["skipped"]) == ("image", COUNT + 1, 1)
    assert [(s["shard"], s["files"], s["skipped"]) for s in told["shards"]] == [
        (0, 4, 0), (1, 4, 1), (2, 4, 0),
    ]  # fmt: skip
    rows = pd.read_parquet(folder / "objects")
    facts = pd.read_parquet(folder / "inputs").set_index("image")
    assert len(facts) == COUNT + 1 and list(facts.index) == sorted(facts.index)
    assert told["rows"] == len(rows) == facts.objects.sum()
    assert dict(Counter(rows.image)) == {k: v for k, v in facts.objects.items() if v}
    for row in rows.itertuples():
        assert row.class_name == NAMES[row.class_id]
        assert (row.height, row.width) == (facts.height[row.image], facts.width[row.image])
        mask = coco.decode({"size": [row.height, row.width], "counts": row.rle})
        assert mask.any() and row.x1 < row.x2 and row.y1 < row.y2
    (run,) = project.runs()
    assert run.data.metrics["predict/images"] == COUNT + 1
    assert run.data.metrics["predict/images_per_s"] > 0
    assert "predict/shards.json" in project.artifacts(run)
    assert "shards     reused" in here(*images(material)).out

    # The stage segment's, object for object: same network, same batches.
    beside = material / "photos" / "03b.jpg"
    beside.rename(material / "03b.jpg")
    try:
        other = [
            "stages=[segment]",
            "evaluation.confusion_conf=0.0001",
            "evaluation.conf_floor=0.0001",
            "dataset.workers=1",
        ]
        assert here(*images(material, *other)[1:]).code == 0
    finally:
        (material / "03b.jpg").rename(beside)
    (path,) = (project.folder / "outputs").rglob("segment/coco.json")
    known = {one["id"]: one["file_name"] for one in json.loads(path.read_text())["images"]}
    (path,) = (project.folder / ".segtrack" / "results" / "predict").rglob("predictions.parquet")
    theirs = pd.read_parquet(path)
    theirs["image"] = [known[frame + 1] for frame in theirs.frame]
    ours = rows.assign(image=[Path(name).name for name in rows.image])
    same_rows(ours.sort_values("image", kind="stable"), theirs.sort_values("image", kind="stable"))


def same_rows(ours: pd.DataFrame, theirs: pd.DataFrame, first: str = "image") -> None:
    """Bit for bit."""
    for column in (first, "class_id", "score", "x1", "y1", "x2", "y2"):
        assert list(ours[column]) == list(theirs[column])
    assert [rle.encode() for rle in ours.rle] == list(theirs.rle)


def test_videos(here: Run, project: Project, material: Path) -> None:
    outcome = here(*videos(material))
    assert outcome.code == 0, outcome.err
    assert "left out: d.mp4: not read:" in outcome.out
    folder = predicted(project)
    told = manifest(folder)
    assert (told["files"], told["frames"], told["skipped"]) == (4, 17, 1)
    facts = pd.read_parquet(folder / "inputs").set_index("video")
    assert facts.frames.to_dict() == {"a.avi": 5, "b.avi": 9, "c.avi": 3, "d.mp4": 0}
    rows = pd.read_parquet(folder / "objects")
    tracks = pd.read_parquet(folder / "tracks")
    assert set(rows.video) == set(tracks.video) == {"a.avi", "b.avi", "c.avi"}
    assert set(rows[rows.frame == 3].seconds) == {0.3}

    # Those of the stage track.
    paths = f"video={material / 'videos' / '*.avi'}"
    more = ["stages=[track]", "render.enabled=false"]
    assert here(*videos(material, paths, *more)[1:]).code == 0
    results = project.folder / ".segtrack" / "results"
    theirs = {
        len(one): one
        for one in (
            pd.read_parquet(path.parent / "predictions.parquet")
            for path in results.glob("detect/*/stage.json")
        )
    }
    for _, own in rows.groupby("video"):
        same_rows(own, theirs[len(own)], "frame")
    associated = [Tracks.load(p.parent) for p in results.glob("associate/*/stage.json")]
    assert sorted(sum(len(frame) for frame in one.frames()) for one in associated) == sorted(
        Counter(tracks.video).values()
    )


@pytest.mark.parametrize("kind", ["images", "videos"])
def test_it_goes_on_from_finished_shards(
    here: Run, project: Project, material: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ended in the middle of the second shard as a kill ends it: nothing of it is tidied up."""
    typed = {"images": images, "videos": videos}[kind](material)
    begun: list[Path] = []
    mkdir, rmtree = Path.mkdir, work.shutil.rmtree
    fail = [2]

    def count(self: Path, *given: Any, **named: Any) -> None:
        mkdir(self, *given, **named)
        if self.parent.name == "work" and self.name.startswith("detect"):
            begun.append(self)
            if len(begun) == fail[0]:
                raise OSError(5, "as a kill would", str(self))

    def leave(path: Any, *given: Any, **named: Any) -> None:
        if not (begun and len(begun) == fail[0] and path == begun[-1]):
            rmtree(path, *given, **named)

    monkeypatch.setattr(Path, "mkdir", count)
    monkeypatch.setattr(work.shutil, "rmtree", leave)
    assert here(*typed).code == 1
    fail[0] = 0
    assert here(*typed).code == 0
    shards = [path.name.split(".")[0] for path in begun]
    told = manifest(predicted(project))
    assert Counter(shards) == Counter({f"detect-{n:05}": 1 for n in range(len(told["shards"]))}) + (
        Counter(told["again"])
    )
    assert sum(told["again"].values()) == 1
    alone = here(*typed, "store=other")
    assert alone.code == 0
    assert digests(manifest(predicted(project))) == digests(told)


def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The first file of every shard that is worked at, from here on."""
    begun: list[str] = []

    def counting(do: Callable[..., Any]) -> Callable[..., Any]:
        def count(job: job.Job, files: Any, *more: Any) -> Any:
            begun.append(files[0].name)
            return do(job, files, *more)

        return count

    for name in ("_images", "_video"):
        monkeypatch.setattr(work, name, counting(getattr(work, name)))
    return begun


@pytest.mark.parametrize(
    ("kind", "where", "name", "call"),
    [
        ("images", "between the renames", "settle", 6),  # inputs are there, objects not
        ("videos", "between the renames", "settle", 6),
        ("images", "before the mark", "write_whole", 3),
        ("videos", "before the mark", "write_whole", 3),
        ("images", "before the manifest", "write_whole", 0),
        ("images", "while it is tidied up", "rmtree", 0),
        ("images", "before the record", "write_record", 0),
    ],
)
def test_where_it_ends_no_more_than_one_shard_is_done_again(
    here: Run, project: Project, material: Path, monkeypatch: pytest.MonkeyPatch,
    kind: str, where: str, name: str, call: int,
) -> None:  # fmt: skip
    typed = {"images": images, "videos": videos}[kind](material)
    begun = counted(monkeypatch)
    modules = {"rmtree": shutil, "write_record": records, "settle": work}
    module = modules.get(name, job if call else running)
    did, calls = getattr(module, name), 0

    def ends(*given: Any, **named: Any) -> Any:
        nonlocal calls
        if name == "rmtree":
            did(*given, **named)
            calls = 0 if Path(given[0]).name == running.DONE else -1
        else:
            calls += bool(call)
        if calls == call:
            raise OSError(5, "the end", where)
        return None if name == "rmtree" else did(*given, **named)

    with monkeypatch.context() as patch:
        patch.setattr(module, name, ends)
        outcome = here(*typed)
        assert outcome.code and "the end" in outcome.err
    outcome = here(*typed)
    assert outcome.code == 0, outcome.err
    told = manifest(predicted(project))
    assert len(begun) == len(told["shards"]) + (call > 0)
    assert len(set(begun)) == len(told["shards"])
    files = [one.get("tracks", one.get("objects")) for one in (*told["shards"], *told["tracks"])]
    assert [file_digest(predicted(project) / file) for file in files] == digests(told)
    assert shards_left(project) == ["inputs", "metrics.jsonl", "objects", "shards.json"] + (
        ["stage.json", "tracks"] if kind == "videos" else ["stage.json"]
    )
    (run,) = (one for one in project.runs() if one.info.status == "FINISHED")
    assert run.data.metrics["predict/shards"] == len(told["shards"])
    assert run.data.metrics["predict/objects"] == told["rows"]


def shards_left(project: Project) -> list[str]:
    (folder,) = (project.folder / ".segtrack" / "results" / "shards").iterdir()
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("kind", ["images", "videos"])
def test_a_mark_that_a_shared_folder_hides_loses_nothing(
    here: Run, project: Project, material: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """As NFS does for a while after somebody looked for it, and it was not there yet."""
    seen, hidden = job.Job.done, set()

    def done(self: job.Job, what: str, number: int) -> dict[str, Any] | None:
        found = seen(self, what, number)
        hidden.update([(what, number)] * (found is None))
        return None if (what, number) in hidden else found

    monkeypatch.setattr(job.Job, "done", done)
    outcome = here(*{"images": images, "videos": videos}[kind](material))
    assert outcome.code == 0, outcome.err
    told = manifest(predicted(project))
    assert [one["shard"] for one in told["shards"]] == list(range(4 if kind == "videos" else 3))
    assert [one["shard"] for one in told["tracks"]] == ([0, 1, 2] if kind == "videos" else [])


def test_shards_that_are_not_told_of_end_the_command(
    here: Run, project: Project, material: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = running._calls

    def fewer(*given: Any) -> Any:
        return (told for told in calls(*given) if told["shard"] != 1)

    with monkeypatch.context() as patch:
        patch.setattr(running, "_calls", fewer)
        outcome = here(*images(material))
    assert outcome.code == 1 and "1 of 3 shards were not finished" in outcome.err
    begun = counted(monkeypatch)
    assert here(*images(material)).code == 0 and not begun


def test_detections_that_are_gone_are_not_no_tracks(
    here: Run, project: Project, material: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    track = work.track_video

    def lost(job: job.Job, number: int) -> dict[str, Any]:
        if number == 1:
            shutil.rmtree(job.folder / "detected" / "00001")
        return track(job, number)

    with monkeypatch.context() as patch:
        patch.setattr(work, "track_video", lost)
        outcome = here(*videos(material))
    assert outcome.code == 1 and "detections of b.avi are not there" in outcome.err
    assert here(*videos(material)).code == 1
    Path(outcome.err.partition("once more remove ")[2].split()[0]).unlink()
    assert here(*videos(material)).code == 0
    told = manifest(predicted(project))
    assert [one["video"] for one in told["tracks"]] == ["a.avi", "b.avi", "c.avi"]


@pytest.mark.parametrize("fault", ["gone", "refused by a disk", "refused for its pixels"])
def test_a_fault_that_passes_is_no_gap_for_ever(
    here: Run, project: Project, material: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    path = material / "photos" / "05.png"
    kept, copy = running.keep_plan, material / "kept.png"

    def planned(*given: Any) -> None:
        kept(*given)
        path.rename(copy)

    def opened(name: Any, *given: Any, **named: Any) -> Any:
        if str(name) == str(path):
            raise OSError(5, "Input/output error", str(name))
        return open(name, *given, **named)  # noqa: PTH123

    def stale(one: Path, read: Any = Path.read_bytes) -> Any:
        if one == path:
            raise OSError(116, "Stale file handle", str(one))
        return read(one)

    with monkeypatch.context() as patch:
        if fault == "gone":
            patch.setattr(running, "keep_plan", planned)
        elif fault == "refused by a disk":
            patch.setattr(image_files, "open", opened, raising=False)
        else:
            patch.setattr(Path, "read_bytes", stale)
        outcome = here(*images(material))
    if copy.exists():
        copy.rename(path)
    assert outcome.code == 1 and outcome.err.count("\n") <= 2, outcome.err
    assert f"{path}: " in outcome.err and "the same command goes on" in outcome.err
    assert here(*images(material)).code == 0
    assert manifest(predicted(project))["skipped"] == 1  # what is no picture


def test_a_video_that_is_gone_for_a_while_is_no_gap(
    here: Run, project: Project, material: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, probe = material / "videos" / "b.avi", work.datasets.probe_video

    def away(one: Path) -> Any:
        if one == path:
            path.rename(material / "away.avi")
        return probe(one)

    with monkeypatch.context() as patch:
        patch.setattr(work.datasets, "probe_video", away)
        outcome = here(*videos(material))
    (material / "away.avi").rename(path)
    assert outcome.code == 1 and f"{path}: No such file" in outcome.err, outcome.err
    assert here(*videos(material)).code == 0
    assert manifest(predicted(project))["skipped"] == 1


def test_a_shard_that_always_ends_its_process(
    here: Run, project: Project, material: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As three attempts of this command left it that were killed."""

    def after_three(**given: Any) -> job.Job:
        for i in range(job.MOST):
            (given["folder"] / "work" / f"detect-00001.mine.{i}").mkdir(parents=True)
        return job.Job(**given | {"attempt": "mine"})

    monkeypatch.setattr(running, "Job", after_three)
    outcome = here(*images(material))
    assert outcome.code == 2 and "(03b.jpg to 06.png in " in outcome.err, outcome.err
    assert "ended its process 3 times" in outcome.err


def digests(told: dict[str, Any]) -> list[str]:
    return [one["sha256"] for one in (*told["shards"], *told["tracks"])]


def test_nothing_to_predict(here: Run, project: Project, material: Path) -> None:
    def refusal(*typed: str) -> str:
        outcome = here(*words(material, *typed))
        assert outcome.code == 2 and outcome.err.count("\n") <= 3
        return outcome.err

    (project.folder / "empty").mkdir()
    assert "holds no pictures" in refusal("dataset=images", "dataset.path=empty")
    assert "there is no video file" in refusal("video=empty")
    assert "dataset=traffic_sim: predict takes pictures" in refusal()
    assert "predict takes video files" in refusal("video=rtsp://host/x")
    both = refusal("dataset=images", "dataset.path=empty", "video=empty")
    assert "video=empty and dataset.path=empty: predict takes either" in both
    assert "scale.actors=2: is of Ray's processes" in refusal("video=empty", "scale.actors=2")
    (project.folder / "empty" / "a.jpg").write_bytes(b"nothing")
    assert "no image could be read; a.jpg: not read" in refusal(
        "dataset=images", "dataset.path=empty"
    )


def test_without_ray(here: Run, material: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "ray", None)
    outcome = here(*images(material, "scale.ray=local"))
    assert outcome.code == 2 and "pip install 'segtrack[scale]'" in outcome.err


def test_a_cluster_that_does_not_answer(
    here: Run, material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray.data", reason="pip install 'segtrack[scale]'")
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    outcome = here(*images(material, "scale.ray=auto"))
    assert outcome.code == 2 and "no cluster runs on this machine" in outcome.err, outcome.err
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    begin = time.monotonic()
    outcome = here(*images(material, f"scale.ray=127.0.0.1:{port}"))
    assert outcome.code == 2 and "nothing answers there" in outcome.err, outcome.err
    assert outcome.err.count("\n") <= 2 and time.monotonic() - begin < 60


BRIGHT, FRAMES = 10, 12  # videos, and frames of each


@pytest.fixture
def bright(project: Project, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Videos of bright blobs, and a network from a plugin that finds them, .02 s a frame."""
    monkeypatch.setenv("SEGTRACK_PLUGINS", "tests.plugins.toy_family")
    monkeypatch.setenv("PYTHONPATH", f"{ROOT / 'src'}:{ROOT}")
    noise = np.random.default_rng(0)
    folder = project.folder / "videos"
    folder.mkdir()
    for i in range(BRIGHT):
        spots = noise.integers(0, 255, (48, 64), np.uint8) // 250 * 250
        picture = cv2.resize(spots, (1024, 768), interpolation=cv2.INTER_NEAREST)
        path = str(folder / f"{i:03}.avi")
        writer = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*"MJPG"), 10, (1024, 768))
        for frame in range(FRAMES):
            writer.write(cv2.cvtColor(np.roll(picture, frame, 1), cv2.COLOR_GRAY2BGR))
        writer.release()
    weights = {"names": ["car"], "imgsz": 64, "threshold": 200}
    (project.folder / "toy.json").write_text(json.dumps(weights))
    return ["predict", "model=toy-bright", "model.weights=toy.json", f"video={folder}"]


def in_work(project: Project, what: str) -> list[str]:
    """Names in a folder of the unfinished result: attempts in ``work``, marks in ``done``."""
    found = (project.folder / ".segtrack" / "partial" / "shards").glob(f"*/{what}/*")
    return sorted(path.name for path in found)


def wait_for(true: Callable[[], Any], process: Any) -> Any:
    end = time.monotonic() + 120
    while not (found := true()):
        assert time.monotonic() < end and process.poll() is None, process.communicate()
        time.sleep(0.005)
    return found


def test_ray_with_a_killed_worker_and_a_killed_command(
    project: Project, bright: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray.data", reason="pip install 'segtrack[scale]'")
    short = Path(tempfile.mkdtemp(prefix="ray-"))  # its sockets' paths have 107 bytes at most
    monkeypatch.setenv("RAY_TMPDIR", str(short))
    monkeypatch.setenv("RAY_AUTH_TOKEN", uuid.uuid4().hex)  # of no file in somebody's home
    try:
        process = project.start(*bright, "scale.ray=local", "scale.actors=2")
        first = wait_for(lambda: in_work(project, "work"), process)[0]
        os.kill(int(first.split(".")[2].partition("-")[0]), signal.SIGKILL)
        ready = len(in_work(project, "done"))
        wait_for(lambda: len(in_work(project, "done")) > ready + 2, process)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        kept = in_work(project, "done")
        assert 2 < len(kept) < 2 * BRIGHT  # detected, and associated
        wait_for_end(short)
        outcome = project.run(*bright, "scale.ray=local", "scale.actors=1")
        assert outcome.code == 0, outcome.err
        assert "ray: 1 actor with 1 core each" in outcome.out
        assert not [line for line in outcome.err.splitlines() if ".cc:" in line or "RAY_" in line]
        wait_for_end(short)
    finally:
        shutil.rmtree(short, ignore_errors=True)
    told = manifest(predicted(project))
    # At most the shard of the killed worker, and those that both were at when the command was.
    assert 1 <= sum(told["again"].values()) <= 3
    assert told["files"] == len(told["shards"]) == len(told["tracks"]) == BRIGHT
    assert told["rows"] == len(pd.read_parquet(predicted(project) / "objects")) > 10 * BRIGHT
    assert len(pd.read_parquet(predicted(project) / "tracks")) > 10 * BRIGHT
    plain = project.run(*bright, "store=plain")
    assert plain.code == 0, plain.err
    assert digests(manifest(predicted(project))) == digests(told)


def wait_for_end(folder: Path) -> None:
    """Until no process is left that was started with something of the folder."""
    end = time.monotonic() + 30
    while left := [
        path.parent.name for path in Path("/proc").glob("[0-9]*/cmdline") if _has(path, folder)
    ]:
        assert time.monotonic() < end, left
        time.sleep(0.1)


def _has(path: Path, folder: Path) -> bool:
    try:
        return str(folder).encode() in path.read_bytes()
    except OSError:  # it has ended
        return False
