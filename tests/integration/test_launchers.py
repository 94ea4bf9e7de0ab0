"""Cells in the hands of Hydra's launchers: one store for all, whole records, killed workers.

`make test-hydra-1.4` and `make test-hydra-1.3` run them with the plugins; elsewhere they are
skipped.
"""

from __future__ import annotations

import os
import signal
import time
from importlib.metadata import PackageNotFoundError, version

import pytest

from tests.integration import slurm
from tests.integration.conftest import TINY, Project

WORDS = [*TINY, "model.weights=shipped", "stages=[prepare,track]", "mlflow.run_name=all"]


LAUNCHERS = ("joblib_cells", "submitit_cells", "slurm_cells", "ray_cells")


def needs(launcher: str) -> None:
    name = launcher.partition("_")[0].replace("slurm", "submitit")
    try:
        version(f"hydra-{name}-launcher")
    except PackageNotFoundError:
        pytest.skip(f"needs Hydra's launcher {launcher}: make test-hydra-1.4")


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_each_stage_is_built_once_among_all_cells(
    launcher: str, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs(launcher)
    own = ["hydra.launcher.ray.remote.num_cpus=1"] if launcher == "ray_cells" else []
    commands = project.folder / "slurm"
    if launcher == "slurm_cells":
        slurm.put(commands)
        monkeypatch.setenv("PATH", f"{commands}{os.pathsep}{os.environ['PATH']}")
    outcome = project.fresh(
        "-m", f"hydra/launcher={launcher}", *own, "tracker.track_thresh=0.3,0.6", *WORDS
    )
    assert outcome.code == 0, outcome.err
    parent, *cells = project.runs()
    assert [run.info.status for run in (parent, *cells)] == ["FINISHED"] * 3
    assert {run.info.run_name for run in cells} == {"all track_thresh=0.3", "all track_thresh=0.6"}
    for stage, count in (("prepare", 1), ("detect", 1), ("associate", 2)):
        assert sum(run.data.metrics[f"builds/{stage}"] for run in cells) == count, stage
    processes = {run.data.tags["segtrack.process"] for run in (parent, *cells)}
    assert len(processes) == 3  # not in the one that was typed
    for run in cells:
        assert {"config.yaml", "environment.txt", "segtrack.log"} <= project.artifacts(run)
    assert "cells.csv" in project.artifacts(parent) and "track/hota" in outcome.out
    if launcher == "slurm_cells":
        script = (commands / "script").read_text()
        assert "#SBATCH --gpus-per-node=1" in script and "#SBATCH --array=0-1%2" in script


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["hydra/launcher=joblib_cells", "hydra.launcher.n_jobs=0"], "n_jobs == 0"),
        (["hydra/launcher=slurm_cells"], 'Could not detect "srun"'),
        (
            ["hydra/launcher=ray_cells", "hydra.launcher.ray.init.address=auto"],
            "Could not find any",
        ),
    ],
)
def test_a_launcher_that_cannot_begin(words: list[str], said: str, project: Project) -> None:
    needs(words[0].partition("=")[2])
    outcome = project.run("-m", *words, "tracker.track_thresh=0.3,0.6", *WORDS)
    assert outcome.code == 2 and outcome.err.startswith(f"error: Hydra cannot run this: {said}")
    assert outcome.err.count("error: ") == 1 and "killed" not in outcome.err + outcome.out
    assert project.runs() == []


def test_a_command_that_is_ended_leaves_no_cell_running(project: Project) -> None:
    """By ``kill``, which reaches it alone: submitit's processes would go on without it."""
    needs("submitit_cells")
    process = project.start(
        "-m", "hydra/launcher=submitit_cells", "tracker.track_thresh=0.3,0.6", *WORDS,
        "dataset.video_seconds=20",
    )  # fmt: skip
    end = time.monotonic() + 120
    while [run.info.status for run in project.runs()[1:]] != ["RUNNING"] * 2:
        assert time.monotonic() < end and process.poll() is None, process.communicate()
        time.sleep(0.05)
    cells = [int(run.data.tags["segtrack.process"].partition("@")[0]) for run in project.runs()[1:]]
    os.kill(process.pid, signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "interrupted; the same command continues" in err
    end = time.monotonic() + 30
    while any(run.info.status == "RUNNING" for run in project.runs()):
        assert time.monotonic() < end, cells
        time.sleep(0.1)
    ended = [(run.info.status, run.data.tags.get("error")) for run in project.runs()]
    assert ended == [("KILLED", "interrupted")] * 3


@pytest.mark.parametrize("launcher", ["joblib_cells", "submitit_cells", "ray_cells"])
def test_the_cell_of_a_killed_worker_is_marked_and_made_again(
    launcher: str, project: Project
) -> None:
    needs(launcher)
    own = ["hydra.launcher.ray.remote.num_cpus=1"] if launcher == "ray_cells" else []
    process = project.start(
        "-m", f"hydra/launcher={launcher}", *own, "tracker.track_thresh=0.3,0.6", *WORDS,
        "dataset.video_seconds=4",
    )  # fmt: skip
    end = time.monotonic() + 120
    running: list[str] = []
    while not running:
        assert time.monotonic() < end and process.poll() is None, process.communicate()
        time.sleep(0.05)
        running = [
            run.data.tags["segtrack.process"] for run in project.runs()[1:]
            if run.info.status == "RUNNING"
        ]  # fmt: skip
    os.kill(int(running[0].partition("@")[0]), signal.SIGKILL)
    _, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    parent, *cells = project.runs()
    ended = [run.info.status for run in cells]
    assert parent.info.status == "FINISHED" and ended.count("FINISHED") == 2, ended
    killed = [run for run in cells if run.info.status != "FINISHED"]
    assert killed and {run.info.status for run in killed} == {"KILLED"}
    assert {run.data.params["tracker.track_thresh"] for run in cells if run not in killed} == {
        "0.3",
        "0.6",
    }
