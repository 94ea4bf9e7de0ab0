"""The SQLite file of a local setup: it is looked at before MLflow is, and it is made whole.

MLflow makes it in place, in 70 steps that no transaction holds together: what is stopped half-way
can be used by nobody. Here it grows under another name. Only making it imports mlflow.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import itertools
import logging
import os
import re
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from segtrack.base.atomic import is_special, whole_file
from segtrack.base.errors import SegtrackError, SettingsError, StageError
from segtrack.base.saying import say

LOCKED_SECONDS = 8.0  # that another program may hold it; a commit takes milliseconds
STILL_SECONDS = 2.0  # one that is being made by another program changes more often
# Those that every run is written to; MLflow has dozens more.
_TABLES = {"experiments", "runs", "tags", "params", "metrics", "latest_metrics"}
_SIDE_FILES = ("-journal", "-wal", "-shm")


def sqlite_path(uri: str) -> Path | None:
    """The file that an address names; None where it names none."""
    path = uri.removeprefix("sqlite:///")
    return Path(path).expanduser() if path != uri else None


def refuse_special(path: Path) -> None:
    """Nothing is made beside such a one either, so this comes before any lock.

    Raises:
        SegtrackError: it is a device, a pipe or a socket, or cannot be looked at.
    """
    with _told(path):
        if is_special(path):
            raise _problem(path, "is a device, pipe or socket", _elsewhere())


def usable(path: Path) -> bool:
    """Whether runs can be recorded in the file; False where it has to be made first.

    Takes milliseconds, and up to ``LOCKED_SECONDS`` where another program holds it.

    Raises:
        SettingsError: it cannot be used, nor be replaced without losing something.
        StageError: it is locked, or its disk fails.
    """
    if "?" in str(path.resolve()):
        raise _problem(path, "the path has a ?, where MLflow ends it", "name another file")
    refuse_special(path)
    with _told(path):
        if not path.is_dir() and (not path.exists() or path.stat().st_size == 0):
            return False
        if not os.access(path, os.W_OK):  # SQLite opens it all the same
            raise _problem(path, "is not writable", f"make it so or {_elsewhere()}")
        with contextlib.closing(_opened(path)) as database:
            database.execute("BEGIN IMMEDIATE")  # waits for who writes, as a run has to
            return _whole(path, database)


def ready(path: Path) -> None:
    """Have a whole database at ``path``; the caller holds the lock for making it.

    One that was left half made, and holds nothing, is moved aside.

    Raises:
        SegtrackError: as ``usable`` does, or it cannot be made.
    """
    until = time.monotonic() + LOCKED_SECONDS
    while not usable(path):
        still = not path.exists() or time.time() - path.stat().st_mtime > STILL_SECONDS
        if still or time.monotonic() > until:  # no other program, such as `mlflow ui`, makes it
            _move_aside(path)
            _make(path)
            return
        time.sleep(0.1)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """One that is usable, for what MLflow has no call for.

    Raises:
        SegtrackError: in the block too, where it cannot be read or written.
    """
    with _told(path), contextlib.closing(_opened(path)) as database:
        yield database


def _whole(path: Path, database: sqlite3.Connection) -> bool:
    names = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    tables = {name for (name,) in names}
    version = _first(database, "SELECT version_num FROM alembic_version", tables)
    known, head = _revisions()
    aside = f"move {path.name} away, and a new one is made; the store keeps its results"
    if version is not None and (version == head or head is None):
        if lost := sorted(_TABLES - tables):
            what = f"is damaged (it has no table {', '.join(lost)})"
            raise _problem(path, what, f"put a copy back, or {aside}")
        return True
    if version is None and tables and "experiments" not in tables:  # which MLflow makes first
        raise _problem(path, "is the database of another program", _elsewhere())
    if version is not None and version not in known:
        what = f"was made by a newer MLflow or another program (its version is {version})"
        raise _problem(path, what, f"install that MLflow, or {aside}")
    used = _first(database, "SELECT 1 FROM runs", tables) or _first(
        database, "SELECT 1 FROM experiments WHERE experiment_id <> 0", tables
    )
    if used is None:
        return False
    what = f"is of an older MLflow, or its migration was stopped (its version is {version})"
    do = f"keep a copy and run: mlflow db upgrade sqlite:///{path}   Where that fails, {aside}"
    raise _problem(path, what, do)


def _first(database: sqlite3.Connection, query: str, tables: set[str]) -> Any:
    """The first value of a query; None where there is none, or not even the table."""
    if query.split(" FROM ")[1].split()[0] not in tables:
        return None
    row = database.execute(f"{query} LIMIT 1").fetchone()
    return None if row is None else row[0]


def _move_aside(path: Path) -> None:
    """What is left of a database goes with its journal, which SQLite would apply to a new one."""
    if path.exists() and path.stat().st_size:
        names = (path.with_name(f"{path.name}.broken-{n}") for n in itertools.count(1))
        aside = next(name for name in names if not name.exists())
        say(f"{path} was left half made and holds no runs; it is now {aside.name}", error=True)
    else:
        aside = None
    for suffix in ("", *_SIDE_FILES):
        left = path.with_name(path.name + suffix)
        if aside is None:
            left.unlink(missing_ok=True)
        elif left.exists():
            left.replace(aside.with_name(aside.name + suffix))


def _make(path: Path) -> None:
    """MLflow's own way of making it, which takes seconds: its first version and each later step."""
    quiet()
    import sqlalchemy
    from mlflow.store.db import utils

    with _told(path), whole_file(path) as partial:
        partial.unlink(missing_ok=True)  # a killed process left it
        engine = utils.create_sqlalchemy_engine(f"sqlite:///{partial}")
        sqlalchemy.event.listen(engine, "connect", _unsynced)
        try:
            utils._initialize_tables(engine)
        except sqlalchemy.exc.DatabaseError as error:
            raise error.orig or error from error
        finally:
            engine.dispose()


