"""What was sent already: a small SQLite file, so that a push that was killed goes on where it was.

It holds ids, file names and digests; no credentials (an account is a digest).
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from segtrack.base.errors import DataError, SettingsError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS parts (
    account TEXT, name TEXT, part INTEGER, connection_id TEXT, dataset_id TEXT,
    PRIMARY KEY (account, name, part));
CREATE TABLE IF NOT EXISTS files (
    account TEXT, name TEXT, part INTEGER, file_name TEXT, stamp TEXT, sent INTEGER DEFAULT 0,
    PRIMARY KEY (account, name, file_name));
CREATE INDEX IF NOT EXISTS files_of_part ON files (account, name, part, sent);
CREATE TABLE IF NOT EXISTS calls (
    account TEXT, project_id TEXT, digest TEXT, bucket TEXT, identity TEXT,
    PRIMARY KEY (account, project_id, digest, bucket));
CREATE TABLE IF NOT EXISTS jobs (
    account TEXT, project_id TEXT, digest TEXT, bucket TEXT, job_id TEXT, done INTEGER DEFAULT 0,
    PRIMARY KEY (account, project_id, digest, bucket));
CREATE TABLE IF NOT EXISTS proposed (
    account TEXT, project_id TEXT, file_name TEXT,
    PRIMARY KEY (account, project_id, file_name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS applied (
    account TEXT, project_id TEXT, file_name TEXT, bucket TEXT, code TEXT,
    PRIMARY KEY (account, project_id, file_name, bucket)) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class Part:
    """One data set of a push; ids are empty as long as there is none."""

    part: int
    connection_id: str
    dataset_id: str


@dataclass(frozen=True)
class SentFile:
    """A file of a part. ``stamp`` tells versions of it apart; ``sent`` once the storage has it."""

    part: int
    file_name: str
    stamp: str
    sent: bool


def open_db(path: Path, schema: str) -> sqlite3.Connection:
    """Open, or make, a small database of what was sent.

    Raises:
        DataError: the file is damaged.
    """
    db = sqlite3.connect(path, isolation_level=None, timeout=30)
    try:
        db.executescript(schema)
        (state,) = db.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError:
        db.close()
        raise
    except sqlite3.DatabaseError as error:
        state = str(error)
    if state != "ok":
        db.close()
        why = " ".join(state.split())
        raise DataError(
            f"{path}: damaged ({why}). Remove it and give the same command "
            "again: what was sent is found on the platform by name and content. Proposals that "
            "nobody works on yet are sent once more."
        )
    return db


class Ledger:
    """Pushes of one account, in ``folder/ledger.db``."""

    def __init__(self, folder: Path, account: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.account = account
        # A killed process loses nothing by not waiting for the disk; only a power cut may.
        self._db = open_db(folder / "ledger.db", f"PRAGMA synchronous = OFF; {_SCHEMA}")

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Only one push at a time uses a ledger.

        Raises:
            SettingsError: another one does.
        """
        try:
            with FileLock(self.folder / "ledger.lock").acquire(timeout=0):
                yield
        except Timeout as error:
            raise SettingsError(
                f"another process is sending to Labellerr with the ledger {self.folder}: wait for "
                "it, or choose another store=FOLDER."
            ) from error

    def parts(self, name: str) -> list[Part]:
        """The parts of a push, in order."""
        rows = self._db.execute(
            "SELECT part, connection_id, dataset_id FROM parts WHERE account=? AND name=? "
            "ORDER BY part",
            (self.account, name),
        )
        return [Part(*row) for row in rows]

    def files(self, name: str, part: int | None = None) -> dict[str, SentFile]:
        """The files of a push, or of one part of it, by name."""
        query = "SELECT part, file_name, stamp, sent FROM files WHERE account=? AND name=?"
        key: tuple[object, ...] = (self.account, name)
        if part is not None:
            query, key = query + " AND part=?", (*key, part)
        rows = self._db.execute(query, key)
        return {row[1]: SentFile(row[0], row[1], row[2], bool(row[3])) for row in rows}

    def called(self, name: str) -> dict[str, str]:
        """The names under which contents were sent, by digest."""
        return {sent.stamp: sent.file_name for sent in self.files(name).values()}

    def holders(self, stamps: Iterable[str]) -> dict[str, int]:
        """Of each push, how many of these contents it has, in the order of first pushes."""
        self._db.execute("CREATE TEMP TABLE IF NOT EXISTS wanted (stamp TEXT PRIMARY KEY)")
        self._db.execute("DELETE FROM wanted")
        self._db.execute("BEGIN")
        rows = ((stamp,) for stamp in stamps)
        self._db.executemany("INSERT OR IGNORE INTO wanted VALUES (?)", rows)
        self._db.execute("COMMIT")
        query = (
            "SELECT name, COUNT(DISTINCT stamp) FROM files JOIN wanted USING (stamp)"
            " WHERE account=? GROUP BY name ORDER BY MIN(files.rowid)"
        )
        return dict(self._db.execute(query, (self.account,)))

    def add(self, name: str, part: int, files: Iterable[tuple[str, str]]) -> None:
        """A new part of files (name, stamp), none of them sent."""
        rows = [(self.account, name, part, file_name, stamp) for file_name, stamp in files]
        self._db.execute("BEGIN")
        self._db.execute("INSERT INTO parts VALUES (?, ?, ?, '', '')", (self.account, name, part))
        self._db.executemany(
            "INSERT INTO files (account, name, part, file_name, stamp) VALUES (?, ?, ?, ?, ?)", rows
        )
        self._db.execute("COMMIT")

    def drop(self, name: str, part: int) -> None:
        """Forget a part and its files."""
        key = (self.account, name, part)
        self._db.execute("BEGIN")
        for table in ("files", "parts"):
            self._db.execute(f"DELETE FROM {table} WHERE account=? AND name=? AND part=?", key)
        self._db.execute("COMMIT")

    def connect(self, name: str, part: int, connection_id: str) -> None:
        """The connection over which a part is sent; another one starts it afresh."""
        key = (self.account, name, part)
        self._db.execute("BEGIN")
        self._db.execute(
            "UPDATE files SET sent=0 WHERE account=? AND name=? AND part=? AND EXISTS (SELECT 1 "
            "FROM parts p WHERE p.account=files.account AND p.name=files.name "
            "AND p.part=files.part AND p.connection_id<>?)",
            (*key, connection_id),
        )
        self._db.execute(
            "UPDATE parts SET connection_id=? WHERE account=? AND name=? AND part=?",
            (connection_id, *key),
        )
        self._db.execute("COMMIT")

    def mark_sent(self, name: str, file_name: str) -> None:
        """The storage has the whole file."""
        self._db.execute(
            "UPDATE files SET sent=1 WHERE account=? AND name=? AND file_name=?",
            (self.account, name, file_name),
        )

    def finish(self, name: str, part: int, dataset_id: str) -> None:
        """The part is this data set."""
        self._db.execute(
            "UPDATE parts SET dataset_id=? WHERE account=? AND name=? AND part=?",
            (dataset_id, self.account, name, part),
        )

    def job(self, project_id: str, digest: str, bucket: str | None) -> tuple[str, bool] | None:
        """Id of the job that a file of answers was sent with, and whether it was applied."""
        row = self._db.execute(
            "SELECT job_id, done FROM jobs WHERE account=? AND project_id=? AND digest=? "
            "AND bucket=?",
            (self.account, project_id, digest, bucket or ""),
        ).fetchone()
        return (row[0], bool(row[1])) if row else None

    def call(self, project_id: str, digest: str, bucket: str | None) -> str:
        """A uuid for the call that sends a file of answers, the same until its job is dropped.

        Whoever was killed before the answer came sends it again under the same uuid, by which the
        platform may see that it has this job.
        """
        key = (self.account, project_id, digest, bucket or "")
        query = "INSERT OR IGNORE INTO calls VALUES (?, ?, ?, ?, ?)"
        self._db.execute(query, (*key, str(uuid.uuid4())))
        query = "SELECT identity FROM calls WHERE account=? AND project_id=? AND digest=? "
        (identity,) = self._db.execute(query + "AND bucket=?", key).fetchone()
        return str(identity)

    def set_job(
        self, project_id: str, digest: str, bucket: str | None, job_id: str, done: bool
    ) -> None:
        """Remember a job."""
        self._db.execute(
            "INSERT OR REPLACE INTO jobs VALUES (?, ?, ?, ?, ?, ?)",
            (self.account, project_id, digest, bucket or "", job_id, done),
        )

    def drop_job(self, project_id: str, digest: str, bucket: str | None) -> None:
        """Forget a job that failed, so that the file is sent again."""
        self._db.execute(
            "DELETE FROM calls WHERE account=? AND project_id=? AND digest=? AND bucket=?",
            (self.account, project_id, digest, bucket or ""),
        )
        self._db.execute(
            "DELETE FROM jobs WHERE account=? AND project_id=? AND digest=? AND bucket=?",
            (self.account, project_id, digest, bucket or ""),
        )

    def proposed(self, project_id: str) -> set[str]:
        """Names of the files of a project that have all of their proposals."""
        rows = self._db.execute(
            "SELECT file_name FROM proposed WHERE account=? AND project_id=?",
            (self.account, project_id),
        )
        return {row[0] for row in rows}

    def applied(self, project_id: str) -> dict[str, tuple[str, set[str | None]]]:
        """Files that have a part of their proposals: of which predictions, and the bands."""
        rows = self._db.execute(
            "SELECT file_name, code, bucket FROM applied WHERE account=? AND project_id=?",
            (self.account, project_id),
        )
        found: dict[str, tuple[str, set[str | None]]] = {}
        for file_name, code, bucket in rows:
            found.setdefault(file_name, (code, set()))[1].add(bucket or None)
        return found

    def mark_applied(
        self, project_id: str, code: str, bucket: str | None, file_names: Iterable[str]
    ) -> None:
        """A band of the predictions that ``code`` stands for was applied to these files."""
        self._db.execute("BEGIN")
        self._db.executemany(
            "INSERT OR IGNORE INTO applied VALUES (?, ?, ?, ?, ?)",
            [(self.account, project_id, name, bucket or "", code) for name in file_names],
        )
        self._db.execute("COMMIT")

    def mark_proposed(self, project_id: str, file_names: Iterable[str]) -> None:
        """All proposals were applied to these files."""
        self._db.execute("BEGIN")
        self._db.executemany(
            "INSERT OR IGNORE INTO proposed VALUES (?, ?, ?)",
            [(self.account, project_id, name) for name in file_names],
        )
        self._db.execute("COMMIT")
