"""Trying weights on somebody's own video or pictures: uploads, the choice, and the runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from segtrack.base.errors import DataError, SettingsError
from segtrack.runs import trained
from segtrack.view import trying
from segtrack.view.attempts import Attempts, command_of
from segtrack.view.html import render
from segtrack.view.library import Library
from segtrack.view.run_pages import FRESH
from segtrack.view.trying import Choice, Trained
from segtrack.view.uploads import TooLarge, Uploads, in_bytes

LISTED = 50  # runs that trained
_BLOCK = 1 << 20  # bytes that are written at once
_Count = Annotated[int, Field(ge=0, le=1 << 50)]


class Coming(BaseModel):
    """Files that are about to come, ``size`` bytes together."""

    size: _Count


class Wanted(BaseModel):
    """What somebody chose."""

    upload: Annotated[str, Field(max_length=60)]
    weights: Annotated[str, Field(max_length=100)]
    score: Annotated[float | None, Field(gt=0, lt=1)] = None
    tracker: Annotated[str, Field(max_length=60)] = ""
    classes: Annotated[list[Annotated[str, Field(max_length=100)]], Field(max_length=100)] = []

    @property
    def choice(self) -> Choice:
        """Without what concerns the upload."""
        named = tuple(dict.fromkeys(name.strip() for name in self.classes if name.strip()))
        return Choice(self.weights, self.score, self.tracker, named)


def same_origin(request: Request) -> None:
    """Refuse what another page sends, of another port of this machine too."""
    origin = request.headers.get("origin")
    if origin is not None and origin != f"http://{request.headers.get('host')}":
        raise HTTPException(403, "pages of other addresses cannot start anything here")


def router(library: Library, attempts: Attempts, root: str) -> APIRouter:
    """Routes below ``root``."""
    api = APIRouter(prefix="/try", dependencies=[Depends(same_origin)])
    uploads = Uploads(attempts.project)

    def known() -> dict[str, Trained]:
        found = trained(library.settings, library.scratch, LISTED)
        return {one.id: one for one in map(trying.trained_of, found)}

    def words(wanted: Wanted) -> list[str]:
        return trying.words_of(uploads.get(wanted.upload), wanted.choice, known())

    @api.get("/")
    def page(
        upload: Annotated[str, Query(max_length=60)] = "",
        weights: Annotated[str, Query(max_length=100)] = "",
    ) -> HTMLResponse:
        found = uploads.all()
        values: dict[str, Any] = {
            "uploads": found,
            "chosen": upload if any(one.key == upload for one in found) else "",
            "weights": weights or trying.SHIPPED,
            "runs": known().values(),
            "models": trying.models(),
            "trackers": trying.trackers(),
            "folder": uploads.folder,
            "in_bytes": in_bytes,
        }
        return HTMLResponse(render("upload.html", root=root, **values), headers=FRESH)

    @api.post("/uploads")
    def begin(coming: Coming) -> dict[str, str]:
        return {"key": uploads.begin(coming.size)}

    @api.put("/uploads/{key}/files")
    async def receive(
        request: Request, key: str, name: Annotated[str, Query(max_length=1000)]
    ) -> dict[str, str]:
        path = uploads.place(key, name)
        declared = request.headers.get("content-length", "")
        uploads.require_room(int(declared) if declared.isdecimal() else 0)
        await _receive(request, path)
        try:
            await run_in_threadpool(uploads.judge, path)
        except DataError as error:
            return {"refused": str(error)}  # one of perhaps thousands: the others still come
        return {"name": path.name}

    @api.post("/uploads/{key}/done")
    def done(key: str) -> dict[str, str]:
        made = uploads.finish(key)
        return {"key": made.key, "kind": made.kind, "name": made.name}

    @api.delete("/uploads/{key}")
    def remove(key: str) -> dict[str, str]:
        if attempts.uses(key):
            raise SettingsError("a run that goes on or waits needs this upload: end it first")
        uploads.remove(key)
        return {}

    @api.post("/command")
    def command(wanted: Wanted) -> dict[str, str]:
        return {"command": command_of([*words(wanted), *attempts.settings])}

    @api.post("/runs")
    def start(wanted: Wanted) -> dict[str, int]:
        upload = uploads.get(wanted.upload)
        made = attempts.start(upload.key, upload.name, upload.kind, words(wanted))
        return {"number": made.number}

    @api.get("/runs")
    def rows() -> JSONResponse:
        return JSONResponse(attempts.rows(), headers=FRESH)

    @api.post("/runs/{number}/end")
    def end(number: int) -> dict[str, str]:
        attempts.end(number)
        return {}

    return api


async def _receive(request: Request, path: Path) -> None:
    """Write a body as it comes; nothing of it stays where it does not come whole.

    Raises:
        TooLarge: the disk is full. DataError: it ended early.
    """
    whole = False
    try:
        with path.open("xb") as file:
            async for block in _blocks(request):
                await run_in_threadpool(file.write, block)
        whole = True
    except ClientDisconnect as error:
        raise DataError(f"{path.name}: did not come whole; upload it again") from error
    except OSError as error:
        raise TooLarge(
            f"{path.name}: cannot be written in {path.parent}: {error.strerror}"
        ) from error
    finally:
        if not whole:
            path.unlink(missing_ok=True)


async def _blocks(request: Request) -> AsyncIterator[bytes]:
    """A body in pieces of ``_BLOCK`` bytes, more or less."""
    parts: list[bytes] = []
    async for part in request.stream():
        parts.append(part)
        if sum(map(len, parts)) >= _BLOCK:
            yield b"".join(parts)
            parts.clear()
    yield b"".join(parts)
