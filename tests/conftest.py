"""Fixtures that every test may use."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real images, video, weights and ground truth that lie beside the checkout."""
    if not SHARED.is_dir():
        pytest.skip(f"real data set folder is not there: {SHARED}")
    return SHARED


@pytest.fixture(scope="session")
def mlflow_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty MLflow database; making one takes seconds, copying it milliseconds."""
    from segtrack.journal.journal import connect
    from segtrack.settings import MlflowSettings

    folder = tmp_path_factory.mktemp("mlflow")
    connect(MlflowSettings(uri=f"sqlite:///{folder / 'mlflow.db'}", experiment="template"))
    return folder / "mlflow.db"
