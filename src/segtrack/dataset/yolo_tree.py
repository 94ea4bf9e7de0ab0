"""The tree that training reads: links to the images, YOLO-seg label files and ``data.yaml``.

It is ours, so that caches and "repairs" of the training library never reach a user's folder. The
images are symbolic links where the file system has them, their suffix that of their content; a JPEG
without its end marker is copied, since the library would rewrite it, and what it does not read is
stored as PNG. Paths inside are relative or point outside of the stage's
folder, which is renamed after it was made; ``data.yaml`` has no ``path`` for the same reason (the
library then takes the folder of the file).
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from enum import Enum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from segtrack.base.errors import DataError
from segtrack.dataset.labels import Labels, Polygon
from segtrack.dataset.pixels import SUFFIXES, read_pixels
from segtrack.settings import SPLITS

FOLDER = "yolo"


class How(Enum):
    """How an image comes into the tree: as a link; as a copy, where the training library would
    rewrite the file; or as PNG, where it would not read it.
    """

    LINK = "link"
    COPY = "copy"
    CONVERT = "convert"


_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")


def make_folders(folder: Path) -> None:
    """An empty tree; remains of a killed attempt go."""
    shutil.rmtree(folder / FOLDER, ignore_errors=True)
    for split in SPLITS:
        (folder / FOLDER / "images" / split).mkdir(parents=True)
        (folder / FOLDER / "labels" / split).mkdir(parents=True)


def add_image(
    folder: Path,
    path: str,
    name: str,
    split: str,
    labels: Labels,
    size: tuple[int, int],
    how: How,
) -> None:
    """Bring one image into the tree and write its labels.

    Args:
        folder: the stage's folder.
        path: the image; relative to ``folder`` where it was made there.
        name: unique file name in the tree, from ``tree_name``.
        size: width and height in px.

    Raises:
        DataError: an image that has to be converted cannot be decoded.
    """
    # Strings, not Path objects: this runs for every image.
    target = f"{folder}/{FOLDER}/images/{split}/{name}"
    inside = not os.path.isabs(path)  # noqa: PTH117
    full = f"{folder}/{path}" if inside else path
    if how is How.CONVERT:
        _convert(full, target)
    elif how is How.COPY:
        shutil.copyfile(full, target)
    else:
        try:
            os.symlink(f"../../../{path}" if inside else path, target)  # noqa: PTH211
        except OSError:  # a file system without symbolic links
            _link_or_copy(full, target)
    text = "".join([f"{row}\n" for row in label_rows(labels, *size)])
    label = f"{folder}/{FOLDER}/labels/{split}/{name.rsplit('.', 1)[0]}.txt"
    with open(label, "w") as file:  # noqa: PTH123
        file.write(text)


def write_yaml(folder: Path, names: Sequence[str], counts: dict[str, int]) -> None:
    """``data.yaml``; without val images those of train stand in, since the library needs some."""
    import yaml

    content: dict[str, object] = {"train": "images/train"}
    content["val"] = "images/val" if counts.get("val") else "images/train"
    if counts.get("test"):
        content["test"] = "images/test"
    content["names"] = dict(enumerate(names))
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    (folder / FOLDER / "data.yaml").write_text(text, encoding="utf-8")


def tree_name(image_id: int, file_name: str, suffix: str) -> str:
    """A file name that is unique, safe everywhere and still tells which image it is."""
    stem, own = os.path.splitext(file_name.rsplit("/", 1)[-1])  # noqa: PTH122 (hot loop)
    stem = stem if own.lower() in SUFFIXES else stem + own
    return f"{image_id:07d}_{_UNSAFE.sub('_', stem)[:60]}{suffix}"


def label_rows(labels: Labels, width: int, height: int) -> list[str]:
    """YOLO-seg rows: class id, then x y of one polygon as shares of the image, 0..1.

    Crowds are left out. The format has one polygon per object: several are joined by bridges of no
    width between their nearest points.
    """
    rows = []
    scale = np.array([1.0 / width, 1.0 / height])
    for class_id, crowd, polygons in zip(
        labels.class_id.tolist(), labels.crowd.tolist(), labels.polygons(), strict=True
    ):
        if crowd or not polygons:
            continue
        points = polygons[0] if len(polygons) == 1 else joined(polygons)
        shares = (points * scale).clip(0.0, 1.0).reshape(-1).tolist()
        rows.append(f"{class_id}" + " %.6g" * len(shares) % tuple(shares))
    return rows


def joined(polygons: Sequence[Polygon]) -> Polygon:
    """One closed outline, float64 (n, 2), that runs through all ``polygons``, largest first."""
    rest = sorted(polygons, key=lambda p: -abs(_shoelace(p)))
    outline = rest.pop(0)
    while rest:
        other = rest.pop(0)
        at, begin = _nearest(outline, other)
        detour = np.concatenate([other[begin:], other[: begin + 1]])
        outline = np.concatenate([outline[: at + 1], detour, outline[at:]])
    return outline


def _nearest(a: Polygon, b: Polygon) -> tuple[int, int]:
    gaps = ((a[:, None] - b[None]) ** 2).sum(-1)
    i, j = np.unravel_index(int(gaps.argmin()), gaps.shape)
    return int(i), int(j)


def _shoelace(points: NDArray[np.float64]) -> float:
    x, y = points[:, 0], points[:, 1]
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


def _convert(source: str, target: str) -> None:
    import cv2

    pixels = read_pixels(source)
    if pixels is None:
        raise DataError(f"{source}: cannot be decoded; restore the file, or remove it")
    coded = cv2.imencode(".png", pixels)[1]
    with open(target, "wb") as file:  # noqa: PTH123
        file.write(coded.tobytes())


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
