"""``import segtrack``: what the command does, from Python."""

from __future__ import annotations

import contextlib
import gc
import io
import logging
import multiprocessing
import os
import re
import shutil
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from hydra.core.global_hydra import GlobalHydra
from matplotlib.figure import Figure

import segtrack
from segtrack.command import override_words, run_stages
from segtrack.command.app import CONF
from segtrack.command.checking import check
from tests.forked import ROOT
from tests.integration.conftest import TINY, Project

SETTINGS: dict[str, Any] = {
    **{key: value for key, _, value in (word.partition("=") for word in TINY)},
    "model": {"weights": "shipped", "imgsz": 64},
    "render": {"enabled": False},
}
SETTINGS = {
    k: float(v) if isinstance(v, str) and v[0].isdigit() else v for k, v in SETTINGS.items()
}
SETTINGS = {
    k: int(v) if isinstance(v, float) and v.is_integer() else v for k, v in SETTINGS.items()
}


@pytest.fixture(scope="module")
def project(
    tmp_path_factory: pytest.TempPathFactory, new_project: Callable[[Path], Project]
) -> Project:
    return new_project(tmp_path_factory.mktemp("python") / "it is [here]")


@pytest.fixture(autouse=True)
def _there(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.folder)


@pytest.fixture(scope="module")
def tracked(project: Project) -> segtrack.Run:
    with contextlib.chdir(project.folder):
        return segtrack.track(**SETTINGS)


def test_track(project: Project, tracked: segtrack.Run) -> None:
    """A run like those of the command, with all of results.json as a table."""
    (run,) = [one for one in project.runs() if one.info.run_id == tracked.id]
    assert run.info.status == "FINISHED" == tracked.status
    assert run.data.tags["command"].startswith("segtrack.track(trainer='smoke', ")
    assert run.data.params["dataset.width"] == "192"
    assert tracked.settings["dataset.fps"] == 10
    kept = {"config.yaml", "overrides.txt", "tracking.json", "segtrack.log"}
    assert kept <= project.artifacts(run)
    tracking = tracked.tracking
    assert tracking is not None
    (video,) = tracking.videos
    objects = tracked.to_pandas()
    assert len(objects) == run.data.metrics["track/objects"] > 0
    assert {"video", "frame", "track_id", "class_name", "score", "x1", "y2", "rle"} <= set(objects)
    assert objects.groupby("track_id").size().to_dict() == (
        tracked.to_pandas("tracks").set_index("track_id")["frames_seen"].to_dict()
    )
    scores = tracked.to_pandas("scores").set_index(["kind", "class_name", "video"])
    hota = run.data.metrics["track/class/car/hota"]
    assert scores.loc[("box", "car", ""), "HOTA"] == pytest.approx(100 * hota)
    assert scores.loc[("box", "car", video.name), "HOTA"] == pytest.approx(100 * hota)
    assert isinstance(tracked.plot(), Figure) and isinstance(tracking.plot(video.name), Figure)
    assert "<td>FINISHED</td>" in tracked._repr_html_()
    assert tracked.id in repr(tracked)
    with pytest.raises(segtrack.SettingsError, match="'b': must be one of sim-0"):
        tracking.plot("b")
    with pytest.raises(segtrack.SettingsError, match="must be one of objects, tracks, scores"):
        tracked.to_pandas("boxes")


def test_prepare_and_evaluate(tracked: segtrack.Run) -> None:
    prepared = segtrack.prepare(**SETTINGS)
    images = prepared.to_pandas()
    assert images["split"].value_counts().to_dict() == {"train": 6, "val": 3, "test": 3}
    annotations = prepared.to_pandas("annotations")
    assert set(annotations["image_id"]) <= set(images["image_id"])
    assert isinstance(prepared.plot(), Figure) and "<table>" in prepared._repr_html_()
    evaluated = segtrack.evaluate(**SETTINGS)
    assert evaluated.evaluation is not None
    classes = evaluated.to_pandas()
    assert classes["class"].tolist() == ["person", "car", "truck", "bus"]
    of_images = evaluated.to_pandas("images")
    assert of_images["objects"].sum() == classes["objects"].sum()
    confused = evaluated.to_pandas("confusion")
    assert of_images["missed"].sum() + of_images["found"].sum() == confused["true_class"].count()
    matches = evaluated.to_pandas("matches")
    assert str(matches["annotation_id"].dtype) == "Int64"
    assert isinstance(evaluated.plot(), Figure)
    assert evaluated.metrics["test/mask_map50"] == evaluated.evaluation.metrics["test/mask_map50"]


