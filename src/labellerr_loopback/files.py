"""Files of a project: search, statuses, links, key frames."""

from __future__ import annotations

import sqlite3
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from labellerr_loopback.behaviour import Quirks
from labellerr_loopback.context import Context
from labellerr_loopback.datasets import file_record
from labellerr_loopback.envelope import ApiError, Body, success
from labellerr_loopback.state import now_ms, raise_revisions, revision_of
from segtrack.base.labellerr_api import ASSIGNED_STATUSES, NOT_ASSIGNED, STATUSES

_WANTED = 1000  # SQLite takes 32,766 values in one query


class Search(Body):
    """``search_queries`` knows the keys ``status`` and ``file_name``, each a text or a list."""

    search_queries: dict[str, Any] = Field(default_factory=dict)
    size: int = Field(10, ge=1, le=10_000)
    next_search_after: str | None = None


class BulkAssign(Body):
    file_ids: list[str] = Field(min_length=1)
    new_status: str
    assign_to: str | None = None


class FileIds(Body):
    file_ids: list[str] = Field(min_length=1, max_length=1000)


class KeyFrame(BaseModel):
    frame_number: int = Field(ge=0)
    is_manual: bool = True
    method: str | None = "manual"
    source: str | None = "manual"


class KeyFrames(Body):
    project_id: str
    file_id: str
    keyframes: list[KeyFrame] = Field(min_length=1)


class KeyFrameNumbers(Body):
    project_id: str
    file_id: str
    keyframes: list[int] = Field(min_length=1)


def router(context: Context) -> APIRouter:
    """Endpoints under ``/search/project_files``, ``/actions/files`` and ``/cdn-web``."""
    api = APIRouter(tags=["project files"])
    state = context.state

    @api.post("/search/project_files")
    def search(project_id: str, body: Search) -> dict[str, Any]:
        """Files of a project by pages, ordered by id."""
        context.project(project_id)
        where, values = _conditions(body.search_queries)
        rows = state.all(
            "SELECT f.*, p.status, p.assigned_to FROM project_files p JOIN files f"
            f" ON f.id = p.file_id WHERE p.project_id = ? AND p.file_id > ?{where}"
            " ORDER BY p.file_id LIMIT ?",
            (project_id, body.next_search_after or "", *values, body.size + 1),
        )
        page = rows[: body.size]
        after = page[-1]["id"] if len(rows) > body.size else None
        files = [
            {**file_record(row), "status": row["status"], "assigned_to": row["assigned_to"]}
            for row in page
        ]
        return success({"files": files, "next_search_after": after})

    @api.post("/actions/files/bulk_assign")
    def bulk_assign(project_id: str, body: BulkAssign) -> dict[str, Any]:
        """Moves files to another status, or stage of the work: all of them, or none."""
        context.project(project_id)
        status = _assigned(context.behaviour.quirks, body)
        with state.change() as db:
            for file_id in body.file_ids:
                set_status(db, project_id, file_id, status)
                if body.assign_to:
                    db.execute(
                        "UPDATE project_files SET assigned_to = ?"
                        " WHERE project_id = ? AND file_id = ?",
                        (body.assign_to, project_id, file_id),
                    )
        return success({"updated": len(body.file_ids), "new_status": body.new_status})

    @api.post("/cdn-web/files_links")
    def links(project_id: str, body: FileIds, request: Request) -> dict[str, Any]:
        """Signed links to the bytes of files."""
        found = []
        for file_id in body.file_ids:
            _inside(context, project_id, file_id)
            link = context.link(request, f"/storage/files/{file_id}")
            found.append({"file_id": file_id, "url": link})
        return success({"fileLinks": found}, fileLinks=found)

    @api.post("/actions/add_update_keyframes")
    def add_keyframes(body: KeyFrames) -> dict[str, Any]:
        """Adds key frames to a video, or replaces those of the same number."""
        _inside(context, body.project_id, body.file_id)
        rows = [
            (body.project_id, body.file_id, k.frame_number, k.is_manual, k.method, k.source)
            for k in body.keyframes
        ]
        with state.change() as db:
            db.executemany("INSERT OR REPLACE INTO keyframes VALUES (?, ?, ?, ?, ?, ?)", rows)
        return success({"keyframes": len(rows)})

    @api.post("/actions/delete_keyframes")
    def delete_keyframes(body: KeyFrameNumbers) -> dict[str, Any]:
        """Deletes key frames of a video, by number."""
        _inside(context, body.project_id, body.file_id)
        rows = [(body.project_id, body.file_id, number) for number in body.keyframes]
        with state.change() as db:
            query = (
                "DELETE FROM keyframes WHERE project_id = ? AND file_id = ? AND frame_number = ?"
            )
            db.executemany(query, rows)
        return success({"keyframes": len(rows)})

    return api


def check_status(status: str) -> None:
    if status not in STATUSES:
        raise ApiError(400, f"status {status!r} is none of {', '.join(STATUSES)}")


def _assigned(quirks: Quirks, body: BulkAssign) -> str:
    """The status that files get; ``annotation`` gives them back to those who annotate."""
    if quirks.of_2026:
        if body.new_status not in ASSIGNED_STATUSES:
            text = f"new_status {body.new_status!r} is none of {', '.join(ASSIGNED_STATUSES)}"
            raise ApiError(400, text)
        if body.assign_to and body.assign_to not in quirks.users:
            raise ApiError(400, f"assign_to: no user {body.assign_to!r} in this workspace")
    if body.new_status == "annotation":
        return "assigned" if body.assign_to else NOT_ASSIGNED
    check_status(body.new_status)
    return body.new_status


def set_status(db: sqlite3.Connection, project_id: str, file_id: str, status: str) -> None:
    """Set it, and note that the file was changed.

    Raises:
        ApiError: 404 where the project has no such file.
    """
    query = (
        "UPDATE project_files SET status = ?, updated_at = ? WHERE project_id = ? AND file_id = ?"
    )
    if not db.execute(query, (status, now_ms(), project_id, file_id)).rowcount:
        raise ApiError(404, f"file {file_id!r} is not in project {project_id!r}")
    raise_revisions(db, project_id, [file_id])


def require_revision(db: sqlite3.Connection, project_id: str, file_id: str, revision: int) -> None:
    """Look whether a file's answers and status are still those that somebody has seen.

    Raises:
        ApiError: 409 where they changed since.
    """
    if revision_of(db, project_id, file_id) != revision:
        text = "somebody else changed this file since it was shown; load it again"
        raise ApiError(409, text)


def _inside(context: Context, project_id: str, file_id: str) -> None:
    query = "SELECT 1 FROM project_files WHERE project_id = ? AND file_id = ?"
    if context.state.one(query, (project_id, file_id)) is None:
        raise ApiError(404, f"file {file_id!r} is not in project {project_id!r}")


def _conditions(queries: dict[str, Any]) -> tuple[str, list[str]]:
    where = ""
    values: list[str] = []
    for key, wanted in queries.items():
        if key not in ("status", "file_name"):
            raise ApiError(400, f"search_queries: {key!r} is neither 'status' nor 'file_name'")
        wanted = [wanted] if isinstance(wanted, str) else wanted
        texts = isinstance(wanted, list) and all(isinstance(v, str) for v in wanted)
        if not texts or len(wanted) > _WANTED:
            text = f"search_queries: {key!r} must be a text or a list of at most {_WANTED} texts"
            raise ApiError(400, text)
        where += f" AND p.{key} IN ({', '.join('?' * len(wanted))})"
        values += wanted
    return where, values
