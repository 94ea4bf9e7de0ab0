"""Trajectories of a video in the form in which Labellerr takes them as pre-annotations.

    [{"file_name": "a.mp4", "annotations": [
        {"question_name": "car", "question_type": "polygon", "answer": [
            {"startFrame": 3, "frames": {
                "3": {"frame": 3, "answer": [{"x": 1.25, "y": 2.75}, ...], "timestamp": 0.1},
                "4": ...}},
            one of these per track ...]},
        one of these per class ...]}]

Frames count from 0, as in results.json: the examples of Labellerr's SDK begin with frame 0 at 0.0 s
and have frame 30 at 1.0 s, and its endpoint for frames counts from 0 as well. ``timestamp`` is in
seconds, coordinates are px of the video.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from segtrack.annotation.labellerr.checks import FILE_BYTES
from segtrack.annotation.outlines import SIMPLIFY_PX, polygon_of
from segtrack.base.atomic import replacing
from segtrack.base.errors import DataError, StageError
from segtrack.tracker import Tracks

FORMAT = "video_json"
_OUTLINES = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE outlines (class_id INTEGER, track_id INTEGER, frame INTEGER, text TEXT);
"""
_SIZES = """
CREATE INDEX in_order ON outlines (class_id, track_id, frame);
CREATE TABLE ends AS
    SELECT track_id, MIN(frame) AS first, MAX(frame) AS last FROM outlines GROUP BY track_id;
CREATE UNIQUE INDEX ends_of ON ends (track_id);
CREATE TABLE sizes AS
    SELECT frame, SUM(bytes) AS whole, SUM(bytes * at_end) AS ends FROM (
        SELECT frame, LENGTH(text) + 2 AS bytes, frame IN (first, last) AS at_end
        FROM outlines JOIN ends USING (track_id))
    GROUP BY frame;
"""
# The ends of a track too, so that it appears and goes in time; CROSS keeps the order of the index.
_CHOSEN = """
FROM outlines CROSS JOIN ends USING (track_id)
WHERE frame % :every = 0 OR frame IN (first, last)
"""
_PER_TRACK, _PER_CLASS = 64, 128  # bytes, at most, around what is in it; names not counted


@dataclass(frozen=True)
class VideoJson:
    """A written file.

    Attributes:
        tracks: that have an outline in at least one frame. outlines: of all of them.
        every: 1 holds all frames; n those whose number n divides, and the ends of each track.
        track_ids: of the tracks, in the order of the file.
    """

    path: Path
    tracks: int
    outlines: int
    every: int
    track_ids: tuple[int, ...]


def write_video_json(
    tracks: Tracks,
    file_name: str,
    path: Path,
    simplify_px: float = SIMPLIFY_PX,
    limit: int = FILE_BYTES,
) -> VideoJson | None:
    """Write the trajectories of one video, one answer per track, grouped by class.

    A frame in which a track has no mask of its own (filled in between two detections, or detected
    as a box only) is left out, as is a track without any: the question asks for an outline, and
    people would take a guessed one for what the model saw.

    One video is one file, since a second upload for it may replace the first. Where all outlines
    pass ``limit``, the file holds every n-th frame, with the smallest n that fits, rather than
    coarser outlines: frames are keyframes to the platform, and its own example has one a second.

    The outlines wait in a file beside ``path`` until they are written track by track; in memory
    are one frame and the numbers of the tracks.

    Args:
        file_name: of the video in the project; class names become the names of the questions.
        path: of the file; whole or not there.
        simplify_px: farthest that an outline may move, px.
        limit: bytes.

    Returns:
        What was written; None, and no file, where no track has an outline.

    Raises:
        DataError: the two ends of each track alone pass the limit.
        StageError: the file cannot be written.
    """
    scratch = path.with_name(f".{path.stem}.outlines.db")
    scratch.unlink(missing_ok=True)
    try:
        with closing(sqlite3.connect(scratch, isolation_level=None)) as db:
            _collect(db, tracks, simplify_px)
            (count,) = db.execute("SELECT COUNT(*) FROM ends").fetchone()
            if not count:
                return None
            every = _fitting(db, limit - _around(db, count, file_name, tracks.info.names))
            if every is None:
                raise DataError(
                    f"{file_name}: the first and the last outline of each of its {count} tracks "
                    f"alone pass Labellerr's limit of {limit / 1e6:.1f} MB: raise "
                    "labellerr.simplify_px, cut the video into parts, or leave videos out with "
                    "labellerr.videos=false."
                )
            with replacing(path) as file:
                file.writelines(_document(db, file_name, tracks.info.names, every))
            query = f"SELECT COUNT(*) {_CHOSEN}"
            (outlines,) = db.execute(query, {"every": every}).fetchone()
            order = "SELECT DISTINCT class_id, track_id FROM outlines ORDER BY class_id, track_id"
            track_ids = tuple(track_id for _, track_id in db.execute(order))
    except sqlite3.OperationalError as error:
        raise StageError(
            f"{scratch}: could not be written ({error}). Make room there or choose another "
            "store=FOLDER; the same command goes on from there"
        ) from error
    finally:
        scratch.unlink(missing_ok=True)
    return VideoJson(path, count, outlines, every, track_ids)


