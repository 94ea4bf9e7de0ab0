"""Recording on a server as teams run one, which hangs, dies, and comes back."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.team_server import CannotStart, TeamServer
from segtrack import journal as journals
from segtrack.base.metrics import Metric
from segtrack.journal import delivery
from segtrack.settings import MlflowMode, MlflowSettings
from tests.integration.conftest import ROOT, TINY, Project

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
    own = ("output", "segtrack.", "mlflow.log-model", "command")
    return {
        "status": run.info.status,
        "params": {k: v for k, v in run.data.params.items() if "timeout" not in k},
        "metrics": set(run.data.metrics),
        "tags": {k for k in run.data.tags if not k.startswith(own)},
        "files": set(kept.names("*")) | set(kept.names("*/*")),
    }


def test_cells_of_many_processes_are_whole(server: TeamServer, tmp_path: Path) -> None:
    command = [
        *(sys.executable, str(ROOT / "scripts" / "bench_server.py"), "--uri", server.uri),
        *("--cells", "12", "--processes", "2", "--json"),
    ]
    env = {**os.environ, "MLFLOW_HTTP_REQUEST_TIMEOUT": "30"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=env)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["server"]
    assert (found["compared"], found["missing"]) == (12 * 258, [])


def test_a_server_that_dies_in_mid_run_gets_the_rest_later(
    up: TeamServer, project: Project, tmp_path: Path
) -> None:
    asked = words(up, "mlflow.experiment=dies", *PREPARE)
    assert project.run(*asked).code == 0
    with project.start(*asked) as running:
        while "\nrun " not in f"\n{running.out}":
            assert running.poll() is None, running.err
            time.sleep(0.01)
        up.end(number=signal.SIGKILL)
        assert running.wait(120) == 0, running.err
        said = running.err
    assert f"mlflow.uri={up.uri} takes no records now" in said
    assert "records of this run wait in mlruns/waiting/" in said
    assert "segtrack journal sync" in said
    listed = project.run("journal", "ls").out
    assert re.search(rf"\d+ records, .* for {re.escape(up.uri)}: .*mlruns/waiting/\w+", listed)
    away = project.run("journal", "sync", "mlflow.timeout=1")
    assert (away.code, away.out.splitlines()[-1]) == (1, "1 run waits")
    up.start()
    undisturbed, cut = runs_of(up, "dies")
    assert cut.info.status == "RUNNING"
    brought = project.run("journal", "sync")
    assert (brought.code, brought.out.splitlines()[-1]) == (0, "nothing waits")
    assert cut.info.run_id in brought.out
    undisturbed, cut = runs_of(up, "dies")
    assert recorded(up, cut, tmp_path) == recorded(up, undisturbed, tmp_path)
    again = project.run("journal", "sync")
    assert (again.code, again.out) == (0, "nothing waits\n")
    assert not list((project.folder / "mlruns" / "waiting").iterdir())


def test_a_run_begins_without_a_server_that_is_known(
    up: TeamServer, project: Project, tmp_path: Path
) -> None:
    asked = words(up, "mlflow.experiment=hangs", *PREPARE)
    up.signal(signal.SIGSTOP)
    try:
        refused = project.run(*asked)  # an address that never recorded may be a slip
        assert refused.code == 2
        assert f"mlflow.uri={up.uri}: no MLflow server answers there within 1 s" in refused.err
        (project.folder / "mlruns" / "servers.txt").write_text(f"{up.uri}\n")
        begun = project.run(*asked)
        sweep = project.run("-m", *asked, "seed=0,1")
    finally:
        up.signal(signal.SIGCONT)
    assert begun.code == 0, begun.err
    assert "takes no records now (it does not answer)" in begun.err
    assert sweep.code == 2 and "no MLflow server answers" in sweep.err
    (first_id,) = re.findall(r"^run .* \((\w{32})\)$", begun.out, re.MULTILINE)
    before = int(time.time() * 1000)
    assert project.run("journal", "sync").code == 0
    (run,) = runs_of(up, "hangs")
    assert run.info.status == "FINISHED" and run.info.end_time < before
    assert len(recorded(up, run, tmp_path)["files"]) > 3
    settings = MlflowSettings(mode=MlflowMode.server, uri=up.uri, experiment="hangs")
    assert journals.earlier_run(settings, first_id).info.run_id == run.info.run_id


def test_cells_that_a_server_did_not_see_come_under_their_parent(
    up: TeamServer, project: Project
) -> None:
    asked = ["-m", *words(up, "mlflow.experiment=swept", *PREPARE), "seed=0,1,2"]
    with project.start(*asked) as running:
        while "\ncell 1 " not in running.out:
            assert running.poll() is None, running.err
            time.sleep(0.01)
        up.end(number=signal.SIGKILL)
        assert running.wait(200) == 0, running.err
        out, err = running.out, running.err
    assert "the tables of this sweep cannot be made now" in err
    up.start()
    assert project.run("journal", "sync").code == 0
    parent, *cells = runs_of(up, "swept")
    assert f"segtrack report {parent.info.run_id}" in out
    assert [run.data.tags["mlflow.parentRunId"] for run in cells] == [parent.info.run_id] * 3
    assert [run.data.params["seed"] for run in cells] == ["0", "1", "2"]
    assert {run.info.status for run in (parent, *cells)} == {"FINISHED"}
    names = [run.info.run_name for run in cells]
    assert names[1] == names[0].replace("seed=0", "seed=1")


def test_a_run_brings_its_records_itself_once_the_server_is_back(
    up: TeamServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(delivery, "AGAIN_SECONDS", 0.0)
    settings = MlflowSettings(mode=MlflowMode.server, uri=up.uri, experiment="back", timeout=1)
    with journals.record(settings, "r", {"a": "1"}) as journal:
        up.end(number=signal.SIGKILL)
        journal.params({"p": 1})
        assert list(Path("mlruns/waiting").iterdir())
        up.start()
        journal.metric(Metric("m", 0.5, 3))
        journal.flush()
        assert not list(Path("mlruns/waiting").iterdir())
        journal.metric(Metric("m", 0.25, 4))
    (run,) = runs_of(up, "back")
    assert run.data.params == {"p": "1"} and run.info.status == "FINISHED"
    client, _ = journals.connect(settings)
    history = client.get_metric_history(run.info.run_id, "m")
    assert [(row.step, row.value) for row in history] == [(3, 0.5), (4, 0.25)]


def test_a_sync_that_is_killed_goes_on(
    up: TeamServer, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.folder)
    settings = MlflowSettings(mode=MlflowMode.server, uri=up.uri, experiment="killed", timeout=1)
    file = project.folder / "a.txt"
    steps = range(120)
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
