"""Labellerr's answers as the records of the port: only what is used, under one name each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from segtrack.annotation.labellerr.port import (
    DatasetRecord,
    FileRecord,
    Job,
    ProjectRecord,
    Question,
    Template,
)
from segtrack.base.errors import PlatformError
from segtrack.base.labellerr_api import NOT_ASSIGNED


def records(value: Any) -> list[Mapping[str, Any]]:
    """A list of records in an answer; empty where there is none.

    Raises:
        PlatformError: it is something else.
    """
    found = value or []
    if not isinstance(found, list):
        raise _odd(value, "a list of records")
    return [record(one) for one in found]


def record(value: Any) -> Mapping[str, Any]:
    """A record in an answer; empty where there is none.

    Raises:
        PlatformError: it is something else.
    """
    found = value or {}
    if not isinstance(found, Mapping):
        raise _odd(value, "a record")
    return found


def _number(value: Any) -> int:
    try:
        return int(value or 0)
    except (TypeError, ValueError, OverflowError):
        raise _odd(value, "a number") from None


def _odd(value: Any, wanted: str) -> PlatformError:
    shown = repr(value)[:80]
    return PlatformError(
        f"an answer has {shown} where {wanted} belongs: is labellerr.url the address of Labellerr? "
        "If so, its API has changed."
    )


def dataset_record(raw: Mapping[str, Any]) -> DatasetRecord:
    """From the platform's record; a missing status counts as 501, not found, as in the SDK."""
    return DatasetRecord(
        dataset_id=str(raw.get("dataset_id", "")),
        name=str(raw.get("name") or raw.get("dataset_name") or ""),
        status_code=_number(raw.get("status_code")) or 501,
        files_count=_number(raw.get("files_count")),
        progress=str(raw.get("progress") or ""),
        description=str(raw.get("description") or raw.get("dataset_description") or ""),
    )


def project_record(raw: Mapping[str, Any]) -> ProjectRecord:
    """From the platform's record."""
    attached = raw.get("attached_datasets") or ()
    if not isinstance(attached, list | tuple):
        raise _odd(attached, "a list")
    ids = (d.get("dataset_id", "") if isinstance(d, Mapping) else d for d in attached)
    return ProjectRecord(
        project_id=str(raw.get("project_id", "")),
        name=str(raw.get("project_name") or raw.get("name") or ""),
        status_code=_number(raw.get("status_code")) or 501,
        dataset_ids=tuple(str(i) for i in ids),
        template_id=str(raw.get("annotation_template_id") or raw.get("template_id") or ""),
    )


def file_record(raw: Mapping[str, Any]) -> FileRecord:
    """From the platform's record of a data set's or project's file."""
    metadata = record(raw.get("file_metadata"))
    return FileRecord(
        file_id=str(raw.get("file_id", "")),
        file_name=str(raw.get("file_name") or ""),
        dataset_id=str(raw.get("dataset_id") or ""),
        status=str(raw.get("file_status") or raw.get("status") or NOT_ASSIGNED),
        width=_number(metadata.get("image_width")),
        height=_number(metadata.get("image_height")),
    )


def template_record(raw: Mapping[str, Any], template_id: str = "") -> Template:
    """From the platform's record; questions come in the order of their numbers."""
    questions = records(raw.get("questions"))
    questions.sort(key=lambda q: _number(q.get("question_number")))
    return Template(
        template_id=str(raw.get("template_id") or template_id),
        name=str(raw.get("templateName") or raw.get("template_name") or ""),
        questions=tuple(_question(q) for q in questions),
    )


def job_record(raw: Mapping[str, Any], job_id: str) -> Job:
    """From the platform's answer; names may come as text or as records.

    What was observed lists ``files_not_updated``; the documentation of June 2026 has
    ``unmatched_files``, which may be a number or a list.
    """
    metadata = record(raw.get("metadata"))
    lost = _names(metadata.get("files_not_updated"), "file_name")
    unmatched = metadata.get("unmatched_files")
    count = 0
    if isinstance(unmatched, list | tuple):
        lost = tuple(dict.fromkeys((*lost, *_names(unmatched, "file_name"))))
    else:
        count = _number(unmatched)
    return Job(
        job_id=job_id,
        status=str(raw.get("status") or "unknown").lower(),
        files_not_updated=lost,
        questions_ignored=_names(metadata.get("questions_ignored"), "question"),
        unmatched=count,
    )


def _question(raw: Mapping[str, Any]) -> Question:
    options = raw.get("options") or ()
    first = options[0] if isinstance(options, Sequence) and options else {}
    color = raw.get("color") or (first.get("option_name") if isinstance(first, Mapping) else "")
    kind = raw.get("option_type") or raw.get("question_type") or ""
    return Question(
        str(raw.get("question", "")), str(color or ""), str(raw.get("question_id", "")), str(kind)
    )


def _names(raw: Any, key: str) -> tuple[str, ...]:
    items = raw or ()
    if not isinstance(items, list | tuple):
        raise _odd(raw, "a list")
    return tuple(str(i.get(key, i)) if isinstance(i, Mapping) else str(i) for i in items)
