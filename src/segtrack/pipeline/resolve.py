"""Data sets that come from the platform: finished labels of a project, and reviewed versions."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from segtrack.base.errors import SettingsError
from segtrack.pipeline.flow import NotBuilt
from segtrack.pipeline.platform import PlatformRun
from segtrack.settings import (
    PARENT,
    DatasetSettings,
    LabellerrDatasetSettings,
    ReviewedSettings,
    Stage,
)


def resolved_settings(run: PlatformRun) -> DatasetSettings:
    """The settings that ``prepare`` reads, with the export or the version that they mean.

    Raises:
        SettingsError: there is no such version, or no export and prepare is not listed.
        PlatformError: the platform has no export to give.
    """
    settings = run.settings.dataset
    if isinstance(settings, ReviewedSettings):
        from segtrack.dataset.sources.reviewed import parents_start

        path = Path(settings.path) if settings.path else _newest_version(run)
        start = settings.starting_weights
        start = parents_start(path.expanduser()) if start == PARENT else start
        return dataclasses.replace(settings, path=str(path), starting_weights=start)
    if isinstance(settings, LabellerrDatasetSettings) and settings.export is None:
        return dataclasses.replace(settings, export=str(_export(run, settings)))
    return settings


def _export(run: PlatformRun, settings: LabellerrDatasetSettings) -> Path:
    from segtrack.annotation.labellerr.exporting import export_labels, latest_export
    from segtrack.annotation.labellerr.push import pushed_files

    project_id, root = str(settings.project_id), run.scratch / "exports"
    if run.flow.plan is not None or Stage.prepare not in run.flow.listed:
        # The last one that was asked for: what is not listed does not run.
        kept = latest_export(root, project_id)
        if kept is not None:
            return kept.folder
        if run.flow.plan is not None:
            run.flow.plan.append(f"prepare    platform  the export of {project_id} comes first")
            raise NotBuilt(Stage.prepare.name)
        raise SettingsError(
            f"dataset=labellerr: no export of project {project_id} is in the store; add "
            "prepare to stages."
        )
    platform, labellerr = run.platform, run.settings.labellerr
    with pushed_files(run.scratch, platform.account) as find:
        kept = export_labels(
            platform, project_id, labellerr.statuses, root, find, timeout=labellerr.timeout
        )
    print(f"export     {kept.images} images, {kept.annotations} labels of {project_id}")
    run.flow.tag({"labellerr.project": project_id, "labellerr.export": kept.digest})
    return kept.folder


def _newest_version(run: PlatformRun) -> Path:
    kept = [p for p in run.versions.glob("[!.]*/") if p.suffix != ".partial"]
    newest = max(kept, key=lambda folder: folder.stat().st_mtime_ns, default=None)
    if newest is None:
        raise SettingsError(
            "dataset=reviewed: no reviewed version is in the store yet; make one with "
            "stages=[...,review,pull], or name one with dataset.path=FOLDER."
        )
    return newest
