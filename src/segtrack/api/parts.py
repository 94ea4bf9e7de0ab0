"""What a run did, stage by stage: each as tables, as a figure, and in notebooks.

A part reads its files when it is asked for them. ``to_pandas()`` gives its main table, with a word
another one; coordinates are in pixels of the original image or video.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from segtrack.base.errors import DataError, SettingsError
from segtrack.report import html_table

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from segtrack.dataset import Dataset
    from segtrack.runs import KeptEvaluation, KeptRun, KeptVideo
    from segtrack.scoring import SequenceScores

_ROWS = 20  # of a table in a notebook
_MISSING_IDS = ("annotation_id", "detection")  # whole numbers also where some are missing


class Part:
    """What all parts have in common.

    Attributes:
        TABLES: the words for ``to_pandas``, the main table first.
    """

    TABLES: ClassVar[tuple[str, ...]] = ()

    def to_pandas(self, what: str | None = None) -> pd.DataFrame:
        """A table.

        Args:
            what: which one, of ``TABLES``; default: the first.

        Raises:
            SettingsError: there is no such table.
        """
        import pandas as pd

        what = what or self.TABLES[0]
        if what not in self.TABLES:
            raise SettingsError(f"{what!r}: must be one of {', '.join(self.TABLES)}")
        rows = getattr(self, f"_{what}")()
        if isinstance(rows, pd.DataFrame):
            return rows
        table = pd.DataFrame(list(rows))
        ids = [name for name in _MISSING_IDS if name in table]
        return table.astype(dict.fromkeys(ids, "Int64"))

    def plot(self) -> Figure:
        """A figure."""
        raise NotImplementedError

    def _repr_html_(self) -> str:
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self.TABLES)})"


class Data(Part):
    """A prepared data set.

    ``to_pandas``: ``images``, ``annotations`` (with ``rle`` or ``polygons``), ``splits``.
    """

    TABLES = ("images", "annotations", "splits")

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

    def _images(self) -> Iterator[dict[str, Any]]:
        for split in self.dataset.counts:
            for image in self.dataset.iter_images(split):
                yield {**vars(image), "path": str(image.path), "split": split}

    def _annotations(self) -> Iterator[dict[str, Any]]:
        names = self.dataset.names
        for _, rows in self.dataset.iter_labelled():
            for row in rows:
                yield {**row, "class_name": names[row["class_id"]]}

    def _splits(self) -> Iterator[dict[str, Any]]:
        from segtrack import dataset as datasets

        yield from datasets.overview(self.dataset)

    def plot(self) -> Figure:
        """Objects of each class, by split, as shares of their split."""
        from segtrack.report import bar_chart

        counts: dict[str, dict[str, int]] = {}
        for split, many in self.dataset.counts.items():
            if many:
                counts[split] = dict.fromkeys(self.dataset.names, 0)
                for one in self.dataset.iter_annotations(split):
                    counts[split][self.dataset.names[one["category_id"]]] += 1
        bars = {
            split: [n / max(sum(of.values()), 1) for n in of.values()]
            for split, of in counts.items()
        }
        title = "Objects of each class, by split"
        return bar_chart(title, "class", "share of the split's objects", self.dataset.names, bars)

    def _repr_html_(self) -> str:
        return html_table(list(self._splits()))


class Training(Part):
    """How a network was trained. ``to_pandas``: ``epochs``."""

    TABLES = ("epochs",)

    def __init__(self, kept: KeptRun) -> None:
        self._kept = kept

    def _epochs(self) -> pd.DataFrame:
        """A row for each epoch: losses, and figures of the validation images."""
        columns: dict[str, dict[int, float]] = {}
        for name in self._kept.metrics:
            if name.startswith(("train/", "val/")) and not name.startswith("val/best/"):
                columns[name] = dict(self._kept.history(name))
        import pandas as pd

        table = pd.DataFrame(columns).sort_index()
        table.index.name = "epoch"
        return table.reset_index()

    def plot(self) -> Figure:
        """AP of the validation images over the epochs."""
        from segtrack.report import line_chart

        table = self._epochs()
        shown = [n for n in table.columns if n.startswith("val/") and n.count("/") == 1]
        lines = {
            name.removeprefix("val/"): table[name].to_numpy(float)
            for name in sorted(shown, key=lambda n: (not n.startswith("val/mask"), n))
            if "map50" in name
        }
        return line_chart("Validation", "epoch", "AP", table["epoch"].to_numpy(float), lines)

    def _repr_html_(self) -> str:
        table = self._epochs()
        shown = ["epoch", *(n for n in table.columns if n in _EPOCH)]
        return html_table(table[shown].tail(_ROWS).to_dict("records"))


_EPOCH = ("train/box_loss", "train/seg_loss", "val/mask_map50_95", "val/mask_map50")


class Evaluation(Part):
    """How images were evaluated.

    ``to_pandas``: ``classes`` (as ``per_class.csv``), ``images`` (objects, found, missed and false
    at the threshold of the confusion matrix), ``matches`` (each detection and each object that none
    matched, at IoU .5) and ``confusion`` (a row for each count of the matrix).

    Attributes:
        kept: its files, with ``dataset`` and ``predictions``.
    """

    TABLES = ("classes", "images", "matches", "confusion")

    def __init__(self, kept: KeptEvaluation) -> None:
        self.kept = kept

    @property
    def metrics(self) -> Mapping[str, float | None]:
        """All figures by name; None where there is no ground truth that they could be of."""
        return self.kept.metrics

    def _classes(self) -> list[dict[str, Any]]:
        return [{key: _number(value) for key, value in row.items()} for row in self.kept.per_class]

    def _matches(self) -> Iterator[dict[str, Any]]:
        return (one._asdict() for one in self.kept.matches())

    def _confusion(self) -> Iterator[dict[str, Any]]:
        return (one._asdict() for one in self.kept.confusion())

    def _images(self) -> list[dict[str, Any]]:
        rows: dict[int, dict[str, Any]] = {}

        def row_of(image_id: int, file_name: str = "") -> dict[str, Any]:
            counts = dict.fromkeys(("objects", "found", "missed", "false"), 0)
            empty = {"image_id": image_id, "file_name": file_name, **counts}
            return rows.setdefault(image_id, empty)

        units, dataset = self.kept.units, self.kept.dataset
        if dataset is not None and units is not None:
            for image in dataset.iter_images(units.split):
                row_of(image.image_id, image.file_name)
        for one in self.kept.confusion():
            row = row_of(one.image_id)
            right = one.true_class == one.predicted_class
            row["objects"] += one.true_class is not None
            row["found"] += right
            row["missed"] += one.true_class is not None and not right
            row["false"] += one.predicted_class is not None and not right
        return [rows[number] for number in sorted(rows)]

    def plot(self) -> Figure:
        """Precision over recall of masks at IoU .50, by class.

        Raises:
            DataError: the run kept no such curve.
        """
        from segtrack.report import line_chart, read_table_csv

        path = self.kept.file("figures/mask_precision_recall.csv")
        if path is None:
            raise DataError("this evaluation kept no figures/mask_precision_recall.csv")
        rows = read_table_csv(path.read_text(encoding="utf-8"))
        x, *names = rows[0]
        columns = {n: np.array([_nan(row[n]) for row in rows]) for n in (x, *names)}
        *classes, mean = names
        lines = {name: columns[name] for name in classes if not np.isnan(columns[name]).all()}
        title = "Masks: precision over recall at IoU .50"
        return line_chart(title, x, "precision", columns[x], lines, (mean, columns[mean]))

    def _repr_html_(self) -> str:
        shown = ("class", "images", "objects", "mask_map50_95", "mask_map50", "box_map50_95")
        rows = [{key: row.get(key) for key in shown} for row in self._classes()]
        return html_table(rows[:_ROWS])


class Tracking(Part):
    """What was tracked.

    ``to_pandas``: ``objects`` (a row for each object and frame of results.json: ``x1`` to ``y2`` of
    its own box, ``tracker_x1`` to ``tracker_y2`` of the tracker's, ``rle`` the COCO RLE of the
    mask), ``tracks``, ``scores`` (by video, kind and class; fractions in percent).

    Attributes:
        videos: each with its files, ground truth, scores and matches.
    """

    TABLES = ("objects", "tracks", "scores")

    def __init__(self, videos: Sequence[KeptVideo]) -> None:
        self.videos = tuple(videos)

    def _objects(self) -> Iterator[dict[str, Any]]:
        for name, one in self._listed("objects"):
            mask = one.pop("segmentation")
            own, estimate = one.pop("bbox_xyxy"), one.pop("tracker_bbox_xyxy")
            yield {
                "video": name,
                **one,
                **dict(zip(_SIDES, own, strict=True)),
                **{f"tracker_{k}": v for k, v in zip(_SIDES, estimate, strict=True)},
                "rle": None if mask is None else mask["counts"],
            }

    def _tracks(self) -> Iterator[dict[str, Any]]:
        return ({"video": name, **one} for name, one in self._listed("tracks"))

    def _listed(self, key: str) -> Iterator[tuple[str, dict[str, Any]]]:
        from segtrack.base.json_stream import elements

        for video in self.videos:
            try:
                for one in elements(video.results):
                    if one.listed and one.key == key:
                        yield video.name, one.value
            except (OSError, ValueError) as error:
                raise DataError(f"{video.results}: not readable as JSON ({error})") from error

    def _scores(self) -> list[dict[str, Any]]:
        scored = {video.name: video.scores for video in self.videos}
        rows = score_rows({name: one for name, one in scored.items() if one is not None})
        return [{"video": row.pop("sequence"), **row} for row in rows]

    def plot(self, video: str | None = None) -> Figure:
        """Its tracks over the frames, with id switches.

        Args:
            video: which one; default: the first.

        Raises:
            SettingsError: there is no such video.
        """
        from segtrack.scoring import figure_timeline, piece_rows

        named = {one.name: one for one in self.videos}
        if video is not None and video not in named:
            raise SettingsError(f"{video!r}: must be one of {', '.join(named)}")
        chosen = named[video] if video is not None else self.videos[0]
        rows = [one for name, one in Tracking([chosen])._listed("objects")]
        names = list(dict.fromkeys(one["class_name"] for one in rows))
        frame = np.array([one["frame"] for one in rows], np.int64)
        track_id = np.array([one["track_id"] for one in rows], np.int64)
        classes = np.array([names.index(one["class_name"]) for one in rows], np.int64)
        filled = np.array([one["interpolated"] for one in rows], bool)
        pieces = piece_rows(frame, track_id, classes, names, filled)
        found = chosen.matches
        kinds = sorted({kind for kind, _ in found})[:1]  # boxes before masks
        switches = [
            (one.frame, one.old_track, one.new_track)
            for (kind, _), matches in found.items()
            if kind in kinds
            for one in matches.switches()
        ]
        return figure_timeline(pieces, chosen.head["frame_count"], chosen.name, switches)

    def _repr_html_(self) -> str:
        rows = []
        for video in self.videos[:_ROWS]:
            tracks = [one for _, one in Tracking([video])._listed("tracks")]
            row = {"video": video.name, "frames": video.head["frame_count"], "tracks": len(tracks)}
            rows.append(row)
        return html_table(rows)


def score_rows(sequences: Mapping[str, SequenceScores]) -> list[dict[str, Any]]:
    """A row for each kind, class and sequence, and for all sequences together (``sequence`` is
    empty); fractions in percent, None where the ground truth has no object."""
    from segtrack.scoring import combined, percent

    found = [
        {"kind": kind, "class_name": name, "sequence": sequence, **percent(counts, alone=True)}
        for sequence, one in sequences.items()
        for (kind, name), counts in one.counts.items()
    ]
    total = combined(sequences.values())
    return found + [
        {"kind": kind, "class_name": name, "sequence": "", **percent(counts)}
        for (kind, name), counts in total.items()
    ]


_SIDES = ("x1", "y1", "x2", "y2")


def _number(text: str) -> Any:
    """A cell of a CSV file as a number, where it is one; None where it is empty."""
    if text == "":
        return None
    try:
        return int(text)
    except ValueError:
        try:
            return float(text)
        except ValueError:
            return text


def _nan(text: str) -> float:
    return float(text) if text else float("nan")
