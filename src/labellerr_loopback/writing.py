"""Writes export files as a stream, in the shapes that were seen of the platform."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from labellerr_loopback.datasets import file_record
from labellerr_loopback.state import State, now_ms
from segtrack.base.atomic import whole_file

_CONTACT = "emulator@localhost"


@dataclass(frozen=True)
class Wish:
    """What an export covers; ``question_ids`` None means all, ``updated_after`` is in ms."""

    project_id: str
    name: str
    statuses: tuple[str, ...]
    question_ids: frozenset[str] | None
    updated_after: int


def count_files(state: State, wish: Wish) -> int:
    """Files of the project with one of the statuses."""
    where, values = _where(wish)
    return int(state.all(f"SELECT COUNT(*) FROM project_files p WHERE {where}", values)[0][0])


def write_export(
    state: State,
    wish: Wish,
    export_format: str,
    report_id: str,
    questions: list[dict[str, Any]],
    path: Path,
) -> None:
    """Write the file whole or not at all; memory does not grow with the number of files."""
    with (
        whole_file(path) as partial,
        state.reader() as db,
        partial.open("w", encoding="utf-8") as file,
    ):
        if export_format == "json":
            _write_list(file, (_json_file(row) for row in _files(db, wish)))
        elif export_format == "video_json":
            _write_list(file, (_video(db, wish, row, questions) for row in _files(db, wish)))
        else:
            _write_coco(file, db, wish, report_id, questions)


def _write_coco(
    file: TextIO,
    db: sqlite3.Connection,
    wish: Wish,
    report_id: str,
    questions: list[dict[str, Any]],
) -> None:
    info = {
        "description": wish.name,
        "year": datetime.now().year,
        "date_created": now_ms(),
        "contributor": _CONTACT,
        "url": "",
        "version": report_id,
    }
    # Only questions that were answered appear, in the order in which they are met.
    used: dict[str, int] = {}
    file.write(f'{{"info": {json.dumps(info)}, "licenses": [], "images": ')
    _write_list(file, (_coco_image(i, row) for i, row in enumerate(_files(db, wish))))
    file.write(', "annotations": ')
    _write_list(file, _coco_annotations(db, wish, {q["question_id"] for q in questions}, used))
    file.write(', "categories": ')
    by_id = {q["question_id"]: q for q in questions}
    _write_list(file, (_coco_category(i, by_id[question]) for question, i in used.items()))
    file.write("}")


def _write_list(file: TextIO, rows: Iterable[dict[str, Any]]) -> None:
    file.write("[")
    for i, row in enumerate(rows):
        file.write(",\n" if i else "")
        file.write(json.dumps(row))
    file.write("]")


def _coco_image(number: int, row: sqlite3.Row) -> dict[str, Any]:
    return {
        "id": number,
        "width": row["width"],
        "height": row["height"],
        "file_name": row["file_name"],
        "date_created": row["created_at"],
        "labellerr_file_id": row["id"],
        "labellerr_file_status": row["status"],
        "labellerr_file_remarks": [],
    }


def _coco_annotations(
    db: sqlite3.Connection, wish: Wish, known: set[str], used: dict[str, int]
) -> Iterator[dict[str, Any]]:
    """Annotations in the order of the images; notes in ``used`` which category each question is."""
    number = 0
    query = "SELECT * FROM answers WHERE project_id = ? AND file_id = ? ORDER BY seq"
    for image, row in enumerate(_files(db, wish)):
        for answer in db.execute(query, (wish.project_id, row["id"])):
            question = answer["question_id"]
            wanted = wish.question_ids is None or question in wish.question_ids
            if question not in known or not wanted or answer["kind"] == "track":
                continue
            category = used.setdefault(question, len(used))
            yield {
                "id": number,
                "image_id": image,
                "category_id": category,
                **_shape(answer["kind"], json.loads(answer["data"])),
                "iscrowd": 0,
                "attributes": [],
                "labellerr_answer_id": answer["id"],
            }
            number += 1


def _video(
    db: sqlite3.Connection, wish: Wish, row: sqlite3.Row, questions: list[dict[str, Any]]
) -> dict[str, Any]:
    """A video with its trajectories, in the form in which they are uploaded.

    No sample of what the real platform returns is public. What is added to the form are the ids
    and the facts of the file, under the names that other exports have for them.
    """
    wanted = [
        question
        for question in questions
        if wish.question_ids is None or question["question_id"] in wish.question_ids
    ]
    query = (
        "SELECT * FROM answers WHERE project_id = ? AND file_id = ? AND question_id = ?"
        " AND kind = 'track' ORDER BY seq"
    )
    annotations = []
    for question in wanted:
        found = db.execute(query, (wish.project_id, row["id"], question["question_id"]))
        tracks = [{**json.loads(a["data"]), "labellerr_answer_id": a["id"]} for a in found]
        if tracks:
            text = {"question_name": question["question"], "question_type": question["option_type"]}
            of = {"labellerr_question_id": question["question_id"]}
            annotations.append({**text, **of, "answer": tracks})
    return {
        "file_name": row["file_name"],
        "labellerr_file_id": row["id"],
        "labellerr_file_status": row["status"],
        "file_metadata": file_record(row)["file_metadata"],
        "annotations": annotations,
    }


def _shape(kind: str, numbers: list[float]) -> dict[str, Any]:
    """Whole pixels, as the platform exports them."""
    whole = np.floor(np.asarray(numbers, float) + 0.5)
    if kind == "box":
        x, y, w, h = (int(v) for v in whole)
        return {"segmentation": [], "bbox": [x, y, w, h], "area": float(w * h)}
    points = whole.reshape(-1, 2)
    low, high = points.min(0), points.max(0)
    x, y = (points - points[0]).T  # the shoelace formula
    area = abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2
    box = [int(v) for v in (*low, *(high - low))]
    return {"segmentation": [[int(v) for v in whole]], "bbox": box, "area": area}


def _coco_category(number: int, question: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": number,
        "name": question["question"],
        "supercategory": "Annotation",
        "isthing": 1,
        "color": _rgb(question),
        "attributes": [],
        "labellerr_question_id": question["question_id"],
    }


def _rgb(question: dict[str, Any]) -> list[int]:
    options = question.get("options") or [{}]
    colour = str(question.get("color") or options[0].get("option_name") or "").lstrip("#")
    try:
        return list(bytes.fromhex(colour))[:3] if len(colour) >= 6 else [0, 0, 0]
    except ValueError:
        return [0, 0, 0]


def _json_file(row: sqlite3.Row) -> dict[str, Any]:
    """No sample with answers is public, so there are none: COCO is the format to ask for."""
    record = file_record(row)
    keys = ("file_id", "file_name", "file_metadata", "created_at")
    more = {"file_status": row["status"], "remarks": [], "activities": [], "latest_answer": []}
    return {**{key: record[key] for key in keys}, **more}


def _files(db: sqlite3.Connection, wish: Wish) -> Iterator[sqlite3.Row]:
    """Files of the export with their status, ordered by id."""
    where, values = _where(wish)
    yield from db.execute(
        "SELECT f.*, p.status FROM project_files p JOIN files f ON f.id = p.file_id"
        f" WHERE {where} ORDER BY p.file_id",
        values,
    )


def _where(wish: Wish) -> tuple[str, tuple[Any, ...]]:
    marks = ", ".join("?" * len(wish.statuses))
    text = f"p.project_id = ? AND p.updated_at > ? AND p.status IN ({marks})"
    return text, (wish.project_id, wish.updated_after, *wish.statuses)
