"""The web application: routers, and one shape for every error."""

from __future__ import annotations

import errno
import re
import sqlite3
from typing import Any
from xml.sax.saxutils import escape

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.routing import APIRoute
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException

from labellerr_loopback import (
    control,
    datasets,
    exports,
    files,
    preannotations,
    projects,
    remarks,
    uploads,
)
from labellerr_loopback.behaviour import Behaviour
from labellerr_loopback.context import Context, LinkError
from labellerr_loopback.control_token import REVIEW
from labellerr_loopback.envelope import ApiError, failure
from labellerr_loopback.faults import Faults
from labellerr_loopback.guard import Cut, Guard
from labellerr_loopback.pages import router as pages
from labellerr_loopback.pages.html import error_page
from labellerr_loopback.state import State

_PARTS = (
    uploads,
    datasets,
    projects,
    files,
    preannotations,
    exports,
    control,
    remarks,
    pages,
)
_FULL = (errno.ENOSPC, errno.EDQUOT)
_ABOUT = """
A Labellerr that runs on this machine: the part of the platform's API that the SDK and this project
use. Every call needs the headers `api_key`, `api_secret` and `client_id` (or the query
`client_id`), except those under **control**, which need the token that was printed at the start
(header `X-Emulator-Token`; here: *Authorize*), and **storage**, whose links are signed.

To annotate: `GET /_emulator/projects/{id}/files`, then `POST` the answers and the status
`accepted` to the same path.
"""


def create_app(state: State, behaviour: Behaviour, faults: Faults, cut: Cut) -> FastAPI:
    """The application; ``cut`` closes the connection of a client's (host, port)."""
    # FastAPI's own pages load their scripts from the internet and stay white without it.
    app = FastAPIOffline(
        title="Labellerr emulator",
        description=_ABOUT,
        version="1",
        strict_content_type=False,
        static_url="/docs/static",
    )
    context = Context(state, behaviour, faults)
    for module in _PARTS:
        part = module.router(context)
        for route in part.routes:
            if isinstance(route, APIRoute):
                route.summary = _first_sentence(route.description)
        app.include_router(part)

    @app.exception_handler(ApiError)
    def api_error(request: Request, error: ApiError) -> Response:
        return _refusal(request, error.status, error.message, error.error)

    @app.exception_handler(LinkError)
    def link_error(request: Request, error: LinkError) -> Response:
        text = f"<Error><Code>{error.code}</Code><Message>{escape(error.message)}</Message></Error>"
        return Response(f"<?xml version='1.0'?>{text}", error.status, None, "application/xml")

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> Response:
        fields = [_field(detail) for detail in error.errors()]
        text = "; ".join(f"{f['field']}: {f['message']}" for f in fields[:5])
        return _refusal(request, 400, text, fields)

    @app.exception_handler(OverflowError)
    def out_of_range(request: Request, error: OverflowError) -> Response:
        return _refusal(request, 400, f"a number is out of range: {error}")

    @app.exception_handler(OSError)
    @app.exception_handler(sqlite3.OperationalError)
    def no_space(request: Request, error: Exception) -> Response:
        full = error.errno in _FULL if isinstance(error, OSError) else "full" in str(error)
        if not full:
            raise error
        text = f"no space is left in the folder of the emulator, {state.folder}"
        return _refusal(request, 507, text)

    @app.exception_handler(HTTPException)
    def http_error(request: Request, error: HTTPException) -> Response:
        text = f"{request.method} {request.url.path}: {error.detail}"
        return _refusal(request, error.status_code, text)

    app.add_middleware(Guard, behaviour=behaviour, faults=faults, cut=cut)
    return app


def _refusal(request: Request, status: int, message: str, error: Any = None) -> Response:
    """An error as who asks can read it: a page for people, else the API's envelope."""
    path = request.url.path
    if path.startswith(REVIEW) and "text/html" in request.headers.get("accept", ""):
        root = "/".join(path.split("/")[:3]) + "/"
        return HTMLResponse(error_page(f"This cannot be shown ({status})", message, root), status)
    return JSONResponse(failure(status, message, error), status)


def _first_sentence(text: str) -> str:
    return re.split(r"[.;]\s|\.$", text)[0]


def _field(detail: dict[str, Any]) -> dict[str, str]:
    where = ".".join(str(part) for part in detail["loc"][1:]) or str(detail["loc"][0])
    return {"field": where, "message": str(detail["msg"])}
