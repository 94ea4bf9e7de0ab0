"""What is chosen on footage is not tested on it, whatever it is called."""

from dataclasses import replace
from pathlib import Path

import pytest

from segtrack.base.errors import SettingsError
from segtrack.dataset.same_footage import footage
from segtrack.dataset.sequence_sources import sequences_from, with_roles
from segtrack.dataset.sequences import VideoSequence

ONE = VideoSequence("one", Path("one"), "frames of one", 4, 3, 25.0, 2)
OTHER = replace(ONE, name="other", path=Path("other"), sha256="frames of other")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *((f"MOT17-02{of}", "MOT17-02") for of in ("", "-DPM", "-FRCNN", "-SDP", "-FRCNN-2")),
        *(("MOT16-02", "MOT17-02"), ("MOTS20-02", "MOT17-02"), ("mot17-13-sdp", "MOT17-13")),
        *((name, name) for name in ("MOT20-02", "MOT17-021", "KITTI-17", "0017", "MOT17", "v")),
    ],
)
def test_footage_by_name(name: str, expected: str) -> None:
    assert footage(name) == expected


@pytest.mark.parametrize(
    ("tuning", "test"),
    [("MOT17-02-DPM", "MOT17-02-SDP"), ("MOT16-02", "MOT17-02-FRCNN"), ("MOTS20-02", "MOT17-02")],
)
def test_one_scene_under_two_names(tuning: str, test: str) -> None:
    found = (replace(ONE, name=tuning), replace(OTHER, name=test))
    with pytest.raises(SettingsError) as refused:
        with_roles(found, [tuning], [test])
    assert str(refused.value) == (
        f"dataset.tuning={tuning}: is the same footage as dataset.test={test} (MOT17-02): "
        "settings that were chosen on it cannot be tested on it; give both the same role, or "
        "leave one out"
    )
    assert [s.role for s in with_roles(found, [tuning, test], [])] == ["tuning"] * 2


def test_copies_under_other_names(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"one: .* dataset.test=other \(the same frames\)"):
        with_roles((ONE, replace(OTHER, sha256=ONE.sha256)), ["one"], ["other"])
    for name, det in (("a", "1,-1,2,2,9,9,.9\n"), ("b", "1,-1,3,3,9,9,.8\n")):
        for kind, text in (("gt", "1,1,2,2,9,9,1,1,1\n"), ("det", det)):
            (tmp_path / name / kind).mkdir(parents=True)
            (tmp_path / name / kind / f"{kind}.txt").write_text(text)
    found = sequences_from(str(tmp_path))
    with pytest.raises(SettingsError, match=r"a: .* dataset.test=b \(the same ground truth\)"):
        with_roles(found, ["a"], ["b"])
    (tmp_path / "b" / "gt" / "gt.txt").write_text("1,1,2,2,9,8,1,1,1\n")
    assert [s.role for s in with_roles(found, ["a"], ["b"])] == ["tuning", "test"]
    for name in "ab":  # nothing in them is nothing shared
        (tmp_path / name / "gt" / "gt.txt").write_text("")
    assert [s.role for s in with_roles(found, ["a"], ["b"])] == ["tuning", "test"]
