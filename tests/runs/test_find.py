"""Finding runs and folders, and reading what they kept."""

import json
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segtrack import journal as journals
from segtrack.base.errors import DataError, SettingsError
from segtrack.base.metrics import Metric
from segtrack.base.names import level
from segtrack.runs import KeptRun, KeptSweep, again, differing, find, settings_of
from segtrack.runs.places import Folder
from segtrack.scoring import BoxTruth, Truth
from segtrack.settings import MlflowSettings
from segtrack.store import StageCall, Store
from tests.journal.made import empty_mlflow

HEAD = {"name": "a [1]", "sha256": "", "width": 64, "height": 48, "fps": 10.0, "frame_count": 3}


@pytest.fixture
def settings(tmp_path: Path, mlflow_template: Path) -> MlflowSettings:
    return empty_mlflow(tmp_path, mlflow_template)


def results(path: Path, **more: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"schema_version": "2.0", "video": HEAD, "objects": [], **more}))
    return path


def recorded(
    settings: MlflowSettings,
    name: str,
    tags: Mapping[str, str] | None = None,
    folder: Path | None = None,
    params: Mapping[str, Any] | None = None,
    parent: str | None = None,
) -> str:
    with journals.record(settings, name, tags or {}, parent) as journal:
        journal.params(params or {})
        if folder is not None:
            journal.artifact(folder)
    return journal.run_id


def one(settings: MlflowSettings, tmp_path: Path, *words: str) -> KeptRun:
    (found,) = find(settings, words, tmp_path / "scratch")
    assert isinstance(found, KeptRun)
    return found


def test_by_id_name_and_folder_of_outputs(settings: MlflowSettings, tmp_path: Path) -> None:
    output = tmp_path / "outputs" / "2026-01-01" / "it is"
    (output / ".hydra").mkdir(parents=True)
    first = recorded(settings, "mine")
    second = recorded(settings, "mine", {"output": str(output), "command": "run.py seed=1"})
    assert one(settings, tmp_path, first).id == first
    run = one(settings, tmp_path, "mine")
    assert (run.id, run.name, run.status, run.label) == (second, "mine", "FINISHED", second)
    assert run.command == "run.py seed=1" and run.parent is None
    assert run.started is not None and run.ended is not None and run.started <= run.ended
    assert one(settings, tmp_path, str(output)).id == second
    assert [r.label for r in find(settings, [first, "mine"], tmp_path)] == [first, second]


def test_without_words_the_newest_that_worked(settings: MlflowSettings, tmp_path: Path) -> None:
    recorded(settings, "old", {"stage.evaluate": "reused 1"})
    newer = recorded(settings, "new", {"stage.associate": "built in 1.0 s 2"})
    recorded(settings, "prepared", {"stage.prepare": "built in 1.0 s 3"})
    assert one(settings, tmp_path).id == newer


def test_none_that_worked(settings: MlflowSettings, tmp_path: Path) -> None:
    recorded(settings, "prepared")
    with pytest.raises(SettingsError, match="holds no run that tracked or evaluated; make one"):
        find(settings, [], tmp_path)
    nowhere = MlflowSettings(uri=f"sqlite:///{tmp_path / 'none' / 'mlflow.db'}")
    with pytest.raises(SettingsError, match="holds no run that tracked or evaluated"):
        find(nowhere, [], tmp_path)
    assert not (tmp_path / "none").exists()


def test_a_sweep(settings: MlflowSettings, tmp_path: Path) -> None:
    parent = recorded(settings, "sweep", {journals.SWEEP_KEYS: '["seed"]'})
    ids = [recorded(settings, f"seed={i}", parent=parent) for i in range(2)]
    (found,) = find(settings, ["sweep"], tmp_path)
    assert isinstance(found, KeptSweep)
    assert (found.id, found.name, found.keys, found.status) == (
        parent, "sweep", ("seed",), "FINISHED",
    )  # fmt: skip
    assert [cell.id for cell in found.cells] == ids
    assert {cell.parent for cell in found.cells} == {parent}


def test_what_became_of_a_sweep(settings: MlflowSettings, tmp_path: Path) -> None:
    def states(sweep: KeptRun | KeptSweep) -> list[tuple[str, str]]:
        assert isinstance(sweep, KeptSweep)
        return [(cell.name, cell.status) for cell in sweep.cells]

    with journals.record(settings, "sweep", {journals.SWEEP_KEYS: '["a"]'}) as parent:
        recorded(settings, "a=1", params={"a": 1}, parent=parent.run_id)
        (held,) = find(settings, [parent.run_id], tmp_path)
        with journals.record(settings, "a=2", {}, parent.run_id) as cell:
            now = again(settings, held, tmp_path)
            assert states(now) == [("a=1", "FINISHED"), ("a=2", "RUNNING")] and now.running
            cell.metric(Metric("track/hota", 0.5, 0))
        later = again(settings, now, tmp_path)
        assert isinstance(now, KeptSweep) and isinstance(later, KeptSweep)
        assert states(later)[1] == ("a=2", "FINISHED") and later.running
        assert later.cells[1].metrics == {"track/hota": 0.5}
        assert later.cells[0] is now.cells[0]  # what has ended is not read again
    ended = again(settings, later, tmp_path)
    assert (ended.status, ended.running) == ("FINISHED", False)
    assert states(ended) == states(later) and ended.keys == ("a",)  # type: ignore[union-attr]


