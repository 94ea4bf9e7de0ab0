"""Readers of data sets, one module per source, and the choice between them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from segtrack.base.errors import DataError, SettingsError
from segtrack.dataset.catalogue import Catalogue
from segtrack.dataset.checks import Checks
from segtrack.dataset.classes import parse_classes
from segtrack.dataset.files import Reading, read_files
from segtrack.dataset.sequences import Sequence
from segtrack.dataset.workers import worker_count
from segtrack.settings import (
    CocoSettings,
    DatasetSettings,
    LabellerrDatasetSettings,
    SequencesSettings,
    TrafficSimSettings,
    UltralyticsSettings,
    Unlabelled,
)


class Content(NamedTuple):
    """What a source has beside the images that it put into the catalogue.

    Attributes:
        names: class names by class id.
        sequences: tracking input of its own.
        files_read: files that were not known from the cache.
        prefix: what its images are called by in ``sources.md``, "sim:" for example; empty for a
            user's own folder.
    """

    names: tuple[str, ...]
    sequences: tuple[Sequence, ...] = ()
    files_read: int = 0
    prefix: str = ""


class Place(NamedTuple):
    """Where a source reads and writes: the stage's folder, the cache, the catalogue, the checks."""

    folder: Path
    cache: Path
    catalogue: Catalogue
    checks: Checks


def read_source(settings: DatasetSettings, place: Place) -> Content:
    """Put the images of the data set that ``settings`` name into the catalogue.

    Raises:
        DataError: the data set cannot be read at all; what is wrong with single files goes to the
            checks.
        SettingsError: there is no such source.
    """
    readers: dict[str, Callable[[DatasetSettings, Place], Content]] = {
        "traffic_sim": _traffic_sim,
        "yolo": _yolo,
        "ultralytics": _yolo,
        "coco": _coco,
        "sequences": _sequences,
        "images": _images,
        "labellerr": _labellerr,
        "reviewed": _reviewed,
    }
    if settings.source not in readers:
        raise SettingsError(
            f"dataset.source is {settings.source!r}; allowed are {', '.join(readers)}"
        )
    return readers[settings.source](settings, place)


def required_path(settings: DatasetSettings) -> Path:
    """``dataset.path``.

    Raises:
        DataError: it is not given, or nothing is there.
    """
    if not settings.path:
        raise DataError(f"dataset={settings.source} needs a folder: dataset.path=FOLDER")
    path = Path(settings.path).expanduser()
    if not path.exists():
        raise DataError(
            f"dataset.path: {path} does not exist; give a folder that is there (relative paths "
            "begin where the command is run)"
        )
    return path


def _traffic_sim(settings: DatasetSettings, place: Place) -> Content:
    from segtrack.dataset.sources import traffic_sim
    from trafficsim import CLASS_NAMES

    assert isinstance(settings, TrafficSimSettings)
    workers = worker_count(settings.workers)
    videos = traffic_sim.render(settings, place.folder, workers, place.catalogue)
    return Content(CLASS_NAMES, videos, prefix="sim:")


def _yolo(settings: DatasetSettings, place: Place) -> Content:
    from segtrack.dataset.sources.ultralytics import ultralytics_config
    from segtrack.dataset.sources.yolo import list_yolo
    from segtrack.dataset.sources.yolo_config import read_config

    prefix = ""
    if isinstance(settings, UltralyticsSettings):
        config = ultralytics_config(settings, place.cache)
        prefix = f"ultralytics:{Path(settings.name).stem}/"
    else:
        config = read_config(required_path(settings))
    list_yolo(config, place.catalogue, place.checks)
    reading = _reading(settings, place, len(config.names))
    read = read_files(place.catalogue, place.checks, reading)
    return Content(config.names, files_read=read, prefix=prefix)


def _coco(settings: DatasetSettings, place: Place) -> Content:
    from segtrack.dataset.sources.coco import label_coco, list_coco

    assert isinstance(settings, CocoSettings)
    path = required_path(settings)
    names, files = list_coco(path, settings.annotations, place.catalogue, place.checks)
    read = read_files(place.catalogue, place.checks, _reading(settings, place, len(names)))
    label_coco(files, place.catalogue, place.checks, worker_count(settings.workers))
    return Content(names, files_read=read + len(files))


def _images(settings: DatasetSettings, place: Place) -> Content:
    from segtrack.dataset.sources.images import list_images

    list_images(required_path(settings), place.catalogue, place.checks)
    read = read_files(place.catalogue, place.checks, _reading(settings, place, 0))
    return Content(_class_names(settings), files_read=read)


def _labellerr(settings: DatasetSettings, place: Place) -> Content:
    from segtrack.dataset.kept_export import KeptExport
    from segtrack.dataset.sources import labellerr
    from segtrack.dataset.sources.coco import label_coco

    assert isinstance(settings, LabellerrDatasetSettings)
    catalogue, checks = place.catalogue, place.checks
    path = required_path(settings)
    export = KeptExport.load(Path(settings.export or ""))
    config, keep = labellerr.own_config(path), settings.unlabelled is Unlabelled.pool
    files = labellerr.list_labellerr(path, config, export, keep, catalogue, checks)
    read = read_files(
        catalogue, checks, _reading(settings, place, len(config.names if config else ()))
    )
    labellerr.check_pushed(export, catalogue, checks)
    if config is not None:
        labellerr.label_own(config, export.names, catalogue, checks)
    label_coco(files, catalogue, checks, worker_count(settings.workers))
    labellerr.label_rest(catalogue)
    return Content(export.names, files_read=read + len(files))


def _reviewed(settings: DatasetSettings, place: Place) -> Content:
    from segtrack.dataset.sources.reviewed import read_reviewed

    return read_reviewed(settings, place)


def _sequences(settings: DatasetSettings, place: Place) -> Content:
    from segtrack.dataset.sequence_sources import sequences_from

    assert isinstance(settings, SequencesSettings)
    found = sequences_from(required_path_or_glob(settings), place.checks.warn)
    return Content(_class_names(settings), found)


def _class_names(settings: DatasetSettings) -> tuple[str, ...]:
    """Those of ``dataset.classes``, for sources that name none themselves."""
    classes = parse_classes(settings.classes) or {}
    return tuple(dict.fromkeys(name for parts in classes.values() for name in parts))


def required_path_or_glob(settings: DatasetSettings) -> str:
    """``dataset.path`` of a source that takes a glob too.

    Raises:
        DataError: it is not given.
    """
    if not settings.path:
        raise DataError(f"dataset={settings.source} needs dataset.path=FOLDER, a file or a glob")
    return settings.path


def _reading(settings: DatasetSettings, place: Place, class_count: int) -> Reading:
    workers = worker_count(settings.workers)
    return Reading(place.cache, workers, settings.decode, class_count)
