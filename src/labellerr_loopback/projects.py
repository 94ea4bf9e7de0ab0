"""Annotation templates and projects."""

from __future__ import annotations

import json
import random
import sqlite3
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from labellerr_loopback.behaviour import QUESTION_TYPES
from labellerr_loopback.context import Context
from labellerr_loopback.envelope import ApiError, Body, new_id, success
from labellerr_loopback.state import State, now_ms
from segtrack.base.labellerr_api import READY

_OBJECTS = ("BoundingBox", "polygon", "polyline", "dot")
_FIRST = ("eryn", "milo", "tara", "odin", "zelda", "ivo", "nora", "pavel", "quinn", "rhea")
_SECOND = ("defeated", "gentle", "rapid", "silent", "brave", "amber", "hollow", "lucky", "plain")
_THIRD = ("pony", "heron", "otter", "lynx", "badger", "falcon", "mole", "tapir", "wren", "ibex")


class Question(BaseModel):
    question_number: int
    question: str = Field(min_length=1, max_length=500)
    question_id: str | None = None
    option_type: str
    required: bool = False
    options: list[dict[str, Any]] | None = None
    color: str | None = None


class Questions(Body):
    questions: list[Question] = Field(min_length=1, max_length=1000)


class CreateTemplate(Questions):
    templateName: str = Field(min_length=1, max_length=500)


class Rotations(Body):
    annotation_rotation_count: int = Field(ge=0)
    review_rotation_count: int = Field(ge=0)
    client_review_rotation_count: int = Field(ge=0)


class CreateProject(Body):
    project_name: str = Field(min_length=1, max_length=500)
    attached_datasets: list[str] = Field(min_length=1)
    data_type: Literal["image", "video"]
    annotation_template_id: str
    rotations: Rotations
    use_ai: bool = False
    created_by: str | None = None


class Attached(Body):
    attached_datasets: list[str] = Field(min_length=1)


