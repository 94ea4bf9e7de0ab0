"""scripts/compare_runs.py, and an MLflow database of its own for each test."""

import importlib.util
import shutil
from pathlib import Path
from types import ModuleType

import pytest

from segtrack.settings import MlflowSettings


@pytest.fixture
def settings(tmp_path: Path, mlflow_template: Path) -> MlflowSettings:
    shutil.copy2(mlflow_template, tmp_path / "mlflow.db")
    return MlflowSettings(
        uri=f"sqlite:///{tmp_path / 'mlflow.db'}", artifacts=str(tmp_path / "artifacts")
    )


@pytest.fixture(scope="module")
def script() -> ModuleType:
    path = Path(__file__).resolve().parents[1] / "scripts" / "compare_runs.py"
    spec = importlib.util.spec_from_file_location("compare_runs", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
