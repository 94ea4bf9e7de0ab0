"""Runs by the key in their addresses, while they run."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from segtrack import journal as journals
from segtrack.base.errors import StageError
from segtrack.settings import MlflowSettings
from segtrack.view import Library
from segtrack.view import library as libraries
from tests.journal.made import empty_mlflow
from tests.view.made import write_run


@pytest.fixture
def settings(tmp_path: Path, mlflow_template: Path) -> MlflowSettings:
    return empty_mlflow(tmp_path, mlflow_template)


def test_a_run_that_runs_is_asked_for_again(
    settings: MlflowSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = write_run(tmp_path / "made", truth=False, source=False)
    library = Library(settings, [], tmp_path / "scratch")
    with journals.record(settings, "run", {}) as journal:
        run = journal.run_id
        assert library.run(run).status == "RUNNING" and library.run(run).videos == ()
        journal.artifact(made / "tracking", "tracking")
        known = library.run(run)
        assert known.videos == () and library.run(run) is known  # not twice in a moment
        monkeypatch.setattr(libraries, "_AGAIN", 0)
        monkeypatch.setattr(libraries, "_REST", 0)
        library._due.clear()
        assert [video.name for video in library.run(run).videos] == ["clip"]
        shutil.copytree(made / "tracking/clip", made / "tracking/a")
        assert library.video(run, 1).name == "clip"
        journal.artifact(made / "tracking", "tracking")
        assert [video.name for video in library.run(run).videos] == ["a", "clip"]
        assert [library.video(run, number).name for number in (1, 2)] == ["a", "clip"]
    assert library.run(run).status == "FINISHED"
    monkeypatch.delattr(libraries, "again")
    assert library.run(run).status == "FINISHED"  # for ever
    library.close()


def test_a_run_that_is_there_no_more(settings: MlflowSettings, tmp_path: Path) -> None:
    # It cannot be ended either.
    ended = pytest.raises(StageError, match="not found")
    with ended, journals.record(settings, "run", {}) as journal:
        library = Library(settings, [], tmp_path)
        library.get(journal.run_id)
        journal.forget()
        with pytest.raises(libraries.Unknown, match="cannot be read from"):
            library.get(journal.run_id)
