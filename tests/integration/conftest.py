"""A project folder of its own for each test, and the command as a user types it."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.forked import ROOT, Forks, Outcome, Running
from tests.integration import quick

# What a whole run imports, once for all commands that tests start.
PACKAGES = (
    *("command", "pipeline", "annotation", "evaluation", "scoring", "tracker", "dataset"),
    *("formats", "report", "store", "journal", "model.ultralytics"),
)
LOADED = Forks(
    "segtrack.model.ultralytics.library",  # before torchvision and others: it sets them up
    *(f"segtrack.{name}.*" for name in PACKAGES),
    *("segtrack.settings.groups:store_options", "segtrack.command.circumstances:environment"),
    *("hydra.main", "labellerr_loopback.*", "mlflow.store.tracking.sqlalchemy_store"),
    *("matplotlib.backends.backend_agg", "mpl_toolkits.mplot3d", "torchvision", "torch._dynamo"),
    *("tests.integration.quick:install", "tests.composing:install"),
    "tests.integration.quick:load_compiled",
)
# A data set and a training of seconds: what they compute is tested elsewhere.
TINY = [
    "trainer=smoke",
    "trainer.imgsz=64",
    "dataset.train=6",
    "dataset.val=3",
    "dataset.test=3",
    "dataset.pool=0",
    "dataset.width=192",
    "dataset.height=128",
    "dataset.video_seconds=0.8",
    "dataset.fps=10",
    "model.imgsz=64",
    "evaluation.gallery=1",
    "dataset.workers=1",
]


def module_run(name: str, *words: str, cwd: Path = ROOT) -> Outcome:
    """Run ``python -m NAME WORDS`` in a process of its own, with our own modules on the path."""
    return LOADED.run([sys.executable, "-m", name, *words], cwd, with_ours())


def with_ours() -> dict[str, str]:
    """The environment with our own modules on the path."""
    return {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}


@dataclass(frozen=True)
class Project:
    """A folder to work in, with an MLflow database that is already there."""

    folder: Path

    def run(self, *words: str) -> Outcome:
        """Run ``python src/run.py WORDS`` in a process of its own."""
        return LOADED.run(self.command(*words), self.folder)

    def fresh(self, *words: str) -> Outcome:
        """Run it in a process that imports everything itself, as a user's does."""
        env = {k: v for k, v in os.environ.items() if k != "SEGTRACK_HOME"}
        done = subprocess.run(
            self.command(*words),
            cwd=self.folder, env=env, capture_output=True, text=True, timeout=560,
        )  # fmt: skip
        return Outcome(done.returncode, done.stdout, done.stderr)

    def start(self, *words: str, merged: bool = False) -> Running:
        """Start the same; ``merged``: stderr goes where stdout goes."""
        return LOADED.start(self.command(*words), self.folder, merged=merged)

    def module(self, name: str, *words: str) -> Outcome:
        """Run ``python -m NAME WORDS`` with our own modules on the path."""
        return module_run(name, *words, cwd=self.folder)

    def command(self, *words: str) -> list[str]:
        return [sys.executable, str(ROOT / "src" / "run.py"), *words]

    def runs(self, experiment: str = "segtrack") -> list[Any]:
        """All MLflow runs, first started first."""
        client = self.client
        found = client.get_experiment_by_name(experiment)
        if found is None:
            return []
        return list(
            client.search_runs([found.experiment_id], order_by=["attributes.start_time ASC"])
        )

    @property
    def client(self) -> Any:
        from mlflow import MlflowClient

        return MlflowClient(tracking_uri=f"sqlite:///{self.folder / 'mlruns' / 'mlflow.db'}")

    def artifacts(self, run: Any) -> set[str]:
        """Every artifact of a run, as paths."""
        root = self.folder / "mlruns" / "artifacts" / "segtrack" / run.info.run_id / "artifacts"
        return {p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()}

    def results(self) -> list[str]:
        """Whole results in the store, as ``stage/key``."""
        root = self.folder / ".segtrack" / "results"
        return sorted(p.parent.relative_to(root).as_posix() for p in root.glob("*/*/stage.json"))


@pytest.fixture(scope="module", autouse=True)
def _quick(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """Figures are blank, not in modules with ``DRAWS = True``. In modules with ``REMEMBERS = True``
    (their tests build what others build too, and change nothing in how) a result is built once."""
    with pytest.MonkeyPatch.context() as patch:
        quick.install(patch, drawn=getattr(request.module, "DRAWS", False))
        if getattr(request.module, "REMEMBERS", False):
            worker = "PYTEST_XDIST_WORKER" in os.environ
            base = tmp_path_factory.getbasetemp()
            patch.setenv(quick.REMEMBERED, str((base.parent if worker else base) / "remembered"))
        yield


@pytest.fixture(scope="session")
def new_project(mlflow_template: Path) -> Callable[[Path], Project]:
    def make(folder: Path) -> Project:
        (folder / "mlruns").mkdir(parents=True, exist_ok=True)
        shutil.copy2(mlflow_template, folder / "mlruns" / "mlflow.db")
        return Project(folder)

    return make


@pytest.fixture
def project(tmp_path: Path, new_project: Callable[[Path], Project]) -> Project:
    return new_project(tmp_path / "project")


@pytest.fixture
def here(  # type: ignore[no-untyped-def]
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
):
    """Run the command inside this process: seconds faster, for everything that needs no kill."""
    from segtrack.command.app import main

    monkeypatch.chdir(project.folder)
    monkeypatch.setattr(sys, "argv", ["src/run.py"])

    def run(*words: str) -> Outcome:
        capfd.readouterr()
        code = main(list(words))
        out, err = capfd.readouterr()
        return Outcome(code, out, err)

    return run


@pytest.fixture(autouse=True)
def _one_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SEGTRACK_STORE", "SEGTRACK_WEIGHTS", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    assert os.environ.get("HYDRA_FULL_ERROR") is None


@pytest.fixture
def platform(project: Project) -> Iterator[Callable[[str], str]]:
    """Starts a command that stays, and gives what it printed; ended as Ctrl-C ends it."""
    started: list[Running] = []

    def start(command: str) -> str:
        words = shlex.split(command)
        assert words[0] == "segtrack"
        process = LOADED.start([sys.executable, "-m", "segtrack", *words[1:]], project.folder)
        started.append(process)
        while process.out.count("\n") < 3:
            assert process.poll() is None, process.err
            time.sleep(0.01)
        return process.out

    yield start
    for process in started:
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)
        assert process.returncode == 0 and "ended; its projects stay" in out
