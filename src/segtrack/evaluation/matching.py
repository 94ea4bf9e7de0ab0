"""Predictions and ground truth matched image by image, some images at a time, as pycocotools does.

pycocotools wants a whole data set in memory, and keeps what it found of each image, class and area
range as Python objects. What its figures need is small: of each detection its score, and which of
10 IoU thresholds it is right or ignored at, in each of 4 area ranges. These are kept as arrays:
20 bytes per detection of masks and of boxes, and 20 for each class in an image where it occurs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from segtrack.evaluation.assignment import AREAS
from segtrack.evaluation.batches import ImageBatch
from segtrack.evaluation.lists import BatchLists
from segtrack.evaluation.rows import Rows
from segtrack.evaluation.visible import VisibleObjects, found_objects

Kind = Literal["mask", "box"]
KINDS: tuple[Kind, ...] = ("mask", "box")


@dataclass(frozen=True)
class ClassMatches:
    """What was found of one class in all images, in their order, best score first within each.

    Attributes:
        score: float32 (D,).
        place: int32 (D,), among the detections of the class in the image, from 0.
        right, ignored: uint16 (A, D), bits by IoU threshold; see ``Assigned``. The first area range
            is everything.
        objects: int64 (A,), that count in each area range.
    """

    score: np.ndarray
    place: np.ndarray
    right: np.ndarray
    ignored: np.ndarray
    objects: np.ndarray


@dataclass(frozen=True)
class CellCounts:
    """Classes in images where they occur or were found.

    Attributes:
        class_id: int16 (C,), ascending. image: int32 (C,), position, ascending within a class.
        objects: int32 (C,), crowds left out. found: int32 (kinds, C), detections of each kind.
    """

    class_id: np.ndarray
    image: np.ndarray
    objects: np.ndarray
    found: np.ndarray


@dataclass(frozen=True)
class _Piece:
    """One batch, class by class: where the cells and each kind's detections of a class begin."""

    cells: CellCounts
    cell_starts: np.ndarray
    found_starts: dict[Kind, np.ndarray]
    score: dict[Kind, np.ndarray]
    right: dict[Kind, np.ndarray]
    ignored: dict[Kind, np.ndarray]


@dataclass(frozen=True)
class Matches:
    """What was matched, of one kind."""

    kind: Kind
    matcher: Matcher

    def __len__(self) -> int:
        """How many classes there are."""
        return self.matcher.class_count

    def of(self, class_id: int) -> ClassMatches:
        """Of one class."""
        kind, row = self.kind, KINDS.index(self.kind)
        parts = self.matcher.pieces

        def joined(arrays: Sequence[np.ndarray], empty: np.ndarray) -> np.ndarray:
            of_class = [
                values[..., slice(*part.found_starts[kind][class_id : class_id + 2])]
                for part, values in zip(parts, arrays, strict=True)
            ]
            return np.concatenate([empty, *of_class], axis=-1)

        bits = np.empty((len(AREAS), 0), np.uint16)
        counts = self.matcher.cells(class_id).found[row]
        starts = np.cumsum(counts) - counts
        return ClassMatches(
            joined([part.score[kind] for part in parts], np.empty(0, np.float32)),
            (np.arange(counts.sum()) - np.repeat(starts, counts)).astype(np.int32),
            joined([part.right[kind] for part in parts], bits),
            joined([part.ignored[kind] for part in parts], bits),
            self.matcher.objects_by_area[class_id],
        )


@dataclass
class Matcher:
    """Matches batches and keeps the outcome.

    Attributes:
        class_count: classes are 0 to ``class_count - 1``.
        pieces: a piece for each batch.
        images: place of the next one among all.
        objects_by_area: int64 (K, A), of the ground truth, those that count.
    """

    class_count: int
    images: int = 0
    pieces: list[_Piece] = field(default_factory=list)
    objects_by_area: np.ndarray = field(init=False)
    _visible: list[VisibleObjects] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.objects_by_area = np.zeros((self.class_count, len(AREAS)), np.int64)

    def add(self, batch: ImageBatch, rows: Rows | None = None) -> None:
        """Match one batch; images come in ascending order of their ids.

        Args:
            rows: get every detection and object.
        """
        lists = BatchLists.of(batch)
        key = np.unique(np.concatenate([lists.truth_key, lists.found_key]))
        class_id, image = np.divmod(key, len(batch.images))
        counts = np.zeros((len(KINDS), len(key)), np.int32)
        classes = np.arange(self.class_count + 1)
        starts, score, right, ignored = {}, {}, {}, {}
        objects = np.zeros(len(key), np.int32)
        for row, kind in enumerate(KINDS):
            cells, assigned = lists.matched(kind, key)
            counts[row] = np.diff(cells.found_starts)
            starts[kind] = cells.found_starts[np.searchsorted(class_id, classes)]
            score[kind] = lists.score[cells.found]
            right[kind], ignored[kind] = assigned.right, assigned.ignored
            if kind == "mask":
                of_cell = np.repeat(np.arange(len(key)), np.diff(cells.objects_starts))
                count = ~assigned.skipped
                objects += np.bincount(of_cell[count[0]], minlength=len(key)).astype(np.int32)
                for a in range(len(AREAS)):
                    kept = class_id[of_cell[count[a]]]
                    self.objects_by_area[:, a] += np.bincount(kept, minlength=self.class_count)
                self._visible.append(found_objects(lists, cells, assigned, self.images))
                if rows is not None:
                    rows.add_matches(lists, cells, assigned)
        place = (image + self.images).astype(np.int32)
        kept = CellCounts(class_id.astype(np.int16), place, objects, counts)
        cell_starts = np.searchsorted(class_id, classes)
        self.pieces.append(_Piece(kept, cell_starts, starts, score, right, ignored))
        self.images += len(batch.images)

    def join(self, other: Matcher) -> None:
        """Take what another one matched, whose images follow."""
        self.pieces += other.pieces
        self.objects_by_area += other.objects_by_area
        self._visible += other._visible
        self.images = other.images

    def matches(self, kind: Kind) -> Matches:
        """COCO's matching of all classes in its four area ranges."""
        return Matches(kind, self)

    def cells(self, class_id: int) -> CellCounts:
        """The images in which a class occurs or was found, in their order."""
        parts = [
            (piece.cells, slice(*piece.cell_starts[class_id : class_id + 2]))
            for piece in self.pieces
        ]
        return CellCounts(
            np.concatenate([np.empty(0, np.int16), *(c.class_id[part] for c, part in parts)]),
            np.concatenate([np.empty(0, np.int32), *(c.image[part] for c, part in parts)]),
            np.concatenate([np.empty(0, np.int32), *(c.objects[part] for c, part in parts)]),
            np.concatenate(
                [np.empty((len(KINDS), 0), np.int32), *(c.found[:, part] for c, part in parts)],
                axis=1,
            ),
        )

    def objects(self) -> VisibleObjects:
        """The objects whose visible fraction is known, and what found them."""
        return VisibleObjects.joined(self._visible)
