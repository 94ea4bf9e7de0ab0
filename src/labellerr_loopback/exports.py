"""Exports: asked for, waited for, downloaded by a signed link."""

from __future__ import annotations

import json
import sqlite3
import time
from typing import Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse
from pydantic import Field

from labellerr_loopback.context import Context, LinkError, due
from labellerr_loopback.envelope import ApiError, Body, new_id, success
from labellerr_loopback.files import check_status
from labellerr_loopback.state import now_ms
from labellerr_loopback.writing import Wish, count_files, write_export


class CreateExport(Body):
    """``updated_after_timestamp`` is in ms."""

    export_name: str = Field(min_length=1)
    export_description: str = ""
    export_format: Literal["coco_json", "json", "video_json"]
    statuses: list[str] = Field(min_length=1, max_length=100)
    export_destination: str = "local"
    question_ids: list[str] = Field(default_factory=lambda: ["all"], min_length=1)
    updated_after_timestamp: int | None = None


class ReportIds(Body):
    report_ids: list[str] = Field(min_length=1, max_length=1000)


def router(context: Context) -> APIRouter:
    """Endpoints ``/sdk/export/files`` and under ``/exports``."""
    api = APIRouter(tags=["exports"])
    state, quick = context.state, context.behaviour.delays

    @api.post("/sdk/export/files")
    def create(project_id: str, body: CreateExport, uuid: str | None = None) -> dict[str, Any]:
        """Starts an export of the files with one of the statuses."""
        project = context.project(project_id)
        if body.export_format == "video_json" and project["data_type"] != "video":
            text = f"video_json needs a video project, this one is of type {project['data_type']}"
            raise ApiError(400, text)
        if body.export_destination != "local":
            text = f"export_destination {body.export_destination!r}: only 'local' is served here"
            raise ApiError(400, text)
        for status in body.statuses:
            check_status(status)
        wish = _wish(project_id, body)
        if not count_files(state, wish):
            raise ApiError(400, f"No files found with the statuses {', '.join(body.statuses)}")

        def make(db: sqlite3.Connection) -> dict[str, Any]:
            report, now = new_id(), now_ms()
            db.execute(
                "INSERT INTO exports (id, project_id, wish, status, object, polls, ready_at,"
                " created_at) VALUES (?, ?, ?, 'Processing', ?, ?, ?, ?)",
                (
                    *(report, project_id, body.model_dump_json(), new_id()),
                    *(quick.export_polls, time.time() + quick.seconds, now),
                ),
            )
            return success({"report_id": report})

        return context.create(uuid, "/sdk/export/files", make)

    @api.post("/exports/status")
    def status(project_id: str, body: ReportIds) -> dict[str, Any]:
        """How far exports are; asking for it is what brings them forward."""
        rows = [_export(context, project_id, report) for report in body.report_ids]
        found = []
        for row in rows:
            if row["status"] == "Processing":
                _advance(context, row)
                row = _export(context, project_id, row["id"])
            found.append(_status(row))
        where = context.behaviour.quirks.export_status
        if where == "top":
            return success(None, status=found)
        return success(found, status=found) if where == "both" else success(found)

    @api.get("/exports/download")
    def download(project_id: str, report_id: str, request: Request) -> dict[str, Any]:
        """A signed link to a finished export."""
        row = _export(context, project_id, report_id)
        if row["status"] != "Created":
            raise ApiError(400, f"export {report_id!r} is not created: {row['status']}")
        return success({"url": context.link(request, f"/storage/exports/{report_id}")})

    @api.get("/exports/list")
    def listing(project_id: str) -> dict[str, Any]:
        """Exports of a project, the newest first."""
        context.project(project_id)
        query = "SELECT * FROM exports WHERE project_id = ? ORDER BY seq DESC"
        rows = [_status(row) for row in state.all(query, (project_id,))]
        done = [row for row in rows if row["export_status"] != "Processing"]
        return success({"completed": done, "inProgress": [r for r in rows if r not in done]})

    @api.get("/storage/exports/{report_id}", tags=["storage"])
    def fetch(report_id: str, request: Request) -> FileResponse:
        """The bytes of an export, by a signed link."""
        context.check_link(request)
        query = "SELECT object FROM exports WHERE id = ? AND status = 'Created'"
        row = state.one(query, (report_id,))
        if row is None:
            raise LinkError(404, "NoSuchKey", "the export does not exist")
        path = state.object_path(row["object"])
        return FileResponse(path, 200, filename=f"export-#{report_id}.json")

    return api


def _wish(project_id: str, body: CreateExport) -> Wish:
    return Wish(
        project_id=project_id,
        name=body.export_name,
        statuses=tuple(body.statuses),
        question_ids=None if "all" in body.question_ids else frozenset(body.question_ids),
        updated_after=body.updated_after_timestamp or 0,
    )


def _export(context: Context, project_id: str, report_id: str) -> sqlite3.Row:
    query = "SELECT * FROM exports WHERE id = ? AND project_id = ?"
    row = context.state.one(query, (report_id, project_id))
    if row is None:
        raise ApiError(404, f"export {report_id!r} not found in project {project_id!r}")
    return row


def _status(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "report_id": row["id"],
        "is_completed": row["status"] == "Created",
        "export_status": row["status"],
        "export_name": json.loads(row["wish"])["export_name"],
        "created_at": row["created_at"],
    }


def _advance(context: Context, row: sqlite3.Row) -> None:
    """One more poll of an export that is in progress; the last one writes the file."""
    fault = context.faults.of("export_never_ends", "export_fails", path=row["id"])
    status = "Processing"
    if fault is not None:
        status = "Failed" if fault.kind == "export_fails" else "Processing"
    elif due(row["polls"], row["ready_at"]):
        body = CreateExport.model_validate_json(row["wish"])
        questions = context.questions(context.project(row["project_id"]))
        path = context.state.object_path(row["object"])
        wish = _wish(row["project_id"], body)
        write_export(context.state, wish, body.export_format, row["id"], questions, path)
        status = "Created"
    with context.state.change() as db:
        query = "UPDATE exports SET polls = polls - 1, status = ? WHERE id = ?"
        db.execute(query, (status, row["id"]))
