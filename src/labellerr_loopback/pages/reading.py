"""What the pages show: projects with their progress, files with their answers."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from urllib.parse import urlencode

from labellerr_loopback.context import Context
from labellerr_loopback.envelope import ApiError
from labellerr_loopback.pages.media import frame_times
from labellerr_loopback.state import State, revision_of
from segtrack.base.bands import BANDS, HIGH_ABOVE, LOW_BELOW
from segtrack.base.labellerr_api import NOT_ASSIGNED

Show = Literal["low", "medium", "high"]
PAGE = 60  # files on a page of the grid
DRAWABLE = ("polygon", "BoundingBox")
# What somebody drew or corrected is sure, as everywhere in reports; else by the band in which it
# was sent, or by its score.
_BAND = (
    "CASE WHEN a.source = 'human' THEN 'high' WHEN a.conf_bucket IS NOT NULL THEN a.conf_bucket"
    f" WHEN a.score < {LOW_BELOW} THEN 'low' WHEN a.score <= {HIGH_ABOVE} THEN 'medium'"
    " ELSE 'high' END"
)

_REMARKS = "FROM remarks r WHERE r.project_id = p.project_id AND r.file_id = p.file_id"
_LAST = 2**62


@dataclass(frozen=True)
class Filter:
    """Which files of a project are looked at.

    Attributes:
        status: only files with it; None: all.
        show: bands of confidence, cumulative as the platform's slider has them: ``low`` shows all,
            ``medium`` hides low, ``high`` shows high only. A file is shown that has an answer in
            one of the bands; with ``low`` one without answers too.
        marked: only files with remarks.
    """

    status: str | None = None
    show: Show = "low"
    marked: bool = False

    @property
    def bands(self) -> tuple[str, ...]:
        return tuple(BANDS[BANDS.index(self.show) :])

    def link(self, page: int = 1, **others: Any) -> str:
        """The end of an address with this filter, or one that differs; what is usual is left out.

        Args:
            others: ``status``, ``show`` or ``marked`` instead of one's own.
        """
        chosen = replace(self, **others)
        found = {} if chosen.status is None else {"status": chosen.status}
        found |= {} if chosen.show == "low" else {"show": chosen.show}
        found |= {"marked": "1"} if chosen.marked else {}
        found |= {} if page == 1 else {"page": str(page)}
        return f"?{urlencode(found)}" if found else ""


@dataclass(frozen=True)
class Shape:
    """An outline on a small picture; ``points`` as SVG writes them."""

    points: str
    colour: str


@dataclass(frozen=True)
class Cell:
    """A file of the grid.

    Attributes:
        lowest: score of its predictions, None where it has none.
        remark: the most urgent one.
        marks: where its remarks are.
    """

    file_id: str
    name: str
    status: str
    width: int
    height: int
    objects: int
    lowest: float | None
    shapes: tuple[Shape, ...]
    remark: str | None
    marks: tuple[str, ...]


@dataclass(frozen=True)
class Progress:
    """A project and how far its review is. ``statuses``: number of files by status."""

    project_id: str
    name: str
    data_type: str
    statuses: dict[str, int] = field(default_factory=dict)

    @property
    def files(self) -> int:
        return sum(self.statuses.values())

    @property
    def seen(self) -> int:
        return self.files - self.statuses.get(NOT_ASSIGNED, 0)


@dataclass(frozen=True)
class Neighbours:
    """Where a file stands among those that the filter lets through; it need not be one of them."""

    before: str | None
    after: str | None
    place: int
    total: int


def progress(state: State, project_id: str | None = None) -> list[Progress]:
    """All projects, the newest first, or one."""
    rows = state.all(
        "SELECT p.id, p.name, p.data_type, f.status, COUNT(f.file_id) AS files FROM projects p"
        " LEFT JOIN project_files f ON f.project_id = p.id WHERE ? IS NULL OR p.id = ?"
        " GROUP BY p.seq, f.status ORDER BY p.seq DESC, files DESC",
        (project_id, project_id),
    )
    found: dict[str, Progress] = {}
    for row in rows:
        one = found.setdefault(row["id"], Progress(row["id"], row["name"], row["data_type"]))
        if row["files"]:
            one.statuses[row["status"]] = row["files"]
    return list(found.values())


def marked(state: State, project_id: str) -> int:
    """Files that have remarks."""
    query = "SELECT COUNT(DISTINCT file_id) FROM remarks WHERE project_id = ?"
    return int(state.all(query, (project_id,))[0][0])


def count(state: State, project_id: str, chosen: Filter) -> int:
    """Files that the filter lets through."""
    where, values = _where(project_id, chosen)
    return int(state.all(f"SELECT COUNT(*) FROM project_files p WHERE {where}", values)[0][0])


def cells(context: Context, project: sqlite3.Row, chosen: Filter, page: int) -> list[Cell]:
    """One page of files, those with the most urgent remarks first, then by name; the first page has
    number 1."""
    where, values = _where(project["id"], chosen)
    rows = context.state.all(
        "SELECT f.*, p.status FROM project_files p JOIN files f ON f.id = p.file_id"
        f" WHERE {where} ORDER BY {_place(context.state, project['id'])} LIMIT ? OFFSET ?",
        (*values, PAGE, (page - 1) * PAGE),
    )
    colours = {q["id"]: q["colour"] for q in questions_of(context, project)}
    return [_cell(context.state, project["id"], row, colours, chosen) for row in rows]


def neighbours(state: State, project_id: str, file: sqlite3.Row, chosen: Filter) -> Neighbours:
    """The files before and after one."""
    where, values = _where(project_id, chosen)
    key = _place(state, project_id)
    query = f"SELECT {key} FROM project_files p WHERE p.project_id = ? AND p.file_id = ?"
    here = state.all(query, (project_id, file["id"]))[0]
    select = f"FROM project_files p WHERE {where} AND ({key})"
    down = ", ".join(f"{part} DESC" for part in range(2, 5))
    query = f"SELECT p.file_id, {key} {select} < (?, ?, ?) ORDER BY {down} LIMIT 1"
    before = state.one(query, (*values, *here))
    query = f"SELECT p.file_id {select} > (?, ?, ?) ORDER BY {key} LIMIT 1"
    after = state.one(query, (*values, *here))
    place = state.all(f"SELECT COUNT(*) {select} < (?, ?, ?)", (*values, *here))[0][0] + 1
    total = count(state, project_id, chosen)
    return Neighbours(before[0] if before else None, after[0] if after else None, place, total)


def file_row(state: State, project_id: str, file_id: str) -> sqlite3.Row:
    """A file with its status in a project.

    Raises:
        ApiError: 404 where the project has none of that id.
    """
    row = state.one(
        "SELECT f.*, p.status FROM project_files p JOIN files f ON f.id = p.file_id"
        " WHERE p.project_id = ? AND p.file_id = ?",
        (project_id, file_id),
    )
    if row is None:
        raise ApiError(404, f"file {file_id!r} is not in project {project_id!r}")
    return row


def document(context: Context, project: sqlite3.Row, file_id: str) -> dict[str, Any]:
    """Everything of a file that a page works on: questions, answers, status, revision.

    Outlines are lists of [x, y] in px; trajectories have the form in which they were sent.
    """
    state = context.state
    row = file_row(state, project["id"], file_id)
    with state.reader() as db:  # answers and revision of the same moment
        revision = revision_of(db, project["id"], file_id)
        query = "SELECT status FROM project_files WHERE project_id = ? AND file_id = ?"
        status = db.execute(query, (project["id"], file_id)).fetchone()[0]
        answers = db.execute(
            f"SELECT a.*, {_BAND} AS band FROM answers a WHERE project_id = ? AND file_id = ?"
            " ORDER BY seq",
            (project["id"], file_id),
        ).fetchall()
        query = (
            "SELECT text, outline FROM remarks WHERE project_id = ? AND file_id = ? ORDER BY seq"
        )
        remarks = db.execute(query, (project["id"], file_id)).fetchall()
    video = project["data_type"] == "video"
    return {
        "file_id": file_id,
        "name": row["file_name"],
        "width": row["width"],
        "height": row["height"],
        "status": status,
        "revision": revision,
        "questions": questions_of(context, project),
        "answers": [_answer(answer) for answer in answers],
        "remarks": [{"text": r["text"], "outline": json.loads(r["outline"])} for r in remarks],
        "times": frame_times(state.object_path(row["object"])) if video else None,
    }


def questions_of(context: Context, project: sqlite3.Row) -> list[dict[str, Any]]:
    """The classes of a project: id, name, colour ``#rrggbb``, and whether they are outlines."""
    return [
        {
            "id": question["question_id"],
            "name": question["question"],
            "colour": colour_of(question),
            "kind": question["option_type"],
        }
        for question in context.questions(project)
        if question["option_type"] in DRAWABLE
    ]


