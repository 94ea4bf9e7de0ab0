"""The store on S3: an honest server, a slow one, one that fails, and one that is not there."""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from segtrack.base.errors import SettingsError
from segtrack.base.metrics import Report
from segtrack.store import SharedStore, StageCall
from segtrack.store import record as records
from segtrack.store import server as servers
from tests.store.s3 import Server, hang, running, variables
from tests.store.test_remote import CALL, LARGE, build, flipped, never, tree

Machine = Callable[[str], SharedStore]


@pytest.fixture(scope="module")
def s3() -> Iterator[Server]:
    with running() as server:
        yield server


@pytest.fixture(autouse=True)
def environment(s3: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in variables(s3).items():
        monkeypatch.setenv(name, value)
    s3.fault = lambda method, path: None
    monkeypatch.setattr(servers, "PAUSE", 0.01)
    monkeypatch.setattr(servers, "REQUESTS", 1)
    monkeypatch.setattr(servers, "REST", 0.0)
    monkeypatch.setattr(records, "_TOGETHER", 5)


@pytest.fixture
def address(s3: Server) -> str:
    return s3.make(f"b{uuid.uuid4().hex[:12]}")


@pytest.fixture
def machine(address: str, tmp_path: Path) -> Machine:
    def make(name: str) -> SharedStore:
        records._read.clear()
        return SharedStore(address, tmp_path / name)

    return make


def test_what_one_machine_built_another_one_has_byte_for_byte(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    machine("one").reach(write=True)
    first = machine("one").run(CALL, build)
    second = machine("two").run(CALL, never)
    assert second.hit and tree(first.folder) == tree(second.folder)
    far = machine("one").far
    assert [(one.name, one.key) for one in far.entries()] == [("train", CALL.key)]
    assert list(far.damaged()) == [] and far.collect(days=1) == (0, 0)
    assert capsys.readouterr().out == ""


def test_a_file_in_parts(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    large = os.urandom(1 << 20) * 101 + b"end"  # more than two parts of 50 MiB

    def write(folder: Path, report: Report) -> None:
        (folder / "best.pt").write_bytes(large)

    machine("one").run(CALL, write)
    assert (machine("two").run(CALL, never).folder / "best.pt").read_bytes() == large


def test_two_that_send_at_the_same_moment(machine: Machine) -> None:
    """All looked before the first record came: the server itself lets one of them in."""
    wait = threading.Barrier(3)
    found: dict[str, str] = {}

    def run(name: str) -> None:
        def own(folder: Path, report: Report) -> None:
            (folder / "n").write_text(name)
            wait.wait(30)

        found[name] = (machine(name).run(CALL, own).folder / "n").read_text()

    threads = [threading.Thread(target=run, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == 3 and len(set(found.values())) == 1
    assert (machine("late").run(CALL, never).folder / "n").read_text() in found.values()


def test_of_two_conditional_puts_one_is_let_in(machine: Machine) -> None:
    server = machine("one").far.server
    assert server.create("results/a/b/stage.json", b"1")
    assert not server.create("results/a/b/stage.json", b"2")
    assert server.read("results/a/b/stage.json") == b"1"


@pytest.mark.parametrize("status", [500, 503])
def test_a_server_that_fails_and_recovers(
    status: int, s3: Server, machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: dict[tuple[str, str], int] = {}

    def fault(method: str, path: str) -> int | None:
        """Each request fails once."""
        asked[method, path] = asked.get((method, path), 0) + 1
        return status if asked[method, path] == 1 else None

    s3.fault = fault
    machine("one").run(CALL, build)
    asked.clear()
    assert machine("two").run(CALL, never).hit
    assert capsys.readouterr().out == ""


def test_a_server_that_always_fails_costs_no_result(
    s3: Server,
    machine: Machine,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(servers, "REST", 60.0)
    s3.fault = lambda method, path: 503
    away = machine("one")
    away.reach()
    assert not away.run(CALL, build).hit and away.run(CALL, never).hit
    assert away.send_waiting() == (0, 1)
    out = capsys.readouterr().out
    assert out.count("\n") == 1 and "It cannot be reached" in out
    s3.fault = lambda method, path: None
    assert machine("one").send_waiting() == (1, 0)
    assert machine("two").run(CALL, never).hit


def test_a_server_that_fails_from_some_moment_on_leaves_no_half(
    s3: Server, machine: Machine
) -> None:
    """It stops to answer after the large file, before the record."""

    def fault(method: str, path: str) -> int | None:
        return 500 if method == "PUT" and "stage.json" in path else None

    s3.fault = fault
    assert not machine("one").run(CALL, build).hit
    s3.fault = lambda method, path: None
    assert machine("two").find(CALL) is None
    assert machine("one").send_waiting() == (1, 0)
    assert machine("two").run(CALL, never).hit


def test_a_server_that_hangs_is_given_up(
    s3: Server,
    machine: Machine,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(servers, "READ", 0.2)
    monkeypatch.setattr(servers, "TRIES", 2)
    monkeypatch.setattr(servers, "REST", 60.0)
    s3.fault = hang(3)
    start = time.monotonic()
    result = machine("one").run(CALL, build)
    assert time.monotonic() - start < 10 and not result.hit
    assert "It cannot be reached" in capsys.readouterr().out


def test_a_slow_server_is_waited_for(s3: Server, machine: Machine) -> None:
    s3.fault = hang(0.1)
    machine("one").run(CALL, build)
    assert machine("two").run(CALL, never).hit


def test_no_server_there(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    machine("one").reach()
    assert not machine("one").run(CALL, build).hit
    assert "It cannot be reached: results of" in capsys.readouterr().out


def test_a_bucket_that_is_not_there_is_said_before_any_work(s3: Server, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="store=s3://none/x: there is no such bucket"):
        SharedStore("s3://none/x", tmp_path).reach()


def test_rights_that_are_missing_are_said_before_any_work(s3: Server, machine: Machine) -> None:
    s3.fault = lambda method, path: 403 if method == "PUT" else None
    machine("one").reach()
    with pytest.raises(SettingsError, match=r"it is refused: .*credentials are those of the env"):
        machine("one").reach(write=True)
    s3.fault = lambda method, path: 403
    with pytest.raises(SettingsError, match="it is refused"):
        machine("one").reach()


def test_no_credentials(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(SettingsError, match=r"it is refused: .*credentials"):
        machine("one").reach(write=True)


def test_a_changed_byte_on_the_server(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    machine("one").run(CALL, build)
    server = machine("one").far.server
    (path,) = server.below("blobs")
    server.write(path, flipped(LARGE))
    assert not machine("two").run(CALL, build).hit
    assert "is damaged (its digest is another); the result is to be" in capsys.readouterr().out
    assert machine("three").run(CALL, never).hit


def test_the_crowd_of_many_results_is_one_request_each(s3: Server, machine: Machine) -> None:
    def labels(folder: Path, report: Report) -> None:
        for number in range(1000):
            (folder / f"{number}.txt").write_text(str(number))

    s3.requests.clear()
    machine("one").run(StageCall("labels", 1, {}, {}), labels)
    puts = [path.rsplit("/", 1)[1] for method, path in s3.requests if method == "PUT"]
    assert len(puts) == 2 and puts[1] == "stage.json" and puts[0].endswith(".tar")
    s3.requests.clear()
    assert machine("two").run(StageCall("labels", 1, {}, {}), never).hit
    assert [method for method, _ in s3.requests].count("GET") == 2
