"""How far a run is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from segtrack.runs import KeptRun, StageState, curves_of, log_part, stages_of
from segtrack.runs import live as lives
from segtrack.runs.places import Folder

LOOP = ["prepare", "train", "evaluate", "track"]


def run(folder: Path, status: str = "RUNNING", **tags: str) -> KeptRun:
    named = {key.replace("_", "."): value for key, value in tags.items()}
    params = {"stages": json.dumps(LOOP)}
    return KeptRun("1" * 32, "run", Folder(folder), status, tags=named, params=params)


def states(of: KeptRun) -> list[str]:
    return [f"{one.name} {one.state}" for one in stages_of(of)]


def test_stages_one_after_the_other(tmp_path: Path) -> None:
    assert states(run(tmp_path)) == ["prepare now", "train ahead", "evaluate ahead", "track ahead"]
    trained = run(tmp_path, stage_prepare="reused 1f", stage_train="built in 61.5 s 2f")
    assert stages_of(trained) == [
        StageState("prepare", "done", "reused"),
        StageState("train", "done", "built in 61.5 s"),
        StageState("evaluate", "now"),
        StageState("track", "ahead"),
    ]


def test_parts_say_that_a_stage_has_begun(tmp_path: Path) -> None:
    """Of track itself nothing is stored."""
    tracking = run(tmp_path, stage_predict="reused 1", stage_detect="built in 2.0 s 2")
    found = {one.name: one for one in stages_of(tracking)}
    assert found["evaluate"] == StageState("evaluate", "done", "", ("predict reused",))
    assert found["track"] == StageState("track", "now", "", ("detect built in 2.0 s",))


@pytest.mark.parametrize("status", ["FAILED", "KILLED"])
def test_where_it_ended(tmp_path: Path, status: str) -> None:
    assert states(run(tmp_path, status, stage_prepare="reused 1"))[:2] == [
        "prepare done",
        "train stopped",
    ]
    finished = run(tmp_path, "FINISHED", stage_prepare="reused 1")
    assert {one.state for one in stages_of(finished)} == {"done"}


def test_stages_as_they_were_typed(tmp_path: Path) -> None:
    """Settings that were set are recorded in the words of the command, others as JSON."""
    typed = run(tmp_path, stage_prepare="reused 1f")
    typed.params["stages"] = "[prepare, train,evaluate]"
    assert states(typed) == ["prepare done", "train now", "evaluate ahead"]


def test_a_stage_comes_behind_what_it_asks_for(tmp_path: Path) -> None:
    choosing = run(tmp_path, stage_prepare="reused 1f")
    choosing.params["stages"] = "[prepare,train,select,push]"
    assert states(choosing) == ["prepare done", "train now", "select ahead", "push ahead"]


def test_what_lists_none(tmp_path: Path) -> None:
    other = KeptRun("1" * 32, "theirs", Folder(tmp_path), params={"stages": '["prepare", "own"]'})
    assert [one.name for one in stages_of(other)] == ["prepare", "own"]
    assert stages_of(KeptRun(None, "folder", Folder(tmp_path))) == []


def test_the_log_as_it_grows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = run(tmp_path / "nowhere", output=str(tmp_path))
    assert log_part(one) is None
    log = tmp_path / "segtrack.log"
    log.write_text("first\nsecond\nthi")
    part = log_part(one)
    assert part and (part.text, part.start, part.end) == ("first\nsecond\n", 0, 13)
    with log.open("a") as file:
        file.write("rd ü\n")
    more = log_part(one, part.end)
    assert more and (more.text, more.start, more.end) == ("third ü\n", 13, 22)
    nothing = log_part(one, 22)
    assert nothing and (nothing.text, nothing.end) == ("", 22)
    again = log_part(one, 99)  # of a file that was longer
    assert again and (again.start, again.end) == (0, 22)
    monkeypatch.setattr(lives, "MOST", 12)
    end = log_part(one)
    assert end and (end.text, end.start) == ("third ü\n", 13)


def test_the_log_of_what_has_ended_is_whole(tmp_path: Path) -> None:
    (tmp_path / "segtrack.log").write_text("one\ncut short")
    ended = run(tmp_path, "KILLED", output=str(tmp_path / "removed"))
    part = log_part(ended)
    assert part and part.text == "one\ncut short"


def test_curves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["train/box_loss", "val/box_loss", "val/box_map50", "val/mask_map50", "train/lr"]
    aside = ["train/batch", "val/best/mask_map50", "track/hota"]
    one = KeptRun("1" * 32, "run", Folder(tmp_path), metrics=dict.fromkeys([*names, *aside], 0.5))
    monkeypatch.setattr(Folder, "history", lambda self, name: [(1, float(len(name)))])
    assert curves_of(one) == {
        "box_loss": {"train": [(1, 14.0)], "val": [(1, 12.0)]},
        "val/box": {"map50": [(1, 13.0)]},
        "val/mask": {"map50": [(1, 14.0)]},
        "lr": {"train": [(1, 8.0)]},
    }
    evaluated = KeptRun("1" * 32, "run", Folder(tmp_path), metrics={"val/mask_map50": 0.5})
    assert curves_of(evaluated) == {}
