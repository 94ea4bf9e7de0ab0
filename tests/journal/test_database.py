"""The SQLite file: made whole whatever happens, and told apart from what cannot be used."""

import multiprocessing
import os
import re
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from mlflow.store.db import utils

from segtrack.base.errors import SettingsError, StageError
from segtrack.journal import connect, database, require_tracking
from segtrack.settings import MlflowSettings


def at(path: Path) -> MlflowSettings:
    return MlflowSettings(uri=f"sqlite:///{path}", experiment="x", artifacts=str(path.parent / "a"))


def sql(path: Path, *statements: str) -> list[tuple[str]]:
    with closing(sqlite3.connect(path)) as opened, opened:
        return [row for statement in statements for row in opened.execute(statement)]


class Stopped(BaseException):
    """As Ctrl-C: no handler of errors sees it."""


def stop_after(monkeypatch: pytest.MonkeyPatch, steps: int) -> None:
    """Let MLflow's making of a database end at a step of its own."""
    from alembic.runtime.migration import HeadMaintainer

    done: list[int] = []
    update = HeadMaintainer.update_to_step

    def counted(self: HeadMaintainer, step: object) -> None:
        done.append(1)
        if len(done) > steps:
            raise Stopped
        update(self, step)  # type: ignore[arg-type]

    monkeypatch.setattr(HeadMaintainer, "update_to_step", counted)


def half_made(path: Path, steps: int = 20) -> None:
    """What MLflow itself leaves where it is stopped: the tables of a step, not its version."""
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Stopped):
        stop_after(patch, steps)
        utils._initialize_tables(utils.create_sqlalchemy_engine(f"sqlite:///{path}"))
    old = time.time() - 60
    os.utime(path, (old, old))


