"""Data sets and their files."""

from __future__ import annotations

import sqlite3
import time
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import Field

from labellerr_loopback.context import Context, due
from labellerr_loopback.envelope import ApiError, Body, new_id, success
from labellerr_loopback.state import now_ms
from segtrack.base.labellerr_api import READY, SUFFIXES

PROCESSING = 100
FilePage = Annotated[int, Query(ge=1, le=10_000)]


class CreateDataset(Body):
    dataset_name: str = Field(min_length=1, max_length=500)
    dataset_description: str = ""
    data_type: Literal["image", "video"]
    connection_id: str
    path: str
    es_multimodal_index: bool = False


def router(context: Context) -> APIRouter:
    """Endpoints under ``/datasets``, ``/search/files`` and ``/data``."""
    api = APIRouter(tags=["data sets"])
    state, quick = context.state, context.behaviour.delays

    @api.post("/datasets/create")
    def create(body: CreateDataset, uuid: str | None = None) -> dict[str, Any]:
        """Makes a data set of the files that were uploaded to a connection."""

        def make(db: sqlite3.Connection) -> dict[str, Any]:
            files = _uploaded(db, body, context)
            dataset, now = new_id(), now_ms()
            db.execute(
                "INSERT INTO datasets (id, name, description, data_type, connection_id, multimodal,"
                " status_code, polls, ready_at, created_at, updated_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(dataset, body.dataset_name, body.dataset_description, body.data_type),
                    *(body.connection_id, body.es_multimodal_index, PROCESSING),
                    *(quick.dataset_polls, time.time() + quick.seconds, now, now),
                ),
            )
            rows = (
                (
                    *(new_id(), dataset, body.connection_id, f["file_name"], f["object"]),
                    *(f["size"], f["width"], f["height"], f["format"], f["frames"], f["fps"]),
                    *(body.data_type, now),
                )
                for f in files
                if f["width"] is not None  # what cannot be decoded does not survive processing
            )
            values = ", ".join("?" * 13)
            db.executemany(f"INSERT INTO files VALUES ({values})", rows)
            return success({"dataset_id": dataset})

        return context.create(uuid, "/datasets/create", make)

    @api.get("/datasets/list")
    def listing(
        data_type: str | None = None,
        permission_level: Literal["project", "client", "public"] = "client",
        page_size: Annotated[int, Query(ge=1, le=1000)] = 10,
        last_dataset_id: str | None = None,
    ) -> dict[str, Any]:
        """Data sets, the newest first, by pages; none is public."""
        before = 1 << 62
        if last_dataset_id:
            before = _dataset(context, last_dataset_id)["seq"]
        rows = state.all(
            "SELECT * FROM datasets WHERE seq < ? AND (? IS NULL OR data_type = ?)"
            " AND ? != 'public' ORDER BY seq DESC LIMIT ?",
            (before, data_type, data_type, permission_level, page_size + 1),
        )
        page = rows[:page_size]
        last = page[-1]["id"] if page else None
        more = len(rows) > page_size
        records = [_record(context, row) for row in page]
        return success({"datasets": records, "has_more": more, "last_dataset_id": last})

    @api.get("/datasets/{dataset_id}")
    def get(dataset_id: str) -> dict[str, Any]:
        """A data set's record; asking for it is what brings processing forward."""
        row = _dataset(context, dataset_id)
        if row["status_code"] == PROCESSING:
            status = _status(context, row)
            with state.change() as db:
                db.execute(
                    "UPDATE datasets SET polls = polls - 1, status_code = ?, updated_at = ?"
                    " WHERE id = ?",
                    (status, now_ms(), dataset_id),
                )
            row = _dataset(context, dataset_id)
        return success(_record(context, row))

    @api.delete("/datasets/{dataset_id}/delete")
    def delete(dataset_id: str) -> dict[str, Any]:
        """Deletes a data set, its files and what was annotated on them."""
        row = _dataset(context, dataset_id)
        with state.change() as db:
            db.execute("DELETE FROM datasets WHERE id = ?", (dataset_id,))
            query = "SELECT 1 FROM datasets WHERE connection_id = ?"
            gone = []
            if db.execute(query, (row["connection_id"],)).fetchone() is None:
                query = "DELETE FROM uploads WHERE connection_id = ? RETURNING object"
                gone = db.execute(query, (row["connection_id"],)).fetchall()
        for (name,) in gone:
            if name:
                state.object_path(name).unlink(missing_ok=True)
        return success({"dataset_id": dataset_id, "deleted": True})

    @api.get("/search/files/all")
    def files(dataset_id: str, size: FilePage = 10, next_search_after: str = "") -> dict[str, Any]:
        """Files of a data set that is ready, by pages."""
        if _dataset(context, dataset_id)["status_code"] != READY:
            return success({"files": [], "next_search_after": None})
        rows = state.all(
            "SELECT * FROM files WHERE dataset_id = ? AND id > ? ORDER BY id LIMIT ?",
            (dataset_id, next_search_after, size + 1),
        )
        after = rows[size - 1]["id"] if len(rows) > size else None
        return success(
            {"files": [file_record(row) for row in rows[:size]], "next_search_after": after}
        )

    @api.get("/data/file_data")
    def file_data(
        file_id: str, dataset_id: str | None = None, project_id: str | None = None
    ) -> dict[str, Any]:
        """One file; without the envelope."""
        row = state.one("SELECT * FROM files WHERE id = ?", (file_id,))
        if row is None or (dataset_id and row["dataset_id"] != dataset_id):
            raise ApiError(404, f"file not found: {file_id!r}")
        record = {**file_record(row), "project_id": project_id}
        if project_id:
            query = "SELECT status FROM project_files WHERE project_id = ? AND file_id = ?"
            inside = state.one(query, (project_id, file_id))
            if inside is None:
                raise ApiError(404, f"file {file_id!r} is not in project {project_id!r}")
            record["status"] = inside["status"]
        return record

    @api.get("/data/video_frames")
    def video_frames(
        request: Request,
        file_id: str,
        frame_start: Annotated[int, Query(ge=0)] = 0,
        frame_end: Annotated[int | None, Query(ge=0)] = None,
    ) -> dict[str, str]:
        """Links to the frames of a video, by number; the end is exclusive. Without the envelope."""
        query = "SELECT frames FROM files WHERE id = ? AND data_type = 'video'"
        row = state.one(query, (file_id,))
        if row is None:
            raise ApiError(404, f"video not found: {file_id!r}")
        end = min(row["frames"], row["frames"] if frame_end is None else frame_end)
        numbers = range(frame_start, end)
        return {str(n): context.link(request, f"/storage/frames/{file_id}/{n}") for n in numbers}

    return api


