"""``segtrack score``: its JSON, its table, and what it says of bad input."""

import json
from pathlib import Path

import pytest

from segtrack.command.app import main
from tests.scoring import made
from tests.scoring.test_oracle import FRAMES, kit


def run(*words: object) -> int:
    return main(["score", *map(str, words)])


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
    one: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    gt, tracks = one
    words = ("--format", "mot17", "--gt", gt, "--tracks", tracks, "--json")
    assert run(*words) == 0
    document = json.loads(capsys.readouterr().out)
    assert set(document) == {"combined", "per_sequence"}
    scores = document["combined"]["pedestrian"]
    assert document["per_sequence"] == {"a": {"pedestrian": scores}}
    assert scores["MOTA"] == pytest.approx(100 * 2 / 3)
    assert scores["IDF1"] == pytest.approx(100 * 2 / 2.5)
    assert scores["HOTA"] == pytest.approx(100 * 2 / 3)
    assert scores["FN"] == 1 and scores["IDSW"] == 0 and "MOTSA" not in scores
    assert run(*words, "--classes", "person") == 0
    assert json.loads(capsys.readouterr().out)["combined"] == {"person": scores}


def test_occlusions(
    one: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Followed by track 9, hidden for a frame, then by track 8."""
    gt, tracks = one
    box = "10,10,20,40"
    seen = (1, 0.1, 0.5)
    made.write(gt / "a/gt/gt.txt", [f"{t + 1},1,{box},1,1,{seen[t]}\n" for t in range(3)])
    made.write(tracks / "a.txt", [f"{t},{i},{box},1,-1,-1,-1\n" for t, i in ((1, 9), (3, 8))])
    words = ("--format", "mot17", "--gt", gt, "--tracks", tracks)
    assert run(*words, "--json") == 0
    scores = json.loads(capsys.readouterr().out)["combined"]["pedestrian"]
    whole = {"gap": "all", "occlusions": 1, "kept": 0, "switched": 1, "lost": 0, "kept_share": 0}
    assert scores["occlusions"][-1] == whole
    assert [row["recall"] for row in scores["visibility"]] == [1, 1, None, 0]
    assert {row["comparable"] for row in scores["visibility"]} > {"no: 1 small objects"}
    assert run(*words, "--occlusions") == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["pedestrian", "all", "1", "0", "1", "0", "0.0"] in lines
    made.write(gt / "a/gt/gt.txt", [f"{t},1,{box},1,1\n" for t in (1, 2, 3)])
    assert run(*words, "--occlusions") == 0
    assert "visibility: n/a, the ground truth does not say" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["kitti", "kitti_mots", "mots"])
def test_table(
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    gt, tracks = kit(tmp_path, name)
    assert run("--format", name, "--gt", gt, "--tracks", tracks) == 0
    lines = capsys.readouterr().out.splitlines()
    classes = 1 if name == "mots" else 2
    assert len(lines) == 1 + classes * (6 + 1)  # a head; each sequence and their combination
    assert ("sMOTSA" in lines[0].split()) == (name != "kitti")
    assert {len(line.split()) for line in lines} == {len(lines[0].split())}


def test_bad_input(
    one: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    gt, tracks = one
    words = ["--format", "mot17", "--gt", gt, "--tracks", tracks]

    def complaint(*more: object) -> str:
        assert run(*words, *more) == 2
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
    (gt / "a/seqinfo.ini").write_text("[Sequence]\nseqLength=999999999\n")
    assert "a is said to have 999999999 frames; 10000000 is most" in complaint()
    (gt / "a/gt/gt.txt").unlink()
    assert "no ground truth; expected */gt/gt.txt there" in complaint()
    words[3] = gt / "nowhere"
    assert "no such folder" in complaint()


def test_masks_of_another_size_and_a_bad_list(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    gt, tracks = kit(tmp_path, "kitti_mots")
    words = ("--format", "kitti_mots", "--gt", gt, "--tracks", tracks)
    (tracks / "0000.txt").write_text("0 1001 1 2 2 04\n")
    assert run(*words) == 2
    assert "masks of 2 x 2 pixels, the ground truth of" in capsys.readouterr().err
    seqmap = gt / "evaluate_mots.seqmap.val"
    seqmap.write_text(f"0000 empty 000000 {FRAMES}\nseventeen\n")
    assert run(*words) == 2
    assert "evaluate_mots.seqmap.val, line 2:" in capsys.readouterr().err


def answer(
    capsys: pytest.CaptureFixture[str],
    name: str,
    folder: Path,
) -> dict[str, object]:
    """Combined scores of ``folder``'s gt and tracks."""
    words = ("--format", name, "--gt", folder / "gt", "--tracks", folder / "tracks", "--json")
    assert run(*words) == 0
    combined = json.loads(capsys.readouterr().out)["combined"]
    (scores,) = combined.values()
    return dict(scores)


def sequence(folder: Path, name: str, gt: str, tracks: str, frames: int = 2) -> Path:
    made.write(folder / "gt" / name / "gt" / "gt.txt", [gt])
    made.ini(folder / "gt" / name / "seqinfo.ini", frames)
    made.write(folder / "tracks" / f"{name}.txt", [tracks])
    return folder


PERSON = "1,1,100,100,50,100,1,1,1\n2,1,100,100,50,100,1,1,1\n"
FOUND = "1,7,100,100,50,100,1\n2,7,100,100,50,100,1\n"


@pytest.mark.parametrize("gt", ["", PERSON.replace(",1,1,1\n", ",0,1,1\n"), PERSON[:0] + "\n"])
@pytest.mark.parametrize("tracks", ["", FOUND])
def test_without_ground_truth_there_is_no_score(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    gt: str,
    tracks: str,
) -> None:
    sequence(tmp_path, "a", gt, tracks)
    scores = answer(capsys, "mot17", tmp_path)
    assert {name for name, value in scores.items() if value is not None} == {
        *("IDSW", "FP", "FN", "Frag", "MT", "PT", "ML")
    }
    assert scores["FP"] == len(tracks.splitlines())
    words = ("--format", "mot17", "--gt", tmp_path / "gt", "--tracks", tmp_path / "tracks")
    assert run(*words) == 0
    head, one, combined = (line.split() for line in capsys.readouterr().out.splitlines())
    assert one[2:] == combined[2:]
    assert dict(zip(head, one, strict=True))["MOTA"] == "n/a"


def test_a_sequence_without_ground_truth_among_others(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Its false positives count in the combination, as in TrackEval."""
    sequence(tmp_path, "a", PERSON, FOUND)
    sequence(tmp_path, "b", "", FOUND)
    assert answer(capsys, "mot17", tmp_path)["MOTA"] == 0.0


@pytest.mark.parametrize("name", ["kitti_mots", "mots"])
def test_masks_without_ground_truth(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
) -> None:
    for folder in ("gt/instances_txt", "tracks"):
        made.write(
            tmp_path / folder / "0000.txt", ["1 2001 2 2 2 04\n"] if folder == "tracks" else []
        )
    words = ("--format", name, "--gt", tmp_path / "gt", "--tracks", tmp_path / "tracks", "--json")
    assert run(*words) == 0
    for scores in json.loads(capsys.readouterr().out)["combined"].values():
        assert scores["MOTSA"] is scores["sMOTSA"] is scores["HOTA"] is None


@pytest.mark.parametrize(
    ("ending", "fine"),
    [
        ("", True),
        (",0", True),
        (",1", True),
        (",-1", True),
        (",0,-1", True),
        (",1,1", True),
        (",-1,-1,-1", True),
        (",1,-1,-1", True),
        (",2", False),
        (",3,1", False),
        (",2,-1,-1", False),
    ],
)
@pytest.mark.parametrize("name", ["mot17", "mot20"])
def test_columns_of_a_tracker_as_trackeval_reads_them(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    ending: str,
    fine: bool,
) -> None:
    """Whatever is in the eighth column is a class, and only pedestrians are judged."""
    sequence(tmp_path, "a", PERSON, FOUND.replace("\n", ending + "\n"))
    if fine:
        assert answer(capsys, name, tmp_path)["HOTA"] == pytest.approx(100)
        return
    words = ("--format", name, "--gt", tmp_path / "gt", "--tracks", tmp_path / "tracks")
    assert run(*words) == 2
    assert "a.txt, line 1: has objects of class" in capsys.readouterr().err


VEHICLE = "1,2,300,100,50,100,1,6,1\n"


@pytest.mark.parametrize(
    ("name", "given", "excused"),
    [
        ("MOT20-01", "mot20", True),
        ("MOT20-01", "mot17", True),
        ("mot20_x", "mot17", True),
        ("street", "mot20", True),
        ("street", "mot17", False),
        ("MOT17-02-FRCNN", "mot17", False),
        ("MOT16-02", "mot17", False),
        ("MOT2001", "mot17", False),
        ("my-MOT20-01", "mot17", False),
    ],
)
def test_rules_of_mot20(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    given: str,
    excused: bool,
) -> None:
    """A box on a vehicle is no mistake there, and the name of a sequence says so by itself."""
    folder = sequence(tmp_path, name, PERSON + VEHICLE, FOUND + "1,8,300,100,50,100,1\n")
    words = ("--format", given, "--gt", folder / "gt", "--tracks", folder / "tracks", "--json")
    assert run(*words) == 0
    printed = capsys.readouterr()
    (scores,) = json.loads(printed.out)["combined"].values()
    assert (scores["FP"], scores["MOTA"]) == ((0, 100) if excused else (1, 50))
    assert ("by MOT20's rules" in printed.err) == (excused and given == "mot17")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            "1,1,50,100,60,80,-1,0,-1\n2,1,50,100,60,80,-1,0,-1\n",
            "line 1: class ids 0 (eighth column) are not among",
        ),
        (
            PERSON + "2,3,1,1,5,5,1,14,1\n2,4,1,1,5,5,1,99,1\n",
            "line 3: class ids 14, 99 (eighth",
        ),
        ("1,1,50,100,60,80,1,0\n", "line 1: class ids 0 (eighth column)"),
        ("1,1,50,100,60,80,1,-1,-1,-1\n", "line 1: no column for the class"),
    ],
)
@pytest.mark.parametrize("tracks", ["", FOUND])
def test_classes_that_the_benchmark_does_not_have(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    rows: str,
    message: str,
    tracks: str,
) -> None:
    sequence(tmp_path, "a", rows, tracks)
    words = ("--format", "mot17", "--gt", tmp_path / "gt", "--tracks", tmp_path / "tracks")
    assert run(*words) == 2
    assert f"gt.txt, {message}" in capsys.readouterr().err


def test_other_unknown_classes(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    gt, tracks = kit(tmp_path / "kitti", "kitti")
    words = ["--format", "kitti", "--gt", gt, "--tracks", tracks]
    text = (tracks / "0000.txt").read_text()
    (tracks / "0000.txt").write_text(text.replace("Car", "Lorry").replace("Pedestrian", "Dog"))
    assert run(*words) == 2
    assert "0000.txt, line 1: 'Dog', 'Lorry' is no type of KITTI" in capsys.readouterr().err
    (tracks / "0000.txt").write_text(text.replace(" 0.9\n", " 0.9 -1\n"))
    assert run(*words) == 0
    capsys.readouterr()
    gt, tracks = kit(tmp_path / "mots", "kitti_mots")
    file = next((gt / "label_02").iterdir())
    file.write_text("0 3001 3 2 2 04\n")
    assert run("--format", "kitti_mots", "--gt", gt, "--tracks", tracks) == 2
    assert "class ids 3 (third column) are not among 1 car, 2" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("car\nperson\n", "class 1 is 'car', which MOTChallenge's rules do not judge"),
        ("pedestrian\ncar\n", ""),
        ("Person\n", ""),
        ("pedestrian\n\ncar\n", "line 2: no name"),
        ("pedestrian\ncar\ncar\n", "line 3: 'car' is line 2 too"),
    ],
)
def test_classes_named_in_labels(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    labels: str,
    message: str,
) -> None:
    sequence(tmp_path, "a", PERSON, FOUND)
    (tmp_path / "gt/a/gt/labels.txt").write_text(labels)
    if not message:
        assert answer(capsys, "mot17", tmp_path)["HOTA"] == pytest.approx(100)
        return
    words = ("--format", "mot17", "--gt", tmp_path / "gt", "--tracks", tmp_path / "tracks")
    assert run(*words) == 2
    assert message in capsys.readouterr().err
