"""Which detections and which objects stand behind the figures, as tables.

``matches.parquet`` has a row for each detection and each object that none of its class matched, by
COCO's rule with masks at an IoU of .5: the rows of a class with a score from some value on are what
its precision and recall there count. ``confusion.parquet`` has a row for each count of the
confusion matrix.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
from pycocotools.cocoeval import COCOeval

from segtrack.base.frames import RowGroups
from segtrack.evaluation.batches import ImageBatch
from segtrack.evaluation.confusion import ImageMatch

MATCHES, CONFUSION = "matches.parquet", "confusion.parquet"
_ROWS = 1 << 16  # held before they are written


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


class RowsWriter:
    """Writes both tables batch by batch; use as a context manager."""

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self._names = names
        self._matches = _table(folder / MATCHES, MatchRow._fields)
        self._confusion = _table(folder / CONFUSION, ConfusedRow._fields)

    def add_matches(self, batch: ImageBatch, evaluator: COCOeval) -> None:
        """Take what pycocotools matched in a batch, masks."""
        for row in _match_rows(batch, evaluator, self._names):
            self._matches.add(row, 1)

    def add_confusion(self, batch: ImageBatch, matches: Sequence[ImageMatch]) -> None:
        """Take what was matched across classes in the same batch."""
        for row in _confused_rows(batch, matches, self._names):
            self._confusion.add(row, 1)

    def __enter__(self) -> RowsWriter:
        return self

    def __exit__(self, *error: Any) -> None:
        self._matches.__exit__(*error)
        self._confusion.__exit__(*error)


def _table(path: Path, columns: Sequence[str]) -> RowGroups[tuple[Any, ...]]:
    schema = pa.schema([(name, _TYPES[name]) for name in columns])

    def table(rows: list[tuple[Any, ...]]) -> pa.Table:
        values = zip(*rows, strict=True)
        return pa.table(
            [pa.array(v, one.type) for v, one in zip(values, schema, strict=True)], schema=schema
        )

    return RowGroups(path, schema, _ROWS, table)


def _match_rows(batch: ImageBatch, evaluator: COCOeval, names: Sequence[str]) -> Iterator[MatchRow]:
    own = {one["id"]: one["annotation_id"] for one in batch.truth}
    images, areas = len(batch.images), len(evaluator.params.areaRng)
    for k, name in enumerate(names):
        start = k * areas * images  # the range of all areas is the first one
        for entry in evaluator.evalImgs[start : start + images]:
            if entry is None:
                continue
            image = int(entry["image_id"])
            iou = evaluator.ious[image, k]
            column = {one["id"]: g for g, one in enumerate(evaluator._gts[image, k])}
            for d, number in enumerate(entry["dtIds"]):
                found = int(entry["dtMatches"][0, d])
                ignored = bool(entry["dtIgnore"][0, d])
                matched = found > 0 and not ignored
                yield MatchRow(
                    image,
                    own[found] if matched else None,
                    int(evaluator.cocoDt.anns[number]["place"]),
                    name,
                    float(entry["dtScores"][d]),
                    float(iou[d, column[found]]) if matched else None,
                    ignored,
                )
            for g, number in enumerate(entry["gtIds"]):
                if not entry["gtIgnore"][g] and not entry["gtMatches"][0, g]:
                    yield MatchRow(image, own[number], None, name, None, None, False)


def _confused_rows(
    batch: ImageBatch, matches: Sequence[ImageMatch], names: Sequence[str]
) -> Iterator[ConfusedRow]:
    truth: dict[int, list[int]] = {}
    for one in batch.truth:
        truth.setdefault(one["image_id"], []).append(one["annotation_id"])
    for match, detections in zip(matches, batch.detections, strict=True):
        objects = truth.get(match.image_id, [])
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
