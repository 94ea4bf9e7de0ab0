"""The pictures of an evaluation or a data set: what is in them, and what is right and wrong."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from segtrack.runs import KeptRun
from segtrack.view.outlines import outlines

if TYPE_CHECKING:
    from segtrack.dataset import Dataset, ImageRow
    from segtrack.evaluation import ConfusedRow, MatchRow
    from segtrack.model import Predictions

NOTHING = ""  # in place of a class: no object, or none that was found
POINTS = 101  # scores of a curve


@dataclass
class ImageFacts:
    """One picture.

    Attributes:
        row: of the data set.
        objects, missed, false: as the confusion matrix counts them: an object that was found as
            another class is missed and false at once.
        quality: panoptic quality of all classes together (Kirillov et al. 2019, equation 1); None
            where nothing was evaluated.
        visible: the least visible fraction of its objects; None where none is known.
        suspicion, reason: of its labels, where the stage suspect judged them.
        classes: that are labelled or were found.
    """

    row: ImageRow
    objects: int = 0
    missed: int = 0
    false: int = 0
    quality: float | None = None
    visible: float | None = None
    suspicion: float | None = None
    reason: str | None = None
    classes: set[str] = field(default_factory=set)


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
class Shape:
    """An object of a picture.

    Attributes:
        rings: outlines in px, x, y, x, y, ...
        truth: of the ground truth, else predicted.
        state: right, wrong (missed, or false), or plain where nothing was evaluated.
        chosen: it is behind the cell or the point that was chosen.
    """

    rings: list[list[float]]
    name: str
    class_id: int
    truth: bool
    score: float | None = None
    state: str = "plain"
    chosen: bool = False


class Pictures:
    """What a run has of pictures, read once.

    Attributes:
        split: that was evaluated, or is shown.
        names: classes by id.
        plain: its pictures were segmented, and nobody knows what is right.
        facts: by image id.
        confused: rows behind the confusion matrix; matched: behind the curves.
    """

    def __init__(self, run: KeptRun, dataset: Dataset, split: str) -> None:
        """Read the tables."""
        evaluation = run.evaluation
        self.split, self._dataset = split, dataset
        self.facts = {row.image_id: ImageFacts(row) for row in dataset.iter_images(split)}
        self.predictions: Predictions | None
        self.predictions = run.segmented if evaluation is None else evaluation.predictions
        self.plain = evaluation is None and self.predictions is not None
        # Those of the weights where nobody chose any.
        named = self.predictions.info if self.plain and self.predictions else dataset
        self.names = named.names
        self.confused: list[ConfusedRow] = list(evaluation.confusion()) if evaluation else []
        self.matched: list[MatchRow] = list(evaluation.matches()) if evaluation else []
        self._count_truth(dataset.iter_annotations(split))
        self._count_errors()
        self._count_found()
        self._suspect(run.file("suspect/images.parquet"))

    def matrix(self) -> np.ndarray:
        """int64 (K + 1, K + 1): rows true, columns predicted; last nothing there, none found."""
        place = {name: i for i, name in enumerate(self.names)}
        none = len(self.names)
        counts = np.zeros((none + 1, none + 1), np.int64)
        for row in self.confused:
            true = none if row.true_class is None else place[row.true_class]
            found = none if row.predicted_class is None else place[row.predicted_class]
            counts[true, found] += 1
        return counts

    def behind_cell(self, true: str, predicted: str) -> dict[int, list[tuple[int | None, ...]]]:
        """Annotation and detection of each count of a cell, by image."""
        found: dict[int, list[tuple[int | None, ...]]] = {}
        for row in self.confused:
            pair = (row.true_class or NOTHING, row.predicted_class or NOTHING)
            if pair == (true, predicted):
                found.setdefault(row.image_id, []).append((row.annotation_id, row.detection))
        return found

    def behind_point(
        self, name: str, score: float, kind: str
    ) -> dict[int, list[tuple[int | None, ...]]]:
        """Annotation and detection of what counts at a point of a class's curve, by image.

        Args:
            kind: tp, fp or fn.
        """
        found: dict[int, list[tuple[int | None, ...]]] = {}
        for row in self.matched:
            if row.class_name == name and kind in _counted(row, score):
                found.setdefault(row.image_id, []).append((row.annotation_id, row.detection))
        return found

    def at_point(self, name: str, score: float) -> dict[str, int]:
        """How many right and false detections and missed objects there are from a score on."""
        kinds = [kind for r in self.matched if r.class_name == name for kind in _counted(r, score)]
        return {kind: kinds.count(kind) for kind in ("tp", "fp", "fn")}

    def curve(self, name: str) -> Curve:
        """Of a class."""
        rows = [row for row in self.matched if row.class_name == name and not row.ignored]
        objects = sum(row.annotation_id is not None for row in rows)
        score = np.array([r.score for r in rows if r.score is not None], np.float64)
        right = [r.annotation_id is not None for r in rows if r.score is not None]
        order = np.argsort(-score)
        tp = np.concatenate([[0], np.cumsum(np.array(right, np.int64)[order])])
        grid = np.linspace(0, 1, POINTS)
        kept = np.searchsorted(-score[order], -grid, side="right")
        with np.errstate(invalid="ignore", divide="ignore"):
            recall = tp[kept] / objects if objects else np.full(POINTS, np.nan)
            return Curve(objects, grid, tp[kept] / kept, recall)

    def shapes(
        self, images: Sequence[int], chosen: dict[int, list[tuple[int | None, ...]]]
    ) -> dict[int, list[Shape]]:
        """What is drawn in some pictures: ground truth, and predictions that the matrix counts.

        Args:
            chosen: annotations and detections that stand out.
        """
        wanted, found = set(images), {image: list[Shape]() for image in images}
        last = max(wanted, default=-1)
        for one in self._dataset.iter_annotations(self.split):
            if one["image_id"] > last:
                break
            if one["image_id"] in wanted:
                found[one["image_id"]].append(self._truth(one, chosen))
        counted = {
            (row.image_id, row.detection) for row in self.confused if row.detection is not None
        }
        picked = {(i, d) for i, pairs in chosen.items() for _, d in pairs if d is not None}
        for frame in self.predictions.frames() if self.predictions else ():
            if frame.frame > last:
                break
            if frame.frame not in wanted:
                continue
            height = self.facts[frame.frame].row.height
            for place in range(len(frame)):
                key = frame.frame, place
                if not (self.plain or key in counted or key in picked):
                    continue
                rings = _rings(frame.rle[place], frame.bbox_xyxy[place], height)
                name = self.names[frame.class_id[place]]
                score, kind = float(frame.score[place]), int(frame.class_id[place])
                state = "plain" if self.plain else "wrong" if key in self._false else "right"
                shape = Shape(rings, name, kind, False, score, state, key in picked)
                found[frame.frame].append(shape)
        return found

    def _truth(self, one: dict[str, Any], chosen: dict[int, list[tuple[int | None, ...]]]) -> Shape:
        image, number = one["image_id"], one["id"] - 1
        segmentation = one["segmentation"]
        height = self.facts[image].row.height
        if isinstance(segmentation, dict):
            rings = outlines(segmentation["counts"].encode(), height)
        else:
            rings = [[float(v) for v in ring] for ring in segmentation]
        if not rings:
            x, y, w, h = one["bbox"]
            rings = [[x, y, x + w, y, x + w, y + h, x, y + h]]
        missed = (image, number) in self._missed
        state = "plain" if not self.confused else "wrong" if missed else "right"
        picked = any(number == a for a, _ in chosen.get(image, ()))
        name = self.names[one["category_id"]]
        return Shape(rings, name, one["category_id"], True, None, state, picked)

    def _count_truth(self, annotations: Iterable[dict[str, Any]]) -> None:
        for one in annotations:
            facts = self.facts[one["image_id"]]
            facts.classes.add(self.names[one["category_id"]])
            facts.objects += not one["iscrowd"]
            visible = one["visible_fraction"]
            if visible is not None:
                facts.visible = visible if facts.visible is None else min(facts.visible, visible)

    def _count_errors(self) -> None:
        self._missed: set[tuple[int, int]] = set()
        self._false: set[tuple[int, int]] = set()
        iou: dict[int, list[float]] = {}
        for row in self.confused:
            facts = self.facts.get(row.image_id)
            if facts is None:
                continue
            facts.classes |= {name for name in (row.true_class, row.predicted_class) if name}
            if row.true_class == row.predicted_class:
                iou.setdefault(row.image_id, []).append(row.iou or 0.0)
                continue
            if row.annotation_id is not None:
                facts.missed += 1
                self._missed.add((row.image_id, row.annotation_id))
            if row.detection is not None:
                facts.false += 1
                self._false.add((row.image_id, row.detection))
        for image, facts in self.facts.items() if self.confused else ():
            right = iou.get(image, [])
            weight = len(right) + (facts.missed + facts.false) / 2
            facts.quality = sum(right) / weight if weight else 1.0

    def _count_found(self) -> None:
        for frame in self.predictions.frames() if self.plain and self.predictions else ():
            facts = self.facts[frame.frame]
            facts.objects = len(frame)
            facts.classes |= {self.names[kind] for kind in frame.class_id.tolist()}

    def _suspect(self, path: Path | None) -> None:
        if path is None:
            return
        import pyarrow.parquet as pq

        for row in pq.read_table(path, columns=["image_id", "suspicion", "reason"]).to_pylist():
            if row["image_id"] in self.facts:
                facts = self.facts[row["image_id"]]
                facts.suspicion, facts.reason = row["suspicion"], row["reason"]


def _counted(row: MatchRow, score: float) -> tuple[str, ...]:
    """What a row counts as where detections from ``score`` on count."""
    if row.ignored:
        return ()
    enough = row.score is not None and row.score >= score
    if row.annotation_id is not None:
        return ("tp",) if enough else ("fn",)
    return ("fp",) if enough else ()


def _rings(mask: bytes | None, box: np.ndarray, height: int) -> list[list[float]]:
    if mask is not None and (rings := outlines(mask, height)):
        return rings
    x1, y1, x2, y2 = box.tolist()
    return [[x1, y1, x2, y1, x2, y2, x1, y2]]
