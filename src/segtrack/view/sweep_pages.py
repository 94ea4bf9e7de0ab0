"""The page of a sweep, and what it asks for, again and again while the sweep runs."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, JSONResponse

from segtrack.runs import KeptSweep
from segtrack.view.html import render
from segtrack.view.library import Library, Unknown
from segtrack.view.run_pages import FRESH
from segtrack.view.sweeps import sweep_document


def router(library: Library, root: str) -> APIRouter:
    """Routes below ``root``."""
    api = APIRouter()

    @api.get("/sweeps/{key}/")
    def page(key: str) -> HTMLResponse:
        found = _sweep(library, key)
        mlflow = library.mlflow(found.parent)
        shown = render("sweep.html", root=root, sweep=found, mlflow=mlflow)
        return HTMLResponse(shown, headers=FRESH)

    @api.get("/sweeps/{key}/cells")
    def cells(key: str) -> JSONResponse:
        return JSONResponse(sweep_document(_sweep(library, key)), headers=FRESH)

    return api


def _sweep(library: Library, key: str) -> KeptSweep:
    found = library.get(key)
    if not isinstance(found, KeptSweep):
        raise Unknown(f"{found.name or key} is no sweep")
    return found
