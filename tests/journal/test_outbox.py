"""What waits for a server, on disk."""

from pathlib import Path
from typing import Any

import pytest

from segtrack.command.app import main
from segtrack.journal import outbox as boxes
from segtrack.journal.outbox import Head, Outbox, outboxes

HEAD = Head("a" * 32, "http://127.0.0.1:9", "segtrack", "first", 1_000, True)


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Outbox:
    monkeypatch.chdir(tmp_path)
    return Outbox.make(HEAD)


def params(value: str) -> dict[str, Any]:
    return {"what": "params", "params": {"a": value}}


def test_records_stay_in_order_and_a_file_as_it_was(box: Outbox, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("then")
    box.add(params("1"))
    box.add({"what": "metrics", "rows": [["m", float("inf"), 5, 0]]})
    box.add({"what": "artifact", "file": str(tmp_path / "a.txt"), "folder": "x"})
    (tmp_path / "a.txt").write_text("now")
    (again,) = outboxes(tmp_path)
    assert again.head == HEAD and again.run == HEAD.run
    first, second, third = again.left()
    assert first == params("1") and second["rows"] == [["m", float("inf"), 5, 0]]
    assert Path(third["file"]).read_text() == "then" and third["folder"] == "x"
    box.arrived(2, HEAD.run)
    assert [one["what"] for one in again.left()] == ["artifact"]


def test_a_line_that_a_kill_cut_is_none(box: Outbox, tmp_path: Path) -> None:
    box.add(params("1"))
    with (box.folder / "records.jsonl").open("a") as file:
        file.write('{"what": "par')
    assert box.records() == [params("1")]
    box.add(params("2"))
    assert box.records() == [params("1"), params("2")]


def test_to_add_reads_no_more_than_the_end(box: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(path: Path) -> bytes:
        raise AssertionError(f"all of {path} is read")

    monkeypatch.setattr(Path, "read_bytes", read)
    box.add(params("1"))
    monkeypatch.undo()
    assert box.records() == [params("1")]


def test_only_one_holds_it(box: Outbox, tmp_path: Path) -> None:
    (other,) = outboxes(tmp_path)
    assert not other.open()
    box.close()
    assert other.open()
    other.remove()
    assert not list((tmp_path / "mlruns" / "waiting").iterdir())


def test_a_run_that_the_server_has_not_made_yet(tmp_path: Path, box: Outbox) -> None:
    later = Outbox.make(Head("b" * 32, HEAD.uri, "segtrack", "second", 2_000, False))
    assert later.run is None
    later.arrived(0, "c" * 32)
    assert later.run == "c" * 32
    assert [one.head.name for one in outboxes(tmp_path)] == ["first", "second"]


def test_how_a_run_ended(box: Outbox) -> None:
    assert box.ended() is None
    box.add({"what": "end", "status": "FINISHED", "time": 5})
    assert box.ended() == "FINISHED"


def test_which_servers_are_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert not boxes.known(HEAD.uri)
    for _ in range(2):
        boxes.remember(HEAD.uri)
    assert boxes.known(HEAD.uri) and not boxes.known("http://127.0.0.1")
    assert (tmp_path / "mlruns" / "servers.txt").read_text() == f"{HEAD.uri}\n"


def test_the_word(box: Outbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    box.add(params("1"))
    assert main(["journal", "ls"]) == 0
    assert "first  1 record, " in capsys.readouterr().out
    assert main(["journal", "sync", str(tmp_path)]) == 1
    told = capsys.readouterr()
    assert "first waits on: it is still running, and brings them itself" in told.err
    box.close()
    assert main(["journal", "sync", "mlflow.timeout=0.5"]) == 1
    told = capsys.readouterr()
    assert told.out == "1 run waits\n" and "no MLflow server answers there" in told.err
    assert main(["journal", "sync", "nowhere"]) == 2
    assert main(["journal", "sync", "mlflow.uri=nowhere"]) == 2
    box.remove()
    assert main(["journal", "sync"]) == 0
    assert capsys.readouterr().out.endswith("nothing waits\n")
