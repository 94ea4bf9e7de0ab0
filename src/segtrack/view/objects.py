"""The objects of a results.json by frame, found again in the file itself.

The file may be larger than memory. It is read once, in the background; what every frame's objects
are is kept as columns (about 46 bytes per object), and of each object where its line stands. Masks
stay in the file until somebody looks at their frames.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from segtrack.base import rle
from segtrack.base.errors import DataError
from segtrack.base.json_stream import elements
from segtrack.view.outlines import is_whole

_CHUNK = 4 << 20  # bytes that are read at once
_HEAD = 16 << 20  # bytes within which the objects begin
_BEGIN = b'"objects": ['
_COLUMNS = {
    "frame": np.int64,
    "track_id": np.int64,
    "class_id": np.int32,
    "score": np.float32,
    "interpolated": bool,
}
_NEEDED = ("frame", "track_id", "class_id", "class_name", "score", "bbox_xyxy")


@dataclass(frozen=True)
class Rows:
    """Objects, frames ascending.

    Attributes:
        frame, track_id: int64 (N,). class_id: int32 (N,). score: float32 (N,).
        interpolated: bool (N,).
        bbox_xyxy: float32 (N, 4), px.
        start, length: int64 (N,), where the objects' lines stand in the file.
    """

    frame: np.ndarray
    track_id: np.ndarray
    class_id: np.ndarray
    score: np.ndarray
    interpolated: np.ndarray
    bbox_xyxy: np.ndarray
    start: np.ndarray
    length: np.ndarray

    def part(self, which: Any) -> Rows:
        """Some of them, by a slice or an index array."""
        return Rows(*(getattr(self, name)[which] for name in self.__dataclass_fields__))

    def __len__(self) -> int:
        return len(self.frame)


class ObjectIndex:
    """What a results.json says, as far as it has been read.

    Attributes:
        video: as in the file: name, width, height, fps, frame_count.
        head: all blocks before the objects.
        names: classes by id; grows while the objects are read where the file names no model.
        problem: why reading broke off, else empty.
    """

    def __init__(self, path: Path, scratch: Path) -> None:
        """Read the head; a file of another layout than ``write_results`` has is rewritten.

        Args:
            scratch: folder for the rewritten file.

        Raises:
            DataError: the file cannot be read, or is no results.json.
        """
        self._path, self._named = path, path
        try:
            self._size = path.stat().st_size
            found = _head(path)
            if found is None:
                self._path = _rewritten(path, scratch)
                self._size = self._path.stat().st_size
                found = _head(self._path)
            assert found is not None
            self.head, self._begin = found
            self.video = _video(self.head["video"])
        except (OSError, ValueError, KeyError, TypeError, AssertionError) as error:
            raise DataError(f"{path}: not readable as a results.json ({error!s:.200})") from error
        model = self.head.get("model")
        classes = model.get("classes", {}) if isinstance(model, dict) else {}
        self.names: dict[int, str] = {int(number): str(name) for number, name in classes.items()}
        self.problem = ""
        self._blocks: list[Rows] = []
        self._rows = _joined([])
        self._lock = threading.Lock()
        self._read, self._last, self._ascends, self._done = 0, -1, True, False
        self._thread = threading.Thread(target=self._work, name=f"reading {path.name}", daemon=True)

    def start(self) -> None:
        """Begin to read the objects."""
        self._thread.start()

    def wait(self, seconds: float | None = None) -> bool:
        """Whether all was read within that time."""
        self._thread.join(seconds)
        return self._done

    @property
    def share(self) -> float:
        """How much of the file has been read, 0..1; 1 only once nothing more comes."""
        return 1.0 if self._done else min(0.999, self._read / max(self._size, 1))

    def rows(self, first: int = 0, end: int = 1 << 62) -> Rows | None:
        """The objects of frames ``first`` to ``end`` - 1; None where they were not all read yet."""
        if not self._done and not (self._ascends and end <= self._last):
            return None
        rows = self.known()
        return rows.part(slice(*np.searchsorted(rows.frame, [first, end]).tolist()))

    def known(self) -> Rows:
        """All objects that have been read, frames ascending where the file's are."""
        with self._lock:
            if len(self._blocks) > 1:
                self._blocks = [_joined(self._blocks)]
                self._rows = self._blocks[0]
            elif self._blocks:
                self._rows = self._blocks[0]
            return self._rows

    def masks(self, rows: Rows) -> list[bytes | None]:
        """The masks of ``rows``, compressed COCO RLE at the video's size; None for none.

        Raises:
            DataError: a mask is no RLE of this video, or the file has changed meanwhile.
        """
        return [self._mask(text) for text in self._lines(rows)]

    def _mask(self, line: bytes) -> bytes | None:
        width, height = self.video["width"], self.video["height"]
        try:
            mask = json.loads(line).get("segmentation")
            if mask is None:
                return None
            if isinstance(mask["counts"], str) and mask["size"] == [height, width]:
                counts: bytes = mask["counts"].encode()
                if is_whole(np.frombuffer(counts, np.uint8), width * height):
                    return counts
            return rle.compressed(mask, width, height)  # which says what is wrong
        except (ValueError, AttributeError, KeyError, TypeError) as error:
            raise DataError(f"{self._named}: {error}; was it written anew meanwhile?") from error

    def _lines(self, rows: Rows) -> Iterator[bytes]:
        if not len(rows):
            return
        with self._path.open("rb") as file:
            for start, length in zip(rows.start.tolist(), rows.length.tolist(), strict=True):
                file.seek(start)
                yield file.read(length).rstrip(b",\r\n")

    def _work(self) -> None:
        try:
            for rows in self._blocks_of():
                self._add(rows)
        except (OSError, ValueError, DataError) as error:
            self.problem = (
                f"{self._named}: its objects can be read up to frame {self._last} ({error})"
            )
        if not self._ascends:
            rows = self.known()
            with self._lock:
                self._blocks = [rows.part(np.argsort(rows.frame, kind="stable"))]
        self._done = True

    def _add(self, rows: Rows) -> None:
        if len(rows):
            self._ascends &= bool((np.diff(rows.frame, prepend=self._last) >= 0).all())
            with self._lock:
                self._blocks.append(rows)
            self._last = int(rows.frame[-1])

    def _blocks_of(self) -> Iterator[Rows]:
        place = self._begin
        with self._path.open("rb") as file:
            file.seek(place)
            rest = b""
            while True:
                chunk = file.read(_CHUNK)
                text = rest + chunk
                whole = text.rfind(b"\n") + 1
                end = 0 if text.startswith(b"]") else text.find(b"\n]", 0, whole) + 1
                ended = text.startswith(b"]") or end > 0
                lines = text[: end if ended else whole]
                if lines.strip():
                    yield self._parsed(lines, place)
                self._read = place + len(lines)
                if ended:
                    return
                if not chunk:
                    raise ValueError("the file ends amid them")
                place, rest = place + whole, text[whole:]

    def _parsed(self, lines: bytes, place: int) -> Rows:
        import pyarrow as pa
        import pyarrow.json

        ends = np.flatnonzero(np.frombuffer(lines, np.uint8) == 10) + 1
        starts = np.concatenate([[0], ends[:-1]])
        text = lines.replace(b"},\n", b"}\n").replace(b"},\r\n", b"}\n")
        read = pyarrow.json.ReadOptions(block_size=len(text) + 1, use_threads=False)
        parse = pyarrow.json.ParseOptions(
            explicit_schema=_schema(), unexpected_field_behavior="ignore"
        )
        table = pyarrow.json.read_json(pa.BufferReader(text), read, parse)
        if table.num_rows != len(ends):
            raise ValueError(f"{len(ends)} lines hold {table.num_rows} objects")
        if empty := [name for name in _NEEDED if table[name].null_count]:
            raise ValueError(f"an object has no {empty[0]}")
        boxes = table["bbox_xyxy"].combine_chunks()
        corners = boxes.flatten().to_numpy().astype(np.float32)
        if len(corners) != 4 * len(ends):
            raise ValueError("a bbox_xyxy has not four numbers")
        columns = {
            name: table[name].fill_null(False).to_numpy().astype(kind)
            if name == "interpolated"
            else table[name].to_numpy().astype(kind)
            for name, kind in _COLUMNS.items()
        }
        ids, where = np.unique(columns["class_id"], return_index=True)
        for number, row in zip(ids.tolist(), where.tolist(), strict=True):
            self.names.setdefault(number, table["class_name"][row].as_py())
        return Rows(
            **columns, bbox_xyxy=corners.reshape(-1, 4), start=place + starts, length=ends - starts
        )