def _collect(db: sqlite3.Connection, tracks: Tracks, simplify_px: float) -> None:
    """The text of every outline, in the order of the video, and where each track has its ends."""
    times, size = tracks.times, [tracks.info.height, tracks.info.width]
    db.executescript(_OUTLINES)
    db.execute("BEGIN")
    for rows in tracks.frames():
        time_s = times.seconds(rows.frame)
        for class_id, track_id, counts in zip(
            rows.class_id.tolist(), rows.track_id.tolist(), rows.rle, strict=True
        ):
            ring = None
            if counts is not None:
                ring = polygon_of({"size": size, "counts": counts}, simplify_px)
            if ring is None:
                continue
            points = ",".join(f'{{"x":{x},"y":{y}}}' for x, y in ring.round(2).tolist())
            text = (
                f'"{rows.frame}":{{"frame":{rows.frame},"answer":[{points}],"timestamp":{time_s}}}'
            )
            row = (class_id, track_id, rows.frame, text)
            db.execute("INSERT INTO outlines VALUES (?, ?, ?, ?)", row)
    db.execute("COMMIT")
    db.executescript(_SIZES)


def _around(db: sqlite3.Connection, tracks: int, file_name: str, names: Sequence[str]) -> int:
    """Bytes, at most, of all but the outlines."""
    ids = db.execute("SELECT DISTINCT class_id FROM outlines").fetchall()
    texts = [file_name, *(names[class_id] for (class_id,) in ids)]
    return _PER_TRACK * tracks + sum(_PER_CLASS + len(json.dumps(text)) for text in texts)


def _fitting(db: sqlite3.Connection, room: int) -> int | None:
    """The smallest n with which every n-th frame fits into ``room`` bytes."""
    least, last = db.execute("SELECT SUM(ends), MAX(frame) FROM sizes").fetchone()
    if least > room:
        return None
    query = "SELECT SUM(CASE WHEN frame % ? THEN ends ELSE whole END) FROM sizes"
    sizes = ((every, db.execute(query, (every,)).fetchone()[0]) for every in range(1, last + 2))
    return next(every for every, size in sizes if size <= room)


def _document(
    db: sqlite3.Connection, file_name: str, names: Sequence[str], every: int
) -> Iterator[str]:
    """The pieces of the file."""
    rows = db.execute(
        f"SELECT class_id, track_id, first, text {_CHOSEN} ORDER BY class_id, track_id, frame",
        {"every": every},
    )
    yield f'[{{"file_name":{json.dumps(file_name)},"annotations":['
    for number, (class_id, of_class) in enumerate(groupby(rows, key=lambda row: row[0])):
        question = f'"question_name":{json.dumps(names[class_id])},"question_type":"polygon"'
        yield f'{"," if number else ""}\n{{{question},"answer":['
        for place, (_, of_track) in enumerate(groupby(of_class, key=lambda row: row[1])):
            _, _, first, text = next(of_track)
            yield f'{"," if place else ""}\n{{"startFrame":{first},"frames":{{\n{text}'
            yield from (f",\n{text}" for *_, text in of_track)
            yield "}}"
        yield "]}"
    yield "]}]\n"
