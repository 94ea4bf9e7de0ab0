"""Records that waited, brought to an MLflow that is a file: what a server does with them."""

import json
import os
import signal
from dataclasses import replace
from http.client import BadStatusLine
from pathlib import Path
from typing import Any

import pytest
import requests
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import OperationalError

from segtrack import journal as journals
from segtrack.base.errors import SettingsError
from segtrack.command.app import main
from segtrack.journal import delivery, journal
from segtrack.journal.delivery import Sender
from segtrack.journal.outbox import Head, Outbox
from segtrack.journal.syncing import say_waiting
from segtrack.journal.tracking import of_server
from segtrack.journal.writing import Writer
from segtrack.settings import MlflowSettings
from tests.journal.made import empty_mlflow


@pytest.fixture
def settings(
    tmp_path: Path, mlflow_template: Path, monkeypatch: pytest.MonkeyPatch
) -> MlflowSettings:
    monkeypatch.chdir(tmp_path)
    return empty_mlflow(tmp_path, mlflow_template)


def made(name: str, began: int, *records: dict[str, Any], parent: str = "") -> Outbox:
    tags = {"mlflow.parentRunId": parent} if parent else {}
    box = Outbox.make(Head(name * 32, "http://127.0.0.1:9", "segtrack", name, began, False, tags))
    for record in records:
        box.add(record)
    box.close()
    return box


def end(time: int) -> dict[str, Any]:
    return {"what": "end", "status": "FINISHED", "time": time}


def test_runs_come_in_the_order_in_which_they_began(settings: MlflowSettings) -> None:
    client, experiment = journals.connect(settings)
    made("b", 2_000, {"what": "params", "params": {"p": "1"}}, end(2_500))
    made("a", 1_000, end(1_500))
    sent = list(journals.sync(Path(), 1, settings.uri))
    assert [(one.head.name, one.records, one.why) for one in sent] == [("a", 1, ""), ("b", 2, "")]
    order = ["attributes.start_time ASC"]
    runs = client.search_runs([experiment], order_by=order)
    times = [(run.info.start_time, run.info.end_time, run.info.status) for run in runs]
    assert times == [(1_000, 1_500, "FINISHED"), (2_000, 2_500, "FINISHED")]
    assert runs[1].data.params == {"p": "1"}
    assert journals.earlier_run(settings, "a" * 32).info.run_id == runs[0].info.run_id


def test_a_run_that_was_killed_meanwhile_is_ended(settings: MlflowSettings) -> None:
    box = made("a", 1_000, {"what": "metrics", "rows": [["m", 0.5, 1_100, 0]]})
    os.utime(box.folder / "records.jsonl", (5, 5))
    (sent,) = journals.sync(Path(), 1, settings.uri)
    run = journals.earlier_run(settings, sent.run)
    assert (run.info.status, run.data.metrics) == ("KILLED", {"m": 0.5})
    assert run.data.tags["error"] == "the process was killed"
    assert run.info.end_time == 5_000


TWICE: list[dict[str, Any]] = [
    {"what": "params", "params": {"p": value}} for value in "12"
]  # the second is refused


def test_what_is_refused_holds_up_nothing(
    settings: MlflowSettings, capsys: pytest.CaptureFixture[str]
) -> None:
    client, _ = journals.connect(settings)
    made("a", 1_000, *TWICE, {"what": "metrics", "rows": [["m", 0.5, 1_100, 0]]}, end(1_500))
    made("b", 2_000, end(2_500))
    first, second = journals.sync(Path(), 1, settings.uri)
    assert first.why.startswith("1 record is refused for good (params: ")
    assert not second.why
    run = client.get_run(first.run)
    assert (run.info.status, run.data.metrics, run.data.params) == (
        "FINISHED",
        {"m": 0.5},
        {"p": "1"},
    )
    (left,) = journals.outboxes(Path())
    refused = json.loads((left.folder / "refused.jsonl").read_text())
    assert refused["record"] == TWICE[1] and "p" in refused["why"]
    capsys.readouterr()
    assert main(["journal", "sync"]) == 1  # its server is not asked any more
    assert "refused for good" in capsys.readouterr().err
    assert main(["journal", "ls"]) == 0
    assert f"kept in {left.folder / 'refused.jsonl'}" in capsys.readouterr().out
    say_waiting("http://127.0.0.1:9")
    assert not capsys.readouterr().err
    left.open()
    left.remove()
    assert main(["journal", "sync"]) == 0


