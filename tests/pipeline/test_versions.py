"""A stage's source may not change unnoticed: the store would serve results of the old code."""

import json
import shutil
from pathlib import Path

import pytest

from segtrack.pipeline import STAGES, versions


def test_no_stage_changed_without_a_version_or_an_acknowledgement() -> None:
    found = "\n".join(f"{k}: {', '.join(names)}" for k, names in versions.changed().items())
    assert not found, (
        f"these modules changed:\n{found}\nIf what the stage produces changed, raise its version; "
        "then run: python scripts/acknowledge_stages.py"
    )


def test_every_stored_stage_and_every_tracker_is_watched() -> None:
    known = versions.current()
    assert set(known) >= {name for name in STAGES if STAGES.get(name).version}
    assert {"tracker bytetrack", "tracker botsort", "model family ultralytics"} <= set(known)
    for name, row in known.items():
        assert row["version"] >= 1 and len(row["modules"]) > 2, name


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source")
    for package in versions.PACKAGES:
        shutil.copytree(
            versions.SOURCE / package, folder / package, ignore=shutil.ignore_patterns("*.pt")
        )
    return folder


def flagged(copy: Path, file: str, line: str, other: str) -> set[str]:
    """The stages that differ after one line of a copy of the source was replaced."""
    before = versions.current(copy)
    path = copy / "segtrack" / file
    text = path.read_text()
    assert text.count(line) == 1
    path.write_text(text.replace(line, other))
    try:
        now = versions.current(copy)
    finally:
        path.write_text(text)
    module = f"segtrack.{file.removesuffix('.py').replace('/', '.')}"
    differ = {name for name in now if now[name] != before[name]}
    for name in differ:
        other_modules = {m: d for m, d in now[name]["modules"].items() if m != module}
        assert other_modules.items() <= before[name]["modules"].items()
    return differ


def test_ground_truth_of_images_is_a_part_of_evaluate(copy: Path) -> None:
    differ = flagged(copy, "dataset/canonical.py", '"iscrowd": int(row["iscrowd"])', '"iscrowd": 0')
    assert {"evaluate", "prepare"} <= differ
    assert "train" in differ  # it is handed a data set
    assert not differ & {"detect", "associate", "score", "render"}


def test_what_prepare_leaves_for_others_is_a_part_of_them(copy: Path) -> None:
    """Their keys name the labels, not the form in which prepare writes them."""
    line = "def label_rows("
    differ = flagged(copy, "dataset/yolo_tree.py", line, f"EMPTY = 1\n\n\n{line}")
    assert {"prepare", "train"} <= differ
    line = "def annotation_table("
    differ = flagged(copy, "dataset/tables.py", line, f"EMPTY = 1\n\n\n{line}")
    assert {"prepare", "evaluate"} <= differ


def test_tables_are_a_part_of_what_writes_them(copy: Path) -> None:
    line = "def table_csv("
    differ = flagged(copy, "report/tables.py", line, f"EMPTY = 1\n\n\n{line}")
    assert differ == {"count", "evaluate", "render", "segment", "select", "suspect"}


def test_results_json_is_no_part_of_what_is_stored(copy: Path) -> None:
    line = "def write_results("
    assert flagged(copy, "tracker/results.py", line, f"EMPTY = 1\n\n\n{line}") == set()


def test_a_tracker_changes_alone(copy: Path) -> None:
    line = "class ByteTrack"
    differ = flagged(copy, "tracker/bytetrack/bytetrack.py", line, f"EMPTY = 1\n\n\n{line}")
    assert differ == {"tracker bytetrack"}


def test_a_comment_or_a_docstring_is_no_change(copy: Path) -> None:
    line = '"""Motion'
    path = "tracker/bytetrack/kalman.py"
    first = (copy / "segtrack" / path).read_text().splitlines()[0]
    line = first if first.startswith('"""') else line
    assert flagged(copy, path, first, f"# a comment\n{first.replace('a', 'b')}") == set()


def test_single_stages_are_acknowledged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = tmp_path / "stages.json"
    monkeypatch.setattr(versions, "RECORD", record)
    versions.write()
    known = json.loads(record.read_text())
    for name in ("evaluate", "score"):
        known[name]["version"] = 0
    record.write_text(json.dumps(known))
    assert versions.changed() == {"evaluate": ["its version"], "score": ["its version"]}
    versions.write(["score"])
    assert versions.changed() == {"evaluate": ["its version"]}
