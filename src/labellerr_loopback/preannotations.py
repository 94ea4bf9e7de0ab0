"""Uploading answers: a job that ends as completed whether or not the answers were taken."""

from __future__ import annotations

import json
import shutil
import sqlite3
import time
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from fastapi import APIRouter, UploadFile
from starlette.concurrency import run_in_threadpool

from labellerr_loopback.context import Context, due
from labellerr_loopback.envelope import ApiError, new_id, success
from labellerr_loopback.parsing import (
    Answer,
    Outcome,
    ProjectFiles,
    check_file,
    read_answers,
)
from labellerr_loopback.state import State, raise_revisions

_FORMATS = ("coco_json", "video_json")
_AT_ONCE = 1000  # answers


def router(context: Context) -> APIRouter:
    """Endpoints ``/actions/upload_answers`` and its status."""
    api = APIRouter(tags=["pre-annotations"])
    state, quick = context.state, context.behaviour.delays

    @api.post("/actions/upload_answers")
    async def upload_answers(
        project_id: str,
        answer_format: str,
        uuid: str | None = None,
        conf_bucket: Literal["low", "medium", "high"] | None = None,
        gcs_path: str | None = None,
        file: UploadFile | None = None,
    ) -> dict[str, Any]:
        """Starts a job of a file, or of what was sent to a direct upload link before."""

        def start() -> dict[str, Any]:
            project = context.project(project_id)
            _check_format(answer_format, project["data_type"])
            name = new_id()
            path = state.object_path(name)
            try:
                with path.open("wb") as target:
                    if file is not None:
                        shutil.copyfileobj(file.file, target)
                    else:
                        target.write(_direct(context, project_id, gcs_path))
                limit = context.behaviour.limits.annotation_bytes
                if path.stat().st_size > limit:
                    raise ApiError(413, f"annotation files may have {limit} bytes")
                check_file(path, answer_format)
                return context.create(uuid, "/actions/upload_answers", lambda db: make(db, name))
            finally:
                # Refused, or a retry that was answered before.
                if state.one("SELECT 1 FROM jobs WHERE object = ?", (name,)) is None:
                    path.unlink(missing_ok=True)

        def make(db: sqlite3.Connection, name: str) -> dict[str, Any]:
            job, ready_at = new_id(), time.time() + quick.seconds
            db.execute(
                "INSERT INTO jobs (id, project_id, format, conf_bucket, object, status, polls,"
                " ready_at) VALUES (?, ?, ?, ?, ?, 'in_progress', ?, ?)",
                (job, project_id, answer_format, conf_bucket, name, quick.job_polls, ready_at),
            )
            return success({"job_id": job})

        return await run_in_threadpool(start)

    @api.get("/actions/upload_answers_status")
    def status(project_id: str, job_id: str) -> dict[str, Any]:
        """What became of a job; asking for it is what brings it forward."""
        job = _job(context, project_id, job_id)
        if job["status"] == "in_progress":
            with state.applying:  # who asks meanwhile must not apply it again
                job = _job(context, project_id, job_id)
                if job["status"] == "in_progress":
                    _advance(context, job)
            job = _job(context, project_id, job_id)
        outcome = json.loads(job["outcome"])
        if context.behaviour.quirks.of_2026:
            metadata = _counted(outcome)
        else:
            lists = ("questions_ignored", "files_not_updated", "error")
            empty: dict[str, Any] = {"questions_ignored": [], "files_not_updated": []}
            metadata = empty | {key: outcome[key] for key in lists if key in outcome}
        return success({"status": job["status"], "metadata": {**metadata, "activity_id": job_id}})

    return api


def _counted(outcome: dict[str, Any]) -> dict[str, Any]:
    """What the documentation of June 2026 has: numbers, and no names."""
    if "error" in outcome:
        return outcome
    return {
        "total_annotations": outcome.get("annotations", 0),
        "matched_files": outcome.get("files", 0),
        "unmatched_files": len(outcome.get("files_not_updated", ())),
    }


def _check_format(answer_format: str, data_type: str) -> None:
    """Only formats of which a public sample exists are understood."""
    if answer_format not in _FORMATS:
        text = f"answer_format {answer_format!r}: this platform reads {' and '.join(_FORMATS)}"
        raise ApiError(400, text)
    if answer_format == "video_json" and data_type != "video":
        raise ApiError(400, f"video_json needs a video project, this one is of type {data_type}")