def quiet() -> None:
    """MLflow's and alembic's chatter about migrations is nobody's concern here."""
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # at each run's end
    for name in ("alembic", "mlflow.tracking"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # Each try of a request; what the last one came to is raised.
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
    # It prints the traceback of each error that it raises as well.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)


def _unsynced(connection: sqlite3.Connection, _: Any) -> None:
    """Nobody reads it before it is whole, and then it is synced once: 200 waits less."""
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA journal_mode = MEMORY")


@functools.cache
def _revisions() -> tuple[set[str], str | None]:
    """The versions of databases that the installed MLflow knows, and its own; read without it."""
    spec = importlib.util.find_spec("mlflow")
    known: set[str] = set()
    before: set[str] = set()
    for folder in (spec and spec.submodule_search_locations) or ():
        for file in (Path(folder) / "store" / "db_migrations" / "versions").glob("*.py"):
            text = file.read_text(encoding="utf-8")
            for down, value in re.findall(r"^(down_)?revision\b[^=\n]*=(.*)$", text, re.MULTILINE):
                (before if down else known).update(re.findall(r"['\"](\w+)['\"]", value))
    heads = known - before
    return known, heads.pop() if len(heads) == 1 else None


def _opened(path: Path) -> sqlite3.Connection:
    address = f"file:{quote(str(path.resolve()))}?mode=rw"
    return sqlite3.connect(address, uri=True, timeout=LOCKED_SECONDS, isolation_level=None)


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """Errors of SQLite and of the file system in words."""
    try:
        yield
    except OSError as error:
        raise _unwritten(path, error.strerror or error) from error
    except sqlite3.Error as error:
        raise _refused(path, error) from error


def _refused(path: Path, error: sqlite3.Error) -> SegtrackError:
    """What SQLite's error means for the file, and what to do."""
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return StageError(
            f"mlflow.uri=sqlite:///{path}: another program has held it locked for "
            f"{LOCKED_SECONDS:g} s; wait until it has ended, or end it (`fuser {path}` names it)"
        )
    if path.is_dir():
        return _problem(path, "is a folder", f"name a file: mlflow.uri=sqlite:///{path}/mlflow.db")
    if name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
        what = f"is damaged or no SQLite database ({error})"
        do = f"put a copy back, or move {path.name} away, and a new one is made without its runs"
        return _problem(path, what, do)
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH")):
        return _problem(path, f"cannot be written ({error})", f"make it writable or {_elsewhere()}")
    return _unwritten(path, error)


def _unwritten(path: Path, why: Any) -> StageError:
    return StageError(
        f"mlflow.uri=sqlite:///{path}: cannot be written ({why}); make room or {_elsewhere()}"
    )


def _elsewhere() -> str:
    return "choose another place with mlflow.uri=sqlite:///FILE"


def _problem(path: Path, what: str, do: str) -> SettingsError:
    return SettingsError(f"mlflow.uri=sqlite:///{path}: {what}; {do}")
