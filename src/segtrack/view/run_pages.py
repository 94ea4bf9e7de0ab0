"""The first page, and the page of one run."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from segtrack.runs import KeptRun, KeptSweep
from segtrack.view.html import render
from segtrack.view.library import Library

FRESH = {"Cache-Control": "no-store"}
_FIRST = (
    *("track/hota", "track/mota", "track/idf1", "track/mask_hota"),
    *("test/mask_map50_95", "test/box_map50_95", "val/mask_map50_95"),
)


def router(library: Library, root: str) -> APIRouter:
    """Routes below ``root``."""
    api = APIRouter()

    @api.get("/")
    def index() -> HTMLResponse:
        rows = [_row(one.key, one.held) for one in library.named]
        runs = [row for row in rows if not row["sweep"]]
        pairs = [(runs[0], other) for other in runs[1:]]
        page = render("index.html", root=root, rows=rows, pairs=pairs)
        return HTMLResponse(page, headers=FRESH)

    @api.get("/runs/{key}/")
    def run(key: str) -> HTMLResponse:
        found = library.run(key)
        videos = [
            {"name": one.name, "number": number, "film": library.source(one)[0] is not None}
            for number, one in enumerate(found.videos, start=1)
        ]
        others = [one for one in library.named if one.key != key and isinstance(one.held, KeptRun)]
        values: dict[str, Any] = {
            "run": found,
            "key": key,
            "videos": videos,
            "others": others,
            "pictures": found.evaluation is not None or found.dataset is not None,
            "mlflow": library.mlflow(found),
        }
        page = render("run.html", root=root, scores=scores_of(found), **values)
        return HTMLResponse(page, headers=FRESH)

    return api


def scores_of(run: KeptRun) -> list[tuple[str, str]]:
    """The scores that a run is known by, as people print them: in percent."""
    found = [(name, run.metrics[name]) for name in _FIRST if name in run.metrics]
    return [(name, f"{100 * value:.1f}") for name, value in found]


def _row(key: str, held: KeptRun | KeptSweep) -> dict[str, Any]:
    row = {"key": key, "name": held.name or key, "status": held.status, "sweep": False}
    if isinstance(held, KeptSweep):
        return {**row, "sweep": True, "scores": [], "videos": 0, "cells": len(held.cells)}
    return {**row, "scores": scores_of(held), "videos": len(held.videos), "cells": 0}