@pytest.mark.parametrize("steps", [0, 1, 30, 66])
def test_a_stop_while_it_is_made_leaves_none(
    tmp_path: Path, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mlflow.db"
    with monkeypatch.context() as patch, pytest.raises(Stopped):
        stop_after(patch, steps)
        database.ready(path)
    assert list(tmp_path.iterdir()) == []


def test_kills_while_it_is_made_leave_one_that_can_be_made(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    killed = 0
    for delay in (0.02, 0.1, 0.2, 0.3, 0.45):
        child = multiprocessing.get_context("fork").Process(target=database.ready, args=(path,))
        child.start()
        time.sleep(delay)
        assert child.pid
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        killed += child.exitcode == -signal.SIGKILL
        assert not path.exists() or database.usable(path)
    database.ready(path)
    assert database.usable(path)
    assert killed >= 2
    assert [p.name for p in tmp_path.iterdir()] == ["mlflow.db"]


@pytest.mark.parametrize("steps", [0, 5, 40])
def test_one_that_was_left_half_made_is_moved_aside(
    tmp_path: Path, steps: int, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mlflow.db"
    half_made(path, steps)
    (tmp_path / "mlflow.db-journal").write_bytes(b"of the old one")
    (tmp_path / "mlflow.db.broken-1").write_bytes(b"earlier")
    client, experiment = connect(at(path))
    assert client.get_experiment(experiment).name == "x"
    assert (tmp_path / "mlflow.db.broken-1").read_bytes() == b"earlier"
    assert (tmp_path / "mlflow.db.broken-2").stat().st_size > 8000
    assert capsys.readouterr().err == (
        f"{path} was left half made and holds no runs; it is now mlflow.db.broken-2\n"
    )


def test_one_that_another_program_is_making_is_waited_for(
    tmp_path: Path, mlflow_template: Path
) -> None:
    path = tmp_path / "mlflow.db"
    half_made(path, 5)

    def finish() -> None:
        for _ in range(4):
            os.utime(path)
            time.sleep(0.1)
        shutil.copy2(mlflow_template, tmp_path / "whole")  # a copy in place can be read half done,
        (tmp_path / "whole").replace(path)  # which SQLite's locks keep from happening

    os.utime(path)
    other = multiprocessing.get_context("fork").Process(target=finish)
    other.start()
    database.ready(path)
    other.join()
    assert [p.name for p in tmp_path.iterdir()] == ["mlflow.db"]


def test_an_empty_file_and_a_journal_of_nothing_are_replaced(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    path.touch()
    os.utime(path, (0, 0))
    (tmp_path / "mlflow.db-journal").write_bytes(b"of one that is gone")
    database.ready(path)
    assert [p.name for p in tmp_path.iterdir()] == ["mlflow.db"]


def test_a_full_disk_while_it_is_made_is_said_and_leaves_none(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"

    def make(answer: "multiprocessing.Queue[str]") -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
        try:
            database.ready(path)
        except StageError as error:
            answer.put(str(error))

    context = multiprocessing.get_context("fork")
    answer = context.Queue()
    child = context.Process(target=make, args=(answer,))
    child.start()
    text = answer.get(timeout=20)
    child.join()
    assert text.startswith(f"mlflow.uri=sqlite:///{path}: cannot be written (")
    assert text.endswith("make room or choose another place with mlflow.uri=sqlite:///FILE")
    assert list(tmp_path.iterdir()) == []


def truncated(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 3)


def with_a_run(path: Path, version: str) -> None:
    sql(
        path,
        f"UPDATE alembic_version SET version_num = '{version}'",
        "INSERT INTO runs (run_uuid, experiment_id) VALUES ('r', 0)",
    )


def half_made_with_a_run(path: Path) -> None:
    path.unlink()
    half_made(path, 40)
    sql(path, "INSERT INTO runs (run_uuid, experiment_id) VALUES ('r', 0)")


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def of_another_program(path: Path) -> None:
    path.unlink()
    sql(path, "CREATE TABLE customers (name TEXT)")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (truncated, r"is damaged or no SQLite database \(.* malformed\); put a copy back, or move"),
        (lambda p: p.write_text("notes\n" * 999), r"damaged or no SQLite database \(file is not"),
        (a_folder, r"is a folder; name a file: mlflow.uri=sqlite:///.*/mlflow.db/mlflow.db"),
        (
            lambda p: sql(p, "DROP TABLE latest_metrics"),
            r"is damaged \(it has no table latest_metrics\); put a copy back, or move mlflow.db",
        ),
        (a_pipe, "is a device, pipe or socket; choose another place with mlflow.uri"),
        (of_another_program, "is the database of another program; choose another place"),
        (
            lambda p: with_a_run(p, "f" * 12),
            "made by a newer MLflow .*f{12}.*; install that",
        ),
        (
            lambda p: with_a_run(p, "451aebb31d03"),
            "older MLflow.*: mlflow db upgrade sqlite:///.*db",
        ),
        (
            half_made_with_a_run,
            "was stopped .*move mlflow.db away, and a new one is made",
        ),
    ],
)
def test_one_that_cannot_be_used_is_said_at_once_and_stays(
    tmp_path: Path, mlflow_template: Path, spoil: Callable[[Path], object], message: str
) -> None:
    path = tmp_path / "mlflow.db"
    shutil.copy2(mlflow_template, path)
    spoil(path)
    size, kind = path.stat().st_size, path.stat().st_mode
    start = time.monotonic()
    for look in (require_tracking, connect):
        with pytest.raises(SettingsError, match=message) as caught:
            look(at(path))
        assert str(caught.value).startswith(f"mlflow.uri=sqlite:///{path}: ")
    assert time.monotonic() - start < 1
    assert (path.stat().st_size, path.stat().st_mode) == (size, kind)
    assert {p.name for p in tmp_path.iterdir()} <= {"mlflow.db", "mlflow.lock"}


@pytest.mark.parametrize("place", ["file/mlflow.db", "file/deeper/mlflow.db"])
def test_a_place_that_can_be_no_folder_is_said(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    for look in (require_tracking, connect):
        with pytest.raises(SettingsError, match=r"cannot write .*file.*choose another place"):
            look(at(tmp_path / place))


@pytest.mark.parametrize(
    ("name", "message"), [("", "cannot write .*Permission denied"), ("mlflow.db", "not writable")]
)
def test_what_is_not_writable_is_said(
    tmp_path: Path, mlflow_template: Path, name: str, message: str
) -> None:
    path = tmp_path / "mlflow.db"
    shutil.copy2(mlflow_template, path)
    (tmp_path / name).chmod(0o444 if name else 0o555)
    look = (
        "from segtrack.journal import require_tracking; from segtrack.settings import *\n"
        f"try: require_tracking(MlflowSettings(uri='sqlite:///{path}'))\n"
        "except Exception as error: print(error)"
    )
    command = [sys.executable, "-c", look]
    if os.geteuid() == 0:  # which may write everywhere, unless it gives that up
        if not (setpriv := shutil.which("setpriv")):
            pytest.skip("root may write everywhere")
        command = [setpriv, "--bounding-set=-all", "--inh-caps=-all", *command]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    (tmp_path / name).chmod(0o755)
    assert said.startswith(f"mlflow.uri=sqlite:///{path}: ")
    assert re.search(f"{message}.*mlflow.uri=sqlite:///FILE$", said), said


def test_one_that_stays_locked_is_said(
    tmp_path: Path, mlflow_template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mlflow.db"
    shutil.copy2(mlflow_template, path)
    monkeypatch.setattr(database, "LOCKED_SECONDS", 0.3)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StageError, match=r"another program has held it locked for 0.3 s; wait"):
            require_tracking(at(path))
        other.execute("ROLLBACK")
    require_tracking(at(path))


def test_the_installed_version_is_found_without_mlflow(mlflow_template: Path) -> None:
    known, head = database._revisions()
    assert sql(mlflow_template, "SELECT version_num FROM alembic_version") == [(head,)]
    assert len(known) > 50
