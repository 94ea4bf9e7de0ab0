"""The pictures of an evaluation or a data set: what is in them, and what is right and wrong.

A data set may have a million of them, so that what sorts and filters them is held as some arrays,
100 bytes for a picture with five objects; what a page shows is read from the tables for it alone.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from segtrack.base.frames import row_groups, rows_with
from segtrack.runs import KeptRun
from segtrack.view.counts import Behind, Confusions, Matched
from segtrack.view.outlines import outlines

if TYPE_CHECKING:
    from segtrack.dataset import Dataset, ImageRow
    from segtrack.model import Predictions

NOTHING = ""  # in place of a class: no object, or none that was found
Sort = Literal["worst", "missed", "false", "objects", "visible", "suspect", "name"]
_KEPT = 8  # orders that are kept


@dataclass(frozen=True)
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
    """

    row: ImageRow
    objects: int
    missed: int = 0
    false: int = 0
    quality: float | None = None
    visible: float | None = None
    suspicion: float | None = None
    reason: str | None = None


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
    """What a run has of pictures; its tables are gone through once.

    Attributes:
        split: that was evaluated, or is shown.
        names: classes by id.
        plain: its pictures were segmented, and nobody knows what is right.
        confused: what stands behind the confusion matrix; matched: behind the curves. None where
            nothing was evaluated.
    """

    def __init__(self, run: KeptRun, dataset: Dataset, split: str) -> None:
        """Read the tables."""
        evaluation = run.evaluation
        self.split, self._dataset = split, dataset
        self.predictions: Predictions | None
        self.predictions = run.segmented if evaluation is None else evaluation.predictions
        self.plain = evaluation is None and self.predictions is not None
        # Those of the weights where nobody chose any.
        named = self.predictions.info if self.plain and self.predictions else dataset
        self.names = named.names
        ids = map(np.asarray, self._column("image_id"))
        self._ids = np.concatenate([np.empty(0, np.int64), *ids])
        count = len(self._ids)
        self._objects = np.zeros(count, np.int32)
        self._visible, self._suspicion = np.full(count, np.nan), np.full(count, np.nan)
        self._classes = np.zeros((count, -(-len(self.names) // 8)), np.uint8)  # a bit for each
        self._page: dict[int, ImageRow] = {}
        self._orders: dict[tuple[Sort, str | None], np.ndarray] = {}
        self._one_at_a_time = threading.Lock()
        confused = evaluation.file("confusion.parquet") if evaluation else None
        matched = evaluation.file("matches.parquet") if evaluation else None
        self.confused = Confusions.read(confused, self.names, self._ids, self._mark)
        self.matched = Matched.read(matched, self.names)
        self._count_truth()
        self._count_found()
        self._suspects = run.file("suspect/images.parquet")
        self._suspect()

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, image: int) -> bool:
        return bool(self._place(np.array([image]))[1][0])

    def sorts(self) -> list[Sort]:
        """By what the pictures can be sorted."""
        kept: list[Sort] = ["worst", "missed", "false"] if self.confused else []
        kept.append("objects")
        if not np.isnan(self._visible).all():
            kept.append("visible")
        if not np.isnan(self._suspicion).all():
            kept.append("suspect")
        return [*kept, "name"]

    def order(
        self, sort: Sort | None = None, name: str | None = None, behind: Behind | None = None
    ) -> np.ndarray:
        """Ids of the pictures that are chosen, int64, in the order in which they are shown.

        Args:
            sort: one that they cannot be sorted by is the first of ``sorts``.
            name: of a class that they hold, by label or by what was found.
            behind: the others stand behind nothing.
        """
        known = self.sorts()
        sort = sort if sort in known else known[0]
        with self._one_at_a_time:  # several pages are asked for at once
            if (found := self._orders.get((sort, name))) is None:
                while len(self._orders) >= _KEPT:
                    self._orders.pop(next(iter(self._orders)))
                found = self._orders[sort, name] = self._ordered(sort, name)
        if behind is not None:
            found = found[np.isin(found, behind.image)]
        return found

    def facts(self, images: Sequence[int]) -> list[ImageFacts]:
        """Of some pictures, in the order of ``images``."""
        rows = self._rows_of(images)
        reasons = {}
        if self._suspects is not None:
            table = rows_with(self._suspects, "image_id", images, ["image_id", "reason"])
            reasons = dict(zip(*table.to_pydict().values(), strict=True))
        found = []
        for image, i in zip(images, self._place(np.array(images, np.int64))[0], strict=True):
            visible, suspicion = self._visible[i], self._suspicion[i]
            one = ImageFacts(
                rows[image],
                int(self._objects[i]),
                visible=None if np.isnan(visible) else float(visible),
                suspicion=None if np.isnan(suspicion) else float(suspicion),
                reason=reasons.get(image),
                **(self.confused.of(i) if self.confused else {}),
            )
            found.append(one)
        return found

    def behind_cell(self, true: str, predicted: str) -> Behind:
        """Annotation and detection of each count of a cell."""
        return self.confused.behind(true, predicted) if self.confused else Behind.none()

    def behind_point(self, name: str, score: float, kind: str) -> Behind:
        """Annotation and detection of what counts at a point of a class's curve.

        Args:
            kind: tp, fp or fn.
        """
        return self.matched.behind(name, score, kind) if self.matched else Behind.none()

    def shapes(self, images: Sequence[int], behind: Behind | None = None) -> dict[int, list[Shape]]:
        """What is drawn in some pictures: ground truth, and predictions that the matrix counts.

        Args:
            behind: annotations and detections that stand out.
        """
        found = {image: list[Shape]() for image in images}
        heights = {image: row.height for image, row in self._rows_of(images).items()}
        chosen = behind.of(images) if behind else set()
        counted, missed, false = self.confused.parts(images) if self.confused else (set(),) * 3
        for one in self._dataset.iter_annotations(self.split, set(images)):
            image, number = one["image_id"], one["id"] - 1
            wrong = (image, number) in missed
            state = "plain" if not self.confused else "wrong" if wrong else "right"
            name, kind = self.names[one["category_id"]], one["category_id"]
            picked = (image, "annotation", number) in chosen
            rings = _truth_rings(one, heights[image])
            found[image].append(Shape(rings, name, kind, True, None, state, picked))
        for frame in self.predictions.some_frames(images) if self.predictions else ():
            for place in range(len(frame)):
                key, picked = (frame.frame, place), (frame.frame, "detection", place) in chosen
                if not (self.plain or key in counted or picked):
                    continue
                rings = _rings(frame.rle[place], frame.bbox_xyxy[place], heights[frame.frame])
                kind, score = int(frame.class_id[place]), float(frame.score[place])
                state = "plain" if self.plain else "wrong" if key in false else "right"
                shape = Shape(rings, self.names[kind], kind, False, score, state, picked)
                found[frame.frame].append(shape)
        return found

    def _rows_of(self, images: Sequence[int]) -> dict[int, ImageRow]:
        """The data set's rows of some pictures; those of the page at hand are kept."""
        kept = self._page
        if not kept.keys() >= set(images):
            kept = {row.image_id: row for row in self._dataset.images_of(images)}
            self._page = kept
        return kept

    def _column(self, name: str) -> Iterator[pa.ChunkedArray]:
        """A column of the pictures' table, in parts."""
        for table in row_groups(self._dataset.folder / "images.parquet", [name, "split"]):
            yield table.filter(pc.field("split") == self.split)[name]

    def _place(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Position of each picture, and whether it is one of these."""
        place = np.minimum(np.searchsorted(self._ids, image), max(len(self._ids) - 1, 0))
        there = self._ids[place] == image if len(self._ids) else np.zeros(len(image), bool)
        return place, there

    def _mark(self, place: np.ndarray, class_id: np.ndarray) -> None:
        """These pictures hold these classes."""
        bit = (1 << (class_id & 7)).astype(np.uint8)
        np.bitwise_or.at(self._classes, (place, class_id >> 3), bit)

    def _count_truth(self) -> None:
        columns = ["image_id", "class_id", "iscrowd", "visible_fraction"]
        for table in row_groups(self._dataset.folder / "annotations.parquet", columns):
            place, there = self._place(table["image_id"].to_numpy())
            place = place[there]
            self._mark(place, table["class_id"].to_numpy()[there])
            np.add.at(self._objects, place, ~table["iscrowd"].to_numpy()[there])
            visible = table["visible_fraction"].to_numpy().astype(np.float64)[there]
            np.fmin.at(self._visible, place, visible)

    def _count_found(self) -> None:
        if not self.plain or self.predictions is None:
            return
        path = self.predictions.folder / "predictions.parquet"
        self._objects[:] = 0
        for table in row_groups(path, ["frame", "class_id"]):
            place, there = self._place(table["frame"].to_numpy())
            np.add.at(self._objects, place[there], 1)
            self._mark(place[there], table["class_id"].to_numpy()[there].astype(np.int64))

    def _suspect(self) -> None:
        if self._suspects is None:
            return
        for table in row_groups(self._suspects, ["image_id", "suspicion"]):
            place, there = self._place(table["image_id"].to_numpy())
            self._suspicion[place[there]] = table["suspicion"].to_numpy()[there]

    def _ordered(self, sort: Sort, name: str | None) -> np.ndarray:
        kept = np.arange(len(self._ids))
        if name is not None:
            class_id = self.names.index(name) if name in self.names else -1
            bits = self._classes[:, class_id >> 3] >> (class_id & 7) & 1
            kept = np.flatnonzero(bits) if class_id >= 0 else kept[:0]
        keys = [key[kept] for key in self._keys(sort)]
        return np.asarray(self._ids[kept[np.lexsort((kept, *keys[::-1]))]])

    def _keys(self, sort: Sort) -> list[np.ndarray]:
        """What the pictures are sorted by, rising, the first first."""
        if self.confused and sort in ("worst", "missed", "false"):
            missed, false = self.confused.missed, self.confused.false
            if sort == "worst":
                return [self.confused.quality, -(missed + false)]
            return [-missed if sort == "missed" else -false]
        if sort == "visible":
            return [np.where(np.isnan(self._visible), 2.0, self._visible)]
        if sort == "suspect":
            return [-np.nan_to_num(self._suspicion)]
        if sort == "name":
            chunks = [one for part in self._column("file_name") for one in part.chunks]
            names = pa.chunked_array(chunks, pa.string())
            rank = np.empty(len(names), np.int32)
            rank[pc.sort_indices(names).to_numpy()] = np.arange(len(names))
            return [rank]
        return [-self._objects]


def _truth_rings(one: dict[str, Any], height: int) -> list[list[float]]:
    segmentation = one["segmentation"]
    if isinstance(segmentation, dict):
        rings = outlines(segmentation["counts"].encode(), height)
    else:
        rings = [[float(v) for v in ring] for ring in segmentation]
    if not rings:
        x, y, w, h = one["bbox"]
        rings = [[x, y, x + w, y, x + w, y + h, x, y + h]]
    return rings


def _rings(mask: bytes | None, box: np.ndarray, height: int) -> list[list[float]]:
    if mask is not None and (rings := outlines(mask, height)):
        return rings
    x1, y1, x2, y2 = box.tolist()
    return [[x1, y1, x2, y1, x2, y2, x1, y2]]
