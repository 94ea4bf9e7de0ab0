"""The data sets that ultralytics knows by name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from segtrack.dataset.sources.port import Content, Place, Source, reading_of, register_source
from segtrack.dataset.sources.ultralytics.settings import UltralyticsSettings

__all__ = ["UltralyticsSettings"]


def _read(settings: UltralyticsSettings, place: Place) -> Content:
    from segtrack.dataset.files import read_files
    from segtrack.dataset.sources.ultralytics.download import ultralytics_config
    from segtrack.dataset.sources.yolo.reader import list_yolo

    config = ultralytics_config(settings, place.cache)
    list_yolo(config, place.catalogue, place.checks)
    read = read_files(place.catalogue, place.checks, reading_of(settings, place, len(config.names)))
    prefix = f"ultralytics:{Path(settings.name).stem}/"
    return Content(config.names, files_read=read, prefix=prefix)


def _files(settings: UltralyticsSettings) -> Iterator[Path]:
    path = Path(settings.path).expanduser() if settings.path else None
    if path is not None and path.exists():  # else it is downloaded, and the name says which one
        yield path


register_source(
    Source(
        "ultralytics",
        UltralyticsSettings,
        _read,
        _files,
        title=lambda settings: Path(settings.name).stem,
    )
)
