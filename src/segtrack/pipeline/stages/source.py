"""Which data set is meant: the platform's export, or the newest version, has to be found first."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from segtrack.base.errors import SettingsError
from segtrack.pipeline.platform import platform_of
from segtrack.pipeline.stage import Ask, Given, Stage, Visit, register
from segtrack.settings import PARENT, LabellerrDatasetSettings, ReviewedSettings

if TYPE_CHECKING:
    from segtrack.pipeline.runner import Run


def source(ask: Ask) -> Given:
    """The settings that ``prepare`` reads, with the export or the version that they mean."""
    settings = ask.settings.dataset
    if isinstance(settings, ReviewedSettings):
        from segtrack.dataset.sources.reviewed import parents_start

        path = Path(settings.path) if settings.path else _newest_version(ask)
        start = settings.starting_weights
        start = parents_start(path.expanduser()) if start == PARENT else start
        return Given(dataclasses.replace(settings, path=str(path), starting_weights=start))
    if isinstance(settings, LabellerrDatasetSettings) and settings.export is None:
        return Given(dataclasses.replace(settings, export=str(ask("export").value)))
    return Given(settings)


def export(ask: Ask) -> Visit:
    """Finished labels of a project, kept in a folder; a new export where prepare may ask for one.

    Raises:
        SettingsError: prepare is not listed, and no earlier export was kept.
    """
    from segtrack.annotation import open_platform

    settings = ask.settings.dataset
    assert isinstance(settings, LabellerrDatasetSettings)
    project_id = str(settings.project_id)
    platform = open_platform(ask.settings.labellerr, ask.scratch("labellerr"))
    kept = platform.kept_labels(project_id)
    if kept is None and "prepare" not in ask.listed:
        raise SettingsError(
            f"dataset=labellerr: no export of project {project_id} is in the store; add "
            "prepare to stages."
        )
    return Visit(f"the export of {project_id} comes first", _export, kept.folder if kept else None)


def _export(run: Run) -> Path:
    settings = run.settings.dataset
    assert isinstance(settings, LabellerrDatasetSettings)
    project_id = str(settings.project_id)
    kept = platform_of(run).labels(project_id)
    run.say(f"{kept.images} images, {kept.annotations} labels of {project_id}")
    run.tag({"labellerr.project": project_id, "labellerr.export": kept.digest})
    return kept.folder


def _newest_version(ask: Ask) -> Path:
    kept = [p for p in ask.scratch("reviewed").glob("[!.]*/") if p.suffix != ".partial"]
    newest = max(kept, key=lambda folder: folder.stat().st_mtime_ns, default=None)
    if newest is None:
        raise SettingsError(
            "dataset=reviewed: no reviewed version is in the store yet; make one with "
            "stages=[...,review,pull], or name one with dataset.path=FOLDER."
        )
    return newest


SOURCE = register(Stage(name="source", make=source, inputs=("export",), listed=False))
EXPORT = register(Stage(name="export", make=export, listed=False, part_of="prepare", platform=True))
