"""Which detections and which objects stand behind the figures, as tables.

``matches.parquet`` has a row for each detection and each object that none of its class matched, by
COCO's rule with masks at an IoU of .5: the rows of a class with a score from some value on are what
its precision and recall there count. ``confusion.parquet`` has a row for each count of the
confusion matrix.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from segtrack.base.frames import RowGroups
from segtrack.evaluation.assignment import NONE, Assigned, Cells
from segtrack.evaluation.batches import ImageBatch
from segtrack.evaluation.confusion import ImageMatch
from segtrack.evaluation.lists import BatchLists

MATCHES, CONFUSION = "matches.parquet", "confusion.parquet"
_ROWS = 1 << 14  # held before they are written; a page of pictures reads a part for each


class MatchRow(NamedTuple):
    """A detection, an object of the ground truth, or both, of one class.

    Attributes:
        image_id, annotation_id: of the data set (``Dataset.iter_labelled``); None: no object.
        detection: place among the image's predictions, best score first; None: none matched.
        class_name: of both.
        score: of the detection. iou: of the masks, where they match.
        ignored: the detection lies on a crowd: it is neither right nor wrong.
    """

    image_id: int
    annotation_id: int | None
    detection: int | None
    class_name: str
    score: float | None
    iou: float | None
    ignored: bool


class ConfusedRow(NamedTuple):
    """One count of the confusion matrix.

    Attributes:
        true_class: None where there is no object. predicted_class: None where none was found.
        image_id, annotation_id, detection, score, iou: as in ``MatchRow``.
    """

    image_id: int
    annotation_id: int | None
    detection: int | None
    true_class: str | None
    predicted_class: str | None
    score: float | None
    iou: float | None


_TEXT = pa.dictionary(pa.int16(), pa.string())
_TYPES = {
    **{"image_id": pa.int64(), "annotation_id": pa.int64(), "detection": pa.int32()},
    **dict.fromkeys(("class_name", "true_class", "predicted_class"), _TEXT),
    **{"score": pa.float32(), "iou": pa.float32(), "ignored": pa.bool_()},
}


@dataclass
class Rows:
    """Rows of both tables, of some images.

    Attributes:
        names: classes by id.
        matches: tables of ``MatchRow``.
    """

    names: Sequence[str]
    matches: list[pa.Table] = field(default_factory=list)
    confused: list[ConfusedRow] = field(default_factory=list)

    def add_matches(self, lists: BatchLists, cells: Cells, assigned: Assigned) -> None:
        """Take what was matched in a batch, masks."""
        self.matches.append(_match_rows(lists, cells, assigned, self.names))

    def add_confusion(self, batch: ImageBatch, matches: Sequence[ImageMatch]) -> None:
        """Take what was matched across classes in the same batch."""
        self.confused += _confused_rows(batch, matches, self.names)


class RowsWriter:
    """Writes both tables; use as a context manager."""

    def __init__(self, folder: Path) -> None:
        self._matches = RowGroups(
            folder / MATCHES, _schema(MatchRow._fields), _ROWS, pa.concat_tables
        )
        self._confusion = _table(folder / CONFUSION, ConfusedRow._fields)

    def write(self, rows: Rows) -> None:
        """Append rows."""
        for table in rows.matches:
            self._matches.add(table, len(table))
        for row in rows.confused:
            self._confusion.add(row, 1)

    def __enter__(self) -> RowsWriter:
        return self

    def __exit__(self, *error: Any) -> None:
        self._matches.__exit__(*error)
        self._confusion.__exit__(*error)


def _schema(columns: Sequence[str]) -> pa.Schema:
    return pa.schema([(name, _TYPES[name]) for name in columns])


def _table(path: Path, columns: Sequence[str]) -> RowGroups[tuple[Any, ...]]:
    schema = _schema(columns)

    def table(rows: list[tuple[Any, ...]]) -> pa.Table:
        values = zip(*rows, strict=True)
        return pa.table(
            [pa.array(v, one.type) for v, one in zip(values, schema, strict=True)], schema=schema
        )

    return RowGroups(path, schema, _ROWS, table)


def _match_rows(
    lists: BatchLists, cells: Cells, assigned: Assigned, names: Sequence[str]
) -> pa.Table:
    """Class by class and image by image the detections, then the objects that none took."""
    own = np.array([row["annotation_id"] for row in lists.truth], np.int64)[cells.objects]
    image_id = np.array([image["id"] for image in lists.batch.images], np.int64)
    found, missed = cells.found, ~assigned.skipped[0] & (assigned.of_object == NONE)
    right = (assigned.right[0] & 1) == 1
    took = assigned.of_found[right]
    at = lists.rows()[found[right]] + lists.column[cells.objects[took]]
    annotation = np.zeros(len(found), np.int64)
    annotation[right] = own[took]
    iou = np.zeros(len(found), np.float32)
    iou[right] = lists.overlaps("mask")[at]
    key = np.append(lists.found_key[found], lists.truth_key[cells.objects[missed]])
    order = np.argsort(key, kind="stable")
    objects = int(missed.sum())
    class_id, image = np.divmod(key, len(image_id))

    def column(values: np.ndarray, kind: pa.DataType, absent: np.ndarray | None = None) -> pa.Array:
        if len(values) < len(key):  # detections alone have it
            values = np.append(values, np.zeros(objects, values.dtype))
            absent = np.append(np.zeros(len(found), bool) if absent is None else absent,
                               np.ones(objects, bool))  # fmt: skip
        mask = None if absent is None else absent[order]
        return pa.array(values[order], kind, mask=mask)

    columns = {
        "image_id": column(image_id[image], pa.int64()),
        "annotation_id": column(
            np.append(annotation, own[missed]),
            pa.int64(),
            np.append(~right, np.zeros(objects, bool)),
        ),
        "detection": column(lists.place[found].astype(np.int32), pa.int32()),
        "class_name": pa.DictionaryArray.from_arrays(
            column(class_id.astype(np.int16), pa.int16()), pa.array(names, pa.string())
        ),
        "score": column(lists.score[found], pa.float32()),
        "iou": column(iou, pa.float32(), ~right),
        "ignored": column(
            np.append((assigned.ignored[0] & 1) == 1, np.zeros(objects, bool)), pa.bool_()
        ),
    }
    return pa.table(columns, schema=_schema(MatchRow._fields))


def _confused_rows(
    batch: ImageBatch, matches: Sequence[ImageMatch], names: Sequence[str]
) -> Iterator[ConfusedRow]:
    for match, detections, truth in zip(
        matches, batch.detections, batch.truth_by_image, strict=True
    ):
        objects = [one["annotation_id"] for one in truth]
        pairs = {d: (g, iou) for (d, g), iou in zip(match.pairs, match.iou, strict=True)}
        for d, place in enumerate(match.found.tolist()):
            g, iou = pairs.get(d, (None, None))
            yield ConfusedRow(
                match.image_id,
                None if g is None else objects[match.truth[g]],
                place,
                None if g is None else names[match.truth_class[g]],
                names[match.found_class[d]],
                float(detections.score[place]),
                iou,
            )
        found = {g for g, _ in pairs.values()}
        for g, place in enumerate(match.truth.tolist()):
            if g not in found:
                name = names[match.truth_class[g]]
                yield ConfusedRow(match.image_id, objects[place], None, name, None, None, None)
