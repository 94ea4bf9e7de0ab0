"""Detections of one image set or one video on disk: a Parquet table that is read and written as a
stream, so that memory does not grow with the number of frames.

A folder holds ``predictions.parquet`` (a row per detection, rows of a frame together, frames in
ascending order, scores of a frame descending) and ``predictions.json`` (what all rows share).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import pyarrow as pa

from segtrack.base.errors import DataError
from segtrack.base.frame_times import FrameTimes
from segtrack.base.frames import FRAME, frame_writer, frames_of, read_frames, row_groups, rows_with

SCHEMA = pa.schema(
    [
        ("frame", pa.int64()),
        ("class_id", pa.int16()),
        ("score", pa.float32()),
        ("x1", pa.float32()),
        ("y1", pa.float32()),
        ("x2", pa.float32()),
        ("y2", pa.float32()),
        ("rle", pa.binary()),
    ]
)
ROW_GROUP = 8192  # rows kept in memory while writing and while reading


class ImageToPredict(Protocol):
    """What prediction needs of an image of the data set."""

    @property
    def image_id(self) -> int: ...
    @property
    def path(self) -> Path: ...
    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...


Row = TypeVar("Row", bound=ImageToPredict)


@dataclass(frozen=True)
class FrameDetections:
    """The detections of one frame, best score first.

    Attributes:
        frame: frame number from 0 in a video, ``image_id`` in an image set.
        class_id: int16 (N,), index into ``PredictionsInfo.names``.
        score: float32 (N,), 0..1.
        bbox_xyxy: float32 (N, 4), pixels of the original image, clipped to it.
        rle: N COCO RLE ``counts`` at the image's own resolution, or None for a box without mask.
        left_out: how many more there were of classes that are not wanted, by the weights' name.
    """

    frame: int
    class_id: np.ndarray
    score: np.ndarray
    bbox_xyxy: np.ndarray
    rle: list[bytes | None]
    left_out: Mapping[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.score)

    def take(self, index: np.ndarray) -> FrameDetections:
        """The detections at ``index`` (boolean mask or positions)."""
        positions = np.arange(len(self))[index]
        return FrameDetections(
            self.frame,
            self.class_id[positions],
            self.score[positions],
            self.bbox_xyxy[positions],
            [self.rle[i] for i in positions],
            self.left_out,
        )


@dataclass(frozen=True)
class PredictionsInfo:
    """What all detections of a file share.

    Attributes:
        names: class names by ``class_id``.
        frame_count: frames of the video that were read, or images of the set; those without
            detections included.
        width, height: pixels of a video's frames; 0 for an image set, whose images differ.
        fps: of the video, on average; 0 for an image set.
        model_name, weights_sha256, imgsz: what predicted; ``model_name`` is empty for detections
            that the data set brought along.
        conf_floor: lowest score that was kept.
        truncated: what was wrong where a video could only be read in part, else empty.
        left_out: detections of classes that were not wanted, by the weights' name of the class.
    """

    names: tuple[str, ...]
    frame_count: int
    width: int = 0
    height: int = 0
    fps: float = 0.0
    model_name: str = ""
    weights_sha256: str = ""
    imgsz: int = 0
    conf_floor: float = 0.0
    truncated: str = ""
    left_out: dict[str, int] = field(default_factory=dict)


class PredictionsWriter:
    """Writes a predictions folder; use as a context manager and call ``finish`` at the end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._table = frame_writer(folder / "predictions.parquet", SCHEMA, ROW_GROUP)

    @property
    def rows_written(self) -> int:
        """How many there are once it is finished."""
        return self._table.rows_written

    def add(self, frame: FrameDetections) -> None:
        """Append one frame's detections; frames come in ascending order."""
        if not len(frame):
            return
        rows = frame.take(np.argsort(-frame.score, kind="stable"))
        box = rows.bbox_xyxy.reshape(-1, 4)
        columns = {"class_id": rows.class_id, "score": rows.score, "box": box, "rle": rows.rle}
        self._table.add((rows.frame, columns), len(rows))

    def finish(self, info: PredictionsInfo) -> None:
        """Write what is left and the shared facts."""
        self._table.close()
        (self.folder / "predictions.json").write_text(json.dumps(asdict(info), indent=1))

    def __enter__(self) -> PredictionsWriter:
        return self

    def __exit__(self, *error: Any) -> None:
        self._table.__exit__(*error)


@dataclass(frozen=True)
class Predictions:
    """A predictions folder."""

    folder: Path
    info: PredictionsInfo

    @staticmethod
    def load(folder: Path) -> Predictions:
        """Open ``folder``.

        Raises:
            DataError: the folder holds no predictions.
        """
        path = folder / "predictions.json"
        try:
            raw = json.loads(path.read_text())
        except (OSError, json.JSONDecodeError) as error:
            raise DataError(f"{path}: not readable as predictions ({error})") from error
        return Predictions(folder, PredictionsInfo(**{**raw, "names": tuple(raw["names"])}))

    @property
    def times(self) -> FrameTimes:
        """When the frames of a video are shown."""
        return FrameTimes.load(self.folder, self.info.fps)

    def frames(self) -> Iterator[FrameDetections]:
        """Every frame that has detections, in order, as a stream.

        A consumer that must see empty frames too counts from 0 to ``info.frame_count``.
        """
        for number, rows in read_frames(self.folder / "predictions.parquet"):
            yield FrameDetections(number, rows["class_id"], rows["score"], rows["box"], rows["rle"])

    def frame_numbers(self) -> Iterator[np.ndarray]:
        """The frame of each detection, int64, some at a time."""
        for table in row_groups(self.folder / "predictions.parquet", [FRAME]):
            yield table[FRAME].to_numpy()

    def some_frames(self, numbers: Collection[int]) -> Iterator[FrameDetections]:
        """Those of some frames, in order; only the parts of the file are read that hold them."""
        table = rows_with(self.folder / "predictions.parquet", FRAME, numbers)
        for number, rows in frames_of([table] if len(table) else []):
            yield FrameDetections(number, rows["class_id"], rows["score"], rows["box"], rows["rle"])

    def by_image(self, images: Iterable[Row]) -> Iterator[tuple[Row, FrameDetections | None]]:
        """All images, each with its detections or None where it has none, as a stream.

        Args:
            images: in ascending order of ``image_id``, which is the number of its frame.
        """
        frames = self.frames()
        frame = next(frames, None)
        for row in images:
            while frame is not None and frame.frame < row.image_id:
                frame = next(frames, None)
            found = frame is not None and frame.frame == row.image_id
            yield row, frame if found else None
