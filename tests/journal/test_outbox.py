"""What waits for a server, on disk."""

from pathlib import Path
from typing import Any

import pytest

from segtrack.base.errors import StageError
from segtrack.command.app import main
from segtrack.journal import outbox as boxes
from segtrack.journal.outbox import Head, Outbox, outboxes
from segtrack.journal.syncing import say_waiting

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


def test_what_an_earlier_process_kept_stays(box: Outbox) -> None:
    box.add(params("1"))
    box.arrived(1, HEAD.run)
    box.add(params("2"))
    with pytest.raises(StageError, match="another process brings what waits there"):
        Outbox.make(HEAD)
    box.close()
    again = Outbox.make(HEAD)
    again.add(params("3"))
    assert again.left() == [params("2"), params("3")]


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


@pytest.mark.parametrize(
    ("name", "text"),
    [("records.jsonl", ""), ("records.jsonl", "5\n"), ("records.jsonl", '{"run": "a"}\n'),
     ("delivered", "{"), ("delivered", "[]")],
)  # fmt: skip
def test_what_is_damaged_holds_up_nothing(
    box: Outbox, tmp_path: Path, name: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    box.close()
    (box.folder / name).write_text(text)
    Outbox.make(Head("b" * 32, HEAD.uri, "segtrack", "second", 2_000, False)).close()
    say_waiting(HEAD.uri)
    told = capsys.readouterr().err
    assert f"warning: what waits in mlruns/waiting/{HEAD.run} cannot be read" in told
    assert "records of 1 earlier run wait" in told
    assert main(["journal", "ls"]) == 0
    assert capsys.readouterr().out.startswith("second  0 records, ")


def test_another_users_box_ends_no_run(
    box: Outbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(self: Outbox) -> bool:
        raise PermissionError(13, "Permission denied", str(self.folder / "lock"))

    monkeypatch.setattr(Outbox, "open", refused)
    say_waiting(HEAD.uri)
    assert main(["journal", "sync", "mlflow.timeout=0.5"]) == 1
    assert "first waits on: [Errno 13] Permission denied" in capsys.readouterr().err


def test_a_box_that_was_just_brought_leaves_no_folder(
    box: Outbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened = Outbox.open

    def late(self: Outbox) -> bool:
        box.remove()
        return opened(self)

    monkeypatch.setattr(Outbox, "open", late)
    monkeypatch.setattr(Outbox, "head", HEAD)
    say_waiting(HEAD.uri)
    assert not list((tmp_path / "mlruns" / "waiting").iterdir())
    assert not capsys.readouterr().err


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
    assert "first waits on: another process is at it: the run itself, which still" in told.err
    box.close()
    assert main(["journal", "sync", "mlflow.timeout=0.5"]) == 1
    told = capsys.readouterr()
    assert told.out == "1 run waits\n" and "no MLflow server answers there" in told.err
    assert told.err.endswith("Start it, or give its address with mlflow.uri=...\n")
    assert main(["journal", "sync", "nowhere"]) == 2
    assert main(["journal", "sync", "mlflow.uri=nowhere"]) == 2
    capsys.readouterr()
    for words, why in (
        (["ls", "mlflow.timeout=2"], "mlflow.timeout=2: journal ls takes no settings"),
        (["sync", "seed=3"], "seed=3: journal sync takes mlflow.uri and mlflow.timeout alone"),
        (["sync", "mlflow=local"], "mlflow=local: journal sync takes mlflow.uri and"),
    ):
        assert main(["journal", *words]) == 2
        assert why in capsys.readouterr().err
    box.remove()
    assert main(["journal", "sync"]) == 0
    assert capsys.readouterr().out.endswith("nothing waits\n")
