"""Places that are made once, whole, and never taken from others."""

from __future__ import annotations

from pathlib import Path

import pytest
from filelock import FileLock

from segtrack.base.atomic import NEW, newly_made


@pytest.mark.parametrize("folder", [True, False])
def test_it_appears_at_the_end(tmp_path: Path, folder: bool) -> None:
    path = tmp_path / "deep" / "place"
    with newly_made(path) as work:
        assert work.parent == path.parent and not path.exists()
        if folder:
            (work / NEW).mkdir()
            (work / NEW / "file").write_text("x")
        else:
            (work / NEW).write_text("x")
        (work / "scratch").write_text("y")
    assert [entry.name for entry in path.parent.iterdir()] == ["place"]
    assert ((path / "file") if folder else path).read_text() == "x"


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_nothing_is_taken(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "place"

    def take() -> None:
        if kind == "file":
            path.write_text("mine")
        elif kind == "folder":
            path.mkdir()
        else:
            path.symlink_to(tmp_path / "nowhere")

    for new in ("file", "folder"):
        with pytest.raises(FileExistsError), newly_made(path) as work:
            (work / NEW).mkdir() if new == "folder" else (work / NEW).write_text("x")
            take()  # by somebody else, meanwhile
        assert [entry.name for entry in tmp_path.iterdir()] == ["place"]
        with pytest.raises(FileExistsError), newly_made(path):
            raise AssertionError("it is refused before the work")
        path.rmdir() if kind == "folder" else path.unlink()


def test_an_error_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), newly_made(tmp_path / "place") as work:
        (work / NEW).mkdir()
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_rests_of_killed_processes_go_and_others_stay(tmp_path: Path) -> None:
    killed, alive, other = (
        tmp_path / name for name in (".place.a1.partial", ".place.b2.partial", ".else.c3.partial")
    )
    for folder in (killed, alive, other):
        folder.mkdir()
        (folder / "file").write_text("x")
    with FileLock(alive / "lock"), newly_made(tmp_path / "place") as work:
        (work / NEW).mkdir()
    assert {entry.name for entry in tmp_path.iterdir()} == {"place", alive.name, other.name}
