"""Artifacts on S3, with a file of runs and with a tracking server."""

from __future__ import annotations

import shutil
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from segtrack import journal as journals
from segtrack.base.errors import DataError, SettingsError
from segtrack.journal import Artifacts, require_bucket
from segtrack.settings import MlflowMode, MlflowSettings
from tests.store.s3 import Server, running, variables


@pytest.fixture(scope="module")
def s3() -> Iterator[Server]:
    with running() as server:
        yield server


@pytest.fixture(autouse=True)
def environment(s3: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    s3.fault = lambda method, path: None
    for name, value in variables(s3).items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def settings(tmp_path: Path, mlflow_template: Path, s3: Server) -> MlflowSettings:
    shutil.copy2(mlflow_template, tmp_path / "mlflow.db")
    return MlflowSettings(uri=f"sqlite:///{tmp_path / 'mlflow.db'}", artifacts=s3.make("runs"))


def keys() -> list[str]:
    import boto3

    found = boto3.client("s3").list_objects_v2(Bucket="runs").get("Contents", [])
    return [one["Key"] for one in found]


def kept(settings: MlflowSettings, folder: Path, bucket: str) -> None:
    """A run whose artifacts are kept and read again."""
    require_bucket(settings)
    (folder / "weights").mkdir(parents=True)
    (folder / "weights" / "best.pt").write_bytes(b"network")
    (folder / "tracking" / "a").mkdir(parents=True)
    (folder / "tracking" / "a" / "results.json").write_text("{}")
    with journals.record(settings, "run", {}) as journal:
        journal.artifact(folder)
        journal.text("seed: 1\n", "config.yaml")
    client, experiment = journals.connect(settings)
    (run,) = client.search_runs([experiment])
    assert run.info.status == "FINISHED"
    assert run.info.artifact_uri.startswith(f"s3://{bucket}/segtrack/")
    artifacts = Artifacts(settings, run, folder / "fetched")
    assert artifacts.names("tracking/*/results.json") == ["tracking/a/results.json"]
    assert artifacts.fetch("tracking/a/results.json").read_text() == "{}"
    assert artifacts.fetch("config.yaml").read_text() == "seed: 1\n"
    weights = journals.run_weights(settings, run.info.run_id, folder / "weights of run")
    assert weights.read_bytes() == b"network"


def test_a_file_of_runs_with_artifacts_on_s3(settings: MlflowSettings, tmp_path: Path) -> None:
    assert not list(settings.problems())
    kept(settings, tmp_path / "run", "runs")
    before = len(keys())
    with pytest.raises(DataError), journals.record(settings, "bad", {}) as journal:
        journal.text("x", "config.yaml")
        assert len(keys()) == before + 1
        raise DataError("no such video")
    assert len(keys()) == before  # wrong input leaves nothing behind


def test_another_bucket_is_said(
    settings: MlflowSettings, s3: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    journals.connect(settings)
    settings.artifacts = "s3://runs/other"
    with journals.record(settings, "run", {}):
        pass
    assert "keeps its artifacts in s3://runs/segtrack/segtrack" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("artifacts", "told"),
    [
        ("s3://none/x", r"mlflow.artifacts=s3://none/x: cannot write there \(.*NoSuchBucket"),
        ("s3://Bad_Bucket!/x", "cannot write there"),
    ],
)
def test_a_bucket_that_cannot_be_used(artifacts: str, told: str, settings: MlflowSettings) -> None:
    settings.artifacts = artifacts
    with pytest.raises(SettingsError, match=told):
        require_bucket(settings)


def test_boto3_is_missing(settings: MlflowSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(SettingsError, match=r"pip install 'segtrack\[s3\]'"):
        require_bucket(settings)


@pytest.mark.parametrize("artifacts", ["ftp://host/x", "s3://key:secret@bucket/x"])
def test_other_addresses_are_refused(artifacts: str) -> None:
    (problem,) = MlflowSettings(uri="sqlite:///a.db", artifacts=artifacts).problems()
    assert problem.key == "mlflow.artifacts" and "secret" not in str(problem)


@pytest.mark.filterwarnings("ignore:starlette.middleware.wsgi")
def test_a_server_with_artifacts_on_s3(
    tmp_path: Path, s3: Server, mlflow_template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow's own application, served by a thread: a process of its own takes half a minute."""
    from mlflow import server as mlflow_server
    from mlflow.server import handlers
    from mlflow.tracking._model_registry import utils as registry
    from mlflow.tracking._tracking_service import utils as tracking
    from werkzeug.serving import make_server

    shutil.copy2(mlflow_template, tmp_path / "mlflow.db")
    address = s3.make("served")
    for name in ("_tracking_store", "_model_registry_store"):
        monkeypatch.setattr(handlers, name, None)
    # The application makes its stores those of the whole process.
    for module, name in ((registry, "_registry_uri"), (tracking, "_tracking_uri")):
        monkeypatch.setattr(module, name, None)
    for name in ("MLFLOW_REGISTRY_URI", "MLFLOW_TRACKING_URI"):
        monkeypatch.setenv(name, "")  # put back at the end, whoever sets it meanwhile
        monkeypatch.delenv(name)
    database = f"sqlite:///{tmp_path / 'mlflow.db'}"
    handlers.initialize_backend_stores(database, database, address)
    http = make_server("127.0.0.1", 0, mlflow_server.app, threaded=True)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    try:
        uri = f"http://127.0.0.1:{http.server_port}"
        kept(MlflowSettings(MlflowMode.server, uri, address), tmp_path / "run", "served")
    finally:
        http.shutdown()
        http.server_close()
