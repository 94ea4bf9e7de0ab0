"""Images that several processes judge: nothing depends on who judged which."""

import pickle
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segtrack.base.errors import DataError
from segtrack.evaluation import judging
from segtrack.evaluation.measurement import Evaluation, measure
from segtrack.evaluation.rows import CONFUSION, MATCHES, RowsWriter
from segtrack.settings import EvaluationSettings
from tests.evaluation.scenes import (
    Detection,
    HandMade,
    hand_made,
    random_scene,
    write_predictions,
)

NAMES = ("car", "person", "truck")


@pytest.fixture
def spread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of two batches of three images go to another process, or at least through pickle."""

    def map_chunks(
        work: Callable[[list[Any]], list[Any]], parts: Iterable[Any], *_: Any, **__: Any
    ) -> Iterator[Any]:
        for part in parts:
            other, given = pickle.loads(pickle.dumps((work, [part])))
            yield from pickle.loads(pickle.dumps(other(given)))

    def batches(*given: Any) -> Iterator[Any]:
        return image_batches(*given, size=3)

    image_batches = judging.image_batches
    monkeypatch.setattr(judging, "image_batches", batches)
    monkeypatch.setattr(judging, "map_chunks", map_chunks)
    monkeypatch.setattr(judging, "worker_count", lambda _: 2)
    monkeypatch.setattr(judging, "PART", 6)


def judged(
    folder: Path, dataset: HandMade, found: list[Detection], count: int
) -> tuple[Evaluation, bytes, bytes]:
    predictions = write_predictions(folder, NAMES, count, found)
    with RowsWriter(folder) as rows:
        made = measure(dataset, "test", predictions, EvaluationSettings(), r"\d$", rows)  # type: ignore[arg-type]
    made.units.save(folder / "units.npz")
    return made, (folder / MATCHES).read_bytes(), (folder / CONFUSION).read_bytes()


@pytest.mark.parametrize("seed", range(3))
def test_the_same_to_the_last_bit(
    tmp_path: Path, spread: None, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """20 images: three whole parts and one of a batch that is not full."""
    dataset, found = random_scene(seed, NAMES, 20)
    one, *tables = judged(tmp_path / "one", dataset, found, 20)
    monkeypatch.setattr(judging, "MANY", 20)
    many, *others = judged(tmp_path / "many", dataset, found, 20)
    assert others == tables
    assert repr(many.metrics()) == repr(one.metrics())
    assert (many.counts, many.class_counts, many.worst) == (one.counts, one.class_counts, one.worst)
    assert len(one.worst) > 3
    np.testing.assert_array_equal(many.confusion, one.confusion)
    with np.load(tmp_path / "one/units.npz") as a, np.load(tmp_path / "many/units.npz") as b:
        assert set(a) == set(b)
        for name in a:
            np.testing.assert_array_equal(a[name], b[name])
        assert a["image"].max() == 19


@pytest.mark.parametrize("many", [1, 100])
def test_predictions_of_an_image_that_is_not_there(
    tmp_path: Path, spread: None, monkeypatch: pytest.MonkeyPatch, many: int
) -> None:
    monkeypatch.setattr(judging, "MANY", many)
    found = [Detection(image, 0, 0.5, (10, 10, 10, 10)) for image in (3, 12)]
    with pytest.raises(DataError, match=r"^image 12 has predictions, but the data set has no"):
        judged(tmp_path, hand_made(NAMES, 10, []), found, 13)
