"""Which data set is meant: the platform's export, or the newest version, has to be found first."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from segtrack.base.errors import SettingsError
from segtrack.base.words import counted
from segtrack.dataset import source_of
from segtrack.pipeline.platform import platform_of, unfinished
from segtrack.pipeline.stage import Ask, Given, Stage, Visit, register

if TYPE_CHECKING:
    from segtrack.pipeline.runner import Run
    from segtrack.settings import Settings


def source(ask: Ask) -> Given:
    """The settings that ``prepare`` reads, with the export or the version that they mean."""
    settings = ask.settings.dataset
    found = source_of(settings)
    kept = None if found.project(settings) is None else Path(ask("labels").value)
    return Given(found.resolve(settings, kept, ask.scratch("reviewed")))


def labels(ask: Ask) -> Visit:
    """Finished labels of a project, kept in a folder; a new export where prepare may ask for one.

    Raises:
        SettingsError: prepare is not listed, and no earlier export was kept.
    """
    from segtrack.annotation import open_platform

    project_id = _project(ask.settings)
    platform = open_platform(ask.settings.labellerr, ask.scratch("labellerr"))
    kept = platform.kept_labels(project_id)
    if kept is None and "prepare" not in ask.listed:
        raise SettingsError(
            f"dataset={ask.settings.dataset.source}: no export of project {project_id} is in the "
            "store; add prepare to stages."
        )
    return Visit(f"the export of {project_id} comes first", _export, kept.folder if kept else None)


def _export(run: Run) -> Path:
    project_id = _project(run.settings)
    platform = platform_of(run)
    kept = platform.labels(project_id)
    run.say(
        f"{counted(kept.images, 'images')}, {counted(kept.annotations, 'labels')} of {project_id}"
    )
    if left := unfinished(run.settings, platform.status(kept.project_id)):
        run.say(f"not taken, by their status: {left}")
    run.tag({"labellerr.project": kept.project_id, "labellerr.export": kept.digest})
    return kept.folder


def _project(settings: Settings) -> str:
    project_id = source_of(settings.dataset).project(settings.dataset)
    assert project_id is not None, "asked for the labels of a source that needs none"
    return project_id


SOURCE = register(Stage(name="source", make=source, inputs=("labels",), listed=False))
LABELS = register(Stage(name="labels", make=labels, listed=False, part_of="prepare", platform=True))
