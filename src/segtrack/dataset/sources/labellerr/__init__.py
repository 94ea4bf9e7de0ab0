"""Finished labels of a Labellerr project, joined with the images on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from segtrack.dataset.sources.port import (
    Content,
    Place,
    Source,
    reading_of,
    register_source,
    required_path,
)
from segtrack.settings import FolderSettings, Problem, SplitFractions, knob


class Unlabelled(Enum):
    """What becomes of local images that an export does not name."""

    pool = "pool"
    ignore = "ignore"


@dataclass
class LabellerrDatasetSettings(FolderSettings):
    """Finished labels of a Labellerr project, joined with the images in ``path``.

    An export is asked for whenever prepare runs; class order is that of the project's template.
    """

    source: str = "labellerr"
    path: str | None = knob(
        None,
        "the folder with the images, which exports do not hold; its data.yaml, if it has one, "
        "decides the splits",
    )
    splits: SplitFractions = knob(
        SplitFractions,
        "shares of the labelled images. An image is in test by its content and the seed alone, so "
        "that it stays there when more are labelled; of n images n * test are, give or take "
        "sqrt(n * test * (1 - test)). The others are dealt anew",
    )
    project_id: str | None = knob(
        None,
        "the project's id, as push printed it or as in the address of its page, or its name, such "
        "as labellerr.name of the push",
    )
    unlabelled: Unlabelled = knob(
        Unlabelled.pool,
        "what becomes of images of path that the export does not name; those that data.yaml has in "
        "test keep their own labels",
    )
    export: str | None = knob(
        None,
        "a COCO JSON file that was exported by hand, or a folder that an earlier export was kept "
        "in, which count by their content; null asks the platform for a new one",
        local=True,
    )

    def problems(self) -> Iterator[Problem]:
        """A folder is needed, and labels: a project's, or those of an export."""
        yield from super().problems()
        if not self.project_id and self.export is None:
            allowed = "name the project whose labels are wanted: dataset.project_id=ID"
            yield Problem("dataset.project_id", self.project_id, allowed)
        if self.export is not None and not Path(self.export).expanduser().exists():
            allowed = "no such file or folder; null asks the platform for an export"
            yield Problem("dataset.export", self.export, allowed)


def _read(settings: LabellerrDatasetSettings, place: Place) -> Content:
    from segtrack.dataset.files import read_files
    from segtrack.dataset.kept_export import KeptExport
    from segtrack.dataset.sources.coco.reader import label_coco
    from segtrack.dataset.sources.labellerr import reader
    from segtrack.dataset.workers import worker_count

    catalogue, checks = place.catalogue, place.checks
    path = required_path(settings)
    export = KeptExport.load(Path(settings.export or "").expanduser())
    config, keep = reader.own_config(path), settings.unlabelled is Unlabelled.pool
    files = reader.list_labellerr(path, config, export, keep, catalogue, checks, place.cache)
    own_classes = len(config.names) if config else 0
    read = read_files(catalogue, checks, reading_of(settings, place, own_classes))
    reader.check_pushed(export, catalogue, checks)
    if config is not None:
        reader.label_own(config, export.names, catalogue, checks)
    label_coco(files, catalogue, checks, worker_count(settings.workers))
    reader.label_rest(catalogue)
    return Content(export.names, files_read=read + len(files))


def _stamp(settings: LabellerrDatasetSettings) -> str:
    """The labels by content: another export of the same ones is the same data set."""
    from segtrack.dataset.kept_export import KeptExport

    return KeptExport.load(Path(settings.export or "").expanduser()).digest


def _project(settings: LabellerrDatasetSettings) -> str | None:
    return str(settings.project_id) if settings.export is None else None


def _resolve(
    settings: LabellerrDatasetSettings, labels: Path | None, _: Path
) -> LabellerrDatasetSettings:
    return settings if labels is None else replace(settings, export=str(labels))


register_source(
    Source(
        "labellerr",
        LabellerrDatasetSettings,
        _read,
        files=lambda settings: [required_path(settings)],
        version=4,
        lasting_test=True,
        stamp=_stamp,
        project=_project,
        resolve=_resolve,
    )
)
