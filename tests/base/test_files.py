"""Digests of files and of values, links."""

import hashlib
import tracemalloc
from pathlib import Path

import pytest

from segtrack.base.files import digest, file_digest, link_or_copy


@pytest.mark.parametrize("size", [0, 1, 1 << 18, (1 << 20) + 7])
def test_the_digest_of_a_file_is_that_of_its_bytes(tmp_path: Path, size: int) -> None:
    data = bytes(range(256)) * (size // 256) + bytes(size % 256)
    (tmp_path / "file").write_bytes(data)
    assert file_digest(tmp_path / "file") == hashlib.sha256(data).hexdigest()


def test_a_large_file_is_read_as_a_stream(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file:
        file.truncate(32 << 20)
    tracemalloc.start()
    file_digest(tmp_path / "file")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 << 20


def test_the_digest_of_a_value_does_not_depend_on_the_order_of_keys() -> None:
    assert digest({"a": 1, "b": [Path("x")]}) == digest({"b": ["x"], "a": 1})
    assert digest({"a": 1}) != digest({"a": 1.5})


def test_a_link_takes_the_place_of_what_was_there(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "deep" / "target"
    source.write_text("new")
    target.parent.mkdir()
    target.write_text("old")
    link_or_copy(source, target)
    assert target.read_text() == "new"
    assert source.samefile(target)