def colour_of(question: dict[str, Any]) -> str:
    """The colour of a question as ``#rrggbb``, grey where it has none."""
    options = question.get("options") or [{}]
    text = str(question.get("color") or options[0].get("option_name") or "").lstrip("#")[:6]
    try:
        return f"#{bytes.fromhex(text).hex():0>6}" if len(text) == 6 else "#808080"
    except ValueError:
        return "#808080"


def _where(project_id: str, chosen: Filter) -> tuple[str, Sequence[Any]]:
    where, values = "p.project_id = ?", [project_id]
    if chosen.status is not None:
        where, values = f"{where} AND p.status = ?", [*values, chosen.status]
    if chosen.show != "low":
        marks = ", ".join("?" * len(chosen.bands))
        where = (
            f"{where} AND EXISTS (SELECT 1 FROM answers a WHERE a.project_id = p.project_id"
            f" AND a.file_id = p.file_id AND {_BAND} IN ({marks}))"
        )
        values += chosen.bands
    if chosen.marked:
        where = f"{where} AND EXISTS (SELECT 1 {_REMARKS})"
    return where, values


def _place(state: State, project_id: str) -> str:
    """Three expressions by which files are ordered; without remarks the first is always equal."""
    remarks = marked(state, project_id)
    first = f"(SELECT IFNULL(MIN(r.seq), {_LAST}) {_REMARKS})" if remarks else "p.project_id"
    return f"{first}, p.file_name, p.file_id"


