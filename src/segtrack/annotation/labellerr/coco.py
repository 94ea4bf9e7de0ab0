"""COCO files of polygons, as Labellerr takes them as pre-annotations."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from segtrack.annotation.labellerr.checks import FILE_BYTES
from segtrack.annotation.outlines import shapes_of
from segtrack.base.bands import band_of
from segtrack.base.errors import DataError
from segtrack.base.polygons import Polygon
from segtrack.dataset import clip, signed_area
from segtrack.model import FrameDetections
from segtrack.settings import LabellerrSettings


@dataclass(frozen=True)
class Preannotation:
    """One object.

    Attributes:
        class_name: of the model or data set; becomes the template's question.
        polygons: float64 (n, 2) each, absolute px x, y; open rings.
        score: confidence in 0..1, None where a person drew it.
    """

    class_name: str
    polygons: tuple[Polygon, ...]
    score: float | None = None


@dataclass(frozen=True)
class AnnotatedImage:
    """The objects of one image, named as the project names it; width and height in px."""

    file_name: str
    width: int
    height: int
    annotations: tuple[Preannotation, ...]


@dataclass(frozen=True)
class CocoFile:
    """A written file.

    Attributes:
        bucket: its confidence band; None holds all.
        names: of its images, as the project has them. objects: how many.
    """

    path: Path
    bucket: str | None
    names: tuple[str, ...]
    objects: int

    @property
    def images(self) -> int:
        """How many."""
        return len(self.names)


@dataclass(frozen=True)
class Written:
    """The files of one ``write_coco``; ``left_out`` has a line per object outside of its image."""

    files: tuple[CocoFile, ...]
    left_out: tuple[str, ...]


def annotations_of(
    frame: FrameDetections, size: tuple[int, int], names: Sequence[str], knobs: LabellerrSettings
) -> Iterator[tuple[Preannotation, Mapping[str, Any]]]:
    """The detections of an image that are sure enough as annotations, each with its mask as RLE."""
    for shape, mask in shapes_of(frame, size, names, knobs.conf, knobs.simplify_px):
        yield Preannotation(shape.class_name, (shape.polygon,), shape.score), mask


def bucket_of(annotation: Preannotation, buckets: bool) -> str | None:
    """The confidence band by which it is sent; None where all go together."""
    return band_of(annotation.score) if buckets else None


def write_coco(
    images: Iterable[AnnotatedImage],
    names: Mapping[str, str],
    folder: Path,
    buckets: bool = False,
    limit: int = FILE_BYTES,
) -> Written:
    """Write images as COCO files of at most ``limit`` bytes; memory stays at that order.

    Polygons are cut at the image's border. Images without objects are left out, since a job would
    list them as not updated.

    Args:
        names: text of the question of each class; its order is that of the categories.
        buckets: one series of files for each confidence band.

    Raises:
        DataError: an object has no polygon, one that is not (n >= 3, 2) and finite, or a class
            without question; one image alone passes the limit.
    """
    folder.mkdir(parents=True, exist_ok=True)
    writers: dict[str | None, _Writer] = {}
    left_out: list[str] = []
    for image in images:
        divided: dict[str | None, list[Preannotation]] = {}
        for annotation in image.annotations:
            bucket = bucket_of(annotation, buckets)
            divided.setdefault(bucket, []).append(annotation)
        for bucket, objects in divided.items():
            if bucket not in writers:
                writers[bucket] = _Writer(folder, bucket, names, limit)
            left_out += writers[bucket].add(image, objects)
    files = [file for key in sorted(writers, key=str) for file in writers[key].close()]
    return Written(tuple(files), tuple(left_out))


class _Writer:
    """Collects the text of one file and starts the next where it would grow too large."""

    def __init__(
        self, folder: Path, bucket: str | None, names: Mapping[str, str], limit: int
    ) -> None:
        self.folder, self.bucket, self.limit = folder, bucket, limit
        self.ids = {name: i for i, name in enumerate(names)}
        categories = [
            {"id": i, "name": text, "supercategory": "Annotation"}
            for i, text in enumerate(names.values())
        ]
        self.head = '{"categories": ' + json.dumps(categories) + ',\n"images": [\n'
        self.files: list[CocoFile] = []
        self._begin()

    def _begin(self) -> None:
        self.names: list[str] = []
        self.images: list[str] = []
        self.annotations: list[str] = []
        self.size = len(self.head) + 64  # 64: what separates and ends the lists

    def add(self, image: AnnotatedImage, objects: Sequence[Preannotation]) -> list[str]:
        """Take an image; returns a line for each object that has no area inside of it."""
        found = [(a, _value(image, a, self.ids)) for a in objects]
        values = [value for _, value in found if value is not None]
        outside = [
            f"{image.file_name}: {a.class_name} has no area inside of the image"
            for a, value in found
            if value is None
        ]
        if not values:
            return outside
        # 40 and 100: ids, keys and separators; a character of a name may become six (\\uXXXX).
        size = sum(len(json.dumps(v)) + 40 for v in values) + 6 * len(image.file_name) + 100
        if self.images and self.size + size > self.limit:
            self._flush()
        if self.size + size > self.limit:
            raise DataError(
                f"{image.file_name}: its {len(values)} objects alone pass Labellerr's limit of "
                f"{self.limit / 1e6:.1f} MB; simplify the polygons."
            )
        head = {
            "id": len(self.images),
            "file_name": image.file_name,
            "width": image.width,
            "height": image.height,
        }
        self.names.append(image.file_name)
        self.images.append(json.dumps(head))
        for value in values:
            numbered = {"id": len(self.annotations), "image_id": head["id"], **value}
            self.annotations.append(json.dumps(numbered))
        self.size += size
        return outside

    def close(self) -> list[CocoFile]:
        """All files, the last one included."""
        if self.images:
            self._flush()
        return self.files

    def _flush(self) -> None:
        stem = f"preannotations-{self.bucket}" if self.bucket else "preannotations"
        path = self.folder / f"{stem}-{len(self.files) + 1:03d}.json"
        with path.open("w") as file:
            file.write(self.head + ",\n".join(self.images))
            file.write('\n],\n"annotations": [\n' + ",\n".join(self.annotations) + "\n]}\n")
        self.files.append(CocoFile(path, self.bucket, tuple(self.names), len(self.annotations)))
        self._begin()


def _value(
    image: AnnotatedImage, annotation: Preannotation, ids: Mapping[str, int]
) -> dict[str, Any] | None:
    """COCO's record without its ids; None where nothing is inside of the image."""
    where = f"{image.file_name}: {annotation.class_name}"
    if annotation.class_name not in ids:
        raise DataError(f"{where}: this class has no question; known are {', '.join(ids)}.")
    if not annotation.polygons:
        raise DataError(
            f"{where}: a box without polygon. Labellerr completes such a job and applies nothing: "
            "predict with a -seg model."
        )
    rings, area = [], 0.0
    low, high = np.full(2, np.inf), np.full(2, -np.inf)
    for polygon in annotation.polygons:
        points = np.asarray(polygon, np.float64)
        if points.ndim != 2 or points.shape[1] != 2 or len(points) < 3:
            raise DataError(
                f"{where}: a polygon of shape {points.shape}; it needs 3 points or more"
            )
        if not np.isfinite(points).all():
            raise DataError(f"{where}: a polygon with coordinates that are not finite numbers.")
        inside = np.round(clip(points, (image.width, image.height)), 2)
        if len(inside) < 3 or (part := abs(signed_area(inside))) < 0.01:
            continue
        rings.append(inside.reshape(-1).tolist())
        area += part
        low, high = np.minimum(low, inside.min(axis=0)), np.maximum(high, inside.max(axis=0))
    if not rings:
        return None
    value: dict[str, Any] = {
        "category_id": ids[annotation.class_name],
        "segmentation": rings,
        "bbox": np.round([*low, *(high - low)], 2).tolist(),
        "area": round(area, 2),
        "iscrowd": 0,
    }
    if annotation.score is not None:
        value["score"] = round(float(annotation.score), 4)
    return value