def _schema() -> Any:
    import pyarrow as pa

    return pa.schema(
        [
            ("frame", pa.int64()),
            ("track_id", pa.int64()),
            ("class_id", pa.int32()),
            ("class_name", pa.string()),
            ("score", pa.float64()),
            ("bbox_xyxy", pa.list_(pa.float64())),
            ("interpolated", pa.bool_()),
        ]
    )


def _joined(blocks: list[Rows]) -> Rows:
    if not blocks:
        empty = {name: np.zeros(0, kind) for name, kind in _COLUMNS.items()}
        places = np.zeros(0, np.int64)
        return Rows(**empty, bbox_xyxy=np.zeros((0, 4), np.float32), start=places, length=places)
    names = Rows.__dataclass_fields__
    return Rows(*(np.concatenate([getattr(one, name) for one in blocks]) for name in names))


def _head(path: Path) -> tuple[dict[str, Any], int] | None:
    """What stands before the objects, and where they begin; None where the layout is another."""
    head = b""
    with path.open("rb") as file:
        for line in file:
            if line.strip() == _BEGIN:
                first = file.readline(64)
                if not first.startswith((b'{"frame": ', b"]", b"\n]")):
                    return None
                begin = len(head) + len(line)
                found = json.loads(head.decode("utf-8-sig").rstrip().rstrip(",") + "}")
                return (found, begin) if isinstance(found, dict) else None
            head += line
            if len(head) > _HEAD or b'"objects"' in line:
                return None
    return None


