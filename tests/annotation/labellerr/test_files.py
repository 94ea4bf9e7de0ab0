from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segtrack.annotation.labellerr.files import (
    CALL_FILES,
    DATASET_FILES,
    LocalFile,
    check_files,
    split,
)
from segtrack.base.errors import DataError


def write(path: Path, text: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_sorted_by_name_with_size_and_stamp(tmp_path: Path) -> None:
    b, a = write(tmp_path / "b.png", "four"), write(tmp_path / "sub" / "a.jpeg")
    files = check_files([b, a], {b: "digest"})
    assert [(f.name, f.path, f.size) for f in files] == [("a.jpeg", a, 1), ("b.png", b, 4)]
    assert files[1].stamp == "digest"
    assert files[0].stamp == f"1-{a.stat().st_mtime_ns}"


def test_upper_case_suffix_goes_in_lower_case(tmp_path: Path) -> None:
    """The SDK's folder upload leaves ``b.JPG`` out without a word."""
    (file,) = check_files([write(tmp_path / "b.JPG")])
    assert (file.name, file.renamed) == ("b.jpg", True)
    (file,) = check_files([write(tmp_path / "C.jpg")])
    assert (file.name, file.renamed) == ("C.jpg", False)
    (file,) = check_files([write(tmp_path / "D.MP4")], data_type="video")
    assert (file.name, file.renamed) == ("D.mp4", True)


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    paths = [
        write(tmp_path / "a.bmp"),
        write(tmp_path / "empty.jpg", ""),
        tmp_path / "gone.jpg",
        write(tmp_path / "one" / "same.jpg"),
        write(tmp_path / "two" / "same.JPG"),
        write(tmp_path / 'quo"te.jpg'),
        write(tmp_path / "fine.jpg"),
    ]
    with pytest.raises(DataError) as caught:
        check_files(paths)
    message = str(caught.value)
    assert "only .jpg, .jpeg, .png, .tiff are accepted; convert: " + str(paths[0]) in message
    assert "empty (0 bytes); remove or replace: " + str(paths[1]) in message
    assert "no such file: " + str(paths[2]) in message
    assert f"rename: same.jpg ({paths[3]} and {paths[4]})" in message
    assert "characters that do not travel" in message
    assert "fine.jpg" not in message


def test_nothing_to_send() -> None:
    with pytest.raises(DataError, match="the list of files is empty"):
        check_files([])


def file(i: int, size: int) -> LocalFile:
    return LocalFile(Path(f"{i}.jpg"), f"{i}.jpg", size, "")


def test_the_platforms_limits() -> None:
    assert [len(p) for p in split([file(i, 1) for i in range(5001)])] == [2500, 2500, 1]
    assert (DATASET_FILES, CALL_FILES) == (2500, 900)
    gib = 1024**3
    assert [len(p) for p in split([file(i, gib) for i in range(5)])] == [2, 2, 1]
    assert [len(p) for p in split([file(0, 9), file(1, 30), file(2, 1)], 900, 15)] == [1, 1, 1]


@given(st.lists(st.integers(1, 20), max_size=40), st.integers(1, 7), st.integers(1, 40))
def test_split_keeps_order_and_limits(sizes: list[int], count: int, size: int) -> None:
    files = [file(i, s) for i, s in enumerate(sizes)]
    parts = list(split(files, count, size))
    assert [f for part in parts for f in part] == files
    for part in parts:
        assert 1 <= len(part) <= count
        assert len(part) == 1 or sum(f.size for f in part) <= size
    for part, following in itertools.pairwise(parts):
        full = len(part) == count or sum(f.size for f in part) + following[0].size > size
        assert full
