"""Digests of files and of values, links."""

import hashlib
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from segtrack.base.files import digest, file_digest, hand_out, link_or_copy, not_saved


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


@pytest.mark.parametrize(
    ("name", "size", "linked"),
    [
        ("best.pt", 2 << 20, True),
        ("annotated.mp4", 2 << 20, True),
        ("best.pt", 1000, False),
        ("results.json", 2 << 20, False),
    ],
)
def test_editing_what_was_handed_out_leaves_the_original_alone(
    name: str, size: int, linked: bool, tmp_path: Path
) -> None:
    source, target = tmp_path / name, tmp_path / "deep" / name
    source.write_bytes(b"a" * size)
    source.chmod(0o444)
    for _ in range(2):  # it takes the place of what was there
        hand_out(source, target)
    assert source.samefile(target) is linked
    assert target.read_bytes() == b"a" * size
    if not linked:
        assert target.stat().st_mode & 0o200  # one may write into a copy
        target.write_bytes(b"b")
        assert source.read_bytes() == b"a" * size


def test_a_saved_file_that_was_cut_is_told_from_one_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data.pkl", bytes(1000))
    assert not not_saved(path)
    path.write_bytes(path.read_bytes()[:500])
    assert not_saved(path).endswith("but its end is missing: copy it again")
    path.write_bytes(b"")
    assert not_saved(path) == "it is no file that PyTorch saved"
