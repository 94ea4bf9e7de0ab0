"""How far a run is, for its page, which asks every two seconds."""

from __future__ import annotations

import hashlib
import math
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse

from segtrack.runs import KeptRun, LogPart, curve_names, curves_of, log_part, stages_of
from segtrack.view.library import Library
from segtrack.view.run_pages import FRESH
from segtrack.view.words import took

_ENDS = ("error: ", "interrupted")
_TIME = len("2026-01-01 00:00:00 ")  # with which each line of a log begins


def router(library: Library, root: str) -> APIRouter:
    """Routes below ``root``."""
    api = APIRouter()

    @api.get("/runs/{key}/now")
    def now(key: str, start: Annotated[int, Query(ge=-1, le=1 << 40)] = -1) -> JSONResponse:
        return JSONResponse(_now(library.run(key), start), headers=FRESH)

    @api.get("/runs/{key}/curves")
    def curves(key: str) -> JSONResponse:
        charts = [
            {"name": name, "lines": {line: _finite(rows) for line, rows in lines.items()}}
            for name, lines in curves_of(library.run(key)).items()
        ]
        return JSONResponse({"charts": charts}, headers=FRESH)

    return api


def _now(run: KeptRun, start: int) -> dict[str, Any]:
    log = log_part(run, start)
    last = [(name, run.metrics[name]) for name in curve_names(run)]
    return {
        "status": run.status.lower(),
        "running": run.running,
        "took": took(run),
        "stages": [vars(stage) for stage in stages_of(run)],
        "said": "" if log is None or run.status == "FINISHED" else _said(log, run.running),
        "log": log and vars(log),
        "where": "" if log else _where(run),
        "curves": hashlib.sha256(repr(last).encode()).hexdigest()[:16] if last else "",
    }


def _said(log: LogPart, running: bool) -> str:
    """The last line; of what has ended the last before how it ended, which is told beside it."""
    lines = [line[_TIME:].strip() for line in log.text.splitlines()]
    told = [line for line in lines if line and (running or not line.startswith(_ENDS))]
    return told[-1] if told else ""


def _where(run: KeptRun) -> str:
    if not run.running:
        return "It kept no log."
    host = run.tags.get("segtrack.host", "another machine")
    return f"The log is on {host} while it runs."


def _finite(rows: list[tuple[int, float]]) -> list[tuple[int, float | None]]:
    """JSON knows no NaN."""
    return [(step, value if math.isfinite(value) else None) for step, value in rows]
