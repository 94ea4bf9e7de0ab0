"""A result that was altered after it was made: named, made anew, never used."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from segtrack.base.files import digest
from segtrack.base.metrics import Metric, Report
from segtrack.store import record as records
from segtrack.store.store import StageCall, Store

CALL = StageCall("predict", 1, {"conf": 0.25, "names": ["å", "b"]}, {"data": "abc"})
FILES = ["deep/er/b.bin", "empty", "link", "metrics.jsonl", "tracks.parquet"]


def make(folder: Path, report: Report) -> None:
    (folder / "tracks.parquet").write_bytes(bytes(range(200)))
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "deep" / "er" / "b.bin").write_bytes(b"\0" * 100)
    (folder / "empty").touch()
    (folder / "link").symlink_to("/elsewhere/image.jpg")
    report("speed/fps", 0.5, 1)


def contents(folder: Path) -> dict[str, bytes | Path]:
    found = [p for p in folder.rglob("*") if p.is_symlink() or p.is_file()]
    return {
        p.relative_to(folder).as_posix(): p.readlink() if p.is_symlink() else p.read_bytes()
        for p in found
        if p.name != "stage.json"
    }


def made_anew(root: Path, heard: list[Metric] | None = None) -> bool:
    """Run in a process that has not looked yet; whether it was built."""
    records._read.clear()
    built = []

    def build(folder: Path, report: Report) -> None:
        built.append(1)
        make(folder, report)

    result = Store(root).run(CALL, build, None if heard is None else heard.append)
    assert result.hit is not bool(built)
    return bool(built)


def flip(path: Path, at: int) -> None:
    """Invert a bit and keep the times, as a bad disk does."""
    before, content = path.lstat(), bytearray(path.read_bytes())
    content[at] ^= 4
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_the_record_lists_each_file_with_size_and_digest(tmp_path: Path) -> None:
    result = Store(tmp_path).run(CALL, make)
    rows = json.loads((result.folder / "stage.json").read_text())["files"]
    assert sorted(rows) == FILES
    assert rows["deep/er/b.bin"] == {
        "size": 100,
        "sha256": "cd00e292c5970d3c5e2f0ffa5171e555bc46bfc4faddfb4a418b6840b86e79a3",
    }


@pytest.mark.parametrize("name", ["deep/er/b.bin", "metrics.jsonl", "tracks.parquet"])
@pytest.mark.parametrize("at", [0, 13, -1])
def test_one_flipped_bit_of_any_file_is_found_and_the_result_made_anew(
    name: str, at: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Store(tmp_path).run(CALL, make).folder
    whole = contents(folder)
    flip(folder / name, at)
    heard: list[Metric] = []
    assert made_anew(tmp_path, heard)
    assert heard == [Metric("speed/fps", 0.5, 1)]
    told = f"store: predict {CALL.key[:6]}: {name} is damaged (its digest is another); the result"
    assert capsys.readouterr().out == f"{told} is to be made anew\n"
    assert contents(folder) == whole
    assert not list((tmp_path / "trash").iterdir()) and not made_anew(tmp_path)


def test_one_flipped_bit_of_the_record_is_found(tmp_path: Path) -> None:
    record = Store(tmp_path).run(CALL, make).folder / "stage.json"
    for at in range(0, record.stat().st_size, 7):
        if record.read_bytes()[at : at + 1].isspace():
            continue  # between the values, where it changes nothing
        flip(record, at)
        assert made_anew(tmp_path), at


@pytest.mark.parametrize("name", [name for name in FILES if name != "empty"])
def test_a_file_that_was_cut_off_or_removed_is_found_at_each_use(name: str, tmp_path: Path) -> None:
    store = Store(tmp_path)
    path = store.run(CALL, make).folder / name
    assert store.find(CALL)
    if not path.is_symlink():
        os.truncate(path, path.stat().st_size - 1)
        assert store.find(CALL) is None
        assert made_anew(tmp_path) and store.find(CALL)
    path.unlink()
    assert store.find(CALL) is None
    assert made_anew(tmp_path) and store.find(CALL)


def test_in_one_process_digests_are_looked_at_once_and_again_where_a_file_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, read = Store(tmp_path), []
    folder = store.run(CALL, make).folder
    content = records._content
    monkeypatch.setattr(records, "_content", lambda path: read.append(path) or content(path))
    for _ in range(3):
        assert store.find(CALL)
    assert len(read) == len(FILES)
    (folder / "tracks.parquet").write_bytes(b"x" * 200)
    assert store.find(CALL) is None


def test_what_was_put_beside_the_files_is_nobodys_business(tmp_path: Path) -> None:
    folder = Store(tmp_path).run(CALL, make).folder
    (folder / "deep" / ".DS_Store").write_text("x")
    (folder / "labels.cache").write_text("x")
    assert not made_anew(tmp_path)


def test_a_link_that_points_elsewhere_is_found(tmp_path: Path) -> None:
    folder = Store(tmp_path).run(CALL, make).folder
    (folder / "link").unlink()
    (folder / "link").symlink_to("/elsewhere/imagf.jpg")
    assert made_anew(tmp_path)


def test_files_of_a_crowded_folder_are_one_row(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "_PAUSE", 0.0)

    def crowd(folder: Path, report: Report) -> None:
        for place in (folder, folder / "labels"):
            place.mkdir(exist_ok=True)
            for i in range(300):
                (place / f"{i}.txt").write_text(f"{i:03d}")

    store = Store(tmp_path)
    folder = store.run(CALL, crowd).folder
    rows = json.loads((folder / "stage.json").read_text())["files"]
    assert {name: (row["files"], row["size"]) for name, row in rows.items()} == {
        "./": (300, 900),
        "labels/": (300, 900),
    }
    assert store.find(CALL)
    for place, name in ((folder, "./"), (folder / "labels", "labels/")):
        flip(place / "77.txt", 1)
        records._read.clear()
        assert Store(tmp_path).find(CALL) is None
        flip(place / "77.txt", 1)
        assert Store(tmp_path).find(CALL)
        (place / "78.txt").rename(place / "other.txt")
        assert Store(tmp_path).find(CALL) is None
        (place / "other.txt").rename(place / "78.txt")
        assert f"{name} is damaged" in capsys.readouterr().out
    (folder / "labels" / "1.txt").unlink()
    assert Store(tmp_path).find(CALL) is None
    assert "labels/ is damaged (299 files instead of 300)" in capsys.readouterr().out


def test_a_crowded_folder_is_not_looked_at_again_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crowd(folder: Path, report: Report) -> None:
        for i in range(300):
            (folder / f"{i}.txt").touch()

    store, looked, look = Store(tmp_path), [], records._files
    store.run(CALL, crowd)
    monkeypatch.setattr(records, "_files", lambda folder: looked.append(folder) or look(folder))
    assert store.find(CALL)
    once = len(looked)
    assert store.find(CALL) and len(looked) == once > 0


def _another(folder: Path) -> None:
    other = Store(folder.parents[2]).run(StageCall("predict", 2, {}, {}), make)
    shutil.copy(other.folder / "stage.json", folder)


def _without_seconds(folder: Path) -> None:
    record = json.loads((folder / "stage.json").read_text())
    del record["seconds"]
    (folder / "stage.json").write_text(json.dumps(record))


def _of_before(folder: Path) -> None:
    record = json.loads((folder / "stage.json").read_text())
    del record["files"], record["digest"]
    (folder / "stage.json").write_text(json.dumps(record))


def _file(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_text("")


def _folder_in_place(folder: Path) -> None:
    (folder / "stage.json").unlink()
    (folder / "stage.json").mkdir()


def _write(text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / "stage.json").write_text(text)


ODD: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda f: (f / "stage.json").unlink(), "not readable (No such file"),
    "empty": (_write(""), "not readable (it is no JSON)"),
    "cut off": (_write('{"name": "pre'), "not readable (it is no JSON)"),
    "binary": (lambda f: (f / "stage.json").write_bytes(b"\xff\xfe"), "it is no JSON"),
    "a list": (_write("[]"), "holds no record"),
    "a number": (_write("7"), "holds no record"),
    "nested": (_write("[" * 100_000), "it is no JSON"),
    "nothing in it": (_write("{}"), "has no digests"),
    "without seconds": (_without_seconds, "stage.json is damaged"),
    "of another result": (_another, "is that of another result"),
    "of an earlier version": (_of_before, "has no digests: an earlier version wrote it"),
    "a folder": (_folder_in_place, "not readable (Is a directory)"),
    "a file for the result": (_file, "not readable (Not a directory)"),
    "an empty result": (lambda f: [shutil.rmtree(f), f.mkdir()], "No such file"),
    "a link to nowhere": (lambda f: [shutil.rmtree(f), f.symlink_to("/nowhere")], "No such file"),
}


@pytest.mark.parametrize("name", ODD)
def test_a_folder_that_is_no_result_gives_way(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Store(tmp_path).run(CALL, make).folder
    spoil, told = ODD[name]
    spoil(folder)
    assert [(folder == found, told in why) for found, why in Store(tmp_path).damaged()] == [
        (True, True)
    ]
    assert made_anew(tmp_path)
    out = capsys.readouterr().out
    assert told in out and out.count("\n") == 1
    assert not made_anew(tmp_path)
    assert list(Store(tmp_path).damaged()) == []


def test_a_plan_says_that_a_result_is_damaged(tmp_path: Path) -> None:
    store = Store(tmp_path)
    (store.run(CALL, make).folder / "empty").unlink()
    assert store.find(CALL) is None
    assert store.explain(CALL) == "its result is damaged"


@pytest.mark.parametrize("resumable", [True, False])
@pytest.mark.parametrize("what", ["file", "link"])
def test_what_lies_in_the_place_of_an_attempt_gives_way(
    what: str, resumable: bool, tmp_path: Path
) -> None:
    one = StageCall("train", 1, {}, {}, resumable=resumable)
    place = tmp_path / "partial" / "train" / one.key
    place.parent.mkdir(parents=True)
    place.write_text("") if what == "file" else place.symlink_to("/nowhere")
    assert not Store(tmp_path).run(one, make).hit
    assert Store(tmp_path).find(one)


def test_the_digest_of_a_record_survives_json() -> None:
    record = {"x": 0.1 + 0.2, "y": [1e300, float("inf")], "ü\udc80": None}
    assert digest(json.loads(json.dumps(record))) == digest(record)


@pytest.mark.parametrize("name", ["stage.json", "empty"])
def test_a_pipe_among_results_is_not_waited_for(tmp_path: Path, name: str) -> None:
    folder = Store(tmp_path).run(CALL, make).folder
    records._read.clear()
    (folder / name).unlink()
    os.mkfifo(folder / name)
    ((found, why),) = Store(tmp_path).damaged()
    assert found == folder
    assert "is no file" in why
