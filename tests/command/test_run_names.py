"""Names of runs: what differs, not where it lies."""

import pytest

from segtrack.command.run_names import MOST, labels, run_name, sweep_name


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({}, "n bytetrack"),
        ({"model": "n"}, "n bytetrack"),
        ({"tracker.track_thresh": "0.4", "seed": "1"}, "n track_thresh=0.4 seed=1"),
        ({"model.weights": "/long/path/to/best.pt"}, "n weights=best.pt"),
        ({"model.weights": "run:0123"}, "n weights=run:0123"),
        ({"video": "/data/drives/a.mp4"}, "n video=a"),
        ({"video": "'/data/a (1).MP4'"}, "n video=a (1)"),
        ({"video": "C:\\\\drives\\\\a.mp4"}, "n video=a"),
        ({"video": "rtsp://user:secret@camera/stream1"}, "n video=stream1"),
        ({"video": "drives/2024.05.01"}, "n video=2024.05.01"),
        ({"video": "drives/*.mp4"}, "n video=drives/*"),
        ({"dataset.path": "/data/coco128/"}, "n path=coco128"),
        (
            {"store": "/s", "mlflow.uri": "sqlite:////x/y.db", "objective": "track/hota"},
            "n bytetrack",
        ),
        ({"stages": "[prepare,train]"}, "n stages=[prepare,train]"),
    ],
)
def test_what_a_run_is_called(values: dict[str, str], name: str) -> None:
    assert run_name("n", "bytetrack", values) == name


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
    names = [run_name("n", "t", {"video": value}, among) for value in values]
    assert names == [f"n video={text}" for text in expected]


def test_long_values_are_told_apart_too() -> None:
    values = [f"{'x' * 30}{i}{'y' * 300}" for i in range(3)]
    found = labels("dataset.path", values)
    assert len(set(found.values())) == 3 and max(map(len, found.values())) <= 48


def test_names_are_bounded_and_say_how_much_is_missing() -> None:
    values = {f"group.key{i}": "v" * 20 for i in range(30)}
    name = run_name("n", "t", values)
    assert len(name) <= MOST and name.startswith("n key0=vvv") and name.endswith(" +25")
    assert len(run_name("m" * 400, "t", {})) <= MOST
    assert len(sweep_name([f"a.{'k' * 40}{i}" for i in range(9)])) <= MOST
    assert sweep_name(["tracker.track_thresh", "seed"]) == "sweep track_thresh seed"
