"""What people were sent and gave back: a table of it, its figures, and the way to their page."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse, RedirectResponse

from segtrack.annotation import kept_platform
from segtrack.report import read_table_csv
from segtrack.runs import KeptRun
from segtrack.settings import LabellerrMode, LabellerrSettings
from segtrack.view.library import Library, Unknown
from segtrack.view.words import with_people

FIGURES = {
    "acceptance.png": "Share of predictions accepted as they were, over confidence",
    "gallery.jpg": "What was changed most: before, and after",
}
HEAD = ("sent", "accepted", "corrected", "deleted", "added", "precision", "recall")


@dataclass(frozen=True)
class Judgement:
    """What people made of a run's predictions.

    Attributes:
        rows: what of, and a cell for each of ``HEAD``; the last is of all.
        claim: from which score on predictions can be accepted unseen.
        figures: file names of ``FIGURES``, with what they show.
    """

    rows: list[tuple[str, list[str]]]
    claim: str
    figures: dict[str, str]


def router(library: Library, root: str) -> APIRouter:
    """Routes below ``root``."""
    api = APIRouter()

    @api.get("/runs/{key}/review/{name}")
    def figure(key: str, name: str) -> FileResponse:
        path = library.run(key).file(f"review/{name}") if name in FIGURES else None
        if path is None:
            raise Unknown(f"this run has no {name[:60]!r}")
        return FileResponse(path)

    @api.get("/runs/{key}/projects/{project}/")
    def page(key: str, project: str) -> RedirectResponse:
        """To the page on which people review: where that is, is known only while it is up."""
        run = library.run(key)
        if not here(run) or project not in dict(with_people(run)).values():
            raise Unknown(f"this run has no project {project[:60]!r} on this machine")
        own = LabellerrSettings(mode=LabellerrMode.emulator)
        up = kept_platform(own, Path(run.tags["store"]) / "labellerr")
        if up is None:
            raise Unknown(
                "the platform is not up: give `segtrack labellerr up` in another terminal, in the "
                "run's folder, and load this page again"
            )
        return RedirectResponse(up.page(project), headers={"Cache-Control": "no-store"})

    return api


def here(run: KeptRun) -> bool:
    """Whether people reviewed on this machine's own platform, as far as the run says."""
    local = run.params.get("labellerr.mode") == LabellerrMode.emulator.value
    own = run.params.get("labellerr.url", "null") == "null"
    return local and own and Path(run.tags.get("store", "")).is_dir() and "store" in run.tags


def judgement_of(run: KeptRun) -> Judgement | None:
    """Of the run's ``review/``; None where nothing came back."""
    table, facts = run.file("review/outcomes.csv"), run.file("review/review.json")
    if table is None or facts is None:
        return None
    found = read_table_csv(table.read_text(encoding="utf-8"))
    bands = [row for row in found if row["class"] == "all" and row["band"] != "all"]
    classes = [row for row in found if row["band"] == "all"]
    named = [(f"{row['band']} confidence", row) for row in bands]
    named += [(row["class"], row) for row in classes]
    claim = str(json.loads(facts.read_text(encoding="utf-8")).get("calibration", ""))
    figures = {name: text for name, text in FIGURES.items() if run.place.names(f"review/{name}")}
    rows = [(name, [_cell(key, row[key]) for key in HEAD]) for name, row in named]
    return Judgement(rows, claim, figures)


def _cell(key: str, text: str) -> str:
    """As people read it: shares in percent."""
    share = key in ("precision", "recall")
    return f"{100 * float(text):.1f}" if text and share else text
