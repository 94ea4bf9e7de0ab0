"""The journal: what MLflow holds after a run that finished, failed or was killed."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from mlflow.entities import ViewType

from segtrack import journal as journals
from segtrack.base.errors import DataError, SettingsError, StageError
from segtrack.base.metrics import Metric
from segtrack.base.names import level
from segtrack.base.processes import process_mark
from segtrack.journal import journal as journal_module
from segtrack.settings import MlflowMode, MlflowSettings
from tests.journal.made import empty_mlflow


@pytest.fixture
def settings(tmp_path: Path, mlflow_template: Path) -> MlflowSettings:
    (tmp_path / "mlruns").mkdir()
    return empty_mlflow(tmp_path / "mlruns", mlflow_template)


def only_run(settings: MlflowSettings):  # type: ignore[no-untyped-def]
    client, experiment = journals.connect(settings)
    (run,) = client.search_runs([experiment])
    return client, run


def test_a_run_holds_params_metrics_tags_and_artifacts(
    settings: MlflowSettings, tmp_path: Path
) -> None:
    (tmp_path / "figures" / "pr").mkdir(parents=True)
    (tmp_path / "figures" / "pr" / "curve.csv").write_text("1,2\n")
    with journals.record(settings, "yolov8n-seg seed=1", {"git.commit": "abc"}) as journal:
        journal.params({"seed": 1, "stages": ["prepare", "train"], "text": "x" * 9000})
        for step, value in ((1, 0.5), (2, 0.25), (2, 99.0)):
            journal.metric(Metric("train/box_loss", value, step))
        journal.metric(Metric("test/class/traffic light (red)/mask_map50", 0.5, 0))  # an own stage
        journal.artifact(tmp_path / "figures", "evaluation")
        journal.dataset("traffic_sim", "f" * 64, "traffic_sim", "training")
    client, run = only_run(settings)
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "yolov8n-seg seed=1"
    assert run.data.params["stages"] == '["prepare", "train"]'
    assert run.data.params["text"].endswith("(cut; 9000 characters, see config.yaml)")
    history = client.get_metric_history(run.info.run_id, "train/box_loss")
    assert [(m.step, m.value) for m in history] == [(1, 0.5), (2, 0.25)]
    assert run.data.metrics[f"test/class/{level('traffic light (red)')}/mask_map50"] == 0.5
    (item,) = client.list_artifacts(run.info.run_id, "evaluation/pr")
    assert (item.path, item.file_size) == ("evaluation/pr/curve.csv", 4)
    (used,) = run.inputs.dataset_inputs
    assert (used.dataset.name, used.dataset.digest) == ("traffic_sim", "f" * 36)


def test_what_an_epoch_reports_is_there_seconds_later(
    settings: MlflowSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All at once, and then nothing until the next one ends."""
    monkeypatch.setattr(journal_module, "FLUSH_SECONDS", 0.1)
    with journals.record(settings, "r", {}) as journal:
        for epoch in (1, 2):
            time.sleep(0.11)
            for name in ("a", "b", "c"):
                journal.metric(Metric(name, epoch, epoch))
            journal.tags({"stage.train": str(epoch)})
            until = time.monotonic() + 10
            while (run := only_run(settings)[1]).data.tags.get("stage.train") != str(epoch):
                assert time.monotonic() < until
            assert run.data.metrics == {"a": epoch, "b": epoch, "c": epoch}


