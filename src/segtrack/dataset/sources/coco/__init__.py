"""A folder of images with COCO JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segtrack.dataset.sources.port import (
    Content,
    Place,
    Source,
    reading_of,
    register_source,
    required_path,
)
from segtrack.settings import SPLITS, DatasetSettings, Problem, folder_problems, knob


@dataclass
class CocoSettings(DatasetSettings):
    """COCO JSON with polygons or RLE: dataset.path=FOLDER dataset.annotations=FILE"""

    source: str = "coco"
    path: str | None = knob(None, "the folder that the file names of the JSON are relative to")
    annotations: Any = knob(
        None,
        "the JSON file, or a mapping {train: FILE, val: FILE} of splits to files",
        kind="text or mapping",
    )

    def problems(self) -> Iterator[Problem]:
        """A folder is needed, and the JSON."""
        yield from super().problems()
        yield from folder_problems(self)
        if self.annotations is None:
            allowed = "dataset=coco needs the JSON file: dataset.annotations=FILE"
            yield Problem("dataset.annotations", None, allowed)
            return
        files = self.annotations if isinstance(self.annotations, dict) else {"": self.annotations}
        for split, file in files.items():
            key = f"dataset.annotations.{split}".rstrip(".")
            if split not in ("", *SPLITS):
                yield Problem(key, file, "splits are train, val, test and pool")
            if not isinstance(file, str) or not Path(file).expanduser().is_file():
                yield Problem(key, file, "no such file; give a COCO JSON file")


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
    from segtrack.dataset.sources.coco.reader import annotation_files

    folder = required_path(settings)
    yield folder
    for path, _ in annotation_files(folder, settings.annotations):
        yield path


register_source(Source("coco", CocoSettings, _read, _files, version=2))
