"""What this project needs of Labellerr: one protocol, and the records that it speaks in.

Records hold what is used here and nothing else: the platform's own ones carry the API key in
``created_by``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from segtrack.base.errors import NothingToExport
from segtrack.base.labellerr_api import NOT_ASSIGNED

FAILED = 400  # status_code from which on a data set or project will never be ready


@dataclass(frozen=True)
class Question:
    """One question of a template: a class, drawn as polygons.

    Attributes:
        name: text of the question, verbatim: trailing spaces count.
        color: ``#RRGGBB``. kind: ``polygon``, ``BoundingBox`` and so on.
    """

    name: str
    color: str
    question_id: str = ""
    kind: str = "polygon"


def class_questions(classes: Sequence[str], colors: Sequence[str]) -> tuple[Question, ...]:
    """One polygon question per class, in the order of the classes; colours ``#RRGGBB`` repeat."""
    return tuple(Question(name, colors[i % len(colors)]) for i, name in enumerate(classes))


@dataclass(frozen=True)
class Template:
    """Questions in their order, which is the order of the classes."""

    template_id: str
    name: str
    questions: tuple[Question, ...]


@dataclass(frozen=True)
class DatasetRecord:
    """A data set; ``files_count`` is 0 until it was processed, ``description`` whoever's words."""

    dataset_id: str
    name: str
    status_code: int
    files_count: int
    progress: str = ""
    description: str = ""


@dataclass(frozen=True)
class ProjectRecord:
    """A project and what it is made of."""

    project_id: str
    name: str
    status_code: int
    dataset_ids: tuple[str, ...]
    template_id: str


@dataclass(frozen=True)
class FileRecord:
    """A file of a data set or project.

    Attributes:
        status: of a project's file, ``None`` (the word) where nobody works on it.
        width, height: px; 0 where the platform did not say.
    """

    file_id: str
    file_name: str
    dataset_id: str
    status: str = NOT_ASSIGNED
    width: int = 0
    height: int = 0


@dataclass(frozen=True)
class Connection:
    """Where files are sent before they become a data set: one signed link per file name."""

    connection_id: str
    links: Mapping[str, str]


@dataclass(frozen=True)
class Job:
    """State of a pre-annotation job; ``status`` is completed, failed or anything else.

    Attributes:
        files_not_updated, questions_ignored: by name, as far as the platform names them.
        unmatched: files that did not arrive, where it only counts them.
    """

    job_id: str
    status: str
    files_not_updated: tuple[str, ...] = ()
    questions_ignored: tuple[str, ...] = ()
    unmatched: int = 0


@dataclass(frozen=True)
class Export:
    """State of an export; ``status`` is Created (ready once completed) or Failed."""

    report_id: str
    is_completed: bool
    status: str


class Platform(Protocol):
    """Labellerr, whatever the transport.

    All methods raise ``PlatformError`` where the platform refuses, is not reached or does not
    finish in time. ``ensure_...`` first look for what has the same name: giving the same call
    again, after whatever failure, does not create a second one.
    """

    @property
    def transport(self) -> str:
        """``sdk`` or ``http``."""
        ...

    @property
    def account(self) -> str:
        """A digest of address and client id, to tell accounts apart without showing them."""
        ...

    def connect_files(self, names: Sequence[str], connection_id: str | None) -> Connection:
        """Announce files; None opens a new connection."""
        ...

    def send_file(self, link: str, path: Path) -> None:
        """Send one file to its signed link."""
        ...

    def datasets(self, data_type: str = "image") -> Iterator[DatasetRecord]:
        """All data sets of the account, of ``image`` or ``video``."""
        ...

    def dataset(self, dataset_id: str) -> DatasetRecord: ...

    def find_dataset(
        self, name: str, files: Sequence[str], data_type: str = "image"
    ) -> DatasetRecord | None:
        """The data set of this name and, as far as it is processed, exactly these file names.

        Raises:
            PlatformError: one of this name has other files.
        """
        ...

    def ensure_dataset(
        self,
        name: str,
        connection_id: str,
        files: Sequence[str],
        data_type: str = "image",
        description: str = "",
    ) -> DatasetRecord:
        """Make a data set of the files that were sent over a connection, or find it."""
        ...

    def wait_dataset(self, dataset_id: str, timeout: float | None = None) -> DatasetRecord:
        """Wait until a data set is ready (seconds); raises where it failed."""
        ...

    def dataset_files(self, dataset_id: str) -> Iterator[FileRecord]: ...

    def delete_dataset(self, dataset_id: str) -> None: ...

    def template(self, template_id: str) -> Template: ...

    def ensure_template(
        self, name: str, questions: Sequence[Question], data_type: str = "image"
    ) -> Template:
        """A template with exactly these questions, in this order."""
        ...

    def projects(self) -> Iterator[ProjectRecord]: ...

    def project(self, project_id: str) -> ProjectRecord: ...

    def ensure_project(
        self, name: str, dataset_ids: Sequence[str], template_id: str, data_type: str = "image"
    ) -> ProjectRecord:
        """A project of this template with at least these data sets attached."""
        ...

    def attach(self, project_id: str, dataset_ids: Sequence[str]) -> None:
        """Attach those of the data sets that are not attached yet."""
        ...

    def delete_project(self, project_id: str) -> None: ...

    def project_files(self, project_id: str) -> Iterator[FileRecord]:
        """The files of a project with their status."""
        ...

    def set_status(
        self, project_id: str, file_ids: Sequence[str], status: str, assign_to: str | None = None
    ) -> None:
        """Move files on; as of June 2026 ``status`` is one of ``ASSIGNED_STATUSES``, where
        ``annotation`` gives them back to those who annotate, and ``assign_to`` a known user.
        """
        ...

    def send_preannotations(
        self,
        project_id: str,
        path: Path,
        format: str = "coco_json",
        bucket: str | None = None,
        identity: str | None = None,
    ) -> str:
        """Upload a file of answers; returns the id of the job that applies them.

        ``identity`` is a uuid by which the platform may tell a repeated call from a new one.
        """
        ...

    def wait_job(self, project_id: str, job_id: str, timeout: float | None = None) -> Job:
        """Wait for a job; raises unless every file and question was taken."""
        ...

    def start_export(
        self,
        project_id: str,
        name: str,
        statuses: Sequence[str],
        format: str = "coco_json",
        updated_after: int = 0,
    ) -> str:
        """Ask for an export of the files with one of the statuses; returns its report id.

        Args:
            updated_after: only files that changed since, ms of the platform's clock; 0: all.

        Raises:
            NothingToExport: no file has one of them.
        """
        ...

    def wait_export(self, project_id: str, report_id: str, timeout: float | None = None) -> Export:
        """Wait for an export; raises where it failed."""
        ...

    def download_export(self, project_id: str, report_id: str, path: Path) -> Path:
        """Download a finished export; ``path`` is whole or not there."""
        ...


def nothing_finished(
    project_id: str, statuses: Sequence[str], status: int | None = None
) -> NothingToExport:
    """What is said where no file has one of the statuses."""
    return NothingToExport(
        f"project {project_id}: no file has one of the statuses {', '.join(statuses)} (No files "
        "found). Review or accept some on the platform, or choose other statuses with "
        "labellerr.statuses=[...].",
        status,
    )
