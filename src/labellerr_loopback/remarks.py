"""Remarks on files, for people to look at: why a label is probably wrong, and where.

Only the pages show them. A real export has ``labellerr_file_remarks``, of which no sample with
content is public, so exports here leave it empty.
"""

from __future__ import annotations

import json
from typing import Any

from fastapi import APIRouter, Security
from fastapi.security import APIKeyHeader
from pydantic import BaseModel, ConfigDict, Field

from labellerr_loopback.context import Context
from labellerr_loopback.control_token import HEADER
from labellerr_loopback.envelope import ApiError, Body, success
from labellerr_loopback.guard import CONTROL
from labellerr_loopback.outlines import Outline


class Remark(BaseModel):
    """``outline`` is where to look, px of the image; without one it is the whole file."""

    model_config = ConfigDict(extra="forbid")

    file_name: str
    text: str = Field(min_length=1, max_length=500)
    outline: Outline | None = None


class Remarks(Body):
    """In the order of their rank, the most urgent first."""

    remarks: list[Remark] = Field(max_length=100_000)


def router(context: Context) -> APIRouter:
    """Endpoints below ``CONTROL``."""
    described = Security(APIKeyHeader(name=HEADER, auto_error=False))
    api = APIRouter(prefix=CONTROL, tags=["control"], dependencies=[described])
    state = context.state

    @api.get("/projects/{project_id}/remarks")
    def listing(project_id: str) -> dict[str, Any]:
        """Remarks on files of a project, the most urgent first."""
        context.project(project_id)
        rows = state.all(
            "SELECT p.file_name, r.text, r.outline FROM remarks r JOIN project_files p"
            " ON p.project_id = r.project_id AND p.file_id = r.file_id"
            " WHERE r.project_id = ? ORDER BY r.seq",
            (project_id,),
        )
        return success([{**dict(row), "outline": json.loads(row["outline"])} for row in rows])

    @api.post("/projects/{project_id}/remarks")
    def replace(project_id: str, body: Remarks) -> dict[str, Any]:
        """Replaces the remarks of a project: all of them, or none."""
        context.project(project_id)
        with state.change() as db:
            query = "SELECT file_name, file_id FROM project_files WHERE project_id = ?"
            ids = {row["file_name"]: row["file_id"] for row in db.execute(query, (project_id,))}
            missing = [one.file_name for one in body.remarks if one.file_name not in ids]
            if missing:
                raise ApiError(404, f"project {project_id!r} has no file {missing[0]!r}")
            db.execute("DELETE FROM remarks WHERE project_id = ?", (project_id,))
            db.executemany(
                "INSERT INTO remarks (project_id, file_id, text, outline) VALUES (?, ?, ?, ?)",
                (
                    (project_id, ids[one.file_name], one.text, json.dumps(one.outline))
                    for one in body.remarks
                ),
            )
        return success({"remarks": len(body.remarks)})

    return api
