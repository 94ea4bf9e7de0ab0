"""Parts of a data set by group, and what the network of each part learns from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from segtrack.base.errors import DataError
from segtrack.dataset import (
    Dataset,
    Folds,
    YoloSettings,
    annotations_of,
    content_of,
    divide_folds,
    images_of,
    learnt_for,
    prepare,
)
from segtrack.settings import SplitFractions
from tests.dataset.conftest import SQUARE, YoloFolder, write_image

SPLITS = ("train", "val", "test")


def prepared(root: Path, source: Path) -> Dataset:
    settings = YoloSettings(
        path=str(source), splits=SplitFractions(train=0.5, val=0.25, test=0.25, pool=0), workers=1
    )
    root.mkdir()
    prepare(settings, 0, root, lambda *_: None, root.parent / "cache")
    return Dataset.load(root)


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """Twelve images 00 to 11, of which 03 is a copy of 00, and 11 has a person too."""
    folder = YoloFolder(tmp_path / "source")
    write_image(folder.image(3), 0)
    folder.write_label(11, f"{SQUARE}\n1 0.1 0.1 0.2 0.1 0.2 0.2")
    return prepared(tmp_path / "data", tmp_path / "source")


def parts_by_name(dataset: Dataset, folds: Folds) -> dict[str, int]:
    names = {row.image_id: Path(row.file_name).stem for row in images_of(dataset, SPLITS)}
    pairs = zip(folds.image_id.tolist(), folds.fold.tolist(), strict=True)
    return {names[one]: part for one, part in pairs}


def test_groups_and_copies_stay_together(dataset: Dataset) -> None:
    found = parts_by_name(dataset, divide_folds(dataset, SPLITS, 3, r"(\d)\.jpg", 0))
    assert sorted(found) == [f"{i:02}" for i in range(12)]
    assert set(found.values()) == {0, 1, 2}
    for a, b in (("00", "10"), ("01", "11"), ("00", "03")):
        assert found[a] == found[b]
    assert max(np.bincount(list(found.values()))) <= 5


def test_without_groups_parts_are_of_equal_size(dataset: Dataset) -> None:
    folds = divide_folds(dataset, SPLITS, 4, None, 0)
    assert np.bincount(folds.fold).tolist() == [3, 3, 3, 3]
    again = divide_folds(dataset, SPLITS, 4, None, 0)
    assert np.array_equal(folds.fold, again.fold)
    assert divide_folds(dataset, SPLITS, 1, None, 0).members(0) == set(range(12))


def test_only_the_splits_that_are_asked_for(dataset: Dataset) -> None:
    folds = divide_folds(dataset, ["val"], 2, None, 0)
    assert folds.image_id.tolist() == [row.image_id for row in dataset.iter_images("val")]


def test_too_few_groups(dataset: Dataset) -> None:
    with pytest.raises(DataError, match=r"group_by=\(0\|1\) and equal files make 2 groups of 12"):
        divide_folds(dataset, SPLITS, 3, "(0|1)", 0)


def test_no_label_to_judge(dataset: Dataset) -> None:
    with pytest.raises(DataError, match="the splits pool of the data set hold 0 images and no lab"):
        divide_folds(dataset, ["pool"], 2, None, 0)


def test_a_network_learns_from_the_other_parts_alone(dataset: Dataset, tmp_path: Path) -> None:
    folds = divide_folds(dataset, SPLITS, 3, None, 0)
    learnt = learnt_for(dataset, folds, 1, tmp_path / "links")
    learnt.write()
    train, val = ({row.image_id for row in learnt.iter_images(s)} for s in ("train", "val"))
    own_val = {row.image_id for row in dataset.iter_images("val")}
    assert not (train | val) & folds.members(1)
    assert train | val == folds.members(0) | folds.members(2)
    assert val == own_val - folds.members(1) and val
    described = yaml.safe_load(learnt.yolo_yaml.read_text())
    assert described == {
        "train": "images/train",
        "val": "images/val",
        "names": dict(enumerate(dataset.names)),
    }
    tree = learnt.yolo_yaml.parent
    for split, ids in (("train", train), ("val", val)):
        labels = {int(p.name[:7]): p for p in (tree / "labels" / split).iterdir()}
        assert {int(p.name[:7]) for p in (tree / "images" / split).iterdir()} == ids
        rows = list(learnt.iter_annotations(split))
        written = sum(len(path.read_text().splitlines()) for path in labels.values())
        assert set(labels) == {row["image_id"] for row in rows} == ids and len(rows) == written
    learnt.remove()
    assert not (tmp_path / "links").exists()


def test_where_all_others_are_val_they_are_learnt_from(dataset: Dataset, tmp_path: Path) -> None:
    folds = divide_folds(dataset, ["val"], 3, None, 0)
    learnt = learnt_for(dataset, folds, 0, tmp_path)
    assert set(learnt.split_of.values()) == {"train"}


def test_several_splits_come_in_the_order_of_images(dataset: Dataset) -> None:
    ids = [row.image_id for row in images_of(dataset, SPLITS)]
    assert ids == list(range(12))
    owners = [row["image_id"] for row in annotations_of(dataset, SPLITS)]
    assert owners == sorted(owners) and len(owners) == 13


def test_content_changes_with_a_label(dataset: Dataset, tmp_path: Path) -> None:
    source = YoloFolder(tmp_path / "other")
    other = prepared(tmp_path / "data2", tmp_path / "other")
    assert source.label(0).exists()
    mine, theirs = content_of(dataset, SPLITS), content_of(other, SPLITS)
    assert set(mine) == {"train", "val", "test", "ids"}
    assert mine["ids"] == theirs["ids"] and mine != theirs
