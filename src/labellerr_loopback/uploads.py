"""Files in: connections, signed links, and the resumable uploads behind them."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator
from dataclasses import astuple
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from labellerr_loopback.context import Context, LinkError
from labellerr_loopback.envelope import ApiError, Body, new_id, success
from labellerr_loopback.images import frame_jpeg, read_media
from labellerr_loopback.state import now_ms
from segtrack.base.atomic import settle

_RANGE = re.compile(r"bytes (?:(\d{1,15})-(\d{1,15})|\*)/(\d{1,15})")
_PURPOSES = ("pre-annotations",)


class Connect(Body):
    """Names without folders; the same connection may be used by several calls."""

    file_names: list[str] = Field(min_length=1, max_length=10_000)
    temporary_connection_id: str | None = Field(None, pattern=r"^[A-Za-z0-9_-]{1,64}$")


def check_name(name: str) -> str:
    """A file name as it may be stored.

    Raises:
        ApiError: 400 where it has a folder, is too long or has characters that no file name has.
    """
    bad = not name.strip() or name in (".", "..") or len(name.encode("utf-8", "replace")) > 255
    if bad or re.search(r"[/\\\x00-\x1f\x7f\ud800-\udfff]", name):
        raise ApiError(400, f"not a file name: {name[:100]!r}; send names without folders")
    return name


def router(context: Context) -> APIRouter:
    """Endpoints under ``/connectors`` and ``/storage``."""
    api = APIRouter()
    state = context.state

    @api.post("/connectors/connect/local", tags=["upload"])
    def connect_local(body: Connect, request: Request) -> dict[str, Any]:
        """Signed links for a batch of files, by name."""
        names = list(dict.fromkeys(check_name(name) for name in body.file_names))
        connection = body.temporary_connection_id or new_id()
        links = {}
        with state.change() as db:
            db.execute("INSERT OR IGNORE INTO connections VALUES (?, ?)", (connection, now_ms()))
            for name in names:
                row = (new_id(), connection, name)
                query = (
                    "INSERT INTO uploads (id, connection_id, file_name) VALUES (?, ?, ?) "
                    "ON CONFLICT DO UPDATE SET file_name = file_name RETURNING id"
                )
                upload = db.execute(query, row).fetchone()["id"]
                links[name] = context.link(request, f"/storage/upload/{upload}")
        return success({"temporary_connection_id": connection, "resumable_upload_links": links})

    @api.get("/connectors/direct-upload-url", tags=["upload"])
    def direct_upload_url(request: Request, purpose: str, file_name: str) -> dict[str, Any]:
        """A link for one PUT; ``file_name`` is ``{project_id}/{format}-{name}``."""
        if purpose not in _PURPOSES:
            raise ApiError(400, f"purpose must be one of {_PURPOSES}, got {purpose!r}")
        parts = file_name.split("/")
        if len(parts) != 2:
            raise ApiError(400, f"file_name must be PROJECT/NAME, got {file_name[:100]!r}")
        for part in parts:
            check_name(part)
        context.project(parts[0])
        with state.change() as db:
            row = (file_name, new_id())
            query = "INSERT INTO direct VALUES (?, ?) ON CONFLICT DO UPDATE SET object = object"
            name = db.execute(query + " RETURNING object", row).fetchone()["object"]
        return success(context.link(request, f"/storage/direct/{name}"))

    @api.post("/storage/upload/{upload_id}", tags=["storage"], status_code=201)
    def start(upload_id: str, request: Request) -> Response:
        """Begins a resumable upload; the Location header is where the bytes go."""
        context.check_link(request)
        if request.headers.get("x-goog-resumable") != "start":
            raise LinkError(400, "InvalidArgument", "the header x-goog-resumable: start is missing")
        session = new_id()
        with state.change() as db:
            query = "UPDATE uploads SET session = ? WHERE id = ?"
            if not db.execute(query, (session, upload_id)).rowcount:
                raise LinkError(404, "NoSuchUpload", "the upload does not exist")
        base = str(request.base_url).rstrip("/")
        return Response(status_code=201, headers={"Location": f"{base}/storage/session/{session}"})

    @api.put("/storage/session/{session}", tags=["storage"])
    async def put(session: str, request: Request) -> Response:
        """The bytes, whole or from where a cut upload stopped; ``bytes */SIZE`` asks for that."""
        query = "SELECT * FROM uploads WHERE session = ?"
        row = await run_in_threadpool(state.one, query, (session,))
        if row is None:
            raise LinkError(404, "NoSuchUpload", "the upload session does not exist")
        if row["finished"] and row["object"] == session:
            return Response(status_code=200)
        path = state.object_path(session)
        have = path.stat().st_size if path.exists() else 0
        first, last, total = _content_range(request)
        if first is None:
            return _incomplete(have)
        if first not in (0, have):
            text = f"{have} bytes are here, the range begins at {first}"
            raise LinkError(400, "InvalidContentRange", text)
        try:
            have = await _write(path, first, last + 1, request.stream())
            if have != last + 1:
                text = f"the range ends at {last}, got {have}"
                raise LinkError(400, "InvalidContentRange", text)
        except ClientDisconnect:  # what arrived stays, to go on from
            return Response(status_code=499)
        except BaseException:
            _back_to(path, first)
            raise
        if have < total:
            return _incomplete(have)
        await run_in_threadpool(finish, session, row["file_name"], path)
        return Response(status_code=200)

    def finish(session: str, file_name: str, path: Path) -> None:
        media = read_media(path, file_name)
        values = (None,) * 5 if media is None else astuple(media)
        with state.change() as db:
            db.execute(
                "UPDATE uploads SET finished = 1, puts = puts + 1, size = ?, object = session, "
                "width = ?, height = ?, format = ?, frames = ?, fps = ? WHERE session = ?",
                (path.stat().st_size, *values, session),
            )

    @api.put("/storage/direct/{name}", tags=["storage"])
    async def put_direct(name: str, request: Request) -> Response:
        """The whole body at once, as annotation files come."""
        context.check_link(request)
        query = "SELECT 1 FROM direct WHERE object = ?"
        if await run_in_threadpool(state.one, query, (name,)) is None:
            raise LinkError(404, "NoSuchUpload", "the upload does not exist")
        limit = context.behaviour.limits.annotation_bytes
        partial = state.object_path(new_id())
        try:
            if await _write(partial, 0, limit, request.stream()) > limit:
                raise LinkError(413, "EntityTooLarge", f"more than {limit} bytes")
            settle(partial, state.object_path(name))
        except ClientDisconnect:
            return Response(status_code=499)
        finally:
            partial.unlink(missing_ok=True)
        return Response(status_code=200)

    @api.get("/storage/files/{file_id}", tags=["storage"])
    def download(file_id: str, request: Request) -> FileResponse:
        """The bytes of a file, by a signed link."""
        context.check_link(request)
        row = state.one("SELECT object, file_name FROM files WHERE id = ?", (file_id,))
        if row is None:
            raise LinkError(404, "NoSuchKey", "the file does not exist")
        return FileResponse(state.object_path(row["object"]), filename=row["file_name"])

    @api.get("/storage/frames/{file_id}/{number}", tags=["storage"])
    def frame(file_id: str, number: Annotated[int, Field(ge=0)], request: Request) -> Response:
        """One frame of a video as JPEG, by a signed link."""
        context.check_link(request)
        query = "SELECT object FROM files WHERE id = ? AND data_type = 'video'"
        row = state.one(query, (file_id,))
        if row is None:
            raise LinkError(404, "NoSuchKey", "the video does not exist")
        return Response(
            frame_jpeg(state.object_path(row["object"]), number), 200, None, "image/jpeg"
        )

    return api


def _content_range(request: Request) -> tuple[int | None, int, int]:
    """First and last byte and total size; first is None where only the state is asked for."""
    text = request.headers.get("content-range")
    if text is None:
        size = int(request.headers.get("content-length", "0"))
        text = f"bytes 0-{size - 1}/{size}"
    match = _RANGE.fullmatch(text)
    if match is None or (match[1] and not int(match[1]) <= int(match[2]) < int(match[3])):
        raise LinkError(400, "InvalidContentRange", f"not a range of bytes: {text[:60]!r}")
    if match[1] is None:
        return None, 0, int(match[3])
    return int(match[1]), int(match[2]), int(match[3])


async def _write(path: Path, at: int, limit: int, stream: AsyncIterator[bytes]) -> int:
    """Write from byte ``at``; returns the size, which passes ``limit`` by one chunk at most."""
    with path.open("r+b" if path.exists() else "wb") as file:
        file.truncate(at)
        file.seek(at)
        async for chunk in stream:
            file.write(chunk)
            if file.tell() > limit:
                break
        return file.tell()


def _back_to(path: Path, size: int) -> None:
    """Forget what a refused body wrote behind byte ``size``."""
    if size:
        os.truncate(path, size)
    else:
        path.unlink(missing_ok=True)


def _incomplete(have: int) -> Response:
    headers = {"Range": f"bytes=0-{have - 1}"} if have else None
    return Response(status_code=308, headers=headers)
