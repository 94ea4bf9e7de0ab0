"""No space left: one clear answer, nothing half, and it goes on once there is room."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from labellerr_loopback import uploads
from labellerr_loopback.state import State
from tests.labellerr_loopback.conftest import Api, jpeg


def test_a_file_that_does_not_fit(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = uploads._write

    async def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    data = jpeg(tmp_path, "a.jpg")
    body = {"file_names": ["a.jpg"]}
    made = api.ask("POST", "/connectors/connect/local", json=body)
    location = api.start(made["resumable_upload_links"]["a.jpg"])
    monkeypatch.setattr(uploads, "_write", full)
    answer = api.put(location, data)
    assert answer.status_code == 507
    assert answer.json()["message"].endswith(f"in the folder of the emulator, {tmp_path / 'state'}")
    monkeypatch.setattr(uploads, "_write", write)
    assert api.put(location, data).status_code == 200
    assert api.dataset(str(made["temporary_connection_id"]))


def test_a_database_that_does_not_fit(tmp_path: Path) -> None:
    state = State(tmp_path / "state")
    db = state._db
    db.execute("CREATE TABLE filler (text TEXT)")
    (pages,) = db.execute("PRAGMA page_count").fetchone()
    db.execute(f"PRAGMA max_page_count = {pages + 2}")
    for _ in range(2):  # the second one is no error of a transaction that was left open
        with pytest.raises(sqlite3.OperationalError, match="full"), state.change() as change:
            change.execute("INSERT INTO filler VALUES ('kept?')")
            change.execute("INSERT INTO filler VALUES (?)", ("x" * 100_000,))
    db.execute("PRAGMA max_page_count = 100000")
    with state.change() as change:
        change.execute("INSERT INTO filler VALUES ('there')")
    assert [row[0] for row in state.all("SELECT text FROM filler")] == ["there"]
