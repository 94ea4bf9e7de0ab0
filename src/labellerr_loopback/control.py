"""What people and tests do to the platform: annotate, set statuses, ask for faults."""

from __future__ import annotations

import json
import re
import sqlite3
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query, Security
from fastapi.security import APIKeyHeader
from pydantic import BaseModel, ConfigDict, Field

from labellerr_loopback.context import Context
from labellerr_loopback.control_token import HEADER
from labellerr_loopback.envelope import ApiError, Body, new_id, success
from labellerr_loopback.faults import Fault, Kind
from labellerr_loopback.files import check_status, set_status
from labellerr_loopback.guard import CONTROL
from labellerr_loopback.outlines import Outline
from labellerr_loopback.parsing import check_track
from labellerr_loopback.projects import Questions, checked, edit_questions, progress


class WorkedAnswer(BaseModel):
    """An answer as a person leaves it: kept by its id, redrawn by id and shape, or new.

    A shape is a polygon of an image, or a trajectory of a video in the form of ``video_json``.
    """

    model_config = ConfigDict(extra="forbid")

    answer_id: str | None = None
    question: str | None = Field(None, description="the question's text; for new answers")
    polygon: Outline | None = None
    track: dict[str, Any] | None = None


class WorkedFile(BaseModel):
    """``answers`` is the whole list: what is not in it is deleted. None leaves all as they are."""

    model_config = ConfigDict(extra="forbid")

    file_id: str | None = None
    file_name: str | None = None
    status: str | None = None
    answers: list[WorkedAnswer] | None = None


class Work(Body):
    files: list[WorkedFile] = Field(min_length=1, max_length=10_000)


class NewFault(Body):
    """See ``labellerr_loopback.faults.Fault`` for what each key means."""

    model_config = ConfigDict(extra="forbid")

    kind: Kind
    path: str = ""
    method: str | None = None
    nth: int = Field(1, ge=1)
    times: int | None = None
    status: int = Field(500, ge=200, le=599)
    retry_after: float | None = None
    done: bool = False
    after_bytes: int = 0
    seconds: float = 0.0
    names: tuple[str, ...] = ()
    message: str = "a fault that was asked for"


def router(context: Context) -> APIRouter:
    """Endpoints below ``CONTROL``. The guard looks at their token; here it is only described."""
    described = Security(APIKeyHeader(name=HEADER, auto_error=False))
    api = APIRouter(prefix=CONTROL, tags=["control"], dependencies=[described])
    state, faults = context.state, context.faults

    @api.get("/projects/{project_id}/files")
    def files(
        project_id: str,
        size: Annotated[int, Query(ge=1, le=10_000)] = 100,
        after: str = "",
    ) -> dict[str, Any]:
        """Files with their answers, polygons in px of the image, ordered by file id."""
        questions = {q["question_id"]: q for q in context.questions(context.project(project_id))}
        rows = state.all(
            "SELECT f.id, f.file_name, f.width, f.height, p.status FROM project_files p"
            " JOIN files f ON f.id = p.file_id WHERE p.project_id = ? AND p.file_id > ?"
            " ORDER BY p.file_id LIMIT ?",
            (project_id, after, size + 1),
        )
        page = rows[:size]
        query = "SELECT * FROM answers WHERE project_id = ? AND file_id = ? ORDER BY seq"
        found = [
            {
                "file_id": row["id"],
                "file_name": row["file_name"],
                "status": row["status"],
                "width": row["width"],
                "height": row["height"],
                "answers": [
                    _answer(a, questions) for a in state.all(query, (project_id, row["id"]))
                ],
            }
            for row in page
        ]
        last = page[-1]["id"] if len(rows) > size else None
        names = [q["question"] for q in questions.values()]
        return success({"files": found, "questions": names, "after": last})

    @api.post("/projects/{project_id}/files")
    def work(project_id: str, body: Work) -> dict[str, Any]:
        """Sets answers and statuses of files, named by id or name: all of them, or none."""
        project = context.project(project_id)
        questions = {q["question"]: q for q in context.questions(project)}
        with state.change() as db:
            for file in body.files:
                _work_on(db, project_id, file, questions)
        return success({"files": len(body.files)})

    @api.get("/about")
    def about() -> dict[str, Any]:
        """Which platform this is."""
        as_of = context.behaviour.quirks.as_of
        return success({"id": state.identity, "folder": str(state.folder), "as_of": as_of})

    @api.get("/projects")
    def projects() -> dict[str, Any]:
        """All projects with the number of their files of every status, the newest first."""
        return success(progress(state))

    @api.post("/projects/{project_id}/questions")
    def questions(project_id: str, body: Questions) -> dict[str, Any]:
        """What the labelling screen does: other questions, as a new version of the template."""
        project = context.project(project_id)
        with state.change() as db:
            version = edit_questions(
                db, project, [checked(question) for question in body.questions]
            )
        return success({"version": version})

    @api.get("/uploads")
    def uploads(
        connection_id: str | None = None,
        size: Annotated[int, Query(ge=1, le=10_000)] = 1000,
    ) -> dict[str, Any]:
        """Uploaded files and how often each was sent."""
        rows = state.all(
            "SELECT connection_id, file_name, size, puts, finished FROM uploads "
            "WHERE ? IS NULL OR connection_id = ? ORDER BY rowid LIMIT ?",
            (connection_id, connection_id, size),
        )
        return success([{**dict(row), "finished": bool(row["finished"])} for row in rows])

    @api.get("/keyframes")
    def keyframes(project_id: str, file_id: str) -> dict[str, Any]:
        """Key frames of a video, by number."""
        query = (
            "SELECT frame_number, is_manual, method, source FROM keyframes"
            " WHERE project_id = ? AND file_id = ? ORDER BY frame_number"
        )
        rows = state.all(query, (project_id, file_id))
        return success([{**dict(row), "is_manual": bool(row["is_manual"])} for row in rows])

    @api.get("/faults")
    def list_faults() -> dict[str, Any]:
        """The faults that are set, with the number of calls that each one saw."""
        return success([{**asdict(fault), "seen": seen} for fault, seen in faults.listed()])

    @api.post("/faults")
    def add_fault(body: NewFault) -> dict[str, Any]:
        """Lets something go wrong, from the n-th matching call on."""
        try:
            faults.add(Fault(**body.model_dump()))
        except (ValueError, re.error) as error:
            raise ApiError(400, str(error)) from error
        return success(body.model_dump())

    @api.delete("/faults")
    def clear_faults() -> dict[str, Any]:
        """Lets nothing go wrong any more."""
        faults.clear()
        return success({})

    @api.get("/calls")
    def calls() -> dict[str, Any]:
        """How often each call came since the start; ids in paths are written as ``{id}``."""
        return success(dict(faults.calls))

    return api


