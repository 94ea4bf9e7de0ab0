"""What stands behind the confusion matrix and the curves of an evaluation, as counts by picture.

The tables have a row for every object and detection. They are gone through once, and again for the
rows behind one number; in memory are some arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from segtrack.base.frames import row_groups, rows_with

POINTS = 101  # scores of a curve
_NONE = -1


@dataclass(frozen=True)
class Behind:
    """N rows of a table, by picture: int64 ids; -1 where it is about none."""

    image: np.ndarray
    annotation: np.ndarray
    detection: np.ndarray

    @staticmethod
    def none() -> Behind:
        """No rows."""
        return Behind(*(np.empty(0, np.int64) for _ in range(3)))

    @staticmethod
    def joined(tables: Iterator[pa.Table]) -> Behind:
        """The rows of some tables."""
        parts = [[_numbers(t[name]) for name in ("image_id", *_OBJECTS)] for t in tables]
        return Behind(*map(np.concatenate, zip(*parts, strict=True))) if parts else Behind.none()

    def of(self, images: Sequence[int]) -> set[tuple[int, str, int]]:
        """Picture, ``annotation`` or ``detection``, and which, of these pictures."""
        here = np.isin(self.image, np.array(images, np.int64))
        found = set()
        for kind, values in (("annotation", self.annotation), ("detection", self.detection)):
            pairs = zip(self.image[here].tolist(), values[here].tolist(), strict=True)
            found |= {(image, kind, one) for image, one in pairs if one != _NONE}
        return found


_OBJECTS = ("annotation_id", "detection")


@dataclass(frozen=True)
class Confusions:
    """The confusion matrix and what it says of each of N pictures.

    Attributes:
        path: of its table. names: classes by id.
        matrix: int64 (K + 1, K + 1): rows true, columns predicted; last nothing there, none found.
        missed, false: int32 (N,). quality: float64 (N,).
    """

    path: Path
    names: tuple[str, ...]
    matrix: np.ndarray
    missed: np.ndarray
    false: np.ndarray
    quality: np.ndarray

    @staticmethod
    def read(
        path: Path | None,
        names: tuple[str, ...],
        ids: np.ndarray,
        mark: Callable[[np.ndarray, np.ndarray], None],
    ) -> Confusions | None:
        """Go through the table; None where there is none, or no row in it.

        Args:
            ids: of the pictures, ascending.
            mark: is told of classes in pictures: positions, class ids.
        """
        if path is None:
            return None
        count, rows = len(ids), 0
        matrix = np.zeros((len(names) + 1, len(names) + 1), np.int64)
        missed, false, right = (np.zeros(count, np.int32) for _ in range(3))
        overlap = np.zeros(count)
        columns = ["image_id", *_OBJECTS, "true_class", "predicted_class", "iou"]
        for table in row_groups(path, columns):
            rows += len(table)
            true, found = (codes(table[f"{name}_class"], names) for name in ("true", "predicted"))
            np.add.at(matrix, (true, found), 1)  # -1, no class, is the last one
            image = table["image_id"].to_numpy()
            place = np.minimum(np.searchsorted(ids, image), max(count - 1, 0))
            there = ids[place] == image if count else np.zeros(len(image), bool)
            for kind in (true, found):
                mark(place[there & (kind >= 0)], kind[there & (kind >= 0)])
            same = there & (true == found)
            np.add.at(right, place[same], 1)
            iou = np.nan_to_num(table["iou"].to_numpy().astype(np.float64))
            np.add.at(overlap, place[same], iou[same])
            for counts, name in ((missed, "annotation_id"), (false, "detection")):
                wrong = there & (true != found) & (_numbers(table[name]) != _NONE)
                np.add.at(counts, place[wrong], 1)
        weight = right + (missed + false) / 2
        quality = np.divide(overlap, weight, np.ones(count), where=weight > 0)
        return Confusions(path, names, matrix, missed, false, quality) if rows else None

    def of(self, place: int) -> dict[str, Any]:
        """Of one picture by position: missed, false, quality."""
        found = {"missed": int(self.missed[place]), "false": int(self.false[place])}
        return {**found, "quality": float(self.quality[place])}

    def parts(
        self, images: Sequence[int]
    ) -> tuple[set[tuple[int, int]], set[tuple[int, int]], set[tuple[int, int]]]:
        """Of some pictures (picture, which): detections that count, missed objects, false ones."""
        table = rows_with(self.path, "image_id", images)
        counted, missed, false = set(), set(), set()
        for row in table.to_pylist():
            image, wrong = row["image_id"], row["true_class"] != row["predicted_class"]
            if row["detection"] is not None:
                counted.add((image, row["detection"]))
                if wrong:
                    false.add((image, row["detection"]))
            if wrong and row["annotation_id"] is not None:
                missed.add((image, row["annotation_id"]))
        return counted, missed, false

    def behind(self, true: str, predicted: str) -> Behind:
        """The rows of a cell; an empty name is nothing."""

        def tables() -> Iterator[pa.Table]:
            columns = ["image_id", *_OBJECTS, "true_class", "predicted_class"]
            for table in row_groups(self.path, columns):
                cell = codes(table["true_class"], self.names) == _code(true, self.names)
                cell &= codes(table["predicted_class"], self.names) == _code(predicted, self.names)
                yield table.filter(pa.array(cell))

        return Behind.joined(tables())


@dataclass(frozen=True)
class Curve:
    """Precision and recall of one class over the score, masks at IoU .5.

    Attributes:
        objects: of the ground truth.
        score: float (P,), rising; precision, recall: of detections with that score or more; NaN
            where there are none.
    """

    objects: int
    score: np.ndarray
    precision: np.ndarray
    recall: np.ndarray


@dataclass(frozen=True)
class Matched:
    """Scores of the detections that are right and false, of each class.

    Attributes:
        path: of the table. names: classes by id.
        objects: by class. right, false: float32 each, rising, by class.
    """

    path: Path
    names: tuple[str, ...]
    objects: list[int]
    right: list[np.ndarray]
    false: list[np.ndarray]

    @staticmethod
    def read(path: Path | None, names: tuple[str, ...]) -> Matched | None:
        """Go through the table; None where there is none, or no row in it."""
        if path is None:
            return None
        rows, objects = 0, np.zeros(len(names), np.int64)
        score: list[list[np.ndarray]] = [[np.empty(0, np.float32)] for _ in range(2 * len(names))]
        columns = ["class_name", "annotation_id", "score", "ignored"]
        for table in row_groups(path, columns):
            rows += len(table)
            kind, sure = codes(table["class_name"], names), table["score"].to_numpy()
            counts = ~table["ignored"].to_numpy()
            known = _numbers(table["annotation_id"]) != _NONE
            objects += np.bincount(kind[counts & known], minlength=len(names))
            found = counts & ~np.isnan(sure)
            for k in np.unique(kind[found]):
                score[2 * k].append(sure[found & known & (kind == k)])
                score[2 * k + 1].append(sure[found & ~known & (kind == k)])
        sorted_ = [np.sort(np.concatenate(parts)) for parts in score]
        found_of = Matched(path, names, objects.tolist(), sorted_[::2], sorted_[1::2])
        return found_of if rows else None

    def at(self, name: str, score: float) -> dict[str, int]:
        """How many right and false detections and missed objects there are from a score on."""
        k = self.names.index(name)
        tp, fp = (
            len(values[k]) - int(np.searchsorted(values[k].astype(np.float64), score))
            for values in (self.right, self.false)
        )
        return {"tp": tp, "fp": fp, "fn": self.objects[k] - tp}

    @cached_property
    def curves(self) -> dict[str, Curve]:
        """By class."""
        return {name: self._curve(name) for name in self.names}

    def _curve(self, name: str) -> Curve:
        k, grid = self.names.index(name), np.linspace(0, 1, POINTS)
        tp, fp = (
            len(values[k]) - np.searchsorted(values[k].astype(np.float64), grid)
            for values in (self.right, self.false)
        )
        objects = self.objects[k]
        with np.errstate(invalid="ignore", divide="ignore"):
            recall = tp / objects if objects else np.full(POINTS, np.nan)
            return Curve(objects, grid, tp / (tp + fp), recall)

    def behind(self, name: str, score: float, kind: str) -> Behind:
        """The rows that count as ``kind`` (tp, fp or fn) where detections from a score on count."""

        def tables() -> Iterator[pa.Table]:
            columns = ["image_id", *_OBJECTS, "class_name", "score", "ignored"]
            for table in row_groups(self.path, columns):
                sure = table["score"].to_numpy().astype(np.float64)
                enough = sure >= score  # of none it is not
                known = _numbers(table["annotation_id"]) != _NONE
                wanted = {"tp": known & enough, "fp": ~known & enough, "fn": known & ~enough}[kind]
                wanted &= ~table["ignored"].to_numpy()
                wanted &= codes(table["class_name"], self.names) == _code(name, self.names)
                yield table.filter(pa.array(wanted))

        return Behind.joined(tables())


def codes(column: pa.ChunkedArray, names: Sequence[str]) -> np.ndarray:
    """Position of each text of a column in ``names``, int64; -1 where there is none."""
    texts = column.combine_chunks().dictionary_encode()
    place = np.array([names.index(text) for text in texts.dictionary.to_pylist()] + [_NONE])
    return np.asarray(place[texts.indices.fill_null(len(place) - 1).to_numpy()])


def _code(name: str, names: Sequence[str]) -> int:
    return names.index(name) if name in names else _NONE if not name else -2


def _numbers(column: pa.ChunkedArray) -> np.ndarray:
    return np.asarray(column.fill_null(_NONE).to_numpy(), np.int64)
