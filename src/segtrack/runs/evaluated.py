"""How the images of a run were evaluated."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segtrack.base.errors import DataError
from segtrack.base.frames import row_groups
from segtrack.runs.places import Place

if TYPE_CHECKING:
    from segtrack.dataset import Dataset
    from segtrack.evaluation import ConfusedRow, ImageUnits, MatchRow
    from segtrack.model import Predictions

FOLDER = "evaluation"


@dataclass(frozen=True)
class KeptEvaluation:
    """The files of the stage evaluate, fetched and opened when they are asked for.

    Attributes:
        stored: finds results in the run's store (``KeptRun.stored``).
    """

    place: Place = field(repr=False)
    stored: Callable[..., tuple[Path, dict[str, Any]] | None] = field(repr=False)

    def files(self, pattern: str) -> list[Path]:
        """What fits a pattern below ``evaluation/``, such as ``figures/*.csv``, as local files."""
        return [self.place.fetch(name) for name in self.place.names(f"{FOLDER}/{pattern}")]

    def file(self, name: str) -> Path | None:
        """One file below ``evaluation/``; None where there is none."""
        return next(iter(self.files(name)), None)

    @cached_property
    def metrics(self) -> dict[str, float | None]:
        """All figures by name; None where there is no ground truth that they could be of."""
        found: dict[str, float | None] = self._document["metrics"]
        return found

    @cached_property
    def counts(self) -> dict[str, int]:
        """Images, objects and detections."""
        found: dict[str, int] = self._document["counts"]
        return found

    @cached_property
    def units(self) -> ImageUnits | None:
        """How the detections of each image matched; None where an early version kept none."""
        from segtrack.evaluation import ImageUnits

        path = self.file("units.npz")
        return None if path is None else ImageUnits.load(path)

    @cached_property
    def split(self) -> str | None:
        """That was evaluated; None where an early version did not say it."""
        import numpy as np

        path = self.file("units.npz")
        if path is None:
            return None
        try:
            with np.load(path) as file:
                return str(file["split"])
        except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise DataError(f"{path}: not readable as an evaluation ({error})") from error

    def matches(self) -> Iterator[MatchRow]:
        """Each detection, and each object that none matched: what stands behind a point of the
        curves. Nothing where an early version kept none."""
        from segtrack.evaluation import MatchRow

        return (MatchRow(**row) for row in self._rows("matches.parquet"))

    def confusion(self) -> Iterator[ConfusedRow]:
        """Each count of the confusion matrix, as ``matches``."""
        from segtrack.evaluation import ConfusedRow

        return (ConfusedRow(**row) for row in self._rows("confusion.parquet"))

    def _rows(self, name: str) -> Iterator[dict[str, Any]]:
        path = self.file(name)
        if path is None:
            return
        for table in row_groups(path):
            yield from table.to_pylist()

    @cached_property
    def per_class(self) -> list[dict[str, str]]:
        """The rows of ``per_class.csv``."""
        from segtrack.report import read_table_csv

        path = self.file("per_class.csv")
        return [] if path is None else read_table_csv(path.read_text(encoding="utf-8"))

    @cached_property
    def dataset(self) -> Dataset | None:
        """The data set with its images and labels; None where the store has it no more."""
        from segtrack.dataset import Dataset

        found = self.stored("prepare")
        return None if found is None else Dataset.load(found[0])

    @cached_property
    def predictions(self) -> Predictions | None:
        """What was evaluated, masks included; None where the store has it no more."""
        from segtrack.model import Predictions

        evaluated = self.stored("evaluate")
        key = "" if evaluated is None else evaluated[1]["inputs"]["predictions"]
        found = self.stored("predict", key) if key else None
        return None if found is None else Predictions.load(found[0])

    @cached_property
    def _document(self) -> dict[str, Any]:
        path = self.file("metrics.json")
        try:
            assert path is not None, "whoever made this has looked"
            found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            return found
        except (OSError, ValueError) as error:
            raise DataError(f"{path}: not readable as an evaluation ({error})") from error