def test_a_run_whose_process_is_gone(settings: MlflowSettings, tmp_path: Path) -> None:
    client, experiment = journals.connect(settings)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    tags = {"segtrack.host": socket.gethostname(), "segtrack.process": f"{gone.pid}@1"}
    run = client.create_run(experiment, tags=tags).info.run_id
    held = KeptRun(run, "", Folder(tmp_path), "RUNNING")
    assert again(settings, held, tmp_path).status == "KILLED"
    client.delete_run(run)
    unknown = KeptRun("f" * 32, "", Folder(tmp_path), "RUNNING")
    with pytest.raises(SettingsError, match=r"f{32}: cannot be read from sqlite:///"):
        again(settings, unknown, tmp_path)


def test_folders_of_anyone(settings: MlflowSettings, tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    results(folder / "a" / "results.json")
    results(folder / "deep" / "b" / "results.json")
    run = one(settings, tmp_path, str(folder))
    assert (run.id, run.label, run.config) == (None, str(folder), {})
    assert [video.name for video in run.videos] == ["a", "deep/b"]
    assert run.evaluation is None and run.weights is None and run.dataset is None
    assert run.history("track/hota") == []
    alone = one(settings, tmp_path, str(folder / "a" / "results.json"))
    assert [video.name for video in alone.videos] == ["a"]
    assert alone.videos[0].head == HEAD
    assert alone.videos[0].no_source == (
        "it is not known which file was tracked in; give the video"
    )


def test_a_run_goes_before_a_folder_of_its_name(
    settings: MlflowSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    results(tmp_path / "street" / "results.json")
    assert one(settings, tmp_path, "street").label == "street"
    run = recorded(settings, "street")
    assert one(settings, tmp_path, "street").label == run
    assert one(settings, tmp_path, "./street").id is None


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("f" * 32, "no such run in sqlite:///"),
        ("", "no such run in sqlite:///"),
        ("no/where", "no/where: no such file or folder, and no run of that name"),
        ("results.json", "results.json: no such file or folder, and no run of that name"),
        ("a\0b", "no such run"),
        ("x" * 5000, "no such run"),
    ],
)
def test_what_is_not_there(
    settings: MlflowSettings, tmp_path: Path, word: str, message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        find(settings, [word], tmp_path)


def test_a_folder_without_results(settings: MlflowSettings, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"there is no results\.json in it; name a run"):
        find(settings, [f"{tmp_path}/"], tmp_path)


@pytest.fixture
def tracked(settings: MlflowSettings, tmp_path: Path) -> str:
    """A run of two videos, ``a [1]`` with all there may be, of which the source is gone of b."""
    kept, store = tmp_path / "kept", Store(tmp_path / "store")
    own = level("a [1]")
    results(kept / "tracking" / own / "results.json")
    results(kept / "tracking" / "b" / "results.json")
    scores = kept / "tracking" / own / "scores"
    scores.mkdir()
    boxes = BoxTruth(
        "mot17", ((1, "pedestrian"),), np.array([0, 1]), np.array([7, 7]), np.array([1, 1]),
        np.array([[0, 0, 9, 9], [1, 1, 9, 9.0]]), np.ones(2, bool), np.zeros(0, np.int64),
        np.zeros((0, 4)),
    )  # fmt: skip
    Truth("a [1]", 3, 64, 48, boxes, None).save(scores)
    source = tmp_path / "a [1].mp4"
    source.write_bytes(b"video")
    rows = [
        {"name": "a [1]", "role": "test", "tracks": "/gone", "truth": None, "scores": None,
         "video": str(source)},
        {"name": "b", "role": None, "tracks": "/gone", "truth": None, "scores": None,
         "video": str(tmp_path / "b.mp4")},
    ]  # fmt: skip
    (kept / "tracking.json").write_text(json.dumps(rows))
    (kept / "config.yaml").write_text("seed: 3\ntracker:\n  track_thresh: 0.5\n")
    call = StageCall("predict", 1, {}, {})
    made = store.run(call, lambda folder, report: (folder / "x").write_text("x"))
    tags = {"store": str(store.root), "stage.predict": f"built in 0.1 s {made.key}"}
    return recorded(settings, "tracked", tags, kept, {"seed": 3, "tracker.track_thresh": 0.5})


def test_what_a_run_kept(settings: MlflowSettings, tmp_path: Path, tracked: str) -> None:
    run = one(settings, tmp_path, tracked)
    assert run.config == {"seed": 3, "tracker.track_thresh": 0.5}
    first, second = run.videos
    assert (first.name, first.role, first.source) == ("a [1]", "test", tmp_path / "a [1].mp4")
    assert first.no_source == "" and first.head["frame_count"] == 3
    assert first.truth is not None and first.truth.boxes is not None
    assert first.truth.boxes.track_id.tolist() == [7, 7]
    assert first.scores is None and first.annotated is None and first.tracks is None
    assert (second.name, second.source, second.truth) == ("b", None, None)
    assert second.no_source == f"{tmp_path / 'b.mp4'} is not there any more; give the video"
    found = run.stored("predict")
    assert found is not None and (found[0] / "x").read_text() == "x"
    assert found[1]["name"] == "predict"
    assert run.stored("prepare") is None and run.stored("predict", "0" * 32) is None


def test_the_same_from_a_server(
    settings: MlflowSettings, tmp_path: Path, tracked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files are fetched when they are asked for, each once."""
    monkeypatch.setattr("segtrack.journal.artifacts.local_path", lambda uri: None)
    run = one(settings, tmp_path, tracked)
    first, second = run.videos
    fetched = tmp_path / "scratch" / tracked
    assert [p.name for p in fetched.rglob("*") if p.is_file()] == ["tracking.json"]
    assert first.head["width"] == 64 and first.truth is not None
    names = sorted(p.name for p in fetched.rglob("*") if p.is_file())
    assert names == ["results.json", "tracking.json", "truth.npz"]
    before = first.results.stat().st_mtime_ns
    again = one(settings, tmp_path, tracked).videos[0]
    assert again.results == first.results and again.results.stat().st_mtime_ns == before
    assert second.scores is None


def test_metrics_with_their_history(settings: MlflowSettings, tmp_path: Path) -> None:
    with journals.record(settings, "curves", {}) as journal:
        for step, value in ((2, 0.5), (1, 0.75)):
            journal.metric(Metric("train/loss", value, step))
    run = one(settings, tmp_path, "curves")
    assert run.metrics == {"train/loss": 0.5}
    assert run.history("train/loss") == [(1, 0.75), (2, 0.5)]
    assert run.history("train/other") == []


def test_settings_in_which_runs_differ(settings: MlflowSettings, tmp_path: Path) -> None:
    knobs = [
        {"seed": 0, "tracker.name": "bytetrack", "mlflow.run_name": "x", "select.count": 5},
        {"seed": 0, "tracker.name": "botsort", "mlflow.run_name": "y", "device": "cuda"},
        {"seed": 1, "tracker.name": "botsort", "tracker.gmc": "none"},
    ]
    runs = [
        one(settings, tmp_path, recorded(settings, f"r{i}", params=k)) for i, k in enumerate(knobs)
    ]
    assert settings_of(runs[0]) == {"seed": "0", "tracker.name": "bytetrack"}
    assert differing(runs[:2]) == {"tracker.name": ["bytetrack", "botsort"]}
    assert differing(runs) == {
        "seed": ["0", "0", "1"],
        "tracker.name": ["bytetrack", "botsort", "botsort"],
        "tracker.gmc": ["not set", "not set", "none"],
    }


def test_a_damaged_list_of_videos_is_named(settings: MlflowSettings, tmp_path: Path) -> None:
    folder = tmp_path / "outputs"
    results(folder / "tracking" / "a" / "results.json")
    (folder / "tracking.json").write_text("{")
    with pytest.raises(DataError, match=r"tracking\.json: not readable as a list of videos"):
        _ = one(settings, tmp_path, str(folder)).videos
    (folder / "tracking.json").unlink()
    (folder / "tracking" / "a" / "results.json").write_text('{"objects": []}')
    with pytest.raises(DataError, match=r"not a results\.json: it has no video"):
        _ = one(settings, tmp_path, str(folder)).videos[0].head


def test_finding_imports_nothing_that_computes(tmp_path: Path) -> None:
    """Whoever looks for a run does not wait for torch."""
    results(tmp_path / "a" / "results.json")
    code = f"""
import sys
from pathlib import Path
from segtrack.runs import find
from segtrack.settings import MlflowSettings
(run,) = find(MlflowSettings(uri="sqlite:///none.db"), ["{tmp_path}/"], Path("scratch"))
assert [video.head["fps"] for video in run.videos] == [10.0]
heavy = ("torch", "mlflow", "ultralytics", "numba", "pandas", "matplotlib")
print([name for name in heavy if name in sys.modules])
"""
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path, check=True)
    assert done.stdout.strip() == "[]"