def test_what_could_not_be_sent_is_sent_later(
    settings: MlflowSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with journals.record(settings, "r", {}) as journal, monkeypatch.context() as patch:
        patch.setattr(journal._sender._writer, "run_id", "0" * 32)
        journal.metric(Metric("a", 1.0, 0))
        journal._flush_late()
    assert only_run(settings)[1].data.metrics == {"a": 1.0}


def test_two_runs_record_the_same_data_set_at_one_moment(
    settings: MlflowSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow looks whether it is there, and writes it; another one does the same in between."""
    from mlflow.store.tracking import sqlalchemy_store

    same = ("traffic_sim", "f" * 64, "traffic_sim", "training")
    with (
        journals.record(settings, "one", {}) as one,
        journals.record(settings, "two", {}) as two,
        monkeypatch.context() as patch,
    ):

        def between() -> uuid.UUID:
            patch.undo()
            two.dataset(*same)
            return uuid.uuid4()

        patch.setattr(sqlalchemy_store.uuid, "uuid4", between)
        one.dataset(*same)
    client, experiment = journals.connect(settings)
    runs = client.search_runs([experiment])
    assert [run.info.status for run in runs] == ["FINISHED"] * 2
    names = [item.dataset.name for run in runs for item in run.inputs.dataset_inputs]
    assert names == ["traffic_sim"] * 2


def test_no_text_ends_a_run(settings: MlflowSettings) -> None:
    """A file's name may hold bytes that are no text, and a class any letters."""
    odd = "\udcff (1)\0.mp4"
    with journals.record(settings, odd, {"command": odd, f"class.{odd}": odd}) as journal:
        journal.params({"video": odd, "dataset.classes.a//b": 1, "dataset.classes.a/b": 2})
        journal.tags({"../up": odd, "x" * 300: "y" * 9000})
        journal.metric(Metric(f"track/video/{odd}/hota", 0.5, 0))
        journal.text(odd, "config.yaml")
        journal.dataset(odd, "f" * 64, odd, "training")
    _, run = only_run(settings)
    assert run.info.status == "FINISHED"
    assert run.data.params["video"] == "\\udcff (1)\\0.mp4"
    assert sorted(v for k, v in run.data.params.items() if "classes" in k) == ["1", "2"]
    assert len(run.data.metrics) == 1


def test_an_error_ends_the_run_as_failed_with_its_message(settings: MlflowSettings) -> None:
    with pytest.raises(DataError), journals.record(settings, "r", {}) as journal:
        journal.worked = True
        raise DataError("a.jpg: zero bytes")
    _, run = only_run(settings)
    assert (run.info.status, run.data.tags["error"]) == ("FAILED", "a.jpg: zero bytes")


@pytest.mark.parametrize("error", [DataError, SettingsError])
def test_wrong_input_leaves_no_run_while_nothing_was_done(
    settings: MlflowSettings, error: type[Exception]
) -> None:
    with pytest.raises(error), journals.record(settings, "r", {"a": "b"}) as journal:
        journal.params({"seed": 1})
        journal.metric(Metric("a", 1.0, 0))
        journal.flush()
        journal.text("x", "config.yaml")
        raise error("no.mp4: there is no such file")
    client, experiment = journals.connect(settings)
    assert list(client.search_runs([experiment], run_view_type=ViewType.ALL)) == []
    assert list(Path(str(settings.artifacts)).glob("*/*")) == []


@pytest.mark.parametrize("error", [StageError, ValueError])
def test_what_is_no_wrong_input_is_recorded(
    settings: MlflowSettings, error: type[Exception]
) -> None:
    with pytest.raises(error), journals.record(settings, "r", {}):
        raise error("disk full")
    assert only_run(settings)[1].info.status == "FAILED"


def test_a_cell_of_a_sweep_is_recorded_whatever_happens(settings: MlflowSettings) -> None:
    with journals.record(settings, "sweep", {}) as parent:
        pass
    with pytest.raises(DataError), journals.record(settings, "cell", {}, parent.run_id):
        raise DataError("no.mp4: there is no such file")
    assert [run.info.status for run in journals.cells(settings, parent.run_id)] == ["FAILED"]


def test_ctrl_c_ends_the_run_as_killed_and_keeps_its_last_metrics(
    settings: MlflowSettings,
) -> None:
    with pytest.raises(KeyboardInterrupt), journals.record(settings, "r", {}) as journal:
        journal.metric(Metric("a", 1.0, 0))
        raise KeyboardInterrupt
    _, run = only_run(settings)
    assert (run.info.status, run.data.metrics) == ("KILLED", {"a": 1.0})


def test_the_next_start_marks_a_killed_process_and_leaves_a_living_one(
    settings: MlflowSettings,
) -> None:
    client, experiment = journals.connect(settings)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    marks = {"dead": f"{gone.pid}@1", "alive": process_mark(os.getpid())}
    for name, mark in marks.items():
        tags = {"segtrack.host": socket.gethostname(), "segtrack.process": mark}
        client.create_run(experiment, run_name=name, tags=tags)
    other = {"segtrack.host": "elsewhere", "segtrack.process": f"{gone.pid}@1"}
    client.create_run(experiment, run_name="other host", tags=other)
    journals.connect(settings)
    status = {r.info.run_name: r.info.status for r in client.search_runs([experiment])}
    assert status == {"dead": "KILLED", "alive": "RUNNING", "other host": "RUNNING"}


def test_a_server_that_does_not_answer_is_said_within_its_timeout() -> None:
    with socket.socket() as silent:  # accepts connections and never answers
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        settings = MlflowSettings(mode=MlflowMode.server, uri=uri, timeout=0.5)
        start = time.monotonic()
        with pytest.raises(SettingsError, match=f"{uri}: no MLflow server answers"):
            journals.connect(settings)
        assert time.monotonic() - start < 3


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (500, b"", "no MLflow server answers there within .*HTTP Error 500"),
        (401, b"no", "MLflow cannot record there: .*error code 401 .*'no'. Mend it"),
        (404, b"no", "MLflow cannot record there: .*error code 404"),
        (200, b"<html>", "MLflow cannot record there: .*not in a valid JSON format"),
        (200, b"{}", "what answers there is no MLflow server"),
    ],
)
def test_a_server_that_answers_otherwise_than_mlflow_is_said(
    status: int, body: bytes, message: str
) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        uri = f"http://127.0.0.1:{server.server_port}"
        with pytest.raises(SettingsError, match=f"mlflow.uri={uri}: {message}") as caught:
            journals.connect(MlflowSettings(mode=MlflowMode.server, uri=uri))
        server.shutdown()
    assert "\n" not in str(caught.value)


