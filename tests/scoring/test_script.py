"""``python scripts/score.py``: its JSON, its table, and what it says of bad input."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.scoring import made
from tests.scoring.test_oracle import FRAMES, kit

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "score.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("score_script", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(script: ModuleType, monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    monkeypatch.setattr(sys, "argv", ["score.py", *map(str, words)])
    return int(script.main())


@pytest.fixture
def one(tmp_path: Path) -> tuple[Path, Path]:
    """One sequence of one object that is followed for two of its three frames."""
    gt, tracks = tmp_path / "gt", tmp_path / "tracks"
    box = "10,10,20,40"
    made.write(gt / "a/gt/gt.txt", [f"{t},1,{box},1,1,1\n" for t in (1, 2, 3)])
    made.ini(gt / "a/seqinfo.ini", 3)
    made.write(tracks / "a.txt", [f"{t},9,{box},1,-1,-1,-1\n" for t in (1, 2)])
    return gt, tracks


def test_json(
    script: ModuleType,
    one: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    gt, tracks = one
    words = ("--format", "mot17", "--gt", gt, "--tracks", tracks, "--json")
    assert run(script, monkeypatch, *words) == 0
    document = json.loads(capsys.readouterr().out)
    assert set(document) == {"combined", "per_sequence"}
    scores = document["combined"]["pedestrian"]
    assert document["per_sequence"] == {"a": {"pedestrian": scores}}
    assert scores["MOTA"] == pytest.approx(100 * 2 / 3)
    assert scores["IDF1"] == pytest.approx(100 * 2 / 2.5)
    assert scores["HOTA"] == pytest.approx(100 * 2 / 3)
    assert scores["FN"] == 1 and scores["IDSW"] == 0 and "MOTSA" not in scores
    assert run(script, monkeypatch, *words, "--classes", "person") == 0
    assert json.loads(capsys.readouterr().out)["combined"] == {"person": scores}


@pytest.mark.parametrize("name", ["kitti", "kitti_mots", "mots"])
def test_table(
    script: ModuleType,
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    gt, tracks = kit(tmp_path, name)
    assert run(script, monkeypatch, "--format", name, "--gt", gt, "--tracks", tracks) == 0
    lines = capsys.readouterr().out.splitlines()
    classes = 1 if name == "mots" else 2
    assert len(lines) == 1 + classes * (6 + 1)  # a head; each sequence and their combination
    assert ("sMOTSA" in lines[0].split()) == (name != "kitti")
    assert {len(line.split()) for line in lines} == {len(lines[0].split())}


def test_bad_input(
    script: ModuleType,
    one: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    gt, tracks = one
    words = ["--format", "mot17", "--gt", gt, "--tracks", tracks]

    def complaint(*more: object) -> str:
        assert run(script, monkeypatch, *words, *more) == 2
        captured = capsys.readouterr()
        assert captured.out == "" and captured.err.count("\n") == 1
        return captured.err

    assert "--classes car: mot17 judges pedestrian" in complaint("--classes", "car")
    text = (tracks / "a.txt").read_text()
    (tracks / "a.txt").write_text(text + "4,9,1,1,5,5,1,-1,-1,-1\n")
    assert "has frame 4, the sequence ends with frame 3" in complaint()
    (tracks / "a.txt").write_text(text + text)
    assert "a.txt, line 3: id 9 is there twice in the same frame" in complaint()
    (tracks / "a.txt").write_text("1,9,1,1,5,5,1,3,1\n")
    assert "has objects of class 3; MOTChallenge judges pedestrians only" in complaint()
    (tracks / "a.txt").unlink()
    assert "a.txt: missing" in complaint()
    (gt / "a/seqinfo.ini").write_text("[Sequence]\nseqLength=many\n")
    assert "[Sequence] has no whole number seqLength" in complaint()
    (gt / "a/gt/gt.txt").unlink()
    assert "no ground truth; expected */gt/gt.txt there" in complaint()
    words[3] = gt / "nowhere"
    assert "no such folder" in complaint()


def test_masks_of_another_size_and_a_bad_list(
    script: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    gt, tracks = kit(tmp_path, "kitti_mots")
    words = ("--format", "kitti_mots", "--gt", gt, "--tracks", tracks)
    (tracks / "0000.txt").write_text("0 1001 1 2 2 04\n")
    assert run(script, monkeypatch, *words) == 2
    assert "masks of 2 x 2 pixels, the ground truth of" in capsys.readouterr().err
    seqmap = gt / "evaluate_mots.seqmap.val"
    seqmap.write_text(f"0000 empty 000000 {FRAMES}\nseventeen\n")
    assert run(script, monkeypatch, *words) == 2
    assert "evaluate_mots.seqmap.val, line 2:" in capsys.readouterr().err