def _direct(context: Context, project_id: str, gcs_path: str | None) -> bytes:
    if gcs_path is None:
        raise ApiError(400, "send the part 'file', or gcs_path")
    row = context.state.one("SELECT object FROM direct WHERE path = ?", (gcs_path,))
    path = context.state.object_path(row["object"]) if row else None
    if path is None or not path.exists() or not gcs_path.startswith(f"{project_id}/"):
        raise ApiError(404, f"nothing was uploaded to {gcs_path[:100]!r} for this project")
    return path.read_bytes()


def _job(context: Context, project_id: str, job_id: str) -> sqlite3.Row:
    query = "SELECT * FROM jobs WHERE id = ? AND project_id = ?"
    row = context.state.one(query, (job_id, project_id))
    if row is None:
        raise ApiError(404, f"job {job_id!r} not found in project {project_id!r}")
    return row


def _advance(context: Context, job: sqlite3.Row) -> None:
    """One more poll of a job that is in progress; the last one applies its answers."""
    stop = context.faults.of("job_never_ends", "job_fails", path=job["id"])
    if stop is not None and stop.kind == "job_fails":
        _set(context, job["id"], "failed", {"error": stop.message})
        return
    if stop is not None or not due(job["polls"], job["ready_at"]):
        with context.state.change() as db:
            db.execute("UPDATE jobs SET polls = polls - 1 WHERE id = ?", (job["id"],))
        return
    outcome = _apply(context, job)
    _set(context, job["id"], "completed", asdict(outcome))


def _set(context: Context, job_id: str, status: str, outcome: dict[str, Any]) -> None:
    with context.state.change() as db:
        row = (status, json.dumps(outcome), job_id)
        db.execute("UPDATE jobs SET status = ?, outcome = ? WHERE id = ?", row)


def _apply(context: Context, job: sqlite3.Row) -> Outcome:
    project = context.project(job["project_id"])
    quirks = context.behaviour.quirks
    planted = context.faults.of("files_not_updated", path=job["id"])
    ignored = context.faults.of("questions_ignored", path=job["id"])
    questions = context.questions(project)
    if ignored is not None:
        names = ignored.names
        questions = [q for q in questions if names and q["question"] not in names]
    path = context.state.object_path(job["object"])
    with context.state.reader() as db:
        files = ProjectFiles(db, job["project_id"], quirks.exact_names)
        if planted is not None:
            files.hidden = frozenset(planted.names) or None
        batch = _Batch(context.state, job["project_id"], job["conf_bucket"])
        outcome = read_answers(path, job["format"], questions, files, quirks, batch.take)
    batch.write()
    outcome.annotations, outcome.files = batch.taken, len(batch.replaced)
    return outcome


@dataclass
class _Batch:
    """Answers of a job, written some at a time, so that memory does not grow with their file.

    A second upload of the same bucket replaces the first; it does not pile up. So does a job that
    is applied anew because it was cut short.
    """

    state: State
    project_id: str
    conf_bucket: str | None
    waiting: list[Answer] = field(default_factory=list)
    replaced: set[str] = field(default_factory=set)
    taken: int = 0

    def take(self, answer: Answer) -> None:
        self.waiting.append(answer)
        self.taken += 1
        if len(self.waiting) == _AT_ONCE:
            self.write()

    def write(self) -> None:
        found = {answer.file_id for answer in self.waiting} - self.replaced
        bucket = self.conf_bucket
        with self.state.change() as db:
            db.executemany(
                "DELETE FROM answers WHERE project_id = ? AND file_id = ?"
                " AND source = 'preannotation' AND conf_bucket IS ?",
                ((self.project_id, file_id, bucket) for file_id in found),
            )
            raise_revisions(db, self.project_id, {answer.file_id for answer in self.waiting})
            db.executemany(
                "INSERT INTO answers (id, project_id, file_id, question_id, kind, data, score,"
                " conf_bucket, source) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'preannotation')",
                (
                    (
                        *(new_id(), self.project_id, a.file_id, a.question_id),
                        *(a.kind, a.data, a.score, bucket),
                    )
                    for a in self.waiting
                ),
            )
        self.replaced |= found
        self.waiting.clear()
