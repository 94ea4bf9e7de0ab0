"""What the platform remembers: one SQLite file and the uploaded bytes beside it.

All writes go through one connection and one lock, so a request is whole or did not happen. The
bytes of a file lie under ``objects/``, named by an id that the emulator makes: no name that came
from a client is ever part of a path.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS replays (
    uuid TEXT, path TEXT, answer TEXT NOT NULL, PRIMARY KEY (uuid, path));
CREATE TABLE IF NOT EXISTS connections (id TEXT PRIMARY KEY, created_at INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS uploads (
    id TEXT PRIMARY KEY, connection_id TEXT NOT NULL REFERENCES connections ON DELETE CASCADE,
    file_name TEXT NOT NULL, session TEXT, size INTEGER NOT NULL DEFAULT 0,
    puts INTEGER NOT NULL DEFAULT 0, finished INTEGER NOT NULL DEFAULT 0,
    object TEXT, width INTEGER, height INTEGER, format TEXT, frames INTEGER, fps REAL,
    UNIQUE (connection_id, file_name));
CREATE INDEX IF NOT EXISTS uploads_session ON uploads (session);
CREATE TABLE IF NOT EXISTS direct (path TEXT PRIMARY KEY, object TEXT);
CREATE TABLE IF NOT EXISTS datasets (
    seq INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL, name TEXT NOT NULL,
    description TEXT NOT NULL, data_type TEXT NOT NULL, connection_id TEXT NOT NULL,
    multimodal INTEGER NOT NULL, status_code INTEGER NOT NULL, polls INTEGER NOT NULL,
    ready_at REAL NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS files (
    id TEXT PRIMARY KEY, dataset_id TEXT NOT NULL REFERENCES datasets (id) ON DELETE CASCADE,
    connection_id TEXT NOT NULL, file_name TEXT NOT NULL, object TEXT NOT NULL,
    size INTEGER NOT NULL, width INTEGER, height INTEGER, format TEXT, frames INTEGER, fps REAL,
    data_type TEXT NOT NULL, created_at INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS files_dataset ON files (dataset_id, id);
CREATE TABLE IF NOT EXISTS templates (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, data_type TEXT NOT NULL, questions TEXT NOT NULL,
    created_at INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS projects (
    seq INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL, name TEXT NOT NULL, data_type TEXT NOT NULL,
    template_id TEXT NOT NULL REFERENCES templates (id), rotations TEXT NOT NULL,
    use_ai INTEGER NOT NULL, created_by TEXT, created_at INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS template_versions (
    template_id TEXT NOT NULL REFERENCES templates (id), version INTEGER NOT NULL,
    questions TEXT NOT NULL, created_at INTEGER NOT NULL, PRIMARY KEY (template_id, version));
CREATE TABLE IF NOT EXISTS applied_versions (
    project_id TEXT PRIMARY KEY REFERENCES projects (id) ON DELETE CASCADE,
    version INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS project_datasets (
    project_id TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    dataset_id TEXT NOT NULL REFERENCES datasets (id) ON DELETE CASCADE,
    PRIMARY KEY (project_id, dataset_id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS project_files (
    project_id TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    file_id TEXT NOT NULL REFERENCES files (id) ON DELETE CASCADE,
    file_name TEXT NOT NULL, status TEXT NOT NULL DEFAULT 'None', assigned_to TEXT,
    updated_at INTEGER NOT NULL, PRIMARY KEY (project_id, file_id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS project_files_name ON project_files (project_id, file_name);
CREATE INDEX IF NOT EXISTS project_files_name_any_case
    ON project_files (project_id, file_name COLLATE NOCASE);
CREATE INDEX IF NOT EXISTS project_files_file ON project_files (file_id);
CREATE TABLE IF NOT EXISTS revisions (
    project_id TEXT NOT NULL, file_id TEXT NOT NULL, revision INTEGER NOT NULL,
    PRIMARY KEY (project_id, file_id),
    FOREIGN KEY (project_id, file_id) REFERENCES project_files ON DELETE CASCADE) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS answers (
    seq INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL, project_id TEXT NOT NULL,
    file_id TEXT NOT NULL, question_id TEXT NOT NULL, kind TEXT NOT NULL, data TEXT NOT NULL,
    score REAL, conf_bucket TEXT, source TEXT NOT NULL,
    FOREIGN KEY (project_id, file_id) REFERENCES project_files ON DELETE CASCADE);
CREATE INDEX IF NOT EXISTS answers_file ON answers (project_id, file_id);
CREATE TABLE IF NOT EXISTS removed_answers (
    id TEXT PRIMARY KEY, project_id TEXT NOT NULL, file_id TEXT NOT NULL,
    question_id TEXT NOT NULL, kind TEXT NOT NULL, data TEXT NOT NULL, score REAL,
    conf_bucket TEXT, source TEXT NOT NULL,
    FOREIGN KEY (project_id, file_id) REFERENCES project_files ON DELETE CASCADE);
CREATE TABLE IF NOT EXISTS remarks (
    seq INTEGER PRIMARY KEY, project_id TEXT NOT NULL, file_id TEXT NOT NULL, text TEXT NOT NULL,
    outline TEXT NOT NULL,
    FOREIGN KEY (project_id, file_id) REFERENCES project_files ON DELETE CASCADE);
CREATE INDEX IF NOT EXISTS remarks_file ON remarks (project_id, file_id);
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY, project_id TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    format TEXT NOT NULL, conf_bucket TEXT, object TEXT NOT NULL, status TEXT NOT NULL,
    polls INTEGER NOT NULL, ready_at REAL NOT NULL, outcome TEXT NOT NULL DEFAULT '{}');
CREATE TABLE IF NOT EXISTS exports (
    seq INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL,
    project_id TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    wish TEXT NOT NULL, status TEXT NOT NULL, object TEXT NOT NULL, polls INTEGER NOT NULL,
    ready_at REAL NOT NULL, created_at INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS keyframes (
    project_id TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE, file_id TEXT NOT NULL,
    frame_number INTEGER NOT NULL, is_manual INTEGER, method TEXT, source TEXT,
    PRIMARY KEY (project_id, file_id, frame_number)) WITHOUT ROWID;
"""


