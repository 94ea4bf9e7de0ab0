"""The web application: routes of all pages, and one shape for every error."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse
from starlette.exceptions import HTTPException

from segtrack.base.errors import SegtrackError
from segtrack.base.pages import HOUSE_STYLE
from segtrack.base.secrets import without_secrets
from segtrack.view import (
    compare_pages,
    download_pages,
    image_pages,
    index_pages,
    live_pages,
    people_pages,
    run_pages,
    sweep_pages,
    upload_pages,
    video_pages,
)
from segtrack.view.attempts import Attempts
from segtrack.view.guard import PREFIX, Guard
from segtrack.view.html import error_page
from segtrack.view.library import Library, Unknown

_STATIC = Path(__file__).parent / "static"
_FILES = {path.relative_to(_STATIC).as_posix(): path for path in _STATIC.rglob("*.*")}
_FILES[HOUSE_STYLE.name] = HOUSE_STYLE
_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_PARTS = (
    *(index_pages, run_pages, live_pages, video_pages, compare_pages),
    *(image_pages, sweep_pages, download_pages, people_pages),
)


def create_app(library: Library, attempts: Attempts, token: str) -> FastAPI:
    """The application, behind its guard."""
    app = FastAPI(title="segtrack view", openapi_url=None, docs_url=None, redoc_url=None)
    root = f"{PREFIX}{quote(token, safe='')}"
    for part in _PARTS:
        app.include_router(part.router(library, f"{root}/"), prefix=root)
    app.include_router(upload_pages.router(library, attempts, f"{root}/"), prefix=root)

    @app.get(root + "/static/{name:path}")
    def static(name: str) -> FileResponse:
        if name not in _FILES:
            raise Unknown(f"no such file: {name[:100]!r}")
        path = _FILES[name]
        kind = _TYPES.get(path.suffix)
        return FileResponse(path, media_type=kind, headers={"Cache-Control": "no-cache"})

    @app.exception_handler(SegtrackError)
    def refused(request: Request, error: SegtrackError) -> Response:
        return _refusal(request, 404 if isinstance(error, Unknown) else 422, str(error))

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> Response:
        texts = (f"{one['loc'][-1]}: {one['msg']}" for one in error.errors()[:3])
        return _refusal(request, 400, "; ".join(texts))

    @app.exception_handler(HTTPException)
    def http_error(request: Request, error: HTTPException) -> Response:
        return _refusal(request, error.status_code, str(error.detail))

    def _refusal(request: Request, status: int, text: str) -> Response:
        """As who asks can read it; the address of a server may hold a password."""
        text = without_secrets(text)
        if "text/html" in request.headers.get("accept", ""):
            page = error_page(f"This cannot be shown ({status})", text, f"{root}/")
            return HTMLResponse(page, status)
        return JSONResponse({"error": text}, status)

    app.add_middleware(Guard, token=token)
    return app
