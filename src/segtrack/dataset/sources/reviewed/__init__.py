"""The next version of a data set, as the stage pull leaves it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from segtrack.base.errors import SettingsError
from segtrack.dataset.sources.port import Content, Place, Source, register_source, required_path
from segtrack.settings import DatasetSettings, knob

PARENT = "parent"  # starting weights: those of the data set that the version was made of


@dataclass
class ReviewedSettings(DatasetSettings):
    """The next version of a data set: what was reviewed is training data; val and test stay."""

    source: str = "reviewed"
    path: str | None = knob(
        None, "a version that the stage pull left; null: the newest in the store"
    )
    starting_weights: str = knob(
        PARENT,
        "what model.weights=null begins with: parent (what the data set before its review begins "
        "with), auto or shipped",
        choices=("auto", "shipped", PARENT),
    )


def _read(settings: ReviewedSettings, place: Place) -> Content:
    from segtrack.dataset.sources.reviewed.reader import read_reviewed

    return read_reviewed(settings, place)


def _files(settings: ReviewedSettings) -> list[Path]:
    """The version, and the reviewed videos that lie outside of it."""
    from segtrack.dataset.version_folder import read_videos

    folder = required_path(settings)
    try:
        videos = [video.path for video in read_videos(folder) if video.path is not None]
    except (OSError, ValueError, KeyError, TypeError):
        return [folder]  # whoever reads it says what is wrong
    return [folder, *(p for p in videos if p.is_file() and not p.is_relative_to(folder))]


def _resolve(settings: ReviewedSettings, _: Path | None, versions: Path) -> ReviewedSettings:
    """With the newest version, and what its parent starts with."""
    from segtrack.dataset.sources.reviewed.reader import parents_start

    path = Path(settings.path) if settings.path else _newest(versions)
    start = settings.starting_weights
    start = parents_start(path.expanduser()) if start == PARENT else start
    return replace(settings, path=str(path), starting_weights=start)


def _newest(versions: Path) -> Path:
    kept = [p for p in versions.glob("[!.]*/") if p.suffix != ".partial"]
    newest = max(kept, key=lambda folder: folder.stat().st_mtime_ns, default=None)
    if newest is None:
        raise SettingsError(
            "dataset=reviewed: no reviewed version is in the store yet; make one with "
            "stages=[...,review,pull], or name one with dataset.path=FOLDER."
        )
    return newest


register_source(
    Source(
        "reviewed",
        ReviewedSettings,
        _read,
        files=_files,
        version=2,
        title=lambda settings: None,
        resolve=_resolve,
    )
)
