"""Evaluated images as a file: what is in it, and that it says what pycocotools said."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from segtrack.base.errors import DataError
from segtrack.evaluation.matching import KINDS
from segtrack.evaluation.measurement import Evaluation, measure
from segtrack.evaluation.ranking import precisions
from segtrack.evaluation.units import ImageUnits
from segtrack.settings import EvaluationSettings
from tests.evaluation.scenes import (
    Detection,
    Object,
    hand_made,
    random_scene,
    write_predictions,
)

NAMES = ("car", "person", "truck")
BOX = (10, 10, 10, 10)
SHIFTED = (12, 10, 10, 10)  # IoU .667: right at .50, .55, .60 and .65
FAR = (60, 60, 10, 10)


def evaluated(folder: Path, seed: int, images: int = 12) -> Evaluation:
    dataset, found = random_scene(seed, NAMES, images)
    predictions = write_predictions(folder, NAMES, images, found)
    return measure(dataset, "test", predictions, EvaluationSettings())


def assert_equal_to_the_reported(found: Evaluation, units: ImageUnits) -> None:
    """AP of all images once is the one that the stage reports, overall and by class."""
    for kind, scores in zip(KINDS, found.scores, strict=True):
        ap = precisions(units, kind, np.arange(len(units.group))).whole
        once = ap[~np.isnan(ap[:, 0])]
        assert once.mean() == pytest.approx(scores.overall[f"{kind}_map50_95"], abs=1e-9)
        assert once[:, 0].mean() == pytest.approx(scores.overall[f"{kind}_map50"], abs=1e-9)
        for row, values in zip(scores.per_class, ap, strict=True):
            for figure, value in (("map50_95", values.mean()), ("map50", values[0])):
                reported = row[f"{kind}_{figure}"]
                assert np.isnan(value) if reported is None else abs(value - reported) < 1e-9


@pytest.mark.parametrize("seed", range(6))
def test_ap_is_the_reported_one(tmp_path: Path, seed: int) -> None:
    """Crowds, equal scores, detections of every kind of error; read back from the file."""
    found = evaluated(tmp_path / "predictions", seed)
    found.units.save(tmp_path / "units.npz")
    assert_equal_to_the_reported(found, ImageUnits.load(tmp_path / "units.npz"))


def test_what_is_kept(tmp_path: Path) -> None:
    objects = [
        Object(0, 0, BOX),
        Object(0, 0, FAR),
        Object(2, 1, BOX),
        Object(2, 1, (50, 50, 40, 40), crowd=True),
    ]
    detections = [
        Detection(0, 0, 0.5, SHIFTED),
        Detection(0, 0, 0.75, FAR),
        Detection(1, 0, 0.25, BOX),
        Detection(2, 1, 0.5, (55, 55, 9, 9)),
    ]
    dataset = hand_made(NAMES, 3, objects)
    names = ["b.png", "c.png", "a.png"]
    dataset = dataclasses.replace(
        dataset,
        rows=[
            dataclasses.replace(row, file_name=n)
            for row, n in zip(dataset.rows, names, strict=True)
        ],
    )
    predictions = write_predictions(tmp_path / "predictions", NAMES, 3, detections)
    units = measure(dataset, "test", predictions, EvaluationSettings()).units
    assert (units.split, units.names) == ("test", NAMES)
    assert units.fingerprint == dataset.split_fingerprint("test")
    assert units.group.tolist() == names
    grouped = measure(dataset, "test", predictions, EvaluationSettings(), r"^([ab])\.(png)").units
    assert grouped.group.tolist() == ["b/png", "c.png", "a/png"]
    cells = np.stack([units.class_id, units.image, units.objects])
    assert cells.T.tolist() == [[0, 0, 2], [0, 1, 0], [1, 2, 1]]
    for kind in KINDS:
        kept = units.detections[kind]
        assert kept.count.tolist() == [2, 1, 1]
        assert kept.score.tolist() == [0.75, 0.5, 0.25, 0.5]
        assert kept.right.tolist() == [0b1111111111, 0b1111, 0, 0]
        assert kept.ignored.tolist() == [0, 0, 0, 0b1111111111]


def test_the_file_is_small_and_whole(tmp_path: Path) -> None:
    units = evaluated(tmp_path / "predictions", 1, images=40).units
    path = tmp_path / "units.npz"
    units.save(path)
    again = ImageUnits.load(path)
    for field in ("split", "fingerprint", "names"):
        assert getattr(again, field) == getattr(units, field)
    for field in ("group", "class_id", "image", "objects"):
        assert getattr(again, field).dtype == getattr(units, field).dtype
        np.testing.assert_array_equal(getattr(again, field), getattr(units, field))
    for kind in KINDS:
        for name, values in vars(units.detections[kind]).items():
            read = getattr(again.detections[kind], name)
            assert read.dtype == values.dtype
            np.testing.assert_array_equal(read, values)
    for name, values in vars(units.visible).items():
        read = getattr(again.visible, name)
        assert read.dtype == values.dtype
        np.testing.assert_array_equal(read, values)
    assert sum(len(found.score) for found in units.detections.values()) > 300
    assert len(units.visible) > 80
    assert path.stat().st_size < 13_000


def test_a_long_name_costs_no_more_than_itself(tmp_path: Path) -> None:
    units = evaluated(tmp_path / "predictions", 1).units
    names = [*(f"{i:05d}.jpg" for i in range(999)), "ü" * 200, "", "\U00010348/b.png"]
    path = tmp_path / "units.npz"
    group = np.array(names, np.dtypes.StringDType())
    dataclasses.replace(units, group=group).save(path)
    with np.load(path) as file:
        assert file["group_text"].nbytes + file["group_end"].nbytes < 12_000 + 8 * 1002
    again = ImageUnits.load(path).group
    assert again.tolist() == names
    assert again.nbytes < 20 * len(names)
    assert np.unique(again).tolist() == sorted(names)


def test_reads_a_file_of_before_names_were_packed(tmp_path: Path) -> None:
    units = evaluated(tmp_path / "predictions", 1).units
    path = tmp_path / "units.npz"
    units.save(path)
    with np.load(path) as file:
        arrays = {name: file[name] for name in file if not name.startswith("group")}
    np.savez_compressed(path, **arrays, group=np.array(units.group.tolist()))
    again = ImageUnits.load(path)
    assert again.group.dtype == units.group.dtype
    assert again.group.tolist() == units.group.tolist()
    np.testing.assert_array_equal(again.objects, units.objects)


def test_nothing_was_found(tmp_path: Path) -> None:
    predictions = write_predictions(tmp_path / "predictions", NAMES, 2, [])
    dataset = hand_made(NAMES, 2, [Object(1, 1, BOX)])
    units = measure(dataset, "val", predictions, EvaluationSettings()).units
    units.save(tmp_path / "units.npz")
    units = ImageUnits.load(tmp_path / "units.npz")
    ap = precisions(units, "mask", np.arange(2)).whole
    assert ap[1].tolist() == [0] * 10
    assert np.isnan(ap[[0, 2]]).all()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no archive", b"other"])
def test_another_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "units.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"units\.npz: not readable as the units of an evaluation"):
        ImageUnits.load(path)
    np.savez(path, rank=np.arange(3))
    with pytest.raises(DataError, match="split is not a file in the archive"):
        ImageUnits.load(path)
