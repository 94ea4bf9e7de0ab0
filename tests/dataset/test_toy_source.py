"""A source that another package registers is read, checked and divided like those inside."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from segtrack.base.errors import DataError, SettingsError
from segtrack.dataset import SOURCES, signature, source_of
from segtrack.settings import SplitFractions, options, shaping
from tests.dataset.conftest import Prepare

ALL_TEST = SplitFractions(0, 0, 1, 0)


@pytest.fixture
def toy() -> Iterator[Any]:
    """The toy's module, as SEGTRACK_PLUGINS would load it; afterwards it is not known any more."""
    toy = import_module("tests.plugins.toy_source")
    yield toy
    del sys.modules["tests.plugins.toy_source"]
    del SOURCES._things["toy"]
    del sys.modules[options.__module__]._options["dataset"]["toy"]


def test_it_is_an_option_like_the_others(toy: Any) -> None:
    assert SOURCES.get("toy").settings is toy.ToySettings
    assert options()["dataset"]["toy"] is toy.ToySettings
    assert source_of(toy.ToySettings()).class_names(toy.ToySettings()) == ("dark", "bright")
    with pytest.raises(SettingsError, match=r"dataset\.source=toyy: .*did you mean toy\?"):
        source_of(toy.ToySettings(source="toyy"))


def test_it_is_prepared(toy: Any, run: Prepare) -> None:
    done = run(toy.ToySettings(count=12))
    dataset = done.dataset
    assert dataset.names == ("dark", "bright")
    assert dataset.counts == {"train": 8, "val": 2, "test": 2, "pool": 0}
    assert sum(done.reported[f"data/annotations/{s}"] for s in ("train", "val", "test")) == 12
    assert len(list((dataset.folder / "yolo" / "images" / "train").iterdir())) == 8


def test_its_numbers_are_its_labels(toy: Any, run: Prepare) -> None:
    dataset = run(toy.ToySettings(count=6, side=10, splits=ALL_TEST)).dataset
    rows, found = dataset.images("test"), list(dataset.iter_annotations("test"))
    assert [row.file_name for row in rows] == [f"toy/{i:03}.png" for i in range(6)]
    for i, (row, one) in enumerate(zip(rows, found, strict=True)):
        class_id, x, y = toy.square(i, 10)
        assert (one["image_id"], one["category_id"], one["area"]) == (i, class_id, 100)
        assert one["bbox"] == [x, y, 10, 10]
        pixels = np.asarray(Image.open(row.path))
        assert pixels.shape == (64, 96, 3)
        assert (pixels[y : y + 10, x : x + 10] == (30, 220)[class_id]).all()
        assert (pixels != 90).sum() == 300


def test_the_same_settings_are_the_same_data_set(toy: Any, run: Prepare) -> None:
    first, second, other = (run(toy.ToySettings(side=side)).dataset for side in (16, 16, 12))
    assert first.fingerprint == second.fingerprint != other.fingerprint


def test_its_key_is_its_settings(toy: Any) -> None:
    """It reads no file, so that settings say it all; its own knobs are among them."""
    one = toy.ToySettings(side=12, workers=3)
    assert signature(one) == signature(toy.ToySettings())
    own = {name: shaping(one).get(name) for name in ("source", "side", "count", "workers")}
    assert own == {"source": "toy", "side": 12, "count": 12, "workers": None}


def test_its_licence_is_asked_for_by_its_prefix(toy: Any, run: Prepare, tmp_path: Path) -> None:
    table = tmp_path / "sources.md"
    head = "| file | origin | licence | author |\n|-|-|-|-|\n"
    table.write_text(head + "| toy:toy/* | a | CC0 | b |\n")
    chosen = {"count": 2, "splits": ALL_TEST, "require_sources": True, "sources": str(table)}
    assert run(toy.ToySettings(**chosen)).dataset.counts["test"] == 2
    table.write_text(head + "| other:* | a | CC0 | b |\n")
    with pytest.raises(DataError, match=r"toy:toy/000\.png has no row"):
        run(toy.ToySettings(**chosen))
