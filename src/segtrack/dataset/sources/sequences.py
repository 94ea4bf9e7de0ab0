"""Tracking sequences and videos; no images to train on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from segtrack.base.errors import DataError
from segtrack.dataset.same_footage import shared_name
from segtrack.dataset.sources.port import (
    Content,
    Place,
    Roles,
    Source,
    chosen_names,
    register_source,
    required_path_or_glob,
)
from segtrack.settings import DatasetSettings, Problem, knob

if TYPE_CHECKING:
    from segtrack.dataset.sequences import VideoSequence


@dataclass
class SequencesSettings(DatasetSettings):
    """Tracking sequences in MOTChallenge or KITTI-MOTS layout, or plain video files; no images."""

    source: str = "sequences"
    path: str | None = knob(None, "a sequence folder, a folder of them, a video file or a glob")
    tuning: list[str] = knob(list, "names of the sequences that a sweep may choose settings on")
    test: list[str] = knob(
        list, "names of the sequences that are reported; other footage than that of tuning"
    )

    def problems(self) -> Iterator[Problem]:
        """A path is needed, and roles that exclude each other."""
        yield from super().problems()
        if self.path is None:
            allowed = "dataset=sequences needs a folder: dataset.path=FOLDER"
            yield Problem("dataset.path", None, allowed)
        if both := shared_name(self.tuning, self.test):
            yield both.problem


def _read(settings: SequencesSettings, place: Place) -> Content:
    from segtrack.dataset.sequence_sources import sequences_from

    found = sequences_from(required_path_or_glob(settings), place.checks.warn)
    return Content(chosen_names(settings), found)


def _files(settings: SequencesSettings) -> Iterator[Path]:
    from segtrack.dataset.sequence_sources import paths_of

    yield from paths_of(required_path_or_glob(settings))


def _there(settings: SequencesSettings) -> str:
    """``dataset.path``, if something may be there.

    Raises:
        DataError: it is not.
    """
    path = required_path_or_glob(settings)
    if not any(c in path for c in "*?[") and not Path(path).expanduser().exists():
        raise DataError(
            f"dataset.path: {path} does not exist; give a folder that is there (relative paths "
            "begin where the command is run). The data sets that come as presets lie in the folder "
            "that the variable SEGTRACK_DATA of the environment names, else in data"
        )
    return path


def _sequences(settings: SequencesSettings) -> tuple[VideoSequence, ...]:
    """With their roles.

    Raises:
        DataError: nothing is there. SettingsError: a role names a sequence that is not there.
    """
    from segtrack.dataset.sequence_sources import sequences_from, with_roles
    from segtrack.dataset.video_names import unique_names

    found = sequences_from(_there(settings))
    if settings.videos:
        found = unique_names([*found, *sequences_from(settings.videos)])
    return with_roles(found, settings.tuning, settings.test)


register_source(
    Source(
        "sequences",
        SequencesSettings,
        _read,
        _files,
        sequences=_sequences,
        roles=lambda settings: Roles(settings.tuning, settings.test),
        version=2,
    )
)
