"""The page of one video of a run, and what it asks for while somebody looks."""

from __future__ import annotations

import json
import mimetypes
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, Response

from segtrack.report import PALETTE
from segtrack.view.html import render
from segtrack.view.library import Library, Unknown
from segtrack.view.pictures import Film
from segtrack.view.run_pages import FRESH, scores_of_video
from segtrack.view.video import WINDOW

_PLAYED = {".mkv": "video/x-matroska", ".m4v": "video/mp4", ".mov": "video/mp4"}
# Frames do not change while a page is open; no other user's cache may keep them.
_KEPT = {"Cache-Control": "private, max-age=3600"}
_Frame = Annotated[int, Query(ge=0, le=1 << 40)]


def router(library: Library, root: str) -> APIRouter:
    """Routes below ``root``."""
    api = APIRouter()
    video = "/runs/{key}/videos/{number}"

    @api.get(video + "/")
    def page(key: str, number: int) -> HTMLResponse:
        run, found = library.run(key), library.video(key, number)
        about = {"at": f"{root}runs/{key}/videos/{number}/", **found.about(), "run": run.name}
        sides = [{**about, "palette": PALETTE}]
        values: dict[str, Any] = {"run": run, "key": key, "number": number, "video": found}
        text = render(
            "video.html",
            root=root,
            sides=json.dumps(sides),
            others=run.videos,
            scores=scores_of_video(run, found.name),
            **values,
        )
        return HTMLResponse(text, headers=FRESH)

    @api.get(video + "/times")
    def times(key: str, number: int) -> JSONResponse:
        return JSONResponse(library.video(key, number).times(), headers=FRESH)

    @api.get(video + "/objects")
    def objects(key: str, number: int, first: _Frame, end: _Frame) -> JSONResponse:
        if not first < end <= first + WINDOW:
            raise Unknown(f"frames {first} to {end}: at most {WINDOW} can be asked for at once")
        return JSONResponse(library.video(key, number).objects(first, end), headers=FRESH)

    @api.get(video + "/tracks")
    def tracks(key: str, number: int) -> JSONResponse:
        return JSONResponse(library.video(key, number).tracks(), headers=FRESH)

    @api.get(video + "/marks")
    def marks(key: str, number: int) -> JSONResponse:
        judged = library.video(key, number).judged
        if judged is None:
            raise Unknown("there is no ground truth of this video")
        return JSONResponse(judged.marks(), headers=FRESH)

    @api.get(video + "/media")
    def media(key: str, number: int) -> FileResponse:
        film = library.video(key, number).film
        if film is None or not film.plays:
            raise Unknown("there is no video file that a browser could play")
        suffix = film.path.suffix.lower()
        kind = _PLAYED.get(suffix) or mimetypes.types_map.get(suffix, "application/octet-stream")
        return FileResponse(film.path, media_type=kind, headers=_KEPT)

    @api.get(video + "/frames/{frame}")
    def frame(key: str, number: int, frame: int, small: bool = False) -> Response:
        film = _film(library, key, number)
        data, kind = film.picture(frame, small)
        return Response(data, 200, _KEPT, kind)

    @api.get(video + "/near/{frame}")
    def near(key: str, number: int, frame: int) -> Response:
        film, fps = _film(library, key, number), library.video(key, number).fps
        place, data = film.near(frame, fps)
        return Response(data, 200, {**_KEPT, "X-Frame": str(place)}, "image/jpeg")

    return api


def _film(library: Library, key: str, number: int) -> Film:
    found = library.video(key, number)
    if found.film is None:
        raise Unknown(found.no_film)
    return found.film
