"""Lines, zones and speeds from the command line, in a sequence whose objects move as is known."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.integration.conftest import Outcome, Project

REMEMBERS = True
Run = Callable[..., Outcome]
FRAMES, WIDTH, HEIGHT = 30, 240, 160
INFO = (
    f"[Sequence]\nname=street\nimDir=img1\nframeRate=10\nseqLength={FRAMES}\n"
    f"imWidth={WIDTH}\nimHeight={HEIGHT}\nimExt=.jpg\n"
)
COUNT = (
    "counting.lines={main: [0,80,240,80]}",
    "counting.zones={lane: [100,20,200,20,200,70,100,70]}",
    "counting.homography={image: [0,0,240,0,240,160,0,160], ground: [0,0,24,0,24,16,0,16]}",
    "counting.speed_window=0.5",
)


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One object comes down at x = 50, 4 px (.4 m) a frame: its feet are at 30 to 146. Another goes
    up at x = 150, 4 px a frame: at 150 to 34; it is in the zone from y = 70 on, frame 20."""
    folder = tmp_path_factory.mktemp("sequences") / "street"
    (folder / "img1").mkdir(parents=True)
    (folder / "det").mkdir()
    rows = []
    for frame in range(FRAMES):
        for x, y in ((50, 30 + 4 * frame), (150, 150 - 4 * frame)):
            rows.append(f"{frame + 1},-1,{x - 10},{y - 20},20,20,0.9,-1,-1,-1\n")
        image = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
        cv2.imwrite(str(folder / "img1" / f"{frame + 1:06d}.jpg"), image)
    (folder / "det" / "det.txt").write_text("".join(rows))
    (folder / "seqinfo.ini").write_text(INFO)
    return folder.parent


@pytest.fixture
def words(street: Path) -> tuple[str, ...]:
    source = ("dataset=sequences", f"dataset.path={street}", "dataset.detections=file")
    return (*source, "stages=[track]", "tracks.interpolate=0")


def counted(project: Project) -> Path:
    (path,) = (project.folder / "outputs").rglob("tracking/street/counting")
    return path


def test_counted_beside_the_tracks(here: Run, project: Project, words: tuple[str, ...]) -> None:
    done = here(*words, *COUNT)
    assert done.code == 0, done.err
    assert "street: line main: in 1 (" in done.out and "), out 1 (" in done.out
    assert "street: zone lane: 1 entered, 0 left, 0.33 in it on average, 1 at most" in done.out
    (run,) = project.runs()
    metrics = run.data.metrics
    for prefix in ("count", "count/video/street"):
        line, zone = f"{prefix}/line/main/person", f"{prefix}/zone/lane/person"
        assert (metrics[f"{line}/in"], metrics[f"{line}/out"]) == (1, 1)
        assert (metrics[f"{zone}/entered"], metrics[f"{zone}/left"]) == (1, 0)
        assert metrics[f"{zone}/dwell_s"] == pytest.approx(0.9)
        assert metrics[f"{prefix}/speed/person/median_kmh"] == pytest.approx(14.4, abs=0.05)
    # Down is out here: at 82 in frame 13. The other is at 78 in frame 18.
    table = (counted(project) / "crossings.csv").read_text().splitlines()
    assert [[*row.split(",")[:3], row.split(",")[5]] for row in table[1:]] == [
        ["main", "13", "1.3", "out"],
        ["main", "18", "1.8", "in"],
    ]
    kept = project.artifacts(run)
    for file in ("crossings.csv", "crossings.png", "crossings.parquet", "line_intervals.csv",
                 "zones.csv", "zone_intervals.csv", "occupancy.png", "speeds.csv", "speeds.png",
                 "speeds.parquet", "totals.json"):  # fmt: skip
        assert f"tracking/street/counting/{file}" in kept
    # The line is drawn, at twice the size of so small a video, and the same tracks are used again.
    (video,) = (project.folder / "outputs").rglob("annotated.mp4")
    ok, image = cv2.VideoCapture(str(video)).read()
    blue, green, red = image[160, 460].astype(int)
    assert ok and red > 200 and green > 150 and blue < 100
    again = here(*words, *COUNT, "counting.lines={other: [0,40,240,40]}")
    assert again.code == 0 and "line other: in 1" in again.out
    plan = here(*words, *COUNT, "counting.hysteresis=0.2", "plan=true").out
    (line,) = (line for line in plan.splitlines() if line.startswith("count "))
    assert "build" in line and "settings.counting.hysteresis: 0.1 -> 0.2" in line
    stages = [result.split("/")[0] for result in project.results()]
    assert [stages.count(name) for name in ("associate", "count", "render")] == [1, 2, 2]


def test_a_run_is_converted_by_its_id_and_name(
    here: Run, project: Project, words: tuple[str, ...]
) -> None:
    assert here(*words, "render.enabled=false", "mlflow.run_name=first").code == 0
    (run,) = project.runs()
    for number, word in enumerate((run.info.run_id, "first")):
        done = here("convert", word, f"{number}.parquet", "--to", "parquet")
        assert done.code == 0, done.err
        assert (
            f"{number}.parquet: a Parquet table, {FRAMES} frames, {2 * FRAMES} objects" in done.out
        )
    table = pq.read_table(project.folder / "1.parquet")
    assert table == pq.read_table(project.folder / "0.parquet")
    assert table["time_s"].to_pylist()[:4] == [0.0, 0.0, 0.1, 0.1]
    done = here("convert", "nobody", "2.parquet", "--to", "parquet")
    assert done.code == 2 and "nobody: there is no such file or folder, and" in done.err


def test_without_lines_nothing_is_counted(
    here: Run, project: Project, words: tuple[str, ...]
) -> None:
    done = here(*words, "render.enabled=false")
    assert done.code == 0, done.err
    assert not list((project.folder / "outputs").rglob("counting"))
    assert [result.split("/")[0] for result in project.results()] == ["associate", "detections"]
    assert not any(name.startswith("count") for name in project.runs()[0].data.metrics)


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("counting.lines={a: [0,80,241,80]}", "counting.lines.a=[0,80,241,80]; give points in px"),
        ("counting.zones={a: [0,0,9,9,9,0,0,9]}", "counting.zones.a=[0,0,9,9,9,0,0,9]: crosses it"),
        ("counting.lines={a: [4,4,4,4]}", "its two points are the same"),
        ("counting.homography.image=[0,0,1,1,2,2,0,2]", "three of its points lie on one line"),
        ("counting.lines=5", "counting.lines=5"),
    ],
)
def test_wrong_points_end_it_at_once(
    here: Run, project: Project, words: tuple[str, ...], word: str, said: str
) -> None:
    done = here(*words, word)
    assert done.code == 2 and said in done.err, done.err
    assert project.runs() == [] and project.results() == []


def test_shares_of_the_frame(here: Run, project: Project, words: tuple[str, ...]) -> None:
    share = ("counting.unit=share", "counting.lines={main: [0,0.5,1,0.5]}")
    done = here(*words, *share, "render.enabled=false")
    assert done.code == 0, done.err
    totals = json.loads((counted(project) / "totals.json").read_text())
    assert totals["lines"]["main"][""] == {"in": 1, "out": 1}
