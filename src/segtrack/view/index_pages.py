"""The first page: what was named, and all runs of the experiment, searched and in order."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from segtrack.base.errors import SegtrackError
from segtrack.runs import KeptRun, KeptSweep, Recent
from segtrack.view.html import render
from segtrack.view.library import Library, Shelf, Unknown
from segtrack.view.run_pages import FRESH, SCORES, scores_of
from segtrack.view.words import STATES, cells_text, took, tracked, what_of

_Text = Annotated[str, Query(max_length=200)]


def router(library: Library, root: str) -> APIRouter:
    """Routes below ``root``."""
    api = APIRouter()

    @api.get("/")
    def index(
        text: _Text = "", status: _Text = "", by: _Text = "", after: _Text = ""
    ) -> HTMLResponse:
        named = [_card(one.key, _now(library, one)) for one in library.named]
        runs = [card for card in named if not card["sweep"]]
        pairs = [(runs[0], other) for other in runs[1:]]
        values: dict[str, Any] = {"root": root, "named": named, "pairs": pairs, "states": STATES}
        try:
            values |= _listed(library, text, status, by, after)
        except Unknown:
            raise
        except SegtrackError as error:  # what was named can be looked at without
            values |= {"rows": [], "columns": [], "trouble": str(error)}
            values |= _asked(text, status, by, after, "")
        return HTMLResponse(render("index.html", **values), headers=FRESH)

    @api.get("/rows")
    def rows(
        text: _Text = "", status: _Text = "", by: _Text = "", after: _Text = ""
    ) -> HTMLResponse:
        """The same list as it is now."""
        values = _listed(library, text, status, by, after)
        return HTMLResponse(render("rows.html", root=root, **values), headers=FRESH)

    return api


def _listed(library: Library, text: str, status: str, by: str, after: str) -> dict[str, Any]:
    for given, known in ((status, STATES), (by, SCORES)):
        if given and given not in known:
            raise Unknown(f"{given!r}: only {', '.join(known)} are known")
    found, following = library.recent(text=text, status=status, by=by, after=after)
    rows = [_row(one) for one in found]
    columns = [name for name in SCORES if any(name in row["scores"] for row in rows)]
    asked = _asked(text, status, by, after, following)
    return {"rows": rows, "columns": columns, "trouble": "", **asked}


def _asked(text: str, status: str, by: str, after: str, following: str) -> dict[str, Any]:
    """What is looked for, and addresses of the same in another order, and of the next page."""
    asked = {key: value for key, value in (("text", text), ("status", status)) if value}
    orders = {
        name: f"?{urlencode(asked | ({'by': name} if name else {}))}" for name in ("", *SCORES)
    }
    here = asked | ({"by": by} if by else {})
    return {
        "asked": {"text": text, "status": status, "by": by, "after": after},
        "orders": orders,
        "older": f"?{urlencode(here | {'after': following})}" if following else "",
        "first": f"?{urlencode(here)}",
        "query": urlencode(here | ({"after": after} if after else {})),
    }


def _row(one: Recent) -> dict[str, Any]:
    run, sweep = one.run, one.cells is not None
    return {
        "key": run.id,
        "name": run.name or run.id,
        "place": "sweeps" if sweep else "runs",
        "status": run.status.lower(),
        "running": run.running,
        "started": run.started,
        "took": took(run),
        "what": what_of(run) if one.cells is None else cells_text(one.cells),
        "error": "" if run.running else run.tags.get("error", ""),
        "scores": {} if sweep else dict(scores_of(run)),
        "tracked": not sweep and tracked(run) and not run.running,
    }


def _now(library: Library, one: Shelf) -> KeptRun | KeptSweep:
    """As it is by now, if it can still be read."""
    try:
        return library.get(one.key)
    except Unknown:
        return one.held


def _card(key: str, held: KeptRun | KeptSweep) -> dict[str, Any]:
    card = {"key": key, "name": held.name or key, "status": held.status, "sweep": False}
    if isinstance(held, KeptSweep):
        return {**card, "sweep": True, "scores": [], "videos": 0, "cells": len(held.cells)}
    return {**card, "scores": scores_of(held), "videos": len(held.videos), "cells": 0}
