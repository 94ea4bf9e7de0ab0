"""The routes of the pages, all below ``/review/TOKEN/``; the guard has looked at the token."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, Response

from labellerr_loopback.context import Context
from labellerr_loopback.control_token import REVIEW
from labellerr_loopback.envelope import ApiError, failure, success
from labellerr_loopback.files import require_revision
from labellerr_loopback.images import frame_jpeg
from labellerr_loopback.pages import reading
from labellerr_loopback.pages.html import render, status_words
from labellerr_loopback.pages.media import as_png, thumbnail
from labellerr_loopback.pages.reading import (
    PAGE,
    Filter,
    Show,
    cells,
    count,
    document,
    file_row,
    neighbours,
    progress,
    questions_of,
)
from labellerr_loopback.pages.saving import Change, save
from segtrack.base.labellerr_api import STATUSES
from segtrack.base.pages import HOUSE_STYLE

_STATIC = Path(__file__).parent / "static"
_FILES = {path.relative_to(_STATIC).as_posix(): path for path in _STATIC.rglob("*.*")}
_FILES[HOUSE_STYLE.name] = HOUSE_STYLE
_TYPES = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".mp4": "video/mp4",
}
# What was uploaded never changes; no other user's cache may keep it.
_FOREVER = {"Cache-Control": "private, max-age=31536000, immutable"}
_FRESH = {"Cache-Control": "no-store"}


def router(context: Context) -> APIRouter:
    """Pages, what they load, and what they save."""
    api = APIRouter(prefix=REVIEW + "{token}", tags=["review pages"])
    state = context.state

    def shown(template: str, token: str, **values: Any) -> HTMLResponse:
        root = f"{REVIEW}{quote(token, safe='')}/"
        return HTMLResponse(render(template, root=root, **values), headers=_FRESH)

    @api.get("/", include_in_schema=False)
    def index(token: str) -> HTMLResponse:
        return shown("projects.html", token, projects=progress(state))

    @api.get("/static/{name:path}", include_in_schema=False)
    def static(name: str) -> FileResponse:
        if name not in _FILES:
            raise ApiError(404, f"no such file: {name[:100]!r}")
        path = _FILES[name]
        kind = _TYPES.get(path.suffix)
        return FileResponse(path, media_type=kind, headers={"Cache-Control": "no-cache"})

    @api.get("/projects/{project_id}/", include_in_schema=False)
    def project(
        token: str,
        project_id: str,
        status: str | None = None,
        show: Show = "low",
        marked: bool = False,
        page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
    ) -> HTMLResponse:
        row = context.project(project_id)
        chosen = Filter(status, show, marked)
        total = count(state, project_id, chosen)
        (found,) = progress(state, project_id)
        return shown(
            "project.html",
            token,
            project=found,
            chosen=chosen,
            cells=cells(context, row, chosen, page),
            questions=questions_of(context, row),
            page=page,
            marked=reading.marked(state, project_id),
            pages=max(1, -(-total // PAGE)),
            total=total,
        )

    @api.get("/projects/{project_id}/files/{file_id}/", include_in_schema=False)
    def file(
        token: str,
        project_id: str,
        file_id: str,
        status: str | None = None,
        show: Show = "low",
        marked: bool = False,
    ) -> HTMLResponse:
        row = context.project(project_id)
        found, chosen = file_row(state, project_id, file_id), Filter(status, show, marked)
        return shown(
            "file.html",
            token,
            project=row,
            file=found,
            questions=questions_of(context, row),
            video=row["data_type"] == "video",
            beside=neighbours(state, project_id, found, chosen),
            chosen=chosen,
            words={status: status_words(status) for status in STATUSES},
        )

    @api.get("/projects/{project_id}/files/{file_id}/media", include_in_schema=False)
    def media(project_id: str, file_id: str) -> Response:
        row = file_row(state, project_id, file_id)
        path, suffix = state.object_path(row["object"]), Path(row["file_name"]).suffix.lower()
        if suffix not in _TYPES:
            return Response(as_png(path, row["file_name"]), 200, _FOREVER, "image/png")
        return FileResponse(path, media_type=_TYPES[suffix], headers=_FOREVER)

    @api.get("/projects/{project_id}/files/{file_id}/thumbnail", include_in_schema=False)
    def small(project_id: str, file_id: str) -> Response:
        row = file_row(state, project_id, file_id)
        data = thumbnail(state.object_path(row["object"]), row["file_name"])
        return Response(data, 200, _FOREVER, "image/jpeg")

    @api.get("/projects/{project_id}/files/{file_id}/frames/{number}", include_in_schema=False)
    def frame(project_id: str, file_id: str, number: int) -> Response:
        row = file_row(state, project_id, file_id)
        if row["data_type"] != "video":
            raise ApiError(404, f"{row['file_name']!r} is no video")
        data = frame_jpeg(state.object_path(row["object"]), number)
        return Response(data, 200, _FOREVER, "image/jpeg")

    @api.get("/projects/{project_id}/files/{file_id}/answers")
    def answers(token: str, project_id: str, file_id: str) -> JSONResponse:
        """Questions, answers, status and revision of a file."""
        found = document(context, context.project(project_id), file_id)
        return JSONResponse(success(found), headers=_FRESH)

    @api.patch("/projects/{project_id}/files/{file_id}/answers")
    def change(token: str, project_id: str, file_id: str, body: Change) -> JSONResponse:
        """Saves what a person changed, all or nothing; 409 with the file where it is outdated."""
        project = context.project(project_id)
        row = file_row(state, project_id, file_id)
        kinds = {q["id"]: q["kind"] for q in questions_of(context, project)}
        try:
            with state.change() as db:
                require_revision(db, project_id, file_id, body.revision)
                revision = save(db, project_id, file_id, body, kinds, row)
        except ApiError as error:
            if error.status != 409:
                raise
            now = document(context, project, file_id)
            return JSONResponse({**failure(409, error.message), "response": now}, 409, _FRESH)
        return JSONResponse(success({"revision": revision}), headers=_FRESH)

    return api