class State:
    """The database and the objects of one folder.

    Attributes:
        applying: held while the answers of a job are written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        (self.folder / "objects").mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self.applying = threading.Lock()
        self._db = _connect(self.folder / "state.db")
        self._db.executescript(_SCHEMA)
        with self.change() as db:
            db.execute("INSERT OR IGNORE INTO meta VALUES ('key', ?)", (secrets.token_hex(32),))
            self._key = str(db.execute("SELECT value FROM meta WHERE key = 'key'").fetchone()[0])

    @contextlib.contextmanager
    def change(self) -> Iterator[sqlite3.Connection]:
        """A transaction: all of it or, where it raises, nothing."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # a full disk may have ended it already
                    self._db.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def reader(self) -> Iterator[sqlite3.Connection]:
        """A connection of its own, for long reads that must not hold others up."""
        db = _connect(self.folder / "state.db")
        try:
            db.execute("BEGIN")
            yield db
        finally:
            db.close()

    def all(self, query: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        with self._lock:
            return self._db.execute(query, values).fetchall()

    def one(self, query: str, values: Sequence[Any] = ()) -> sqlite3.Row | None:
        with self._lock:
            row: sqlite3.Row | None = self._db.execute(query, values).fetchone()
            return row

    def object_path(self, name: str) -> Path:
        """Where the bytes of an object lie; ``name`` is one of the emulator's own ids."""
        folder = self.folder / "objects" / name[:2]
        folder.mkdir(exist_ok=True)
        return folder / name

    def sign(self, what: str, expires: int) -> str:
        """The signature of a link."""
        return hmac.new(
            self._key.encode(), f"{what} {expires}".encode(), hashlib.sha256
        ).hexdigest()

    @property
    def identity(self) -> str:
        """Tells this folder's platform from another one, without giving its key away."""
        return hashlib.sha256(f"identity {self._key}".encode()).hexdigest()[:16]

    def close(self) -> None:
        with self._lock:
            self._db.close()


def revision_of(db: sqlite3.Connection, project_id: str, file_id: str) -> int:
    """How often answers or status of a file were changed, by whomever."""
    query = "SELECT revision FROM revisions WHERE project_id = ? AND file_id = ?"
    row = db.execute(query, (project_id, file_id)).fetchone()
    return int(row["revision"]) if row else 0


def touch(db: sqlite3.Connection, project_id: str, file_id: str) -> int:
    """Note that somebody changes a file's answers now; returns its new revision."""
    query = "UPDATE project_files SET updated_at = ? WHERE project_id = ? AND file_id = ?"
    db.execute(query, (now_ms(), project_id, file_id))
    raise_revisions(db, project_id, [file_id])
    return revision_of(db, project_id, file_id)


def raise_revisions(db: sqlite3.Connection, project_id: str, file_ids: Iterable[str]) -> None:
    """Note that answers or statuses of files change; belongs into the transaction that does it."""
    db.executemany(
        "INSERT INTO revisions VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET revision = revision + 1",
        ((project_id, file_id) for file_id in file_ids),
    )


def now_ms() -> int:
    return int(time.time() * 1000)


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
    db.row_factory = sqlite3.Row
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        db.execute(f"PRAGMA {pragma}")
    return db