def file_record(row: sqlite3.Row) -> dict[str, Any]:
    """A file with the keys of real records; sizes in MB."""
    metadata: dict[str, Any] = {
        "file_size": round(row["size"] / 1024**2, 6),
        "image_width": row["width"],
        "image_height": row["height"],
        "file_format": row["format"],
        "additional_metadata": {},
    }
    if row["frames"] is not None:
        metadata |= {"total_frames": row["frames"], "fps": row["fps"]}
    return {
        "file_id": row["id"],
        "file_name": row["file_name"],
        "file_name_original": row["file_name"],
        "dataset_id": row["dataset_id"],
        "connection_id": row["connection_id"],
        "file_reference": f"local/{row['id']}",
        "file_metadata": metadata,
        "data_type": row["data_type"],
        "created_at": row["created_at"],
        "has_embedding": False,
    }


def _uploaded(db: sqlite3.Connection, body: CreateDataset, context: Context) -> list[sqlite3.Row]:
    """The finished uploads of a connection, where a data set may be made of them."""
    limits, what = context.behaviour.limits, f"connection {body.connection_id!r}"
    if (
        db.execute("SELECT 1 FROM connections WHERE id = ?", (body.connection_id,)).fetchone()
        is None
    ):
        raise ApiError(404, f"{what} not found")
    query = "SELECT * FROM uploads WHERE connection_id = ? AND finished = 1 ORDER BY file_name"
    files = db.execute(query, (body.connection_id,)).fetchall()
    if not files:
        raise ApiError(400, f"{what} has no uploaded files")
    if len(files) > limits.dataset_files:
        text = f"{what} has {len(files)} files, a data set takes {limits.dataset_files}"
        raise ApiError(400, text)
    total = sum(f["size"] for f in files)
    if total > limits.dataset_bytes:
        raise ApiError(400, f"{what} has {total} bytes, a data set takes {limits.dataset_bytes}")
    large = [f["file_name"] for f in files if f["size"] > limits.video_bytes]
    if body.data_type == "video" and context.behaviour.quirks.of_2026 and large:
        text = f"{len(large)} videos have more than {limits.video_bytes} bytes: {large[:5]}"
        raise ApiError(400, text)
    allowed = SUFFIXES[body.data_type]
    wrong = [f["file_name"] for f in files if not f["file_name"].lower().endswith(allowed)]
    if wrong:
        text = f"{len(wrong)} files are not of type {body.data_type} {allowed}: {wrong[:5]}"
        raise ApiError(400, text)
    return list(files)


def _dataset(context: Context, dataset_id: str) -> sqlite3.Row:
    row = context.state.one("SELECT * FROM datasets WHERE id = ?", (dataset_id,))
    if row is None:
        raise ApiError(404, f"dataset not found: {dataset_id!r}")
    return row


def _status(context: Context, row: sqlite3.Row) -> int:
    """The status code after one more poll of a data set that is in processing."""
    fault = context.faults.of("dataset_stuck", "dataset_status", path=row["id"])
    if fault is not None:
        return PROCESSING if fault.kind == "dataset_stuck" else fault.status
    return READY if due(row["polls"], row["ready_at"]) else PROCESSING


def _record(context: Context, row: sqlite3.Row) -> dict[str, Any]:
    query = "SELECT COUNT(*) FROM files WHERE dataset_id = ?"
    count = context.state.all(query, (row["id"],))[0][0]
    ready = row["status_code"] == READY
    record = {
        "dataset_id": row["id"],
        "name": row["name"],
        "description": row["description"],
        "data_type": row["data_type"],
        "origin": "local",
        "client_id": context.behaviour.credentials.client_id,
        "created_by": context.behaviour.credentials.api_key,
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
        "metadata": {},
        "tags": [],
        "progress": f"Processing {count if ready else 0}/{count} files",
        "status_code": row["status_code"],
        "es_multimodal_index": bool(row["multimodal"]),
        "es_index_status": "",
    }
    # Real records have no files_count before they are processed.
    return {**record, "files_count": count} if ready else record
