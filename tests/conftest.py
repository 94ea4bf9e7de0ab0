"""Fixtures that every test may use."""

from pathlib import Path

import pytest

# What takes more than some seconds, as folders and files below this one; `make test-fast` leaves it
# out. `pytest --durations=40` shows where the time goes.
SLOW = (
    "integration/",
    "annotation/labellerr/test_jobs.py",
    "annotation/labellerr/test_labellerr_dataset.py",
    "annotation/labellerr/test_pull.py",
    "annotation/labellerr/test_review.py",
    "annotation/labellerr/test_uploader.py",
    "annotation/labellerr/test_video_review.py",
    "evaluation/test_real.py",
    "labellerr_loopback/test_answers.py",
    "labellerr_loopback/test_fuzz.py",
    "labellerr_loopback/test_refusals.py",
    "model/sam/test_propose.py",
    "model/test_predict.py",
    "model/ultralytics/test_train.py",
    "scoring/test_real.py",
)
TESTS = Path(__file__).resolve().parent
SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.relative_to(TESTS).as_posix().startswith(SLOW):
            item.add_marker(pytest.mark.slow)


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
