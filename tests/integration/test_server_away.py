"""Recording on a server as teams run one, which hangs, dies, and comes back."""

from __future__ import annotations

import re
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts import bench_server
from scripts.team_server import CannotStart, TeamServer
from segtrack import journal as journals
from segtrack.base.metrics import Metric
from segtrack.settings import MlflowMode, MlflowSettings
from tests.integration.conftest import TINY, Project

PREPARE = ["stages=[prepare]", *TINY]


@pytest.fixture(scope="module")
def server() -> Iterator[TeamServer]:
    """On PostgreSQL where that is installed, else on a SQLite file; artifacts on moto's S3."""
    pytest.importorskip("moto.server", reason="moto's S3 server is not installed")
    there = shutil.which("postgres") and shutil.which("initdb")
    folder = Path(tempfile.mkdtemp(prefix="segtrack-server-"))  # tmp_path is closed to its user
    folder.chmod(0o711)
    try:
        with TeamServer(folder, workers=1, database="postgres" if there else "sqlite") as started:
            yield started
    except CannotStart as error:
        pytest.skip(str(error))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "2")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")


@pytest.fixture
def up(server: TeamServer) -> Iterator[TeamServer]:
    """The server, which is up again afterwards."""
    yield server
    if "mlflow" not in server._running:
        server.start()


def words(server: TeamServer, *more: str) -> list[str]:
    return ["mlflow=server", f"mlflow.uri={server.uri}", "mlflow.timeout=1", *more]


def runs_of(server: TeamServer, experiment: str) -> list[Any]:
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=server.uri)
    found = client.get_experiment_by_name(experiment)
    assert found is not None
    order = ["attributes.start_time ASC"]
    return list(client.search_runs([found.experiment_id], order_by=order))


def recorded(server: TeamServer, run: Any, into: Path) -> dict[str, Any]:
    """What a run holds, without what differs from run to run."""
    settings = MlflowSettings(mode=MlflowMode.server, uri=server.uri)
    kept = journals.Artifacts(settings, run, into)
    own = ("output", "segtrack.", "mlflow.", "command")
    return {
        "status": run.info.status,
        "params": set(run.data.params),
        "metrics": set(run.data.metrics),
        "tags": {k for k in run.data.tags if not k.startswith(own)},
        "files": set(kept.names("*")) | set(kept.names("*/*")),
    }


def test_cells_of_many_processes_are_whole(server: TeamServer) -> None:
    settings = MlflowSettings(mode=MlflowMode.server, uri=server.uri, experiment="bench")
    found = bench_server.measure(settings, cells=12, processes=2)
    assert (found["compared"], found["missing"]) == (12 * 258, [])


def test_a_server_that_dies_gets_the_rest_later(
    up: TeamServer, project: Project, tmp_path: Path
) -> None:
    """A sweep in its middle, and a run that begins without it."""
    asked = words(up, "mlflow.experiment=dies", *PREPARE)
    with project.start("-m", *asked, "seed=0,1") as running:
        while "\ncell 1 " not in running.out:
            assert running.poll() is None, running.err
            time.sleep(0.01)
        up.end(number=signal.SIGKILL)
        assert running.wait(120) == 0, running.err
        out, err = running.out, running.err
    assert f"mlflow.uri={up.uri} takes no records now" in err
    assert "records of this run wait in mlruns/waiting/" in err and "segtrack journal sync" in err
    assert "the tables of this sweep cannot be made now" in err
    begun = project.run(*asked)
    assert begun.code == 0, begun.err
    (first_id,) = re.findall(r"^run .* \((\w{32})\)$", begun.out, re.MULTILINE)
    listed = project.run("journal", "ls").out.splitlines()
    assert len(listed) == 4 and listed[-1].startswith("3 runs wait")
    line = rf"\d+ records?, .* for {re.escape(up.uri)}: mlruns/waiting/\w+$"
    assert all(re.search(line, one) for one in listed[:-1])
    early = project.run("journal", "sync", "mlflow.timeout=1")
    assert (early.code, early.out) == (1, "3 runs wait\n")
    up.start()
    before = int(time.time() * 1000)
    brought = project.run("journal", "sync")
    assert (brought.code, brought.out.splitlines()[-1]) == (0, "nothing waits")
    parent, *cells, run = runs_of(up, "dies")
    assert f"segtrack report {parent.info.run_id} mlflow=server mlflow.uri={up.uri}\n" in out
    assert [cell.data.tags["mlflow.parentRunId"] for cell in cells] == [parent.info.run_id] * 2
    values = [{**cell.data.params, "seed": "any"} for cell in cells]
    assert values[0] == values[1]
    assert [cell.data.params["seed"] for cell in cells] == ["0", "1"]
    assert cells[1].info.run_name == cells[0].info.run_name.replace("seed=0", "seed=1")
    for one in (parent, *cells, run):
        assert one.info.status == "FINISHED" and one.info.end_time < before
    undisturbed, away, alone = (recorded(up, one, tmp_path) for one in (*cells, run))
    assert undisturbed == away
    assert undisturbed["params"] < alone.pop("params")  # which has what was typed, too
    assert alone == {key: value for key, value in undisturbed.items() if key != "params"}
    assert len(undisturbed["files"]) > 5 and len(undisturbed["metrics"]) > 5
    settings = MlflowSettings(mode=MlflowMode.server, uri=up.uri, experiment="dies")
    assert journals.earlier_run(settings, first_id).info.run_id == run.info.run_id
    again = project.run("journal", "sync")
    assert (again.code, again.out) == (0, "nothing waits\n")
    assert not list((project.folder / "mlruns" / "waiting").iterdir())


