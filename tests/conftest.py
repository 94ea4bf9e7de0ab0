"""Fixtures that every test may use."""

import gc
import math
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("SEGTRACK_BACKEND", "torch")  # no test waits for a measurement
# Two files at a time on two cores, and networks so small that two threads spend as long waiting for
# each other as they compute. Read when OpenMP is loaded, so here; processes of tests take it over.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Hundreds of processes import what is tested: each would compile all of it again.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# What was found out about this machine before is nobody's concern: one folder for all tests of a
# run, which the workers of xdist and the processes that tests start take over.
if "PYTEST_XDIST_WORKER" not in os.environ:
    os.environ["SEGTRACK_HOME"] = tempfile.mkdtemp(prefix="segtrack-tests-")

# In the background of a script it is ignored, and so it would be by all that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


# As a command does: looking for garbage among what is imported takes a fifth of importing it.
gc.set_threshold(10_000, 20, 20)


def pytest_configure(config: pytest.Config) -> None:
    """How far work is, is said after seconds, which pass sooner on one machine than on another."""
    from segtrack.base import progress

    progress.FIRST = math.inf


def pytest_unconfigure(config: pytest.Config) -> None:
    if "PYTEST_XDIST_WORKER" not in os.environ:
        shutil.rmtree(os.environ["SEGTRACK_HOME"], ignore_errors=True)


# What takes more than a few seconds, as beginnings of test ids below this folder; `make test-fast`
# leaves it out. `pytest --durations=40` shows where the time goes.
SLOW = (
    "annotation/labellerr/test_jobs.py",
    "annotation/labellerr/test_labellerr_dataset.py",
    "annotation/labellerr/test_page.py",
    "annotation/labellerr/test_pull.py",
    "annotation/labellerr/test_pull_videos.py",
    "annotation/labellerr/test_recheck_page.py",
    "annotation/labellerr/test_review.py",
    "annotation/labellerr/test_sdk.py::test_the_installer_installs",
    "annotation/labellerr/test_uploader.py",
    "annotation/labellerr/test_video_review.py",
    "base/test_end_with.py",
    "command/test_compare.py",
    "command/test_report.py",
    "command/test_composition.py::test_every_option_of_every_group_composes",
    "convert/test_killed.py",
    "convert/test_programs.py::test_through_every_format",
    "evaluation/test_jackknife.py::test_coverage_of_the_interval",
    "evaluation/test_real.py",
    "integration/",
    "labellerr_loopback/test_answers.py",
    "labellerr_loopback/test_fuzz.py",
    "labellerr_loopback/test_pages.py",
    "labellerr_loopback/test_refusals.py",
    "labellerr_loopback/test_videos_back.py",
    "labellerr_loopback/test_review_browser.py",
    "model/rfdetr/test_detector.py::test_equal_to_rfdetrs_own",
    "model/rfdetr/test_features.py",
    "model/rfdetr/test_settings.py::test_the_library_is_a_quiet_guest",
    "model/rfdetr/test_train.py",
    "model/sam/test_propose.py",
    "model/test_predict.py",
    "model/test_together.py::test_a_real_network",
    "model/ultralytics/test_bench_gpu.py",
    "model/ultralytics/test_card.py",
    "model/ultralytics/test_features.py",
    "model/ultralytics/test_machine.py",
    "model/ultralytics/test_exported.py",
    "model/ultralytics/test_networks.py",
    "model/ultralytics/test_occluders.py::test_training_pastes",
    "model/ultralytics/test_train.py",
    "model/ultralytics/test_weights.py::test_the_library_is_a_quiet_guest",
    "report/test_document.py::test_latex_compiles",
    "scoring/test_real.py",
    "store/test_remote_s3.py",
    "test_notebook.py::test_it_runs",
    "tracker/test_results.py::test_memory_does_not_grow",
    "trafficsim/test_simulator.py::TestKnobs",
    "view/test_browser.py",
    "view/test_following.py",
    "view/test_images.py::test_by_keys",
    "view/test_sweep_browser.py",
    "view/test_trying_browser.py",
)
SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if item.nodeid.removeprefix("tests/").startswith(SLOW):
            item.add_marker(pytest.mark.slow)
    if hasattr(config, "workerinput"):  # files of minutes first, so that both workers end together
        items.sort(key=lambda item: "slow" not in item.keywords)


def pytest_collection_finish(session: pytest.Session) -> None:
    """What is there for good is not looked at again by each collection of garbage.

    Thousands of tests and the libraries that they import are millions of objects, and each training
    collects several times.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def _imported_meanwhile() -> None:
    """As above, of what the module before has imported."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real images, video, weights and ground truth that lie beside the checkout."""
    if not SHARED.is_dir():
        pytest.skip(f"real data set folder is not there: {SHARED}")
    return SHARED


@pytest.fixture(scope="session")
def mlflow_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty MLflow database; making one takes seconds, copying it milliseconds."""
    from segtrack.journal import connect
    from segtrack.settings import MlflowSettings

    folder = tmp_path_factory.mktemp("mlflow")
    connect(MlflowSettings(uri=f"sqlite:///{folder / 'mlflow.db'}", experiment="template"))
    return folder / "mlflow.db"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """For the tests of a module; their people go to about:blank between them."""
    from tests.browser import open_browser

    with open_browser(tmp_path_factory.mktemp("browser")) as found:
        yield found


@pytest.fixture
def blank_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures that are there and blank, for tests that do not look at them."""
    from tests.integration.quick import blank_figures

    blank_figures(monkeypatch)


@pytest.fixture(scope="module", autouse=True)
def _composed_once(request: pytest.FixtureRequest) -> Iterator[None]:
    """Hydra composes the same words, of the same files and options, once; not in modules with
    ``PLAIN = True``."""
    from tests.composing import compose_once

    with pytest.MonkeyPatch.context() as patch:
        if not getattr(request.module, "PLAIN", False):
            compose_once(patch)
        yield
