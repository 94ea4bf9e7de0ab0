"""The cells of a sweep, with what they differ in and their scores."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from segtrack.runs import KeptSweep, differing
from segtrack.view.html import render
from segtrack.view.library import Library, Unknown
from segtrack.view.run_pages import FRESH, scores_of


def router(library: Library, root: str) -> APIRouter:
    """Routes below ``root``."""
    api = APIRouter()

    @api.get("/sweeps/{key}/")
    def sweep(key: str) -> HTMLResponse:
        found = library.get(key)
        if not isinstance(found, KeptSweep):
            raise Unknown(f"{found.name or key} is no sweep")
        settings = differing(found.cells) if len(found.cells) > 1 else {}
        scores = [dict(scores_of(cell)) for cell in found.cells]
        columns = list(dict.fromkeys(name for one in scores for name in one))
        cells: list[dict[str, Any]] = [
            {
                "key": cell.id,
                "name": cell.name or cell.id,
                "status": cell.status.lower(),
                "settings": [values[place] for values in settings.values()],
                "scores": [scores[place].get(name, "") for name in columns],
            }
            for place, cell in enumerate(found.cells)
        ]
        values = {"sweep": found, "settings": list(settings), "columns": columns, "cells": cells}
        return HTMLResponse(render("sweep.html", root=root, **values), headers=FRESH)

    return api
