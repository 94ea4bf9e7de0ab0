"""The data set as rfdetr reads one: COCO annotations beside each split.

Images stay where they are; only those that a camera turned are copied, turned, since rfdetr takes
their pixels as they lie in the file.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from segtrack.base.errors import DataError
from segtrack.model.port import TrainingData
from segtrack.model.predictions import ImageToPredict

ORIENTATION = 0x0112  # the EXIF tag; 1: as it lies in the file
SPLITS = {"train": "train", "val": "valid"}  # ours, and theirs


def coco_tree(data: TrainingData, folder: Path) -> None:
    """Make ``folder`` a COCO data set of the splits train and val.

    Where the data set has no val split, the training images stand in for it.

    Raises:
        DataError: there is no image to train on.
    """
    shutil.rmtree(folder, ignore_errors=True)
    for split, theirs in SPLITS.items():
        (folder / theirs).mkdir(parents=True)
        count = _write(data, split, folder / theirs)
        if not count and split == "train":
            raise DataError("the train split has no images, so there is no training")
        if not count:
            _write(data, "train", folder / theirs)


def _write(data: TrainingData, split: str, folder: Path) -> int:
    """Write the annotations of one split; returns the number of images."""
    count = 0
    with (folder / "_annotations.coco.json").open("w", encoding="utf-8") as file:
        file.write('{"images": [')
        for count, image in enumerate(data.iter_images(split), 1):
            file.write(("," if count > 1 else "") + json.dumps(_image(image, folder)))
        file.write('], "annotations": [')
        for i, row in enumerate(_annotations(data, split)):
            file.write(("," if i else "") + json.dumps(row))
        categories = [{"id": i, "name": name} for i, name in enumerate(data.names)]
        file.write(f'], "categories": {json.dumps(categories)}}}')
    return count


def _image(image: ImageToPredict, folder: Path) -> dict[str, Any]:
    path = _upright(image, folder)
    row = {"id": image.image_id, "file_name": str(path)}
    return row | {"width": image.width, "height": image.height}


def _upright(image: ImageToPredict, folder: Path) -> Path:
    from PIL import Image, ImageOps

    with Image.open(image.path) as opened:
        if opened.getexif().get(ORIENTATION, 1) == 1:
            return image.path.absolute()
        path = folder / f"{image.image_id}.png"
        ImageOps.exif_transpose(opened).save(path)
    return path


def _annotations(data: TrainingData, split: str) -> Iterator[dict[str, Any]]:
    for row in data.iter_annotations(split):
        yield {key: value for key, value in row.items() if key != "visible_fraction"}
