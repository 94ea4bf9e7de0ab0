"""``scripts/team_server.py``: at which names and addresses it answers."""

from __future__ import annotations

import fnmatch
import socket
from pathlib import Path

import pytest

from scripts import team_server
from scripts.team_server import TeamServer


@pytest.mark.parametrize("host", ["0.0.0.0", "lab.example.org", "127.0.0.1"])
def test_the_address_that_is_printed_is_allowed(
    tmp_path: Path, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_SERVER_ALLOWED_HOSTS", raising=False)
    monkeypatch.setattr(socket, "gethostname", lambda: "machine-7")
    server = TeamServer(tmp_path, port=5000, host=host)
    named = "machine-7" if host == "0.0.0.0" else host
    assert server.uri == f"http://{named}:5000"
    allowed = server.environment["MLFLOW_SERVER_ALLOWED_HOSTS"].split(",")
    for name in (f"{named}:5000", "localhost:5000", "10.0.0.7:5000"):
        assert any(fnmatch.fnmatch(name, pattern) for pattern in allowed)
    assert not any(fnmatch.fnmatch("evil.example.com:5000", pattern) for pattern in allowed)
    monkeypatch.setenv("MLFLOW_SERVER_ALLOWED_HOSTS", "mlflow.lab.org")
    assert server.environment["MLFLOW_SERVER_ALLOWED_HOSTS"] == f"mlflow.lab.org,{named}:5000"


@pytest.mark.parametrize(("host", "at"), [("0.0.0.0", "127.0.0.1"), ("10.0.0.7", "10.0.0.7")])
def test_it_is_asked_where_it_listens(
    tmp_path: Path, host: str, at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(TeamServer, "_start", lambda *_, **__: None)

    def answers(url: str) -> bool:
        asked.append(url)
        return True

    monkeypatch.setattr(team_server, "answers", answers)
    TeamServer(tmp_path, port=5000, host=host).start()
    assert asked == [f"http://{at}:5000/health"]
