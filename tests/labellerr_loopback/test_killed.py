"""The emulator killed without warning while files arrive, and started again."""

from __future__ import annotations

import contextlib
import socket
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from labellerr_loopback import ask
from segtrack.annotation.labellerr.credentials import Credentials
from segtrack.annotation.labellerr.files import check_files
from segtrack.annotation.labellerr.http_platform import HttpPlatform
from segtrack.annotation.labellerr.transport import Patience, Transport
from segtrack.annotation.labellerr.uploader import upload
from segtrack.base.errors import PlatformError
from tests.labellerr_loopback.conftest import Api, jpeg, serving


def port_of(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port


def wait_for(done: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not done():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_an_upload_goes_on_where_the_kill_cut_it(tmp_path: Path) -> None:
    folder, half = tmp_path / "state", 150_000
    data = jpeg(tmp_path, "a.jpg") + bytes(300_000)
    with serving(folder) as (url, process):
        api = Api(url)
        connection = api.upload({"whole.jpg": jpeg(tmp_path, "whole.jpg")})
        body = {"file_names": ["a.jpg"], "temporary_connection_id": connection}
        links = api.ask("POST", "/connectors/connect/local", json=body)["resumable_upload_links"]
        location = urlsplit(api.start(links["a.jpg"]))
        size = len(data)
        head = f"PUT {location.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {size}\r\n"
        head += f"Content-Range: bytes 0-{size - 1}/{size}\r\n\r\n"
        with socket.create_connection(("127.0.0.1", port_of(url))) as line:
            line.sendall(head.encode() + data[:half])
            session = folder / "objects" / location.path[-36:-34] / location.path[-36:]
            wait_for(lambda: session.exists() and session.stat().st_size > 0)
            process.kill()
            process.wait()
    with contextlib.closing(sqlite3.connect(folder / "state.db")) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    with serving(folder, port_of(url)) as (again, _):
        assert again == url
        headers = {"Content-Range": f"bytes */{size}"}
        state = requests.put(location.geturl(), headers=headers, timeout=9)
        assert state.status_code == 308
        have = int(state.headers["Range"].removeprefix("bytes=0-")) + 1
        assert 0 < have <= half
        rest = api.put(location.geturl(), data[have:], whole=size, at=have)
        assert rest.status_code == 200
        assert session.read_bytes() == data
        uploads = {u["file_name"]: u for u in api.ask("GET", "/_emulator/uploads")}
        assert [uploads[n]["finished"] for n in ("whole.jpg", "a.jpg")] == [True, True]
        params = {"dataset_id": api.dataset(connection)}
        files = api.ask("GET", "/search/files/all", params=params)["files"]
        assert sorted(file["file_name"] for file in files) == ["a.jpg", "whole.jpg"]


def test_a_push_goes_on_after_the_platform_was_killed(tmp_path: Path) -> None:
    """What arrived before is not sent again, and nothing is lost or made twice."""
    folder, images = tmp_path / "state", tmp_path / "images"
    images.mkdir()
    for number in range(20):
        (images / f"{number:02d}.jpg").write_bytes(jpeg(tmp_path, str(number)))
    files = check_files(images.iterdir())
    patience = Patience(tries=2, first=0.01, longest=0.01, connect=2.0, read=5.0)

    def push(url: str) -> int:
        platform = HttpPlatform(Transport(url, Credentials("KEY", "SECRET", "CID"), patience), 20)
        return upload(platform, files, "streets", tmp_path / "ledger", 2, say=ignore).sent

    with serving(folder) as (url, process):
        slow = {"kind": "delay", "path": "/storage/session", "seconds": 0.1, "times": -1}
        ask("POST", f"{url}/_emulator/faults", json=slow)

        def kill() -> None:
            wait_for(lambda: finished(folder) >= 5)
            process.kill()

        killer = threading.Thread(target=kill)
        killer.start()
        with pytest.raises(PlatformError, match=r"of 20 files .* could not be sent|connection"):
            push(url)
        killer.join()
    before = finished(folder)
    assert 5 <= before < 20
    with serving(folder, port_of(url)) as (_, _):
        # An answer that the kill swallowed is asked for again: at most one per worker.
        assert 20 - before <= push(url) <= 20 - before + 2
        api = Api(url)
        (dataset,) = api.ask("GET", "/datasets/list")["datasets"]
        assert (dataset["name"], dataset["files_count"]) == ("streets", 20)
        uploads = api.ask("GET", "/_emulator/uploads")
        assert [u["finished"] for u in uploads] == [True] * 20
        assert sum(u["puts"] for u in uploads) <= 22


def finished(folder: Path) -> int:
    """Uploads that the platform counts as whole, read beside it."""
    with contextlib.closing(sqlite3.connect(folder / "state.db")) as db:
        count: int = db.execute("SELECT COUNT(*) FROM uploads WHERE finished").fetchone()[0]
    return count


def ignore(text: str) -> None:
    """Says nothing."""