def test_a_server_that_hangs_has_everything_once_it_goes_on(
    up: TeamServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = MlflowSettings(mode=MlflowMode.server, uri=up.uri, experiment="hangs", timeout=1)
    with journals.record(settings, "cut", {"a": "1"}) as journal:
        up.signal(signal.SIGSTOP)
        journal.params({"p": 1})  # a request without an answer, which the server may take later
        with pytest.raises(journals.ServerAway), journals.record(settings, "sweep", {}):
            pass
        with journals.record(settings, "begun", {}, may_wait=True) as other:
            other.metric(Metric("m", 1.0, 0))
        assert len(list(Path("mlruns/waiting").iterdir())) == 2
        up.signal(signal.SIGCONT)
        monkeypatch.setattr(journal._sender, "_again", 0.0)  # half a minute has passed
        journal.metric(Metric("m", 0.5, 3))
        journal.flush()
        assert len(list(Path("mlruns/waiting").iterdir())) == 1
        journal.metric(Metric("m", 0.25, 4))
    with journals.record(settings, "next", {}):
        pass
    said = f"records of 1 earlier run wait for {up.uri}: segtrack journal sync"
    assert capsys.readouterr().err.splitlines()[-1] == said
    (sent,) = journals.sync(Path(), timeout=5)
    assert (sent.head.name, sent.why) == ("begun", "")
    cut, begun, _ = runs_of(up, "hangs")
    assert (cut.info.run_name, cut.data.params, cut.info.status) == ("cut", {"p": "1"}, "FINISHED")
    assert (begun.info.run_name, begun.data.metrics) == ("begun", {"m": 1.0})
    client, _ = journals.connect(settings)
    history = client.get_metric_history(cut.info.run_id, "m")
    assert [(row.step, row.value) for row in history] == [(3, 0.5), (4, 0.25)]


def test_a_sync_that_is_killed_goes_on(
    up: TeamServer, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.folder)
    settings = MlflowSettings(mode=MlflowMode.server, uri=up.uri, experiment="killed", timeout=1)
    file = project.folder / "a.txt"
    steps = range(60)
    up.signal(signal.SIGSTOP)
    try:
        with journals.record(settings, "r", {}, parent="0" * 32) as journal:
            for step in steps:
                journal.metric(Metric("m", step / 7, step))
                journal.flush()
                if step % 10 == 0:
                    file.write_text(f"{step}")
                    journal.artifact(file, f"kept/{step}")
    finally:
        up.signal(signal.SIGCONT)
    (outbox,) = journals.outboxes(Path())
    with project.start("journal", "sync") as running:
        while outbox.delivered < 20:
            assert running.poll() is None, running.out + running.err
            time.sleep(0.005)
        running.kill()
        running.wait(20)
    arrived = outbox.delivered
    assert 20 <= arrived < len(outbox.records())
    # What the server took, and did not live to say: it is sent again, and is there once.
    outbox.arrived(arrived - 5, str(outbox.run))
    brought = project.run("journal", "sync")
    assert brought.code == 0, brought.err
    (run,) = runs_of(up, "killed")
    client, _ = journals.connect(settings)
    rows = client.get_metric_history(run.info.run_id, "m")
    assert sorted((row.step, row.value) for row in rows) == [(n, n / 7) for n in steps]
    kept = journals.Artifacts(settings, run, project.folder / "fetched")
    assert {path.read_text() for path in kept.files("kept/*/a.txt")} == {
        str(step) for step in steps if step % 10 == 0
    }
    assert run.info.status == "FINISHED"