def test_a_server_whose_api_hangs_is_away_in_time() -> None:
    """Its health is answered by a process that asks nobody, such as one of its workers."""
    asked: list[str] = []
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            if not self.path.endswith("/health"):
                over.wait(20)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        uri = f"http://127.0.0.1:{server.server_port}"
        settings = MlflowSettings(
            mode=MlflowMode.server, uri=uri, experiment="two words", timeout=0.5
        )
        for look in (journals.require_tracking, journals.connect):
            begin = time.monotonic()
            with pytest.raises(SettingsError, match=r"no MLflow server answers .* within 0\.5 s"):
                look(settings)
            assert time.monotonic() - begin < 2
        over.set()
        server.shutdown()
    path = "/api/2.0/mlflow/experiments/get-by-name?experiment_name=two+words"
    assert asked == [path, path]


def test_a_server_of_a_database_is_asked_before_it_is_tried(settings: MlflowSettings) -> None:
    settings.uri, settings.timeout = "postgresql://127.0.0.1:9/runs", 0.5
    with pytest.raises(SettingsError, match=r"postgresql://127.0.0.1:9/runs: no MLflow server"):
        journals.connect(settings)


def test_what_mlflow_says_while_it_records_is_one_line(settings: MlflowSettings) -> None:
    with pytest.raises(StageError) as caught, journals.record(settings, "r", {}) as journal:
        journal._sender._writer.run_id = "0" * 32
        journal.params({"a": 1})
    assert str(caught.value) == (
        f"mlflow.uri={settings.uri}: MLflow cannot record there: Run with id={'0' * 32} not found. "
        "Mend it, or record elsewhere with mlflow.uri=...; results that are made are kept"
    )


@pytest.mark.parametrize("name", ["a/b", 'it\'s "q" `x` \\', "..", "é" * 200, "50% #1?", "Default"])
def test_an_experiment_may_have_any_name(settings: MlflowSettings, name: str) -> None:
    settings.experiment = name
    assert not list(settings.problems())
    with journals.record(settings, "sweep", {}) as journal:
        journal.text("kept", "a.txt")
        with journals.record(settings, "cell", {}, journal.run_id) as cell:
            pass
    assert [run.info.run_id for run in journals.cells(settings, journal.run_id)] == [cell.run_id]
    (file,) = journals.run_files(settings, journal.run_id, "*.txt", Path())
    assert file.read_text() == "kept"


