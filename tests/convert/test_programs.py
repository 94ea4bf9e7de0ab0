"""Files that the programs' own code wrote are read, and come back through every format."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segtrack.convert import FORMATS
from segtrack.dataset import sequences_from
from segtrack.scoring.truth_files import read_truth
from tests.convert.conftest import (
    BOX,
    ISLAND,
    SIZE,
    SQUARE,
    TRIANGLE,
    Convert,
    One,
    iou,
    objects,
    read,
    ring,
)
from tests.convert.test_tracks import by_key, clips_of
from tests.dataset.conftest import Prepare, write_image

PROGRAMS = Path(__file__).parent / "programs"
READERS = {
    "coco-by-datumaro": "coco",
    "cvat-by-datumaro": "cvat",
    "datumaro-by-datumaro": "datumaro",
    "labelme": "labelme",
    "labelstudio": "labelstudio",
    "supervisely": "supervisely",
}
WITHOUT_PARTS = ("labelstudio", "supervisely")
IMAGES = [name for name, form in FORMATS.items() if not form.tracks]


def drawn(*polygons: list[float]) -> np.ndarray:
    from pycocotools import mask as coco

    found = coco.merge(coco.frPyObjects(list(polygons), SIZE[1], SIZE[0]))
    return np.asarray(coco.decode(found)).astype(bool)


def expected(program: str) -> list[tuple[str, np.ndarray]]:
    x, y, w, h = BOX
    square, triangle, parts = SQUARE, TRIANGLE, (ISLAND,)
    if program in WITHOUT_PARTS:
        parts = ()
    if program == "supervisely":  # whole pixels: their centres, and the last one of a box
        square = [10.5, 8.5, 41.5, 8.5, 41.5, 30.5, 10.5, 30.5]
        triangle, w, h = [value + 0.5 for value in TRIANGLE], w + 1, h + 1
    return [
        ("car", drawn(square)),
        ("traffic light", drawn(triangle, *parts)),
        ("person", ring()),
        ("car", drawn([x, y, x + w, y, x + w, y + h, x, y + h])),
    ]


def copied(program: str, folder: Path) -> Path:
    shutil.copytree(PROGRAMS / program, folder)
    place = folder / "train" / "img" if program == "supervisely" else folder
    write_image(place / "street.jpg", 1, *SIZE)
    return folder


def same(ones: list[One], wanted: list[tuple[str, np.ndarray]], least: float) -> None:
    assert len(ones) == len(wanted)
    for label, pixels in wanted:
        near = max(ones, key=lambda one: iou(one.pixels, pixels))
        assert near.name == label and not near.crowd
        assert iou(near.pixels, pixels) >= least


@pytest.mark.parametrize("program", READERS)
def test_read(program: str, tmp_path: Path, run: Prepare) -> None:
    dataset = read(run, READERS[program], copied(program, tmp_path / "given"))
    (ones,) = objects(dataset).values()
    same(ones, expected(program), 0.985)
    assert next(one for one in ones if one.name == "person").exact


@pytest.mark.parametrize("program", READERS)
def test_through_every_format(program: str, tmp_path: Path, run: Prepare, convert: Convert) -> None:
    given = copied(program, tmp_path / "given")
    (before,) = objects(read(run, READERS[program], given)).values()
    for name in IMAGES:
        convert(given, tmp_path / name, name)
        (ones,) = objects(read(run, FORMATS[name].reads, tmp_path / name)).values()
        same(ones, [(one.name, one.pixels) for one in before], 0.8 if name == "yolo" else 0.985)


def test_masks_of_cvats_coco_are_no_crowds(tmp_path: Path, run: Prepare) -> None:
    """Datumaro, and CVAT by it, give every mask iscrowd 1."""
    given = copied("coco-by-datumaro", tmp_path / "given")
    text = (given / "annotations" / "instances_train.json").read_text()
    assert '"iscrowd":1' in text.replace(" ", "")
    done = run(_coco(given))
    assert done.codes()["mask_of_cvat"] == 1
    other = text.replace('"occluded"', '"seen"')
    (given / "annotations" / "instances_train.json").write_text(other)
    (ones,) = objects(run(_coco(given)).dataset).values()
    assert [one.crowd for one in ones if one.name == "person"] == [True]


def _coco(given: Path) -> Any:
    from segtrack.dataset import CocoSettings
    from tests.convert.conftest import ALL_TRAIN

    return CocoSettings(path=str(given), splits=ALL_TRAIN)


def test_the_tracks_of_cvat(tmp_path: Path, convert: Convert) -> None:
    path = PROGRAMS / "cvat-video" / "annotations.xml"
    (clip,) = clips_of(path, "coco")
    assert (clip.clip.name, clip.clip.width, clip.clip.height, clip.clip.frame_count) == (
        *("crossing", 96, 64, 5),
    )
    assert clip.notes == ("1 shapes of type skeleton are left out",)
    found = {key: thing for key, (_, thing) in by_key(clip).items()}
    assert sorted(found) == [(0, 0), (1, 0), (1, 1), (2, 0), (2, 1), (3, 1), (4, 1), (4, 3)]
    assert found[1, 0].bbox_xyxy == (12, 8, 42, 30)  # interpolated by CVAT
    assert found[4, 1].polygons[0].tolist() == [[53, 10], [83, 12], [73, 40]]
    assert found[4, 3].bbox_xyxy == (20, 50, 24, 52)
    convert(path, tmp_path / "mot", "mot")
    (sequence,) = sequences_from(str(tmp_path / "mot"))
    truth = read_truth(sequence).boxes
    assert truth is not None and len(truth.frame) == 8 and sequence.name == "crossing"
    convert(path, tmp_path / "again.xml", "cvat-video")
    (after,) = clips_of(tmp_path / "again.xml", "cvat-video")
    assert by_key(after).keys() == found.keys()
    assert by_key(after)[2, 0][1].bbox_xyxy == (14, 8, 44, 30)