def _answer(row: sqlite3.Row, questions: dict[str, dict[str, Any]]) -> dict[str, Any]:
    data = json.loads(row["data"])
    polygon = (
        [data[i : i + 2] for i in range(0, len(data), 2)] if row["kind"] == "polygon" else None
    )
    return {
        "answer_id": row["id"],
        "question": questions.get(row["question_id"], {}).get("question", ""),
        "kind": row["kind"],
        "polygon": polygon,
        "data": None if polygon else data,
        "score": row["score"],
        "conf_bucket": row["conf_bucket"],
        "source": row["source"],
    }


def _work_on(
    db: sqlite3.Connection,
    project_id: str,
    file: WorkedFile,
    questions: dict[str, dict[str, Any]],
) -> None:
    file_id = file.file_id or _by_name(db, project_id, file.file_name)
    query = "SELECT status FROM project_files WHERE project_id = ? AND file_id = ?"
    row = db.execute(query, (project_id, file_id)).fetchone()
    if row is None:
        raise ApiError(404, f"file {file_id!r} is not in project {project_id!r}")
    if file.status is not None:
        check_status(file.status)
    set_status(db, project_id, file_id, file.status or row["status"])
    if file.answers is None:
        return
    pair = (project_id, file_id)
    query = "SELECT * FROM answers WHERE project_id = ? AND file_id = ?"
    there = {a["id"]: a for a in db.execute(query, pair).fetchall()}
    db.execute("DELETE FROM answers WHERE project_id = ? AND file_id = ?", pair)
    for answer in file.answers:
        row = _worked(answer, there, questions)
        db.execute(
            "INSERT INTO answers (id, question_id, kind, data, score, conf_bucket, source,"
            " project_id, file_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*row, *pair),
        )


def _worked(
    answer: WorkedAnswer, there: dict[str, Any], questions: dict[str, dict[str, Any]]
) -> tuple[Any, ...]:
    shape = _shape(answer)
    question = None
    if answer.question is not None:
        question = questions.get(answer.question)
        if question is None:
            text = f"no question {answer.question!r}; the template has {sorted(questions)}"
            raise ApiError(400, text)
    if answer.answer_id is not None:
        old = there.get(answer.answer_id)
        if old is None:
            raise ApiError(404, f"answer {answer.answer_id!r} is not on this file")
        kept = (old["score"], old["conf_bucket"])
        if shape is None:
            return (old["id"], old["question_id"], old["kind"], old["data"], *kept, old["source"])
        of = question["question_id"] if question and answer.track else old["question_id"]
        return (old["id"], of, *shape, *kept, "human")
    if shape is None or question is None:
        raise ApiError(400, "a new answer needs a question and a polygon, or a track")
    return (new_id(), question["question_id"], *shape, None, None, "human")


def _shape(answer: WorkedAnswer) -> tuple[str, str] | None:
    """Kind and text of a shape in the database; None where it stays as it is."""
    if answer.track is not None and answer.polygon is not None:
        raise ApiError(400, "an answer is a polygon or a track, not both")
    if answer.track is not None:
        try:
            check_track(answer.track, "work")
        except ValueError as error:
            raise ApiError(400, str(error)) from error
        return "track", json.dumps(answer.track)
    if answer.polygon is None:
        return None
    return "polygon", json.dumps([v for point in answer.polygon for v in point])


def _by_name(db: sqlite3.Connection, project_id: str, name: str | None) -> str:
    query = "SELECT file_id FROM project_files WHERE project_id = ? AND file_name = ? LIMIT 2"
    rows = db.execute(query, (project_id, name)).fetchall()
    if len(rows) != 1:
        count = "no file" if not rows else "more than one file"
        raise ApiError(404, f"project {project_id!r} has {count} of the name {name!r}")
    return str(rows[0]["file_id"])
