"""``python scripts/bench_intervals.py``: its worlds are as said; pairs and odd data of KITTI."""

import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from segtrack.scoring import summary
from tests.scripts import load_script


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    return load_script("bench_intervals")


def test_worlds_have_the_spread_that_is_said(bench: ModuleType) -> None:
    """Differences of chunks: mean 1 point, SD 2 points; of long sequences the SD asked for."""
    world = bench.World.of(np.random.default_rng(0), 400, 2, 0.0, better=1.0)
    for metric in ("MOTA", "HOTA", "IDF1"):
        scores = 100 * summary(world.counts)[metric]
        gaps = scores[1] - scores[0]
        assert gaps.mean() == pytest.approx(1, abs=0.15)
        assert gaps.std() == pytest.approx(2, abs=0.1)
    sizes = np.diff([*world.begins, world.counts.shape[1]])
    assert set(sizes.tolist()) == set(range(6, 12))
    far = bench.World.of(np.random.default_rng(0), 400, 2, 20.0)
    a, b = (100 * summary(far.units(i).counts)["MOTA"] for i in (0, 1))
    assert np.std(b - a) == pytest.approx(20, abs=1.5)


def test_made_worlds(bench: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["--worlds", "2", "--json"]) == 0
    missed, equal, power = json.loads(capsys.readouterr().out).values()
    assert [row["sequences"] for row in missed] == [4] * 4 + [7] * 4 + [20] * 4
    assert [row["spread"] for row in missed[:4]] == [0, 0.5, 1, 2]
    assert all(row["miss"] in (0, 0.5, 1) for row in missed)
    assert len(equal) == 16
    assert set(power[0]) == {"alone", "among 20 cells", "among 20 by MOTA"}


def line(frame: int, track: int, kind: str, x: float, score: str = "") -> str:
    return f"{frame} {track} {kind} 0 0 -1 {x} 100 {x + 100} 200 1 1 1 1 1 1 0 {score}\n"


@pytest.fixture
def kitti(tmp_path: Path) -> Path:
    """Five sequences, four with cars; trackers of two detectors, and one that lacks a sequence."""
    frames = range(10)
    for i in range(5):
        kind = "Pedestrian" if i == 4 else "Car"
        path = tmp_path / "gt" / "label_02" / f"{i:04d}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(line(t, 1, kind, 50) + line(t, 2, kind, 500) for t in frames))
        found = {
            "A-one": [line(t, 1, "Car", 50, "0.9") for t in frames],
            "A_two": [line(t, 1, "car", 50, "0.9") for t in frames if t >= i],
            "B-one": [],
            "C": [line(t, 7, "Car", 500, "1") for t in frames],
        }
        for name, lines in found.items():
            path = tmp_path / "trackers" / name / "data" / f"{i:04d}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            if (name, i) != ("C", 2):
                path.write_text("".join(lines))
    (tmp_path / "gt" / "evaluate_tracking.seqmap.training").write_text(
        "".join(f"{i:04d} empty 000000 000010\n" for i in range(5))
    )
    return tmp_path


class TestKitti:
    def test_json(self, bench: ModuleType, kitti: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert bench.main(["--kitti", str(kitti), "--draws", "40", "--json"]) == 0
        out, err = capsys.readouterr()
        assert "C is left out: " in err and "0002.txt: missing" in err
        assert "/tmp/tmp" not in err  # where the files were put together
        assert "1 pairs of trackers: A-one:A_two" in err
        found = json.loads(out)
        assert list(found) == ["4", "7", "20"]
        for row in found.values():
            assert set(row) == {"HOTA", "MOTA", "IDF1"}
            assert all(set(cell) == {"miss", "width"} for cell in row.values())
            assert all(0 <= cell["miss"] < 1 for cell in row.values())
        # MOTA is lower by 0, 5, 10 and 15 points in sequences of one length: Student's t. One draw
        # of 20 has the SD 5.6, and so the interval a width of 2 * 2.09 * 5.6 / root 20.
        assert found["20"]["MOTA"]["width"] == pytest.approx(5.2, abs=0.5)
        assert found["4"]["MOTA"]["width"] > found["7"]["MOTA"]["width"]

    def test_pairs_that_are_asked_for(
        self, bench: ModuleType, kitti: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        words = ["--kitti", str(kitti), "--draws", "2", "--pairs", "A-one:B-one"]
        assert bench.main(words) == 0
        out = capsys.readouterr().out
        assert [row.split()[:2] for row in out.splitlines()[4:13]] == [
            [number, metric] for number in ("4", "7", "20") for metric in ("HOTA", "MOTA", "IDF1")
        ]
        # A found half of all cars in every sequence, B none: no draw misses it, or has a width.
        assert out.splitlines()[5].split()[2:4] == ["0.000", "n/a"]
        assert bench.main([*words, "A-one:D"]) == 2
        assert "--pairs A-one:D: two of A-one, A_two, B-one, as A:B" in capsys.readouterr().err

    def test_one_sequence_is_nothing_to_draw_from(
        self, bench: ModuleType, kitti: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        seqmap = kitti / "gt" / "evaluate_tracking.seqmap.training"
        seqmap.write_text("0000 empty 000000 000010\n0004 empty 000000 000010\n")
        assert bench.main(["--kitti", str(kitti), "--json"]) == 2
        out, err = capsys.readouterr()
        assert out == "" and "and 1 sequences with cars; two of each are the least" in err

    def test_what_is_not_there(
        self, bench: ModuleType, kitti: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert bench.main(["--kitti", str(kitti / "gt")]) == 2
        assert capsys.readouterr().err.startswith("error: ")
        for name in ("A-one", "A_two"):
            (kitti / "trackers" / name / "data" / "0000.txt").write_text("no tracks\n")
        assert bench.main(["--kitti", str(kitti)]) == 2
        error = capsys.readouterr().err.splitlines()[-1]
        assert error.startswith(f"error: {kitti}: nothing to compare: 1 trackers that can be read")