def router(context: Context) -> APIRouter:
    """Endpoints under ``/annotations`` and ``/projects``, and attaching data sets."""
    api = APIRouter(tags=["projects"])
    state = context.state

    @api.post("/annotations/create_template")
    def create_template(
        body: CreateTemplate, data_type: Literal["image", "video"], uuid: str | None = None
    ) -> dict[str, Any]:
        """A list of questions; one polygon question per class."""
        questions = [checked(question) for question in body.questions]

        def make(db: sqlite3.Connection) -> dict[str, Any]:
            row = (new_id(), body.templateName, data_type, json.dumps(questions), now_ms())
            db.execute("INSERT INTO templates VALUES (?, ?, ?, ?, ?)", row)
            return success({"template_id": row[0]})

        return context.create(uuid, "/annotations/create_template", make)

    @api.get("/annotations/get_template")
    def get_template(template_id: str) -> dict[str, Any]:
        """A template with its questions."""
        row = state.one("SELECT * FROM templates WHERE id = ?", (template_id,))
        if row is None:
            raise ApiError(404, f"template not found: {template_id!r}")
        versions = context.behaviour.quirks.of_2026
        return success(_template(context, row) if versions else _plain_template(row))

    @api.get("/annotations/list_questions_templates")
    def list_templates(data_type: str | None = None) -> dict[str, Any]:
        """All templates, the newest first."""
        query = (
            "SELECT * FROM templates WHERE ? IS NULL OR data_type = ?"
            " ORDER BY created_at DESC, rowid DESC"
        )
        return success([_plain_template(row) for row in state.all(query, (data_type, data_type))])

    @api.post("/projects/create")
    def create_project(body: CreateProject, uuid: str | None = None) -> dict[str, Any]:
        """A project of data sets that are ready and a template of the same type."""

        def make(db: sqlite3.Connection) -> dict[str, Any]:
            query = "SELECT data_type FROM templates WHERE id = ?"
            template = db.execute(query, (body.annotation_template_id,)).fetchone()
            if template is None or template["data_type"] != body.data_type:
                raise _field(
                    "annotation_template_id",
                    f"no template {body.annotation_template_id!r} for {body.data_type}",
                )
            project = _project_id(db)
            now = now_ms()
            rotations = body.rotations.model_dump_json()
            db.execute(
                "INSERT INTO projects (id, name, data_type, template_id, rotations, use_ai,"
                " created_by, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(project, body.project_name, body.data_type, body.annotation_template_id),
                    *(rotations, body.use_ai, body.created_by, now),
                ),
            )
            _attach(db, project, body.data_type, body.attached_datasets)
            return success({"project_id": project})

        return context.create(uuid, "/projects/create", make)

    @api.get("/projects/project/{project_id}")
    def get_project(project_id: str) -> dict[str, Any]:
        """A project with its template and its data sets."""
        return success(_project(context, context.project(project_id)))

    @api.get("/project_drafts/projects/detailed_list")
    def list_projects() -> dict[str, Any]:
        """All projects, the newest first."""
        rows = state.all("SELECT * FROM projects ORDER BY seq DESC")
        projects = [_project(context, row) for row in rows]
        shape = context.behaviour.quirks.list_projects
        return success(projects if shape == "list" else {"projects": projects})

    @api.post("/projects/delete/{project_id}")
    def delete_project(project_id: str) -> dict[str, Any]:
        """Deletes a project with its answers; data sets and template stay."""
        context.project(project_id)
        with state.change() as db:
            db.execute("DELETE FROM projects WHERE id = ?", (project_id,))
        return success({"project_id": project_id, "deleted": True})

    @api.delete("/projects/{rest:path}")
    def no_delete(rest: str) -> dict[str, Any]:
        """Is documented, but not what the SDK calls; refused."""
        project = rest.rpartition("/")[2]
        text = f"DELETE of a project is not served here: POST /projects/delete/{project}"
        raise ApiError(405, text)

    @api.post("/projects/rotations/add")
    def rotations(project_id: str, body: Rotations) -> dict[str, Any]:
        """Sets how often files are annotated and reviewed."""
        context.project(project_id)
        with state.change() as db:
            row = (body.model_dump_json(), project_id)
            db.execute("UPDATE projects SET rotations = ? WHERE id = ?", row)
        return success(body.model_dump())

    @api.post("/actions/jobs/add_datasets_to_project")
    def attach(project_id: str, body: Attached) -> dict[str, Any]:
        """Attaches data sets; one that is attached already stays as it is."""
        project = context.project(project_id)
        with state.change() as db:
            _attach(db, project_id, project["data_type"], body.attached_datasets)
        return success({"project_id": project_id, "attached_datasets": body.attached_datasets})

    @api.post("/actions/jobs/delete_datasets_from_project")
    def detach(project_id: str, body: Attached) -> dict[str, Any]:
        """Takes data sets out of a project, with what was annotated on them in it."""
        context.project(project_id)
        with state.change() as db:
            for dataset in body.attached_datasets:
                pair = (project_id, dataset)
                query = "DELETE FROM project_datasets WHERE project_id = ? AND dataset_id = ?"
                if not db.execute(query, pair).rowcount:
                    raise ApiError(404, f"dataset {dataset!r} is not in project {project_id!r}")
                db.execute(
                    "DELETE FROM project_files WHERE project_id = ? AND file_id IN"
                    " (SELECT id FROM files WHERE dataset_id = ?)",
                    pair,
                )
        return success({"project_id": project_id, "detached_datasets": body.attached_datasets})

    return api


def _field(name: str, message: str) -> ApiError:
    """An error in the shape in which the platform names the field at fault."""
    return ApiError(400, message, [{"field": name, "message": message}])


def checked(question: Question) -> dict[str, Any]:
    """A question as it is kept.

    Raises:
        ApiError: 400 where it is none that the platform asks.
    """
    if question.option_type not in QUESTION_TYPES:
        text = f"option_type must be one of {QUESTION_TYPES}, got {question.option_type!r}"
        raise _field("option_type", text)
    if question.option_type in _OBJECTS and not (question.options or question.color):
        raise _field("options", f"question {question.question!r} needs a colour in its options")
    return {**question.model_dump(), "question_id": question.question_id or new_id()}


