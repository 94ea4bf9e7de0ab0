"""A project that was renamed or copied keeps its runs, and leaves its old folder alone."""

import shutil
from pathlib import Path

import pytest

from segtrack import journal as journals
from segtrack.base.errors import SettingsError
from segtrack.runs import find
from segtrack.settings import MlflowSettings

HERE = MlflowSettings(
    uri="sqlite:///mlruns/mlflow.db", artifacts="mlruns/artifacts", experiment="my runs"
)


@pytest.fixture
def project(
    tmp_path: Path, mlflow_template: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Path, str]:
    """The working folder, and the id of a run in it that trained."""
    folder = tmp_path / "first"
    (folder / "mlruns").mkdir(parents=True)
    shutil.copy2(mlflow_template, folder / "mlruns" / "mlflow.db")
    monkeypatch.chdir(folder)
    (folder / "best.pt").write_bytes(b"w")
    tags = {"output": f"{folder}/outputs/1", "stage.train": "0123"}
    with journals.record(HERE, "trained", tags) as journal:
        journal.artifact(folder / "best.pt", "weights")
    return folder, journal.run_id


def another_run(folder: Path) -> None:
    with journals.record(HERE, "another", {}) as journal:
        journal.text("x", "config.yaml")
    assert Path(folder, "mlruns/artifacts/my runs", journal.run_id, "artifacts").is_dir()


def test_a_renamed_project_keeps_its_runs(
    project: tuple[Path, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    first, run = project
    second = first.rename(tmp_path / "second one")
    monkeypatch.chdir(second)
    place = second / "mlruns/artifacts/my runs"
    assert journals.run_weights(HERE, run, tmp_path) == place / run / "artifacts/weights/best.pt"
    found = journals.run_of_output(HERE, second / "outputs/1")
    assert found is not None
    assert found.info.run_id == run
    another_run(second)
    assert not first.exists()
    (said,) = capsys.readouterr().err.splitlines()
    assert said == (
        f"mlflow.experiment=my runs: this project was moved or copied from where "
        f"{first}/mlruns/artifacts/my runs was; the artifacts of 1 earlier run(s) are in {place} "
        "now, and new ones go there too"
    )


def test_a_copied_project_leaves_the_original_alone(
    project: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = project
    copy = shutil.copytree(first, tmp_path / "copy")
    before = sorted(first.rglob("*"))
    monkeypatch.chdir(copy)
    another_run(copy)
    assert sorted(first.rglob("*")) == before


def test_artifacts_that_are_gone_are_named(
    project: tuple[Path, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    first, run = project
    second = first.rename(tmp_path / "second")
    kept = (second / "mlruns/artifacts").rename(tmp_path / "disk")
    monkeypatch.chdir(second)
    for look in (
        lambda: journals.run_weights(HERE, run, tmp_path),
        lambda: journals.run_files(HERE, run, "*", tmp_path),
        lambda: find(HERE, [run], tmp_path),
    ):
        with pytest.raises(SettingsError, match=f"recorded in {first}/mlruns/.* is not there"):
            look()
    assert "is not there; from now on they go to" in capsys.readouterr().err
    there = MlflowSettings(uri=HERE.uri, artifacts=str(kept), experiment=HERE.experiment)
    assert journals.run_weights(there, run, tmp_path).is_relative_to(kept)
