"""No data set at all: the weights say the classes, and the command names its videos."""

from __future__ import annotations

from dataclasses import dataclass

from segtrack.base.errors import DataError
from segtrack.dataset.sources.port import Content, Place, Source, register_source
from segtrack.settings import DatasetSettings


@dataclass
class NoneSettings(DatasetSettings):
    """No data set: classes are those of the weights, or of dataset.classes; video= names the rest.

    Chosen by itself where a command only tracks in ``video=`` and names its weights, so that
    nothing of a data set that it does not use is recorded with its run.
    """

    source: str = "none"


def _read(settings: NoneSettings, place: Place) -> Content:
    raise DataError("dataset=none: there is no data set to prepare; choose one, dataset=NAME")


def _no_title(settings: NoneSettings) -> str | None:
    return None


register_source(Source("none", NoneSettings, _read, title=_no_title))
