"""How the loopback Labellerr behaves: who may enter, how long things take, which quirks it has."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Literal, get_args

from segtrack.base.labellerr_api import (
    DATASET_BYTES,
    DATASET_FILES,
    LOOPBACK,
    VARIABLES,
    VIDEO_BYTES,
)
from segtrack.base.pages.access import new_token

QUESTION_TYPES = (
    "BoundingBox",
    "polygon",
    "polyline",
    "dot",
    "input",
    "radio",
    "boolean",
    "select",
    "dropdown",
    "stt",
    "imc",
)

AsOf = Literal["2025-11", "2026-06"]  # the SDK's main line, and the documentation of June 2026
AS_OF: tuple[str, ...] = get_args(AsOf)


@dataclass(frozen=True)
class Credentials:
    """What a client must send; the defaults come from the environment, else KEY, SECRET, CID."""

    api_key: str = field(default_factory=lambda: _known(0), repr=False)
    api_secret: str = field(default_factory=lambda: _known(1), repr=False)
    client_id: str = field(default_factory=lambda: _known(2), repr=False)


@dataclass(frozen=True)
class Delays:
    """How often a status must be asked for, and for how many seconds, before a thing is ready."""

    dataset_polls: int = 1
    job_polls: int = 1
    export_polls: int = 1
    seconds: float = 0.0


@dataclass(frozen=True)
class Quirks:
    """What the real platform does, or may do, and a client must survive.

    Attributes:
        export_status: where ``/exports/status`` puts its list. The main line of the SDK reads the
            top level, newer ones read ``response``.
        list_projects: whether ``response`` is the list of projects or an object that holds it.
        exact_names: pre-annotations reach only files of exactly the same name; with False the case
            does not matter.
        exact_questions: category names must be the question's text verbatim, blanks at its end
            included.
        boxes_ignored: annotations of a polygon question without a polygon are silently dropped.
        empty_listed: an uploaded image without annotations is listed as not updated.
        dedupe: a create whose ``uuid`` was answered before gets that answer, and makes nothing.
        as_of: whose documentation it follows where they differ. 2026-06: the metadata of a job
            counts what arrived instead of listing what did not, records of projects have
            ``template_id``, templates have versions, ``bulk_assign`` takes five statuses and users
            that are known, videos may have 500 MB.
        users: who may be assigned, as of 2026-06.
    """

    export_status: Literal["both", "response", "top"] = "both"
    list_projects: Literal["object", "list"] = "object"
    exact_names: bool = True
    exact_questions: bool = True
    boxes_ignored: bool = True
    empty_listed: bool = True
    dedupe: bool = True
    as_of: AsOf = "2025-11"
    users: tuple[str, ...] = ("annotator@localhost", "reviewer@localhost")

    @property
    def of_2026(self) -> bool:
        return self.as_of == "2026-06"


@dataclass(frozen=True)
class Limits:
    """Sizes in bytes; ``link_seconds`` is how long a signed link is good for."""

    dataset_files: int = DATASET_FILES
    dataset_bytes: int = DATASET_BYTES
    annotation_bytes: int = 25 * 1024**2
    upload_bytes: int = 1024**3
    video_bytes: int = VIDEO_BYTES
    body_bytes: int = 4 * 1024**2
    work_bytes: int = 64 * 1024**2
    link_seconds: float = 3600.0


@dataclass(frozen=True)
class Behaviour:
    """Everything that can be switched, in one place, and the token of the control endpoints."""

    credentials: Credentials = field(default_factory=Credentials)
    delays: Delays = field(default_factory=Delays)
    quirks: Quirks = field(default_factory=Quirks)
    limits: Limits = field(default_factory=Limits)
    token: str = field(default_factory=new_token, repr=False)


def _known(index: int) -> str:
    return os.environ.get(VARIABLES[index]) or LOOPBACK[index]
