"""The loopback platform as a person meets it: kept up, looked at, annotated by a simulated one."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from segtrack.annotation.labellerr.access import Access, credentials_of
from segtrack.annotation.labellerr.checks import find_project, match_questions
from segtrack.annotation.labellerr.loopback import (
    Local,
    kept_up,
    rehearse,
    serve,
    truth_of,
)
from segtrack.annotation.labellerr.port import Platform, ProjectRecord
from segtrack.annotation.port import KnownLabels, Progress, Rehearsal
from segtrack.base.errors import DataError, SettingsError
from segtrack.base.labellerr_api import NOT_ASSIGNED
from segtrack.dataset import Dataset
from segtrack.settings import LabellerrMode, LabellerrSettings

FOLDER = "emulator"  # of the platform's state, in the folder of what must be remembered


@contextlib.contextmanager
def keep_up(
    settings: LabellerrSettings, folder: Path, port: int | None, as_of: str | None
) -> Iterator[Local]:
    """Keep the platform of a store up while the block runs.

    Args:
        folder: keeps what must be remembered between runs.
        port: None takes that of the last time, where it is free; 0 any free one.
        as_of: whose documentation it follows; None: the SDK's.

    Raises:
        SettingsError: the port is taken, no such ``as_of``, or the settings mean another platform.
    """
    require_local(settings)
    with serve(folder / FOLDER, credentials_of(settings), port, as_of) as there:
        yield there


def kept_platform(settings: LabellerrSettings, folder: Path) -> Local | None:
    """The platform of a store that another process keeps up, or None."""
    require_local(settings)
    return kept_up(folder / FOLDER)


@dataclass(frozen=True)
class Desk:
    """A platform and its projects, for a person.

    Attributes:
        access: to where it is.
        kept: it stays up when this command has ended.
        local: it is a loopback platform.
    """

    access: Access
    kept: bool
    local: bool

    @property
    def url(self) -> str:
        """Where it listens."""
        return self.access.url

    @property
    def platform(self) -> Platform:
        """As the adapter speaks to it."""
        return self.access.platform

    def projects(self) -> list[ProjectRecord]:
        """All of them, as the platform lists them."""
        return list(self.platform.projects())

    def project(self, wanted: str | None) -> ProjectRecord:
        """The project of an id or a name; the newest where none is named.

        Raises:
            SettingsError: there is none, or several have the name.
        """
        if wanted is not None:
            return find_project(self.platform, "PROJECT", wanted)
        found = self.projects()
        if not found:
            raise SettingsError(
                "the platform has no project yet; make one with stages=[push] or stages=[review]"
            )
        return found[0]

    def progress(self, project: ProjectRecord, finished: frozenset[str]) -> Progress:
        """How far people are with a project.

        Args:
            finished: statuses of files whose labels may be taken.
        """
        files = self.platform.project_files(project.project_id)
        counts = Counter(file.status for file in files)
        done = sum(counts[status] for status in finished)
        untouched = counts[NOT_ASSIGNED]
        whole = counts.total()
        return Progress(project.project_id, project.name, whole, untouched, done, dict(counts))

    def page(self, project_id: str | None = None) -> str | None:
        """Where a person reviews in a browser; None on the cloud."""
        return self.access.page(project_id)

    def annotate(self, project_id: str, dataset: Dataset, settings: LabellerrSettings) -> Rehearsal:
        """Have the simulated annotator work on those files whose content a data set has labels of.

        Raises:
            DataError: these labels are of classes that the project does not ask for.
            SettingsError: there people do it.
        """
        if not self.local:
            raise SettingsError("on the cloud people annotate; nobody is simulated there")
        names = [file.file_name for file in self.platform.project_files(project_id)]
        truth: dict[str, KnownLabels] = {}
        for split, count in dataset.counts.items():
            if count:
                truth[split] = truth_of(dataset, split, names)
        known = {name: objects for one in truth.values() for name, objects in one.items()}
        asked = self._as_asked(project_id, known)
        return rehearse(self.url, project_id, asked, settings.annotator, partly=True)

    def _as_asked(self, project_id: str, known: KnownLabels) -> KnownLabels:
        """The labels, each called as the project's question of its class."""
        classes = sorted({name for objects in known.values() for name, _ in objects})
        project = self.platform.project(project_id)
        questions = self.platform.template(project.template_id).questions
        try:
            asked = match_questions(classes, questions)
        except DataError as error:
            only = ",".join(question.name for question in questions)
            raise DataError(
                f"project {project.name}: {error} Its classes alone: 'dataset.classes=[{only}]'"
            ) from error
        return {
            file: [(asked[name], outline) for name, outline in objects]
            for file, objects in known.items()
        }


@contextlib.contextmanager
def open_desk(settings: LabellerrSettings, folder: Path) -> Iterator[Desk]:
    """The platform that the settings name; an emulator that is not kept up is for this block."""
    access = Access(settings, folder / FOLDER)
    with contextlib.closing(access):
        local = settings.mode is LabellerrMode.emulator
        yield Desk(access, access.kept, local)


def require_local(settings: LabellerrSettings) -> None:
    """
    Raises:
        SettingsError: the settings mean the cloud, or a platform at an address.
    """
    if settings.mode is not LabellerrMode.emulator or settings.url is not None:
        at = f"labellerr.url={settings.url}" if settings.url else f"labellerr={settings.mode.value}"
        raise SettingsError(
            f"{at}: only a platform of this machine's own can be kept up: labellerr=emulator"
        )