def _video(block: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": str(block["name"]),
        "width": int(block["width"]),
        "height": int(block["height"]),
        "fps": float(block["fps"]),
        "frame_count": int(block["frame_count"]),
    }


def _rewritten(path: Path, scratch: Path) -> Path:
    """A copy with a line for each object, whatever layout the file has."""
    blocks: dict[str, Any] = {}
    handle = scratch / f"{path.stem}-{abs(hash(path)):x}.json"
    body = handle.with_suffix(".objects")
    try:
        with body.open("w", encoding="utf-8", newline="\n") as file:
            between = ""
            for one in elements(path):
                if not one.listed and one.key not in ("objects", "tracks"):
                    blocks[one.key] = one.value
                elif one.key == "objects" and one.listed:
                    if not isinstance(one.value, dict):
                        raise ValueError(f"line {one.line}: {one.value!r:.60} is no object")
                    row = {"frame": one.value.get("frame"), **one.value}
                    file.write(between + json.dumps(row))
                    between = ",\n"
        if "video" not in blocks:
            raise ValueError("there is no video in it")
        with handle.open("wb") as target, body.open("rb") as source:
            head = "".join(f"{json.dumps(key)}: {json.dumps(v)},\n" for key, v in blocks.items())
            target.write(f"{{\n{head}".encode() + _BEGIN + b"\n")
            while part := source.read(_CHUNK):
                target.write(part)
            target.write(b"\n]\n}\n")
    finally:
        body.unlink(missing_ok=True)
    return handle
