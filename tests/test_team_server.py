"""``scripts/team_server.py``: at which names and addresses it answers."""

from __future__ import annotations

import fnmatch
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts import team_server
from scripts.team_server import CannotStart, TeamServer, main


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


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--port", "99999"], 2, "99999: must be a number from 0 to 65535"),
        (["--port", "0", "--host", "no.such.host.invalid"], 1, "cannot listen there ("),
        (["--port", "0", "--host", "a" * 70], 1, "cannot listen there ("),
        (["--port", "0", "--host", ""], 1, "no address; 127.0.0.1 is this machine alone"),
        (["--workers", "0"], 2, "0: must be a number from 1 to 64"),
        (["--workers", "-2"], 2, "-2: must be a number from 1 to 64"),
        (["--endpoint", "http://127.0.0.1:1"], 2, "say what lies there: --artifacts s3://BUCKET"),
        (["--port", "0", "--artifacts", "/tmp/x"], 1, "must be s3://BUCKET"),
        (["--port", "0", "--artifacts", "s3:///x"], 1, "must be s3://BUCKET"),
        (
            ["--port", "0", "--artifacts", "s3://b/x", "--endpoint", "http://127.0.0.1:1"],
            1,
            "--artifacts s3://b/x: cannot write there (Could not connect",
        ),
    ],
)
def test_what_cannot_be_is_said_before_anything_starts(
    words: list[str],
    code: int,
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "us-east-1")
    if "--artifacts" in words:
        pytest.importorskip("boto3", reason="pip install 'segtrack[s3]'")
    monkeypatch.setattr("sys.argv", ["team_server.py", str(tmp_path / "made"), *words])
    monkeypatch.setattr("signal.signal", lambda *_: None)
    try:
        ended = main()
    except SystemExit as end:
        ended = int(str(end.code))
    assert ended == code and told in capsys.readouterr().err


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(CannotStart, match="choose another folder"):
            TeamServer(folder).__enter__()


@pytest.mark.parametrize("name", ["mlflow.log", "s3.log"])
def test_a_folder_where_a_file_belongs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).mkdir()
    words = ["team_server.py", str(tmp_path), "--port", "0", "--database", "sqlite"]
    monkeypatch.setattr("sys.argv", words)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    if name == "mlflow.log":
        monkeypatch.setattr(TeamServer, "_start_s3", lambda _: None)
    assert main() == 1
    told = capsys.readouterr().err
    assert told == f"team_server.py: {tmp_path / name}: Is a directory; choose another folder\n"


def test_ctrl_c_while_it_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It does not wait for an answer first, and leaves no process."""
    handlers: dict[int, Callable[..., None]] = {}
    monkeypatch.setattr("signal.signal", lambda number, what: handlers.update({number: what}))
    words = ["team_server.py", str(tmp_path), "--port", "0", "--database", "sqlite"]
    monkeypatch.setattr("sys.argv", words)
    monkeypatch.setattr(TeamServer, "_start_s3", lambda _: None)
    begun: list[subprocess.Popen[bytes]] = []

    def answers(url: str) -> bool:
        handlers[signal.SIGINT]()
        return False

    def start(server: TeamServer, name: str, *_: object, **__: object) -> None:
        sleeping = subprocess.Popen(["sleep", "60"], start_new_session=True)
        begun.append(sleeping)
        server._running[name] = sleeping

    monkeypatch.setattr(team_server, "answers", answers)
    monkeypatch.setattr(TeamServer, "_start", start)
    assert main() == 0
    assert [process.poll() for process in begun] == [-signal.SIGTERM]
    assert capsys.readouterr().out == "ended\n"


def test_another_one_has_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its PostgreSQL answers, and the file with its password stays as it is."""
    data = tmp_path / "postgres"
    data.mkdir()
    (data / "PG_VERSION").touch()
    (tmp_path / "pgpass").write_text("of the other")
    monkeypatch.setattr("shutil.which", lambda name: name)
    monkeypatch.setattr(team_server, "system_user", lambda folder: {})
    with socket.create_server(("127.0.0.1", 0)) as other:
        lines = ("4711", str(data), "0", str(other.getsockname()[1]), "", "127.0.0.1")
        (data / "postmaster.pid").write_text("\n".join(lines))
        with pytest.raises(CannotStart, match=r"another team_server.*-INT 4711"):
            TeamServer(tmp_path).__enter__()
    assert (tmp_path / "pgpass").read_text() == "of the other"
    assert not team_server.running_at(data)  # what a kill of the machine left is no process


@pytest.mark.parametrize("may_remove", [True, False])
def test_the_try_leaves_nothing_in_the_bucket(
    may_remove: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    boto3 = pytest.importorskip("boto3", reason="pip install 'segtrack[s3]'")
    from botocore.exceptions import ClientError

    class Bucket:
        def __init__(self) -> None:
            self.files: list[tuple[str, str]] = []

        def put_object(self, Bucket: str, Key: str) -> None:
            self.files.append((Bucket, Key))

        def delete_object(self, Bucket: str, Key: str) -> None:
            if not may_remove:
                raise ClientError({"Error": {"Code": "AccessDenied"}}, "DeleteObject")
            self.files.remove((Bucket, Key))

    bucket = Bucket()
    monkeypatch.setattr(boto3, "client", lambda *_, **__: bucket)
    team_server.require_bucket("s3://b/x", None)
    assert bucket.files == ([] if may_remove else [("b", "x/.team_server")])
