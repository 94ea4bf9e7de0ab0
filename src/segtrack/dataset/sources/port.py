"""What a data source is: how it is declared, and what everybody else asks of it.

A source registers itself where it is defined, by ``register_source``, which makes it an option of
the config group ``dataset`` too. Nothing here is heavy: what reads is imported when it reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from segtrack.base.errors import DataError
from segtrack.base.registry import Registry
from segtrack.settings import DatasetSettings, option

if TYPE_CHECKING:
    from segtrack.dataset.catalogue import Catalogue
    from segtrack.dataset.checks import Checks
    from segtrack.dataset.files import Reading
    from segtrack.dataset.sequences import VideoSequence

S = TypeVar("S", bound=DatasetSettings)


class Content(NamedTuple):
    """What a source has beside the images that it put into the catalogue.

    Attributes:
        names: class names by class id.
        sequences: tracking input of its own.
        files_read: files that were not known from the cache.
        prefix: what its images are called by in ``sources.md``, "sim:" for example; empty for a
            user's own folder.
        visible_estimated: whether the visible fractions of its objects are estimates.
    """

    names: tuple[str, ...]
    sequences: tuple[VideoSequence, ...] = ()
    files_read: int = 0
    prefix: str = ""
    visible_estimated: bool = False


class Place(NamedTuple):
    """Where a source reads and writes: the stage's folder, the cache, the catalogue, the checks."""

    folder: Path
    cache: Path
    catalogue: Catalogue
    checks: Checks


class Roles(NamedTuple):
    """Names of the sequences that a sweep may choose settings on, and of those that it reports."""

    tuning: list[str]
    test: list[str]


def _folder_name(settings: DatasetSettings) -> str | None:
    return Path(settings.path).expanduser().resolve().name if settings.path else None


@dataclass(frozen=True)
class Source(Generic[S]):
    """One kind of data set.

    Attributes:
        name: the option of the group ``dataset``, and ``dataset.source``.
        settings: its class of settings, which has defaults for everything.
        read: puts its images and labels into the catalogue, and returns the rest.
        files: files and folders whose names, sizes and times say whether something changed; empty
            where settings say it all.
        version: raised when what it reads becomes another thing for the same files.
        stamp: a digest of what ``files`` cannot say; empty where they say everything.
        sequences: its sequences, where it has nothing else and needs no ``prepare``.
        roles: those of its sequences.
        class_names: names that are known before anything is read.
        title: what a project on the annotation platform is called by; None where it has no name of
            its own.
        project: the project on the annotation platform whose finished labels it is made of, as long
            as they are not there; else None.
        lasting_test: whether its images come bit by bit, so that those that were dealt to the test
            split have to stay there as more come; its size is then that of its share on average.
        resolve: settings in which everything is named that is read: takes the folder of finished
            labels, where ``project`` named one, and the folder in which reviewed versions lie.

    Raises:
        DataError, SettingsError: from ``read``, ``files`` and ``resolve``, where what settings name
            is not there or cannot be used at all; what is wrong with single files goes to the
            checks.
    """

    name: str
    settings: type[S]
    read: Callable[[S, Place], Content]
    files: Callable[[S], Iterable[Path]] = lambda settings: ()
    version: int = 1
    stamp: Callable[[S], str] = lambda settings: ""
    sequences: Callable[[S], tuple[VideoSequence, ...]] | None = None
    roles: Callable[[S], Roles] = lambda settings: Roles([], [])
    class_names: Callable[[S], tuple[str, ...]] = lambda settings: ()
    title: Callable[[S], str | None] = _folder_name
    project: Callable[[S], str | None] = lambda settings: None
    lasting_test: bool = False
    resolve: Callable[[S, Path | None, Path], S] = lambda settings, labels, versions: settings


SOURCES: Registry[Source[Any]] = Registry("data source", "dataset.source")


def register_source(source: Source[Any]) -> None:
    """Make a source known, and an option of the config group ``dataset``.

    Raises:
        ValueError: there is another of that name.
    """
    SOURCES.register(source.name, source)
    option("dataset", source.name, source.settings)


def source_of(settings: DatasetSettings) -> Source[Any]:
    """The source that reads ``settings``.

    Raises:
        SettingsError: there is none of that name.
    """
    return SOURCES.get(settings.source)


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


def required_path_or_glob(settings: DatasetSettings) -> str:
    """``dataset.path`` of a source that takes a glob too.

    Raises:
        DataError: it is not given.
    """
    if not settings.path:
        raise DataError(f"dataset={settings.source} needs dataset.path=FOLDER, a file or a glob")
    return settings.path


def chosen_names(settings: DatasetSettings) -> tuple[str, ...]:
    """The classes of ``dataset.classes``, for sources that name none themselves."""
    from segtrack.dataset.classes import parse_classes

    classes = parse_classes(settings.classes) or {}
    return tuple(dict.fromkeys(name for parts in classes.values() for name in parts))


def reading_of(settings: DatasetSettings, place: Place, class_count: int) -> Reading:
    """How image and label files are read."""
    from segtrack.dataset.files import Reading
    from segtrack.dataset.workers import worker_count

    workers = worker_count(settings.workers)
    return Reading(place.cache, workers, settings.decode, class_count, settings.max_pixels)
