"""The page of one run."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from segtrack.base.names import level
from segtrack.runs import KeptRun, asked_for
from segtrack.view.download_pages import files_of, files_of_pictures
from segtrack.view.html import render
from segtrack.view.library import Library
from segtrack.view.people_pages import HEAD, here, judgement_of
from segtrack.view.words import ending, took, with_people

FRESH = {"Cache-Control": "no-store"}
SCORES = (
    *("track/hota", "track/mota", "track/idf1", "track/mask_hota"),
    *("test/mask_map50_95", "test/box_map50_95", "val/mask_map50_95"),
)

OF_VIDEO = {"hota": "HOTA", "mota": "MOTA", "idf1": "IDF1", "mask_hota": "mask HOTA"}


def router(library: Library, root: str) -> APIRouter:
    """Routes below ``root``."""
    api = APIRouter()

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
            "downloads": [(one.name, n, files_of(one)) for n, one in enumerate(found.videos, 1)],
            "tables": files_of_pictures(found),
            "pictures": found.evaluation is not None or found.dataset is not None,
            "sweep": library.name_of(found.parent) if found.parent else "",
            "people": with_people(found),
            "judged": judgement_of(found),
            "judged_head": HEAD,
            "platform_here": here(found),
            "meant_to_track": "track" in asked_for(found),
            "took": took(found),
            "ending": ending(found),
            "mlflow": library.mlflow(found),
        }
        page = render("run.html", root=root, scores=scores_of(found), **values)
        return HTMLResponse(page, headers=FRESH)

    return api


def scores_of(run: KeptRun) -> list[tuple[str, str]]:
    """The scores that a run is known by, as people print them: in percent."""
    found = [(name, run.metrics[name]) for name in SCORES if name in run.metrics]
    return [(name, f"{100 * value:.1f}") for name, value in found]


def scores_of_video(run: KeptRun, name: str) -> list[tuple[str, str]]:
    """The same of one of its videos; none where it has no ground truth."""
    of = f"track/video/{level(name)}/"
    there = [(text, of + short) for short, text in OF_VIDEO.items() if of + short in run.metrics]
    return [(text, f"{100 * run.metrics[key]:.1f}") for text, key in there]