def test_train() -> None:
    run = segtrack.train(**SETTINGS)
    assert run.weights is not None and run.weights.is_file()
    epochs = run.to_pandas()
    assert epochs["epoch"].tolist() == [1]
    assert epochs["train/box_loss"].item() == run.metrics["train/box_loss"]
    assert isinstance(run.plot(), Figure)


def test_compare_and_load_run(tracked: segtrack.Run) -> None:
    other = segtrack.track(**SETTINGS, **{"tracker.track_thresh": 0.3})
    found = segtrack.compare(tracked, other.label)
    assert found.to_pandas()["metric"].tolist() == ["HOTA", "MOTA", "IDF1"]
    assert found.document["differing"] == {"tracker.track_thresh": ["0.5", "0.3"]}
    assert found.claim in repr(found)
    assert found.to_pandas("units")["name"].tolist() == ["sim-0"]
    assert isinstance(found.plot(), Figure)
    assert segtrack.load_run().id == other.id
    again = segtrack.load_run(tracked.label)
    assert again.to_pandas().equals(tracked.to_pandas())
    assert tracked.tracking is not None
    file = segtrack.load_run(tracked.tracking.videos[0].results)
    assert (file.id, len(file.to_pandas())) == (None, len(tracked.to_pandas()))
    with pytest.raises(segtrack.SettingsError, match="level=95: must be between 0 and 1"):
        segtrack.compare(tracked, other, level=95)
    with pytest.raises(segtrack.SettingsError, match="no such run"):
        segtrack.load_run("nobody")


