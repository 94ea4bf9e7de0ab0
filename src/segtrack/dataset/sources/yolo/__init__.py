"""A folder of images with YOLO-seg label files and a data.yaml."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from segtrack.dataset.sources.port import (
    Content,
    Place,
    Source,
    reading_of,
    register_source,
    required_path,
)
from segtrack.settings import FolderSettings, knob


@dataclass
class YoloSettings(FolderSettings):
    """A folder with images, YOLO-seg polygon .txt labels and data.yaml: dataset.path=FOLDER"""

    source: str = "yolo"
    path: str | None = knob(None, "the folder that holds data.yaml")


def _read(settings: YoloSettings, place: Place) -> Content:
    from segtrack.dataset.files import read_files
    from segtrack.dataset.sources.yolo.config import read_config
    from segtrack.dataset.sources.yolo.reader import list_yolo

    config = read_config(required_path(settings))
    list_yolo(config, place.catalogue, place.checks)
    reading = reading_of(settings, place, len(config.names))
    return Content(config.names, files_read=read_files(place.catalogue, place.checks, reading))


def _files(settings: YoloSettings) -> Iterator[Path]:
    """The folder, and what its data.yaml names outside of it."""
    from segtrack.dataset.sources.yolo.config import read_config
    from segtrack.dataset.sources.yolo.reader import label_path

    config = read_config(required_path(settings))
    folder = config.file.parent.absolute()
    yield folder
    for part in sorted({p for parts in config.splits.values() for p in parts}):
        if not part.is_relative_to(folder):
            yield part
            if part.is_dir():
                labels = Path(label_path(str(part / "x.x"))).parent
                if labels.is_dir() and labels != part:
                    yield labels


register_source(Source("yolo", YoloSettings, _read, _files, version=5))