def _cell(
    state: State, project_id: str, row: sqlite3.Row, colours: dict[str, str], chosen: Filter
) -> Cell:
    answers = state.all(
        f"SELECT a.kind, a.question_id, a.score, {_BAND} AS band,"
        " CASE WHEN a.kind = 'track' THEN '[]' ELSE a.data END AS data"
        " FROM answers a WHERE project_id = ? AND file_id = ? ORDER BY seq",
        (project_id, row["id"]),
    )
    query = "SELECT text, outline FROM remarks WHERE project_id = ? AND file_id = ? ORDER BY seq"
    remarks = state.all(query, (project_id, row["id"]))
    shown = [answer for answer in answers if answer["band"] in chosen.bands]
    shapes = (
        Shape(_svg(points), colours[answer["question_id"]])
        for answer in shown
        if answer["question_id"] in colours and (points := _points(answer))
    )
    scores = [answer["score"] for answer in shown if answer["score"] is not None]
    return Cell(
        row["id"],
        row["file_name"],
        row["status"],
        row["width"],
        row["height"],
        len(shown),
        min(scores, default=None),
        tuple(shapes),
        remarks[0]["text"] if remarks else None,
        tuple(_svg(outline) for r in remarks if (outline := json.loads(r["outline"]))),
    )


def _answer(row: sqlite3.Row) -> dict[str, Any]:
    found = {key: row[key] for key in ("id", "question_id", "kind", "score", "band", "source")}
    if row["kind"] == "track":
        return {**found, "track": json.loads(row["data"])}
    return {**found, "points": _points(row)}


def _svg(points: Iterable[Sequence[float]]) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in points)


def _points(row: sqlite3.Row) -> list[tuple[float, float]]:
    """Corners of a box, or of an outline; of a trajectory none."""
    data = json.loads(row["data"])
    if row["kind"] == "box":
        x, y, w, h = data
        return [(x, y), (x + w, y), (x + w, y + h), (x, y + h)]
    return list(zip(data[::2], data[1::2], strict=True))