def _template(context: Context, row: sqlite3.Row) -> dict[str, Any]:
    """The newest version."""
    query = "SELECT * FROM template_versions WHERE template_id = ? ORDER BY version DESC LIMIT 1"
    newest = context.state.one(query, (row["id"],))
    found = {**_plain_template(row), "version": newest["version"] if newest else 1}
    return {**found, "questions": json.loads(newest["questions"])} if newest else found


def _plain_template(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "template_id": row["id"],
        "template_name": row["name"],
        "templateName": row["name"],
        "data_type": row["data_type"],
        "created_at": row["created_at"],
        "questions": json.loads(row["questions"]),
    }


def _project(context: Context, row: sqlite3.Row) -> dict[str, Any]:
    query = "SELECT dataset_id FROM project_datasets WHERE project_id = ?"
    return {
        "project_id": row["id"],
        "project_name": row["name"],
        "data_type": row["data_type"],
        "status_code": READY,
        "attached_datasets": [r["dataset_id"] for r in context.state.all(query, (row["id"],))],
        **_template_of(context, row),
        "rotations": json.loads(row["rotations"]),
        "use_ai": bool(row["use_ai"]),
        "created_by": row["created_by"],
        "created_at": row["created_at"],
    }


def _template_of(context: Context, row: sqlite3.Row) -> dict[str, Any]:
    if not context.behaviour.quirks.of_2026:
        return {"annotation_template_id": row["template_id"]}
    return {
        "template_id": row["template_id"],
        "template_version": context.template_version(row["id"]),
    }


def edit_questions(
    db: sqlite3.Connection, project: sqlite3.Row, questions: list[dict[str, Any]]
) -> int:
    """A new version of a project's template, applied to this project; returns its number."""
    template = project["template_id"]
    query = "SELECT COALESCE(MAX(version), 1) + 1 FROM template_versions WHERE template_id = ?"
    (version,) = db.execute(query, (template,)).fetchone()
    row = (template, version, json.dumps(questions), now_ms())
    db.execute("INSERT INTO template_versions VALUES (?, ?, ?, ?)", row)
    db.execute("INSERT OR REPLACE INTO applied_versions VALUES (?, ?)", (project["id"], version))
    return int(version)


def progress(state: State) -> list[dict[str, Any]]:
    """All projects, the newest first, each with the number of its files of every status."""
    counts: dict[str, dict[str, int]] = {}
    query = "SELECT project_id, status, COUNT(*) AS n FROM project_files GROUP BY 1, 2"
    for row in state.all(query):
        counts.setdefault(row["project_id"], {})[row["status"]] = row["n"]
    return [
        {
            "project_id": row["id"],
            "project_name": row["name"],
            "data_type": row["data_type"],
            "created_at": row["created_at"],
            "files": sum(counts.get(row["id"], {}).values()),
            "by_status": counts.get(row["id"], {}),
        }
        for row in state.all("SELECT * FROM projects ORDER BY seq DESC")
    ]


def _project_id(db: sqlite3.Connection) -> str:
    """Readable ids like the platform's: ``eryn_defeated_pony_99911``."""
    while True:
        words = (random.choice(words) for words in (_FIRST, _SECOND, _THIRD))
        name = f"{'_'.join(words)}_{random.randrange(10_000, 100_000)}"
        if db.execute("SELECT 1 FROM projects WHERE id = ?", (name,)).fetchone() is None:
            return name


def _attach(
    db: sqlite3.Connection,
    project: str,
    data_type: str,
    datasets: list[str],
) -> None:
    for dataset in datasets:
        row = db.execute("SELECT * FROM datasets WHERE id = ?", (dataset,)).fetchone()
        if row is None or row["data_type"] != data_type:
            raise _field("attached_datasets", f"no data set {dataset!r} of type {data_type}")
        if row["status_code"] != READY:
            text = f"data set {dataset!r} has status {row['status_code']}, not {READY}"
            raise _field("attached_datasets", text)
        db.execute("INSERT OR IGNORE INTO project_datasets VALUES (?, ?)", (project, dataset))
        db.execute(
            "INSERT OR IGNORE INTO project_files (project_id, file_id, file_name, updated_at)"
            " SELECT ?, id, file_name, ? FROM files WHERE dataset_id = ?",
            (project, now_ms(), dataset),
        )
