"""The tables, numbers and pictures of made trajectories, counted by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from segtrack.base.errors import DataError
from segtrack.counting import Drawn, Rules, adds_up, count_tracks, load_totals, said, write_figures
from segtrack.report import read_table_csv
from segtrack.tracker import Tracks
from tests.counting.conftest import made_tracks

# In a frame of 200 x 100, from left to right: upwards is in.
RULES = Rules(
    {"main": np.array([[0.0, 50.0], [200.0, 50.0]]), "=edge": np.array([[0.0, 5.0], [200.0, 5.0]])},
    {"box": np.array([[0.0, 20.0], [100.0, 20.0], [100.0, 60.0], [0.0, 60.0]])},
    None,
    None,
    0.1,
    1.0,
    1.0,
)


def made(folder: Path) -> Tracks:
    """2.5 s at 10 frames/s: a car up through the zone, a person that stands in it and leaves it
    downwards over the line, a car that comes down on the right, beside the zone."""
    up = {frame: (50.0, 90.0 - 5 * frame) for frame in range(16)}  # 90 to 15
    person = {f: (80.0, 40.0 if f < 12 else 40.0 + 10 * (f - 12)) for f in range(5, 17)}  # to 80
    down = {frame: (150.0, 20.0 + 10 * (frame - 15)) for frame in range(15, 22)}  # 20 to 80
    return made_tracks(folder, {1: (0, up), 2: (1, person), 7: (0, down)}, 25)


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, float]]:
    folder = tmp_path_factory.mktemp("counted")
    reported: dict[str, float] = {}

    def report(name: str, value: float, step: int = 0) -> None:
        assert name not in reported
        reported[name] = value

    count_tracks(made(folder / "tracks"), RULES, folder, report)
    return folder, reported


def rows(folder: Path, name: str) -> list[dict[str, str]]:
    return read_table_csv((folder / name).read_text(encoding="utf-8"))


def test_crossings(counted: tuple[Path, dict[str, float]]) -> None:
    folder, _ = counted
    # The car's feet are at 50 in frame 8, which is the upper side; the person's at 50 in frame 13,
    # the upper side still, at 60 in 14; the other car's at 50 in frame 18 and at 60 in 19.
    expected = [
        {"line": "main", "frame": 8, "time_s": 0.8, "track_id": 1, "class_name": "car",
         "direction": "in", "x": 50.0, "y": 50.0, "speed_kmh": None},
        {"line": "main", "frame": 14, "time_s": 1.4, "track_id": 2, "class_name": "person",
         "direction": "out", "x": 80.0, "y": 50.0, "speed_kmh": None},
        {"line": "main", "frame": 19, "time_s": 1.9, "track_id": 7, "class_name": "car",
         "direction": "out", "x": 150.0, "y": 50.0, "speed_kmh": None},
    ]  # fmt: skip
    assert pq.read_table(folder / "crossings.parquet").to_pylist() == expected
    told = [{k: "" if v is None else str(v) for k, v in row.items()} for row in expected]
    assert rows(folder, "crossings.csv") == told


def test_by_interval(counted: tuple[Path, dict[str, float]]) -> None:
    folder, _ = counted
    table = [tuple(row.values()) for row in rows(folder, "line_intervals.csv")]
    assert len(table) == 3 * 2 * 2  # intervals, lines, classes
    counts = {row[:4]: row[4:] for row in table if row[4:] != ("0", "0")}
    assert counts == {
        ("0.0", "1.0", "main", "car"): ("1", "0"),
        ("1.0", "2.0", "main", "person"): ("0", "1"),
        ("1.0", "2.0", "main", "car"): ("0", "1"),
    }
    assert [row[:2] for row in table[::4]] == [("0.0", "1.0"), ("1.0", "2.0"), ("2.0", "2.5")]
    assert {row[2] for row in table} == {"main", "=edge"}


def test_visits_and_occupancy(counted: tuple[Path, dict[str, float]]) -> None:
    folder, _ = counted
    # The car is at 60, on the border, in frame 6 and at 55 in 7; at 20, the border, in frame 14
    # and at 15 in 15. The person is at 60 in frame 14, the border, and at 70 in 15.
    found = [tuple(row.values()) for row in rows(folder, "zones.csv")]
    assert [row[:5] + row[7:9] for row in found] == [
        ("box", "2", "person", "5", "14", "False", "True"),
        ("box", "1", "car", "6", "14", "True", "True"),
    ]
    assert [float(row[9]) for row in found] == pytest.approx([1.0, 0.9])
    steps = [tuple(row.values()) for row in rows(folder, "occupancy.csv")]
    assert steps == [
        ("box", "car", "0", "0.0", "0"),
        ("box", "car", "6", "0.6", "1"),
        ("box", "car", "15", "1.5", "0"),
        ("box", "person", "0", "0.0", "0"),
        ("box", "person", "5", "0.5", "1"),
        ("box", "person", "15", "1.5", "0"),
    ]
    table = {
        tuple(r.values())[:4]: tuple(r.values())[4:] for r in rows(folder, "zone_intervals.csv")
    }
    assert len(table) == 3 * 2
    assert table["0.0", "1.0", "box", "car"] == ("1", "0", "0.4", "1")
    assert table["0.0", "1.0", "box", "person"] == ("0", "0", "0.5", "1")
    assert table["1.0", "2.0", "box", "car"] == ("0", "1", "0.5", "1")
    assert table["2.0", "2.5", "box", "person"] == ("0", "0", "0.0", "0")


def test_what_is_reported(counted: tuple[Path, dict[str, float]]) -> None:
    folder, reported = counted
    line = {n: v for n, v in reported.items() if n.startswith("count/line/main/")}
    assert line == {
        "count/line/main/in": 1, "count/line/main/out": 2,
        "count/line/main/car/in": 1, "count/line/main/car/out": 1,
        "count/line/main/person/in": 0, "count/line/main/person/out": 1,
    }  # fmt: skip
    zone = {n.removeprefix("count/zone/box/"): v for n, v in reported.items() if "/zone/" in n}
    assert zone == {
        "entered": 1, "left": 2, "mean_inside": 19 / 25, "highest_inside": 2, "dwell_s": 0.95,
        "car/entered": 1, "car/left": 1, "car/mean_inside": 9 / 25, "car/highest_inside": 1,
        "car/dwell_s": pytest.approx(0.9),
        "person/entered": 0, "person/left": 1, "person/mean_inside": 10 / 25,
        "person/highest_inside": 1, "person/dwell_s": pytest.approx(1.0),
    }  # fmt: skip
    assert next(n for n in reported if "edge" in n).startswith("count/line/_edge--")
    assert list(said(load_totals(folder))) == [
        "line main: in 1 (car 1), out 2 (car 1, person 1)",
        "line =edge: in 0, out 0",
        "zone box: 1 entered, 2 left, 0.76 in it on average, 2 at most, stay 0.9 s (median)",
    ]
    assert adds_up("count/line/main/in") and not adds_up("count/zone/box/dwell_s")


def test_figures_and_the_tables_beside_them(
    counted: tuple[Path, dict[str, float]], tmp_path: Path
) -> None:
    folder, _ = counted
    write_figures(folder, tmp_path)
    names = ["crossings.csv", "crossings.png", "occupancy.csv", "occupancy.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    for name in names[::2]:
        assert rows(tmp_path, name) == rows(folder, name)


def test_drawn_with_what_was_counted_so_far(counted: tuple[Path, dict[str, float]]) -> None:
    folder, _ = counted
    drawn = Drawn(RULES, folder)
    frames = []
    for frame in (0, 7, 8, 13):
        canvas = np.full((200, 400, 3), 128, np.uint8)
        drawn(canvas, frame, 2.0)
        frames.append(canvas)
    assert (frames[0][100, 300] == (0, 215, 255)).all()  # on the line, at twice the size
    assert (frames[0][80, 0] == (255, 190, 60)).all()  # on the zone's border
    assert (frames[0][160, 300] == 128).all()
    assert (frames[0] != frames[1]).any() and (frames[1] != frames[2]).any()
    assert (frames[2] == frames[3]).all()  # nothing new in between


def test_nothing_there(tmp_path: Path) -> None:
    tracks = made_tracks(tmp_path / "tracks", {}, 0)
    reported: dict[str, float] = {}
    count_tracks(tracks, RULES, tmp_path, lambda n, v, step=0: reported.update({n: v}))
    assert reported["count/line/main/in"] == reported["count/zone/box/entered"] == 0
    assert "count/zone/box/dwell_s" not in reported
    assert rows(tmp_path, "crossings.csv") == rows(tmp_path, "zones.csv") == []
    assert (tmp_path / "crossings.csv").read_text().startswith("line,frame,time_s,track_id,")
    write_figures(tmp_path, tmp_path / "figures")
    assert not (tmp_path / "figures").exists()
    Drawn(RULES, tmp_path)(np.zeros((100, 200, 3), np.uint8), 0, 1.0)


def speed_rules(**changes: Any) -> Rules:
    """10 px are a metre, everywhere."""
    image = np.array([[0.0, 0.0], [200.0, 0.0], [200.0, 100.0], [0.0, 100.0]])
    return Rules({"main": RULES.lines["main"]}, {}, image, image / 10, 0.1, 60.0, 0.5)


def test_speeds(tmp_path: Path) -> None:
    reported: dict[str, float] = {}
    count_tracks(
        made(tmp_path / "tracks"), speed_rules(), tmp_path,
        lambda n, v, step=0: reported.update({n: v}),
    )  # fmt: skip
    found = {row["track_id"]: row for row in rows(tmp_path, "speeds.csv")}
    assert float(found["1"]["median_mps"]) == pytest.approx(5)  # 5 px a frame: 18 km/h
    assert float(found["7"]["median_kmh"]) == pytest.approx(36)
    assert float(found["2"]["highest_kmh"]) == pytest.approx(36)
    # Of ten rows it stands in five, and the fitted line of the next rises by 2 m/s.
    assert float(found["2"]["median_kmh"]) == pytest.approx((0 + 7.2) / 2)
    assert reported["count/speed/car/median_kmh"] == pytest.approx(27)
    assert reported["count/speed/car/p85_kmh"] == pytest.approx(18 + 0.85 * 18)
    assert reported["count/speed/car/tracks"] == 2
    crossed = rows(tmp_path, "crossings.csv")
    assert [float(row["speed_kmh"]) for row in crossed] == pytest.approx([18, 36, 36], rel=1e-4)
    frames = pq.read_table(tmp_path / "speeds.parquet").to_pylist()
    assert len(frames) == 16 + 12 + 7
    assert frames[0]["speed_kmh"] is None  # three rows span .2 s, less than half of the window
    second = frames[1]
    assert (second["frame"], second["track_id"], second["extrapolated"]) == (1, 1, False)
    assert (second["x_m"], second["y_m"]) == pytest.approx((5 - 10, 8.5 - 5), abs=1e-4)
    assert second["speed_kmh"] == pytest.approx(18, rel=1e-4)
    lines = list(said(json.loads((tmp_path / "totals.json").read_text())))
    assert (
        "speed of car: 27.0 km/h (median of 2 tracks; 85% are not faster than 33.3 km/h)" in lines
    )
    write_figures(tmp_path, tmp_path / "figures")
    assert (tmp_path / "figures" / "speeds.png").stat().st_size > 5_000


def test_speeds_need_times(tmp_path: Path) -> None:
    tracks = made_tracks(tmp_path / "tracks", {1: (0, {0: (5.0, 5.0)})}, 3, fps=0)
    with pytest.raises(DataError, match="speeds need the time of each frame"):
        count_tracks(tracks, speed_rules(), tmp_path, lambda n, v, step=0: None)
