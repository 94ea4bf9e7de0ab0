"""A grid of pictures, and one of them; what stands behind a figure."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

import numpy as np
from fastapi import APIRouter, Depends, Query
from fastapi.responses import HTMLResponse, Response

from segtrack.dataset import read_pixels
from segtrack.report import PALETTE
from segtrack.runs import KeptRun
from segtrack.view.counts import Behind, Curve, Matched
from segtrack.view.html import render
from segtrack.view.images import NOTHING, ImageFacts, Pictures, Sort
from segtrack.view.library import Library, Unknown
from segtrack.view.pictures import SHOWN, as_jpeg
from segtrack.view.run_pages import FRESH

PAGE = 48
THUMBNAIL = 480  # px of the longer side
_OPEN = 3  # evaluations that are kept in memory
_KEPT = {"Cache-Control": "private, max-age=3600"}
SORTS: dict[Sort, str] = {
    "worst": "worst",
    "missed": "most missed",
    "false": "most false",
    "objects": "most objects",
    "visible": "most hidden",
    "suspect": "most suspect",
    "name": "name",
}


@dataclass(frozen=True)
class Choice:
    """What of the pictures is shown, as the address says it.

    Attributes:
        real, predicted: a cell of the confusion matrix, "" for nothing; None for no cell.
        curve, score, what: a point of a class's curve, and which of tp, fp and fn; None for none.
    """

    sort: Sort | None = None
    name: str | None = None
    real: str | None = None
    predicted: str | None = None
    curve: str | None = None
    score: float | None = None
    what: Literal["tp", "fp", "fn"] | None = None

    def link(self, page: int = 1, **other: Any) -> str:
        """The address with something else."""
        values = vars(replace(self, **other)) | ({"page": page} if page > 1 else {})
        given = {key: value for key, value in values.items() if value is not None}
        return f"?{urlencode(given)}" if given else "?"


def choice(
    sort: Sort | None = None,
    name: str | None = None,
    real: str | None = None,
    predicted: str | None = None,
    curve: str | None = None,
    score: Annotated[float | None, Query(ge=0, le=1)] = None,
    what: Literal["tp", "fp", "fn"] | None = None,
) -> Choice:
    """What the address says."""
    return Choice(sort, name, real, predicted, curve, score, what)


def router(library: Library, root: str) -> APIRouter:
    """Routes below ``root``."""
    api = APIRouter()
    held: OrderedDict[str, Pictures] = OrderedDict()
    lock = threading.Lock()

    def pictures(key: str) -> tuple[KeptRun, Pictures]:
        run = library.run(key)
        with lock:
            if key not in held:
                held[key] = pictures_of(run)
                while len(held) > _OPEN:
                    held.popitem(last=False)
            held.move_to_end(key)
            return run, held[key]

    @api.get("/runs/{key}/images/")
    def grid(
        key: str,
        chosen: Annotated[Choice, Depends(choice)],
        page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
    ) -> HTMLResponse:
        run, found = pictures(key)
        behind = _behind(found, chosen)
        order = found.order(chosen.sort, chosen.name, behind)
        shown = order[(page - 1) * PAGE : page * PAGE].tolist()
        shapes = found.shapes(shown, behind)
        curve = chosen.curve if chosen.curve in found.names else None
        values: dict[str, Any] = {
            "run": run,
            "key": key,
            "found": found,
            "chosen": chosen,
            "sorts": [(sort, SORTS[sort]) for sort in found.sorts()],
            "sort": chosen.sort or found.sorts()[0],
            "cells": [(one, shapes[one.row.image_id]) for one in found.facts(shown)],
            "matrix": found.confused.matrix if found.confused else None,
            "classes": [*found.names, NOTHING],
            "curves": _curves(found, found.matched) if found.matched else [],
            "counts": found.matched.at(curve, chosen.score or 0)
            if curve and found.matched
            else None,
            "page": page,
            "pages": max(1, -(-len(order) // PAGE)),
            "total": len(order),
            "palette": PALETTE,
        }
        return HTMLResponse(render("images.html", root=root, **values), headers=FRESH)

    @api.get("/runs/{key}/images/{image}/")
    def one(key: str, image: int, chosen: Annotated[Choice, Depends(choice)]) -> HTMLResponse:
        run, found = pictures(key)
        facts = _facts(found, image)
        behind = _behind(found, chosen)
        order = found.order(chosen.sort, chosen.name, behind)
        place = int(next(iter(np.flatnonzero(order == image)), -1))
        values: dict[str, Any] = {
            "run": run,
            "found": found,
            "chosen": chosen,
            "facts": facts,
            "shapes": found.shapes([image], behind)[image],
            "before": order[place - 1] if place > 0 else None,
            "after": order[place + 1] if 0 <= place < len(order) - 1 else None,
            "place": place + 1,
            "total": len(order),
            "palette": PALETTE,
        }
        return HTMLResponse(render("image.html", root=root, **values), headers=FRESH)

    @api.get("/runs/{key}/images/{image}/file")
    def file(key: str, image: int) -> Response:
        path = _facts(pictures(key)[1], image).row.path
        if kind := SHOWN.get(path.suffix.lower()):
            try:
                return Response(path.read_bytes(), 200, _KEPT, kind)
            except OSError as error:
                raise Unknown(f"{path.name} is not there any more") from error
        return Response(_pixels(path), 200, _KEPT, "image/jpeg")

    @api.get("/runs/{key}/images/{image}/small")
    def small(key: str, image: int) -> Response:
        path = _facts(pictures(key)[1], image).row.path
        return Response(_pixels(path, THUMBNAIL), 200, _KEPT, "image/jpeg")

    return api


def pictures_of(run: KeptRun) -> Pictures:
    """The pictures of a run.

    Raises:
        Unknown: it has none, or its store has them no more.
    """
    evaluation = run.evaluation
    dataset = evaluation.dataset if evaluation is not None else run.dataset
    if dataset is None:
        raise Unknown(f"run {run.label} prepared no data set, or the store has it no more")
    split = evaluation.split if evaluation is not None else None
    split = split or next(iter(dataset.counts), "train")
    if evaluation is None and run.segmented is not None:
        split = "pool"
    return Pictures(run, dataset, split)


def _behind(found: Pictures, chosen: Choice) -> Behind | None:
    """What stands behind the chosen cell or point; None where none is chosen."""
    if chosen.real is not None and chosen.predicted is not None:
        return found.behind_cell(chosen.real, chosen.predicted)
    if chosen.curve is not None and chosen.score is not None and chosen.what is not None:
        return found.behind_point(chosen.curve, chosen.score, chosen.what)
    return None


def _facts(found: Pictures, image: int) -> ImageFacts:
    if image not in found:
        raise Unknown(f"there is no picture {image} in {found.split}")
    return found.facts([image])[0]


def _curves(
    found: Pictures, matched: Matched
) -> list[tuple[str, int, Curve, str, list[tuple[float, float, float]]]]:
    """Of each class with objects: name, id, curve, its line and points in a unit square."""
    made = []
    for number, name in enumerate(found.names):
        curve = matched.curves[name]
        points = [
            (float(score), float(recall), float(precision))
            for score, recall, precision in zip(
                curve.score, curve.recall, curve.precision, strict=True
            )
            if not math.isnan(precision) and not math.isnan(recall)
        ]
        line = " ".join(f"{100 * r:.2f},{100 - 100 * p:.2f}" for _, r, p in points)
        if points:
            made.append((name, number, curve, line, points[::5]))
    return made


def _pixels(path: Any, longest: int | None = None) -> bytes:
    image = read_pixels(path)
    if image is None:
        raise Unknown(f"{path.name} cannot be read any more")
    return as_jpeg(image, longest)
