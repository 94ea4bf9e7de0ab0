"""Names of runs: what differs, not where it lies."""

import pytest

from segtrack.command.python_call import override_words
from segtrack.command.run_names import MOST, cell_name, labels, run_name, sweep_name
from segtrack.settings import CHANGE_NO_SCORE, Settings, knobs_of


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({}, "n bytetrack"),
        ({"model": "n"}, "n bytetrack"),
        ({"model.weights": "/long/path/to/best.pt"}, "n weights=best.pt"),
        ({"model.weights": "run:0123"}, "n weights=run:0123"),
        ({"video": "/data/drives/a.mp4"}, "n video=a"),
        ({"video": "'/data/a (1).MP4'"}, "n video=a (1)"),
        ({"video": "C:\\\\drives\\\\a.mp4"}, "n video=a"),
        ({"video": "rtsp://user:secret@camera/stream1"}, "n video=stream1"),
        ({"video": "drives/2024.05.01"}, "n video=2024.05.01"),
        ({"video": "drives/*.mp4"}, "n video=drives/*"),
        ({"dataset.path": "/data/coco128/"}, "n path=coco128"),
    ],
)
def test_of_a_path_its_end_is_said(values: dict[str, str], name: str) -> None:
    assert run_name("n", "bytetrack", values) == name


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("", "n bytetrack"),
        ("trainer=smoke", "n trainer=smoke"),
        ("tracker.track_thresh=0.4 seed=1", "n track_thresh=0.4 seed=1"),
        ("experiment=demo", "demo"),
        ("experiment=demo seed=1 render.trail=5", "demo seed=1"),
        ("experiment=demo model=n", "demo n"),
        ("stages=[prepare,train]", "n train"),
        ("stages=[track] video=a.mp4 trainer.workers=2", "n track video=a"),
        ("stages=[push] dataset=images dataset.path=p labellerr.name=street labellerr.workers=4",
         "n push dataset=images path=p name=street"),
        ("stages=[prepare,select] select.by=uncertainty", "n select by=uncertainty"),
        ("stages=[suspect] evaluation.gallery=9 evaluation.resamples=9", "n suspect resamples=9"),
        ("store=/s mlflow=off mlflow.uri=sqlite:////x/y.db objective=track/hota", "n bytetrack"),
        ("device=cpu plan=true dataset.workers=1 render.enabled=false trainer.threads=1",
         "n bytetrack"),
        ("stages=[shards] model.weights=street-2024-small.pt model.imgsz=160 model.batch=4 "
         "dataset=images dataset.path=a/monday",
         "n shards dataset=images path=monday +2"),
        ("model.imgsz=640 trainer.imgsz=320", "n model.imgsz=640 trainer.imgsz=320"),
    ],
)  # fmt: skip
def test_what_a_command_is_called(command: str, name: str) -> None:
    values = dict(word.split("=", 1) for word in command.split())
    assert run_name("n", "bytetrack", values) == name


def test_what_a_call_from_python_is_called() -> None:
    given = {
        "model": {"imgsz": 64},
        "stages": ["prepare", "track"],
        "video": "/data/a b.mp4",
        "tracker": {"track_thresh": 0.5},
        "render": {"enabled": False},
    }
    values = dict(word.split("=", 1) for word in override_words(given))
    assert run_name("n", "bytetrack", values) == "n track imgsz=64 video=a b track_thresh=0.5"


@pytest.mark.parametrize(
    ("called", "swept", "name"),
    [
        ("", {"seed": "1"}, "n seed=1"),
        ("", {"device": "cpu"}, "n device=cpu"),  # it is what differs
        ("", {"model": "n", "seed": "1"}, "n seed=1"),
        ("mine", {"model": "n"}, "mine n"),
        ("mine", {"seed": "1"}, "mine seed=1"),
        ("", {"experiment": "demo"}, "demo"),
    ],
)
def test_what_a_cell_is_called(called: str, swept: dict[str, str], name: str) -> None:
    assert cell_name(called, "n", swept, {}) == name


def test_settings_without_effect_are_settings() -> None:
    for key in CHANGE_NO_SCORE:
        group, _, rest = key.partition(".")
        found = knobs_of(Settings)[group]
        assert not rest or (found.nested and rest in knobs_of(found.nested)), key


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["a/x.mp4", "b/y.mp4"], ["x", "y"]),
        (["a/x.mp4", "b/x.mp4"], ["a/x.mp4", "b/x.mp4"]),
        (["a/x.mp4", "a/x.avi"], ["x.mp4", "x.avi"]),
        (["r/a/x.mp4", "s/a/x.mp4", "r/b/y.mp4"], ["r/a/x.mp4", "s/a/x.mp4", "r/b/y.mp4"]),
        (["a/*.mp4", "b/*.mp4"], ["a/*", "b/*"]),
        (["null", "x.mp4"], ["null", "x"]),
    ],
)
def test_cells_of_a_sweep_are_told_apart(values: list[str], expected: list[str]) -> None:
    assert list(labels("video", values).values()) == expected
    among = {"video": values}
    names = [cell_name("", "n", {"video": value}, among) for value in values]
    assert names == [f"n video={text}" for text in expected]


def test_long_values_are_told_apart_too() -> None:
    values = [f"{'x' * 30}{i}{'y' * 300}" for i in range(3)]
    found = labels("dataset.path", values)
    assert len(set(found.values())) == 3 and max(map(len, found.values())) <= 48


def test_names_are_bounded_and_say_how_much_is_missing() -> None:
    values = {f"group.key{i}": "v" * 20 for i in range(30)}
    name = run_name("n", "t", values)
    assert len(name) <= MOST and name.startswith("n key0=vvv") and name.endswith(" +28")
    assert len(run_name("m" * 400, "t", {})) <= MOST
    assert len(sweep_name([f"a.{'k' * 40}{i}" for i in range(9)])) <= MOST
    words = (
        "stages=[push] dataset=images dataset.path=photos dataset.classes=[person,car,truck,bus] "
    )
    values = dict(word.split("=", 1) for word in f"{words}labellerr.name=street".split())
    assert run_name("yolov8n-seg", "t", values) == "yolov8n-seg push dataset=images path=photos +2"
    long = {"stages": "[track]", "video": f"{'v' * 90}.mp4"}
    assert run_name("yolov8n-seg", "t", long) == "yolov8n-seg track video=vvvvvvvvvvvvvvv…vvvvvvvv"
    cells = [cell_name("", "n", {f"group.key{i}": "v" * 9 for i in range(6)}, {})]
    assert cells[0].count("=") == 6  # each of which tells it from other cells
    assert sweep_name(["tracker.track_thresh", "seed"]) == "sweep track_thresh seed"