def test_a_run_that_was_deleted_waits_whole(settings: MlflowSettings) -> None:
    client, experiment = journals.connect(settings)
    run = client.create_run(experiment).info.run_id
    client.delete_run(run)
    box = Outbox.make(Head(run, "http://127.0.0.1:9", "segtrack", "a", 1_000, True))
    box.add(TWICE[0])
    box.add(end(1_500))
    box.close()
    (sent,) = journals.sync(Path(), 1, settings.uri)
    assert sent.why.startswith("it is refused: ") and not box.refused()
    client.restore_run(run)
    (sent,) = journals.sync(Path(), 1, settings.uri)
    assert not sent.why and client.get_run(run).data.params == {"p": "1"}


def test_a_running_run_goes_on_where_a_record_is_refused(
    settings: MlflowSettings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    client, experiment = journals.connect(settings)
    run = client.create_run(experiment).info.run_id
    monkeypatch.setattr(delivery, "sqlite_path", lambda _: None)  # as if it were a server's
    sender = Sender(settings, Head(run, settings.uri, "segtrack", "a", 1_000, True))
    metric: dict[str, Any] = {"what": "metrics", "rows": [["m", 0.5, 1_100, 0]]}
    for record in (*TWICE, TWICE[1], metric):
        sender.send(record)
    assert capsys.readouterr().err.count("refuses a record for good (params: ") == 1
    assert client.get_run(run).data.metrics == {"m": 0.5}
    (held,) = journals.sync(Path(), 1)
    assert "still runs" in held.why
    sender.end(end(1_500))
    assert "2 records are refused for good" in capsys.readouterr().err
    (left,) = journals.sync(Path(), 1)
    assert left.run == run and "2 records are refused" in left.why
    assert client.get_run(run).info.status == "FINISHED"


@pytest.mark.parametrize(
    ("code", "good"),
    [
        ("INVALID_PARAMETER_VALUE", True),
        ("RESOURCE_DOES_NOT_EXIST", True),
        ("INTERNAL_ERROR", False),
        ("UNAUTHENTICATED", False),
        ("PERMISSION_DENIED", False),
        ("REQUEST_LIMIT_EXCEEDED", False),
    ],
)
def test_what_is_refused_for_good(settings: MlflowSettings, code: str, good: bool) -> None:
    from mlflow.exceptions import RestException

    client, experiment = journals.connect(settings)
    writer = Writer(client, client.create_run(experiment).info.run_id)
    assert writer.refused(RestException({"error_code": code, "message": "no"})) is good


def interrupted(run: str) -> Outbox:
    box = Outbox.make(Head(run, "http://127.0.0.1:9", "segtrack", "a", 1_000, True))
    box.add({"what": "tags", "tags": {"error": "interrupted"}})
    box.add({"what": "end", "status": "KILLED", "time": 1_500})
    box.close()
    return box


def test_a_run_that_goes_on_first_gets_what_waits(settings: MlflowSettings) -> None:
    client, experiment = journals.connect(settings)
    run = client.create_run(experiment).info.run_id
    interrupted(run)
    with journals.record(settings, "a", {}, again=run):
        assert not list(journals.outboxes(Path()))
    assert not list(journals.sync(Path(), 1, settings.uri))
    ended = client.get_run(run)
    assert (ended.info.status, ended.data.tags["error"]) == ("FINISHED", "")


def test_a_run_does_not_go_on_before_what_waits(
    settings: MlflowSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, experiment = journals.connect(settings)
    run = client.create_run(experiment).info.run_id
    box = interrupted(run)
    box.open()
    with (
        pytest.raises(SettingsError, match=r"bringing them\): segtrack journal sync first"),
        journals.record(settings, "a", {}, again=run),
    ):
        raise AssertionError
    box.close()

    def away(*_: object, **__: object) -> None:
        raise ConnectionError("gone again")

    monkeypatch.setattr(Writer, "tags", away)
    with (
        pytest.raises(SettingsError, match=r"gone again\): segtrack journal sync first"),
        journals.record(settings, "a", {}, again=run),
    ):
        raise AssertionError
    assert client.get_run(run).data.tags.get("segtrack.host") is None
    assert len(box.left()) == 2 and box.open()


def test_who_presses_ctrl_c_waits_for_no_hanging_server(
    settings: MlflowSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def ends(*_: object) -> None:
        names = ("MLFLOW_HTTP_REQUEST_TIMEOUT", "MLFLOW_HTTP_REQUEST_MAX_RETRIES")
        asked.append([os.environ[name] for name in names])

    monkeypatch.setattr(Sender, "end", ends)
    settings = replace(settings, timeout=1.5)
    with pytest.raises(KeyboardInterrupt), journals.record(settings, "a", {}):
        raise KeyboardInterrupt
    with journals.record(settings, "a", {}):
        pass
    assert asked == [["2", "0"], ["30", "1"]]


def test_ctrl_c_at_the_last_request_waits_for_no_hanging_server(
    settings: MlflowSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that did its work: it is ended as that, and the command goes on to its own end."""
    asked = []

    def ends(_: Sender, record: dict[str, Any]) -> None:
        asked.append([record["status"], os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"]])
        if len(asked) == 1:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Sender, "end", ends)
    monkeypatch.setattr(journal, "sqlite_path", lambda _: None)  # as if it were a server's
    with journals.record(replace(settings, timeout=1.5), "a", {}):
        pass
    assert asked == [["FINISHED", "30"], ["FINISHED", "2"]]


def test_a_fault_of_our_own_is_no_server_that_is_away(
    settings: MlflowSettings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    client, experiment = journals.connect(settings)
    run = client.create_run(experiment).info.run_id
    monkeypatch.setattr(delivery, "sqlite_path", lambda _: None)  # as if it were a server's
    sender = Sender(settings, Head(run, settings.uri, "segtrack", "a", 1_000, True))
    with pytest.raises(AttributeError, match="'Writer' object has no attribute 'curve'"):
        sender.send({"what": "curve"})
    assert sender.waiting is None

    def away(*_: object, **__: object) -> None:
        raise ConnectionError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(Writer, "tags", away)
        sender.send({"what": "tags", "tags": {"a": "b"}})
        assert sender.waiting is not None and not sender.deliver()
    assert "takes no records now (gone)" in capsys.readouterr().err
    sender.send({"what": "curve"})
    with pytest.raises(AttributeError):
        sender.deliver()
    assert client.get_run(run).data.tags["a"] == "b" and sender._outbox is not None
    sender._outbox.close()  # as the end of the process does
    (sent,) = journals.sync(Path(), 1, settings.uri)
    assert sent.why.startswith("a fault of segtrack's own, AttributeError: 'Writer'")
    assert sender.waiting.is_dir()


@pytest.mark.parametrize(
    ("error", "away"),
    [
        (MlflowException("no"), True),
        (requests.ConnectionError("refused"), True),
        (OperationalError("select", {}, Exception("gone")), True),
        (TimeoutError(), True),
        (BadStatusLine("?"), True),
        (ModuleNotFoundError("boto3"), True),
        (FileNotFoundError(2, "No such file", "best.pt"), False),
        (TypeError("of ours"), False),
        (KeyError("run"), False),
    ],
)
def test_whose_fault_it_is(error: Exception, away: bool) -> None:
    assert of_server(error) is away


def test_only_the_cells_of_a_sweep(settings: MlflowSettings) -> None:
    made("a", 1_000, end(1_500), parent="p" * 32)
    made("b", 2_000, end(2_500))
    (sent,) = journals.sync(Path(), 1, settings.uri, parent="p" * 32)
    assert sent.head.name == "a"


def test_a_run_that_was_made_and_not_answered_is_found(settings: MlflowSettings) -> None:
    client, experiment = journals.connect(settings)
    box = made("a", 1_000, end(1_500))
    client.create_run(experiment, tags={"segtrack.id": box.head.run})
    list(journals.sync(Path(), 1, settings.uri))
    (run,) = client.search_runs([experiment])
    assert run.info.status == "FINISHED"


def test_to_write_twice_is_to_write_once(settings: MlflowSettings, tmp_path: Path) -> None:
    client, experiment = journals.connect(settings)
    writer = Writer(client, client.create_run(experiment).info.run_id)
    (tmp_path / "a.txt").write_text("a")
    rows = [["m", 0.1, 5, 0], ["m", float("nan"), 6, 1]]
    for _ in range(2):
        writer.write({"what": "metrics", "rows": rows})
        writer.write({"what": "artifact", "file": str(tmp_path / "a.txt"), "folder": "kept"})
        writer.write({"what": "text", "text": "b", "name": "b.txt"})
        writer.write({"what": "register", "name": "street", "folder": "kept"})
        data = {"name": "d", "digest": "f" * 36, "source": "here", "context": "training"}
        writer.write({"what": "dataset", **data})
        writer.write({"what": "end", "status": "FINISHED", "time": 9})
    run = client.get_run(writer.run_id)
    assert len(client.get_metric_history(writer.run_id, "m")) == 2
    assert len(client.search_model_versions("name='street'")) == 1
    assert len(run.inputs.dataset_inputs) == 1 and run.info.end_time == 9
    writer.write({"what": "forget"})
    writer.write({"what": "forget"})
    assert client.get_run(writer.run_id).info.lifecycle_stage == "deleted"
