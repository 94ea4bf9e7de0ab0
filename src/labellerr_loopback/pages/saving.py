"""What a page saves: changed, new and removed answers of one file, and its status, at once."""

from __future__ import annotations

import json
import sqlite3
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from labellerr_loopback.envelope import ApiError, Body
from labellerr_loopback.files import check_status, set_status
from labellerr_loopback.outlines import Coordinate, Outline
from labellerr_loopback.pages.fitting import fitted
from labellerr_loopback.state import revision_of

_KEPT = "id, project_id, file_id, question_id, kind, data, score, conf_bucket, source"


class Corner(BaseModel):
    x: Coordinate
    y: Coordinate


class Box(BaseModel):
    """Corners of a box in px; ``rotation`` in degrees, which the pages keep as it was sent."""

    model_config = ConfigDict(extra="allow")

    xmin: Coordinate
    ymin: Coordinate
    xmax: Coordinate
    ymax: Coordinate


class TrackFrame(BaseModel):
    """One outline of a trajectory; whatever else was sent with it stays."""

    model_config = ConfigDict(extra="allow")

    frame: int = Field(ge=0)
    answer: Annotated[list[Corner], Field(min_length=3, max_length=100_000)] | Box


class Track(BaseModel):
    """A trajectory as ``video_json`` has it. ``name`` is what a person called it."""

    model_config = ConfigDict(extra="allow")

    startFrame: int = Field(ge=0)
    frames: dict[str, TrackFrame] = Field(min_length=1)
    name: str | None = Field(None, max_length=200)


class Put(BaseModel):
    """An answer as it shall be; one of a new id is new. Either an outline or a trajectory."""

    model_config = ConfigDict(extra="forbid")

    id: UUID
    question_id: str
    points: Outline | None = None
    track: Track | None = None


class Change(Body):
    """``revision`` is the one that the page has seen; what is not mentioned stays as it is."""

    model_config = ConfigDict(extra="forbid")

    revision: int = Field(ge=0, lt=2**63)
    put: list[Put] = Field(default_factory=list, max_length=100_000)
    removed: list[UUID] = Field(default_factory=list, max_length=100_000)
    status: str | None = None


def save(
    db: sqlite3.Connection,
    project_id: str,
    file_id: str,
    change: Change,
    questions: dict[str, str],
    file: sqlite3.Row,
) -> int:
    """Do all of a change or, where it raises, nothing; returns the new revision.

    An answer keeps its score and band whatever becomes of it. One that was removed comes back as
    it was when its id is put again, so that undoing costs nothing. What a person changed ends at
    the picture's border, as the pages let nobody draw beyond it, and has an area.

    Args:
        questions: kind of each question that can be drawn, by id.
        file: its row, with the size of its picture, and of a video its frames.

    Raises:
        ApiError: 400 where an answer does not fit its question or the file, or has no area;
            404 where there is no such answer or file.
    """
    pair = (project_id, file_id)
    gone = [str(one) for one in change.removed]
    for answer_id in gone:
        _remove(db, answer_id, pair)
    for put in change.put:
        _put(db, put, pair, questions, file)
    if change.status is not None:
        check_status(change.status)
    query = "SELECT status FROM project_files WHERE project_id = ? AND file_id = ?"
    row = db.execute(query, pair).fetchone()
    if row is None:
        raise ApiError(404, f"file {file_id!r} is not in project {project_id!r}")
    set_status(db, *pair, change.status or row["status"])
    return revision_of(db, *pair)


def _remove(db: sqlite3.Connection, answer_id: str, pair: tuple[str, str]) -> None:
    where = "WHERE id = ? AND project_id = ? AND file_id = ?"
    found = f"SELECT {_KEPT} FROM answers {where}"
    db.execute(f"INSERT OR REPLACE INTO removed_answers ({_KEPT}) {found}", (answer_id, *pair))
    if not db.execute(f"DELETE FROM answers {where}", (answer_id, *pair)).rowcount:
        raise ApiError(404, f"answer {answer_id!r} is not on this file")


def _put(
    db: sqlite3.Connection,
    put: Put,
    pair: tuple[str, str],
    questions: dict[str, str],
    file: sqlite3.Row,
) -> None:
    kind, data = _data(put, questions, file["frames"])
    answer_id = str(put.id)
    old = db.execute("SELECT * FROM answers WHERE id = ?", (answer_id,)).fetchone()
    if old is None:
        old = _brought_back(db, answer_id, pair)
    if old is None:
        db.execute(
            f"INSERT INTO answers ({_KEPT}) VALUES (?, ?, ?, ?, ?, ?, NULL, NULL, 'human')",
            (answer_id, *pair, put.question_id, kind, json.dumps(fitted(kind, data, None, file))),
        )
        return
    if (old["project_id"], old["file_id"]) != pair:
        raise ApiError(404, f"answer {answer_id!r} is not on this file")
    before = json.loads(old["data"])
    if (old["question_id"], before) != (put.question_id, data):
        text = json.dumps(fitted(kind, data, before, file))
        db.execute(
            "UPDATE answers SET question_id = ?, kind = ?, data = ?, source = 'human' WHERE id = ?",
            (put.question_id, kind, text, answer_id),
        )


def _brought_back(
    db: sqlite3.Connection, answer_id: str, pair: tuple[str, str]
) -> sqlite3.Row | None:
    where = "WHERE id = ? AND project_id = ? AND file_id = ?"
    found = f"SELECT {_KEPT} FROM removed_answers {where}"
    db.execute(f"INSERT INTO answers ({_KEPT}) {found}", (answer_id, *pair))
    db.execute(f"DELETE FROM removed_answers {where}", (answer_id, *pair))
    row: sqlite3.Row | None = db.execute(
        "SELECT * FROM answers WHERE id = ?", (answer_id,)
    ).fetchone()
    return row


def _data(put: Put, questions: dict[str, str], frames: int | None) -> tuple[str, Any]:
    """Kind of an answer, and what the database holds of it."""
    kind = questions.get(put.question_id)
    if kind is None:
        text = f"no question {put.question_id[:100]!r} in this project's template"
        raise ApiError(400, f"{text}; load the page again")
    if (frames is None) != (put.track is None) or (put.points is None) == (put.track is None):
        what = "an outline" if frames is None else "a trajectory"
        raise ApiError(400, f"answer {str(put.id)!r}: this file takes {what}")
    if put.track is not None:
        return "track", _track(put.track, kind, frames or 0)
    assert put.points is not None
    if kind == "polygon":
        return "polygon", [value for point in put.points for value in point]
    x, y = zip(*put.points, strict=True)
    return "box", [min(x), min(y), max(x) - min(x), max(y) - min(y)]


def _track(track: Track, kind: str, frames: int) -> dict[str, Any]:
    for number, frame in track.frames.items():
        if number != str(frame.frame) or frame.frame >= frames:
            text = f"frame {number[:20]!r} is none of 0 to {frames - 1}, or another than it says"
            raise ApiError(400, text)
        if isinstance(frame.answer, Box) != (kind == "BoundingBox"):
            raise ApiError(400, f"frame {number}: the question takes {kind}")
    found = track.model_dump(exclude_none=True)
    numbers = sorted(found["frames"], key=int)
    return {
        **found,
        "startFrame": int(numbers[0]),
        "frames": {number: found["frames"][number] for number in numbers},
    }
