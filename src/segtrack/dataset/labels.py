"""The labels of one image as a few flat arrays: what readers make, the cache keeps and the tables
hold. One object per image while it passes through, never a list of all of them.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

Polygon = NDArray[np.float64]
_HEADER = struct.Struct("<3I")


@dataclass(frozen=True)
class Labels:
    """N annotations with R polygons of P points together.

    Attributes:
        class_id: int32 (N,), index into the class names.
        bbox_xywh: float64 (N, 4), left, top, width, height in px.
        area: float64 (N,), px².
        crowd: bool (N,), a region of many objects (COCO ``iscrowd``): ignored, not trained.
        visible: float64 (N,), visible fraction 0..1, NaN where it is not known.
        rings: int32 (N,), polygons of each annotation.
        ring_points: int32 (R,), points of each polygon.
        points: float64 (P, 2), x right and y down in px.
        rle: N COCO RLE ``counts`` at image size, empty where the polygons are all there is.
    """

    class_id: NDArray[np.int32]
    bbox_xywh: NDArray[np.float64]
    area: NDArray[np.float64]
    crowd: NDArray[np.bool_]
    visible: NDArray[np.float64]
    rings: NDArray[np.int32]
    ring_points: NDArray[np.int32]
    points: NDArray[np.float64]
    rle: tuple[bytes, ...]

    def __len__(self) -> int:
        return len(self.class_id)

    def polygons(self) -> list[list[Polygon]]:
        """The polygons of every annotation, each float64 (n, 2)."""
        parts = np.split(self.points, np.cumsum(self.ring_points)[:-1]) if len(self.points) else []
        ends = np.cumsum(self.rings)
        return [parts[end - n : end] for end, n in zip(ends, self.rings, strict=True)]

    def take(self, index: NDArray[np.bool_], class_id: NDArray[np.int32]) -> Labels:
        """The annotations where ``index`` is true, with new class ids (those of all N)."""
        if index.all():
            return replace(self, class_id=class_id)
        ring_index = np.repeat(index, self.rings)
        point_index = np.repeat(ring_index, self.ring_points)
        return Labels(
            class_id[index].astype(np.int32),
            self.bbox_xywh[index],
            self.area[index],
            self.crowd[index],
            self.visible[index],
            self.rings[index],
            self.ring_points[ring_index],
            self.points[point_index],
            tuple(rle for rle, keep in zip(self.rle, index, strict=True) if keep),
        )

    def scaled(self, width: int, height: int) -> Labels:
        """From shares of the image to px."""
        size = np.array([width, height], np.float64)
        return replace(
            self,
            bbox_xywh=self.bbox_xywh * np.tile(size, 2),
            area=self.area * float(width * height),
            points=self.points * size,
        )

    def raw(self) -> bytes:
        """All values as bytes, the same on every machine: what digests are made of."""
        lengths = np.array([len(r) for r in self.rle], np.int32)
        arrays = (
            self.bbox_xywh.astype(np.float64),
            self.area.astype(np.float64),
            self.visible.astype(np.float64),
            self.points.astype(np.float64),
            self.rings.astype(np.int32),
            self.ring_points.astype(np.int32),
            lengths,
            self.crowd.astype(np.uint8),
        )
        return b"".join([self._head(), *(a.tobytes() for a in arrays), *self.rle])

    def pack(self) -> bytes:
        """As few bytes, for a database; the class ids can be read without the rest."""
        head = self._head()
        return head + zlib.compress(self.raw()[len(head) :], 1)

    def _head(self) -> bytes:
        counts = _HEADER.pack(len(self), len(self.ring_points), len(self.points))
        return counts + self.class_id.astype(np.int32).tobytes()

    @staticmethod
    def unpack(blob: bytes) -> Labels:
        """What ``pack`` gave."""
        n, rings, points = _HEADER.unpack_from(blob)
        data = zlib.decompress(blob[_HEADER.size + 4 * n :])
        position = 0

        def doubles(count: int) -> NDArray[np.float64]:
            nonlocal position
            position += 8 * count
            return np.frombuffer(data, np.float64, count, position - 8 * count)

        def integers(count: int) -> NDArray[np.int32]:
            nonlocal position
            position += 4 * count
            return np.frombuffer(data, np.int32, count, position - 4 * count)

        boxes, area, visible = doubles(4 * n).reshape(-1, 4), doubles(n), doubles(n)
        xy = doubles(2 * points).reshape(-1, 2)
        ring_counts, ring_points, lengths = integers(n), integers(rings), integers(n)
        crowd = np.frombuffer(data, np.uint8, n, position).astype(bool)
        position += n
        rle = []
        for length in lengths.tolist():
            rle.append(data[position : position + length])
            position += length
        return Labels(
            packed_class_ids(blob),
            boxes,
            area,
            crowd,
            visible,
            ring_counts,
            ring_points,
            xy,
            tuple(rle),
        )


@dataclass(frozen=True)
class Annotation:
    """One annotation on its way into ``Labels``; see there for units."""

    class_id: int
    polygons: Sequence[Polygon]
    area: float
    bbox_xywh: tuple[float, float, float, float] | None = None
    crowd: bool = False
    visible: float = float("nan")
    rle: bytes = b""


def labels_of(annotations: Sequence[Annotation]) -> Labels:
    """One ``Labels`` of all; a missing box is the box of the polygons."""
    polygons = [polygon for a in annotations for polygon in a.polygons]
    boxes = [a.bbox_xywh or _box(a.polygons) for a in annotations]
    points = np.concatenate(polygons) if polygons else np.zeros((0, 2))
    return Labels(
        np.array([a.class_id for a in annotations], np.int32),
        np.array(boxes, np.float64).reshape(-1, 4),
        np.array([a.area for a in annotations], np.float64),
        np.array([a.crowd for a in annotations], bool),
        np.array([a.visible for a in annotations], np.float64),
        np.array([len(a.polygons) for a in annotations], np.int32),
        np.array([len(p) for p in polygons], np.int32),
        points.astype(np.float64),
        tuple(a.rle for a in annotations),
    )


def joined_labels(first: Labels, second: Labels) -> Labels:
    """Those of both, in this order."""
    arrays = {
        field.name: np.concatenate([getattr(first, field.name), getattr(second, field.name)])
        for field in fields(Labels)
        if field.name != "rle"
    }
    return Labels(**arrays, rle=first.rle + second.rle)


def packed_class_ids(blob: bytes) -> NDArray[np.int32]:
    """Class ids of packed labels, int32 (N,)."""
    (n,) = struct.unpack_from("<I", blob)
    return np.frombuffer(blob, np.int32, n, _HEADER.size)


EMPTY = labels_of([])


def _box(polygons: Sequence[Polygon]) -> tuple[float, float, float, float]:
    points = np.concatenate([np.asarray(p) for p in polygons])
    (x1, y1), (x2, y2) = points.min(0), points.max(0)
    return float(x1), float(y1), float(x2 - x1), float(y2 - y1)
