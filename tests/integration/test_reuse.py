"""What may be taken from the store, and what must not, when a part of the input changed."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

from tests.integration.conftest import TINY, Outcome, Project

EVALUATE = [
    *TINY,
    "stages=[prepare,evaluate]",
    "model.weights=shipped",
    "model.imgsz=320",
    "dataset.width=480",
    "dataset.height=288",
    "dataset.density=1",
    "dataset.video_count=0",
]


def test_a_larger_training_split_does_not_mix_up_the_images_of_the_test_split(
    here: Callable[..., Outcome], project: Project
) -> None:
    """Predictions name images by id, and ids of the test split move when train grows."""
    assert here(*EVALUATE).code == 0
    assert here(*EVALUATE, "dataset.train=9", "evaluation.gallery=2").code == 0
    small, large = ({**run.data.metrics} for run in project.runs())
    names = [name for name in small if name.startswith("test/")]
    assert small["test/box_map50"] > 0.2
    assert {n: small[n] for n in names} == {n: large[n] for n in names}


def test_sigterm_ends_the_run_as_killed(project: Project) -> None:
    process = project.start(*TINY, "stages=[prepare]", "dataset.train=500")
    deadline = time.monotonic() + 60
    while not list((project.folder / ".segtrack" / "partial").glob("prepare/*/*")):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130, error
    assert "the same command continues" in error
    assert "Traceback" not in error
    (run,) = project.runs()
    assert run.info.status == "KILLED"
    assert not list((project.folder / ".segtrack" / "partial").glob("prepare/*"))