def test_a_process_beside_a_script_does_not_run_it_again(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sorted(project.folder.rglob("*"))
    monkeypatch.setattr(multiprocessing.current_process(), "_inheriting", True, raising=False)
    with pytest.raises(segtrack.SettingsError, match=r"segtrack.track\(\) .* `if __name__ =="):
        segtrack.track(video="no video.mp4")
    assert sorted(project.folder.rglob("*")) == before


def test_wrong_settings_are_all_said_and_leave_nothing(project: Project) -> None:
    runs = len(project.runs())
    outputs = sorted(project.folder.glob("outputs/*/*"))
    with pytest.raises(segtrack.SettingsError) as error:
        segtrack.track(trainer="standart", **{"tracker.track_tresh": 0.4}, seed=[1])
    text = str(error.value)
    assert text.startswith("3 problems with the settings:")
    assert "did you mean standard?" in text and "did you mean tracker.track_thresh?" in text
    with pytest.raises(segtrack.SettingsError, match="is a object; a setting is a number"):
        segtrack.track(seed=object())
    with pytest.raises(segtrack.SegtrackError, match=r"none\.mp4"):
        segtrack.track(video="none.mp4", **{"model.weights": "shipped"})
    assert len(project.runs()) == runs
    assert sorted(project.folder.glob("outputs/*/*")) == outputs


@pytest.mark.parametrize(
    "text",
    [
        "a b",
        "it's",
        'say "no"',
        "a=b,c",
        "[x]",
        "{x: y}",
        "C:\\dir\\",
        '\\"',
        "",
        "true",
        "12",
        "ü",
    ],
)
def test_any_text_is_itself(text: str) -> None:
    from segtrack.command.composition import compose_settings

    (word,) = override_words({"mlflow.experiment": text})
    if text == "":
        (problem,) = check(CONF, [word])
        assert str(problem).startswith("mlflow.experiment=: is empty; type mlflow.experiment=VALUE")
        return
    assert compose_settings(CONF, [word]).mlflow.experiment == text


def test_values_of_every_kind() -> None:
    import numpy as np

    given = {"a": None, "b": True, "c": 3, "d": 0.5, "e": Path("x/y z"), "f": [1, "a b"]}
    given |= {"g": {"car": ["truck", "van"]}, "h": np.float32(0.5), "i": "yolov8n-seg"}
    assert override_words(given) == [
        *("a=null", "b=true", "c=3", "d=0.5", 'e="x/y z"', 'f=[1, "a b"]'),
        *("g={car: [truck, van]}", "h=0.5", "i=yolov8n-seg"),
    ]


def test_what_this_process_has_stays_as_it_is(tracked: segtrack.Run) -> None:
    root = logging.getLogger()
    handler = logging.StreamHandler(io.StringIO())
    root.addHandler(handler)
    kept = object()
    before = GlobalHydra.instance().hydra
    GlobalHydra.instance().hydra = kept  # type: ignore[assignment]
    try:
        segtrack.track(**SETTINGS)
        assert GlobalHydra.instance().hydra is kept
        assert handler in root.handlers
    finally:
        GlobalHydra.instance().hydra = before
        root.removeHandler(handler)


def used() -> tuple[float, int]:
    """Resident memory in MB, and open descriptors."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6, len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def silent() -> Iterator[None]:
    with contextlib.redirect_stdout(io.StringIO()):
        yield


def test_a_loop_keeps_nothing(tracked: segtrack.Run, tmp_path: Path, silent: None) -> None:
    """9 calls of both: after the first ones most take no memory at all, and none a descriptor.
    Python's allocator takes a region of several MB at once at any call, so no single step counts;
    what a call keeps shows in every one."""
    (tmp_path / "gt" / "a" / "gt").mkdir(parents=True)
    (tmp_path / "tracks").mkdir()
    rows = [f"{t},1,10,10,20,40,1,1,1\n" for t in range(1, 200)]
    (tmp_path / "gt" / "a" / "gt" / "gt.txt").write_text("".join(rows))
    (tmp_path / "tracks" / "a.txt").write_text("".join(rows))
    (tmp_path / "gt" / "a" / "seqinfo.ini").write_text("[Sequence]\nseqLength=199\n")
    assert tracked.tracking is not None
    video = {"video": tracked.tracking.videos[0].source, "render.enabled": False}
    video |= {"model.weights": "shipped", "model.imgsz": 64}
    after: list[tuple[float, int]] = []
    for number in range(9):
        run = segtrack.track(**video, **{"tracker.track_thresh": 0.4 + 0.1 * (number % 3)})
        assert len(run.to_pandas()) == run.metrics["track/objects"]
        run.plot()
        scores = segtrack.score(tmp_path / "tracks", tmp_path / "gt", "mot17")
        assert scores.to_pandas()["HOTA"].tolist() == [100, 100]
        scores.plot()
        after.append(used())
    memory, files = zip(*after[3:], strict=True)
    assert median(later - earlier for earlier, later in pairwise(memory)) < 0.5, after
    assert files[-1] <= files[0], after


def test_the_documentation_as_it_is_typed(
    tracked: segtrack.Run, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The blocks of docs/python.md one after the other; a smaller data set stands in for the one
    that they name."""
    text = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == 6
    assert tracked.tracking is not None and tracked.tracking.videos[0].source is not None
    shutil.copyfile(tracked.tracking.videos[0].source, "street.mp4")
    monkeypatch.setattr("segtrack.api.calls.run_stages", smaller)
    shown: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, "docs/python.md", "exec"), shown)
    first, second = shown["runs"]
    assert (first.settings["tracker.track_thresh"], second.settings["dataset.width"]) == (0.3, 192)
    assert len(shown["run"].to_pandas("tracks")) == shown["run"].metrics["track/tracks"]
    assert shown["tested"].settings["model.weights"] == str(shown["trained"].weights)
    assert shown["tracked"].track_id.tolist() == []


def smaller(function: str, stages: list[str], given: dict[str, Any]) -> Any:
    less = {} if "video" in given else {k: v for k, v in SETTINGS.items() if "." in k}
    return run_stages(function, stages, {**given, **less, "render.enabled": False})


def test_score(tmp_path: Path) -> None:
    with pytest.raises(segtrack.SettingsError, match="did you mean mot17"):
        segtrack.score(tmp_path, tmp_path, "mot7")
    with pytest.raises(segtrack.DataError):
        segtrack.score(tmp_path, tmp_path, "mot17")
