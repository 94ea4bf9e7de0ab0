"""The table that prepare prints."""

import json
from pathlib import Path

import pytest

from segtrack.dataset import Dataset
from segtrack.dataset.canonical import FILE
from segtrack.dataset.overview import MOST_CLASSES, overview
from segtrack.report import table_text


def prepared(folder: Path, counts: dict[str, int], classes: dict[str, dict[str, int]]) -> Dataset:
    (folder / FILE).write_text(json.dumps({"classes": classes}), encoding="utf-8")
    names = tuple(dict.fromkeys(name for one in classes.values() for name in one))
    return Dataset(folder, "f", names, counts, [], (), {}, {})


def test_images_and_objects_by_split_and_class(tmp_path: Path) -> None:
    classes = {"train": {"car": 5, "truck / van": 7}, "val": {"car": 0, "truck / van": 1}}
    classes |= {"test": {"car": 0, "truck / van": 0}}
    dataset = prepared(tmp_path, {"train": 3, "val": 2, "test": 0}, classes)
    assert [
        line.split() for line in table_text(overview(dataset)).splitlines() if "---" not in line
    ] == [
        ["train", "val", "all"],
        ["images", "3", "2", "5"],
        ["objects", "12", "1", "13"],
        ["truck", "/", "van", "7", "1", "8"],
        ["car", "5", "0", "5"],
    ]


@pytest.mark.parametrize(("count", "lines"), [(12, 12), (13, 13), (14, 13), (80, 13)])
def test_many_classes_do_not_fill_the_screen(tmp_path: Path, count: int, lines: int) -> None:
    classes = {"train": {f"class {i}": 100 - i for i in range(count)}}
    text = table_text(overview(prepared(tmp_path, {"train": 9}, classes))).splitlines()
    assert len(text) == 4 + lines
    if count > MOST_CLASSES + 1:
        rest = sum(100 - i for i in range(MOST_CLASSES, count))
        assert text[-1].split() == ["...", str(count - MOST_CLASSES), "more", str(rest), str(rest)]


def test_without_images(tmp_path: Path) -> None:
    assert overview(prepared(tmp_path, {"train": 0}, {"train": {}})) == []


def test_odd_names_do_not_break_the_table(tmp_path: Path) -> None:
    classes = {"train": {"a\nb": 1, "x" * 300: 2, "": 3}}
    text = table_text(overview(prepared(tmp_path, {"train": 1}, classes)))
    assert len(text.splitlines()) == 4 + 3 and max(map(len, text.splitlines())) < 80
