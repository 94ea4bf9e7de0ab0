"""The page of two runs on the same video, in step."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from fastapi import APIRouter
from fastapi.responses import HTMLResponse, JSONResponse

from segtrack import scoring
from segtrack.base.claims import said
from segtrack.base.errors import DataError
from segtrack.base.statistics import compare
from segtrack.report import PALETTE
from segtrack.runs import KeptRun, differing
from segtrack.view.differences import differences
from segtrack.view.html import render
from segtrack.view.library import Library, Unknown
from segtrack.view.run_pages import FRESH

LEVEL = 0.95


def router(library: Library, root: str) -> APIRouter:
    """Routes below ``root``."""
    api = APIRouter()
    both = "/compare/{key}/{other}"

    @api.get(both + "/")
    def runs(key: str, other: str) -> HTMLResponse:
        a, b = library.run(key), library.run(other)
        page = render("compare.html", root=root, key=key, other=other, **_facts(a, b))
        return HTMLResponse(page, headers=FRESH)

    @api.get(both + "/{number}/")
    def video(key: str, other: str, number: int) -> HTMLResponse:
        a, b = library.run(key), library.run(other)
        places = (key, number), (other, _same(library, key, other, number))
        sides = [
            {
                "at": f"{root}runs/{run}/videos/{place}/",
                **library.video(run, place).about(),
                "run": f"{letter}  {held.name or run}",
                "palette": PALETTE,
            }
            for (run, place), letter, held in zip(places, "AB", (a, b), strict=True)
        ]
        if len({(one["width"], one["height"]) for one in sides}) > 1:
            raise DataError(f"{sides[0]['name']}: the videos of A and B are of different sizes")
        values = {**_facts(a, b), "name": sides[0]["name"], "sides": json.dumps(sides)}
        page = render("compared.html", root=root, key=key, other=other, **values)
        return HTMLResponse(page, headers=FRESH)

    @api.get(both + "/{number}/differences")
    def where(key: str, other: str, number: int) -> JSONResponse:
        a = library.video(key, number).index
        b = library.video(other, _same(library, key, other, number)).index
        if not (a.wait(0) and b.wait(0)):
            return JSONResponse({"read": min(a.share, b.share), "marks": None}, headers=FRESH)
        return JSONResponse({"read": 1, "marks": differences(a, b)}, headers=FRESH)

    return api


def _same(library: Library, key: str, other: str, number: int) -> int:
    """The number that a video of a run has in another run."""
    name = library.kept_video(key, number).name
    names = [one.name for one in library.run(other).videos]
    if name not in names:
        raise Unknown(f"{name}: B did not track in it, but in {', '.join(names) or 'nothing'}")
    return names.index(name) + 1


def _facts(a: KeptRun, b: KeptRun) -> dict[str, Any]:
    """What is said of both: videos that both have, settings that differ, scores with intervals."""
    theirs = {one.name for one in b.videos}
    shared = [(n, one.name) for n, one in enumerate(a.videos, start=1) if one.name in theirs]
    facts = {"a": a, "b": b, "shared": shared, "differing": differing([a, b])}
    try:
        return {**facts, **compared(a, b), "why": ""}
    except DataError as error:
        return {**facts, "rows": [], "claim": "", "why": str(error)}


def compared(a: KeptRun, b: KeptRun) -> dict[str, Any]:
    """Scores of both and their difference, as ``segtrack compare A B`` says it.

    Returns:
        ``rows`` of metric, A, B, difference, low, high (points; None where unknown) and whether it
        can be told; ``claim`` in words.

    Raises:
        DataError: they were not scored on the same sequences.
    """
    if not a.scores or not b.scores:
        return {"rows": [], "claim": ""}
    kind = scoring.kind_of(list(a.scores))
    units = [scoring.units({one.name: one for one in run.scores}, kind, None) for run in (a, b)]
    scoring.check_paired(units[0], units[1], (a.label, b.label))
    first, second = (scoring.estimates([one], scoring.METRICS) for one in units)
    rows, claim = [], ""
    for metric in scoring.METRICS:
        gap = compare(first[metric], second[metric], LEVEL)
        means = (float(np.mean(one[metric].whole)) for one in (first, second))
        values = (*means, gap.difference, gap.low, gap.high)
        points = [None if value != value else 100 * float(value) for value in values]
        rows.append((metric, *points, gap.told))
        claim = claim or said(metric, gap, level=LEVEL)[0] + "."
    return {"rows": rows, "claim": claim}