def test_what_an_existing_experiment_decides_is_said_once(
    settings: MlflowSettings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    client, experiment = journals.connect(settings)
    client.delete_experiment(experiment)
    Path(settings.artifacts, "segtrack").mkdir(parents=True, exist_ok=True)
    first, settings.artifacts = settings.artifacts, str(tmp_path / "other")
    for _ in range(2):
        with journals.record(settings, "r", {}):
            pass
    assert len(client.search_runs([experiment])) == 2
    assert capsys.readouterr().err.splitlines() == [
        "mlflow.experiment=segtrack: it was deleted in MLflow and is there again",
        f"mlflow.experiment=segtrack: keeps its artifacts in file://{first}/segtrack, as it did "
        f"from its first run; mlflow.artifacts={tmp_path}/other is that of new ones: give "
        "mlflow.experiment=ANOTHER",
    ]


@pytest.mark.parametrize("run", ["", "it's", "../x", "a" * 5000, "\udcff", "%"])
def test_an_id_that_is_none_is_said(settings: MlflowSettings, tmp_path: Path, run: str) -> None:
    for look in (
        lambda: journals.run_weights(settings, run, tmp_path),
        lambda: journals.run_files(settings, run, "*", tmp_path),
        lambda: journals.sweep_keys(settings, run),
    ):
        with pytest.raises(SettingsError, match="no such run"):
            look()


def test_weights_of_an_earlier_run(settings: MlflowSettings, tmp_path: Path) -> None:
    weights = tmp_path / "best.pt"
    weights.write_bytes(b"w")
    with journals.record(settings, "trained", {}) as journal:
        journal.artifact(weights, "weights")
    with journals.record(settings, "not trained", {}) as other:
        pass
    found = journals.run_weights(settings, journal.run_id, tmp_path)
    assert found.read_bytes() == b"w"
    with pytest.raises(SettingsError, match="kept no weights"):
        journals.run_weights(settings, other.run_id, tmp_path)
    with pytest.raises(SettingsError, match="no such run"):
        journals.run_weights(settings, "0" * 32, tmp_path)


def test_children_are_found_by_their_parent(settings: MlflowSettings) -> None:
    with journals.record(settings, "sweep", {journals.SWEEP_KEYS: '["seed"]'}) as parent:
        for seed in range(3):
            with journals.record(settings, f"seed={seed}", {}, parent.run_id):
                pass
    children = journals.cells(settings, parent.run_id)
    assert [run.info.run_name for run in children] == ["seed=0", "seed=1", "seed=2"]
    assert journals.sweep_keys(settings, parent.run_id) == (["seed"], {})


def test_a_signal_within_a_call_waits_for_its_end(settings: MlflowSettings) -> None:
    """A transaction that is cut keeps the database locked, so that the run cannot be ended."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    asked = []

    def ask(*_: object) -> None:
        if not asked:
            asked.append(1)
            signal.raise_signal(signal.SIGTERM)

    after = []
    try:
        with (
            pytest.raises(KeyboardInterrupt),
            journals.record(settings, "cut", {}) as journal,
        ):
            event.listen(Engine, "before_cursor_execute", ask)
            journal.params({"kept": 1})
            after.append("went on")
    finally:
        event.remove(Engine, "before_cursor_execute", ask)
    _, run = only_run(settings)
    assert asked and not after
    assert (run.info.status, run.data.params) == ("KILLED", {"kept": "1"})


@pytest.mark.parametrize(("said", "silent"), [(None, True), ("false", False)])
def test_mlflow_tells_nobody(said: str | None, silent: bool) -> None:
    """In an environment without what marks it as a test's or CI's, where it is silent anyway."""
    marks = ("CI", "PYTEST", "GITHUB_ACTIONS", "MLFLOW", "DO_NOT_TRACK", "TF_BUILD", "GITLAB_CI")
    env = {k: v for k, v in os.environ.items() if not k.startswith(marks)}
    if said:
        env["MLFLOW_DISABLE_TELEMETRY"] = said
    code = (
        "from segtrack.journal import connect; from mlflow.telemetry import utils;"
        "print(utils.is_telemetry_disabled())"
    )
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert (done.stdout.strip(), done.returncode) == (str(silent), 0), done.stderr


@pytest.mark.parametrize(
    ("uri", "root"),
    [
        ("sqlite:///mlruns/mlflow.db", "http://127.0.0.1:5000"),
        ("https://tracks.org/ml/", "https://tracks.org/ml"),
        ("http://me:secret@tracks.org:81", "http://tracks.org:81"),
    ],
)
def test_where_mlflow_shows_a_run(uri: str, root: str) -> None:
    assert journals.page_of(uri, "7", "ab") == f"{root}/#/experiments/7/runs/ab"
