"""A folder of images with COCO JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segtrack.base.errors import DataError
from segtrack.dataset.sources.port import (
    Content,
    Place,
    Source,
    reading_of,
    register_source,
    required_path,
)
from segtrack.settings import FolderSettings, Problem, knob


@dataclass
class CocoSettings(FolderSettings):
    """COCO JSON with polygons or RLE: dataset.path=FOLDER dataset.annotations=FILE

    Odd forms are read as they are meant, with a warning for each kind. An annotation without a
    usable segmentation gets the rectangle of its bbox; one that cannot be read is left out. Where
    more than one in twenty of a file (and more than a single one) cannot be read, or all of them,
    the file is refused. Coordinates are never scaled: a warning says where they look like shares.
    """

    source: str = "coco"
    path: str | None = knob(None, "the folder that the file names of the JSON are relative to")
    annotations: Any = knob(
        None,
        "the JSON file, a list of them, or a mapping {train: FILE, val: FILE} of splits to files; "
        "looked for in the working folder and in dataset.path. null: the files of Roboflow's, "
        "COCO's and CVAT's exports, or the only one",
        kind="text, list or mapping",
    )

    def problems(self) -> Iterator[Problem]:
        """A folder is needed, and the JSON."""
        if self.path and self.path.lower().endswith(".json") and Path(self.path).is_file():
            allowed = f"is the JSON: dataset.path=FOLDER dataset.annotations={self.path}"
            yield Problem("dataset.path", self.path, allowed)
            return
        found = list(super().problems())
        yield from found
        if not any(problem.key == "dataset.path" for problem in found):
            from segtrack.dataset.sources.coco.annotation_files import annotation_files

            try:
                annotation_files(required_path(self), self.annotations)
            except DataError as error:
                text = str(error).removeprefix("dataset.annotations: ")
                yield Problem("dataset.annotations", self.annotations, text)


def _read(settings: CocoSettings, place: Place) -> Content:
    from segtrack.dataset.files import read_files
    from segtrack.dataset.sources.coco.reader import label_coco, list_coco
    from segtrack.dataset.workers import worker_count

    path = required_path(settings)
    names, files = list_coco(path, settings.annotations, place.catalogue, place.checks)
    read = read_files(place.catalogue, place.checks, reading_of(settings, place, len(names)))
    label_coco(files, place.catalogue, place.checks, worker_count(settings.workers))
    return Content(names, files_read=read + len(files))


def _files(settings: CocoSettings) -> Iterator[Path]:
    from segtrack.dataset.sources.coco.annotation_files import annotation_files

    folder = required_path(settings)
    yield folder
    for file in annotation_files(folder, settings.annotations):
        yield file.path


register_source(Source("coco", CocoSettings, _read, _files, version=6))
