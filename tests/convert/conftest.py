"""A data set with every kind of shape, and how two data sets are compared, object by object."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from pycocotools import mask as coco

import segtrack.convert
from segtrack.command.convert import main
from segtrack.convert import FORMATS, Conversion, input_of
from segtrack.dataset import Dataset
from segtrack.dataset.sources.port import SOURCES
from segtrack.settings import SplitFractions
from tests.dataset.conftest import Prepare, prepare_into, write_image

ALL_TRAIN = SplitFractions(train=1.0, val=0.0, test=0.0, pool=0.0)
SIZE = (96, 64)
NAMES = ("car", "traffic light", "Fußgänger")
SQUARE = [10.25, 8.5, 40.75, 8.5, 40.75, 30.125, 10.25, 30.125]
TRIANGLE = [50.0, 10.0, 80.0, 12.0, 70.0, 40.0]
ISLAND = [60.0, 45.0, 90.0, 45.0, 90.0, 60.0, 60.0, 60.0]
BOX = [5.0, 35.0, 20.0, 15.0]


class One(NamedTuple):
    """An object as it was read: its mask has the image's size."""

    name: str
    crowd: bool
    pixels: np.ndarray
    exact: bool
    bbox: list[float]


def ring() -> np.ndarray:
    """A mask with a hole."""
    pixels = np.zeros((SIZE[1], SIZE[0]), bool)
    pixels[20:50, 30:70] = True
    pixels[30:40, 40:60] = False
    return pixels


def dots() -> np.ndarray:
    """A mask of two parts, one of which is a single pixel at the image's corner."""
    pixels = np.zeros((SIZE[1], SIZE[0]), bool)
    pixels[2:20, 70:90] = True
    pixels[-1, -1] = True
    return pixels


def packed(pixels: np.ndarray) -> dict[str, Any]:
    found = coco.encode(np.asfortranarray(pixels.astype(np.uint8)))
    return {"size": list(found["size"]), "counts": found["counts"].decode()}


def annotation(image: int, category: int, segmentation: Any, **more: Any) -> dict[str, Any]:
    row = {"image_id": image, "category_id": category, "iscrowd": 0, "segmentation": segmentation}
    return {**row, **more}


SHAPES: list[dict[str, Any]] = [
    annotation(1, 1, [SQUARE]),
    annotation(1, 2, [TRIANGLE, ISLAND]),
    annotation(2, 3, packed(ring())),
    annotation(2, 1, packed(dots())),
    annotation(2, 1, [], bbox=BOX),
    annotation(3, 2, packed(ring()), iscrowd=1),
    annotation(3, 3, [TRIANGLE]),
]


def write_coco_folder(folder: Path, shapes: list[dict[str, Any]] = SHAPES) -> Path:
    """Images 1 to 3 of train (4 has no objects), and 1 and 2 again, as 5 and 6, of val."""
    categories = [{"id": i, "name": name} for i, name in enumerate(NAMES, 1)]
    for split, numbers in (("train", (1, 2, 3, 4)), ("val", (5, 6))):
        images, annotations = [], []
        for number in numbers:
            name = f"street {number}.jpg"
            write_image(folder / "images" / split / name, number, *SIZE)
            images.append({"id": number, "file_name": name, "width": 96, "height": 64})
            own = number if number < 5 else number - 4
            annotations += [{**s, "image_id": number} for s in shapes if s["image_id"] == own]
        rows = [{**one, "id": i} for i, one in enumerate(annotations, 1)]
        content = {"images": images, "annotations": rows, "categories": categories}
        (folder / "annotations").mkdir(exist_ok=True)
        path = folder / "annotations" / f"instances_{split}.json"
        path.write_text(json.dumps(content), encoding="utf-8")
    return folder


@pytest.fixture
def given(tmp_path: Path) -> Path:
    return write_coco_folder(tmp_path / "given")


@pytest.fixture
def run(tmp_path: Path) -> Prepare:
    return prepare_into(tmp_path)


Say = Callable[..., list[str]]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Say:
    """``segtrack convert`` in this process; gives the lines that it printed."""

    def call(*words: object) -> list[str]:
        capsys.readouterr()
        assert main([str(word) for word in words]) == 0
        return capsys.readouterr().out.splitlines()

    return call


Convert = Callable[..., Conversion]


@pytest.fixture
def convert() -> Convert:
    """The same without the command line, whose composing takes ten times as long as the rest."""
    return converted


def converted(given: Path, out: Path, name: str, **more: Any) -> Conversion:
    found = input_of(given, FORMATS[name].holds.track_ids)
    known = dict(word.partition("=")[::2] for word in found.words)
    settings = None
    if known:
        kept = {"annotations": str(given)} if "dataset.annotations" in known else {}
        path = known["dataset.path"].strip('"')
        source = SOURCES.get(known["dataset"])
        settings = source.settings(path=path, splits=ALL_TRAIN, workers=1, **kept)
    return segtrack.convert.convert(found, settings, 0, out, name, **more)


def read(run: Prepare, source: str, folder: Path, **more: Any) -> Dataset:
    """A folder as a data source reads it, nothing divided."""
    return run(SOURCES.get(source).settings(path=str(folder), splits=ALL_TRAIN, **more)).dataset


def objects(dataset: Dataset) -> dict[tuple[str, str], list[One]]:
    """By split and digest of the image its objects."""
    found = {}
    for row, rows in dataset.iter_labelled():
        size = [row["height"], row["width"]]
        ones = []
        for one in rows:
            if one["rle"]:
                mask: Any = {"size": size, "counts": one["rle"]}
            else:
                mask = coco.merge(coco.frPyObjects(one["polygons"], *size))
            ones.append(
                One(
                    dataset.names[one["class_id"]],
                    one["iscrowd"],
                    coco.decode(mask).astype(bool),
                    bool(one["rle"]),
                    [one[key] for key in "xywh"],
                )
            )
        found[row["split"], row["sha256"].hex()] = ones
    return found


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())
