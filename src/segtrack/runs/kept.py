"""One run, or the runs of a sweep, with what they kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from segtrack.base.errors import DataError
from segtrack.base.names import level
from segtrack.base.nested import flatten
from segtrack.pipeline import REPORT
from segtrack.runs.evaluated import KeptEvaluation
from segtrack.runs.places import Place
from segtrack.runs.tracked import KeptVideo
from segtrack.store import Store, cache_of, shared_store

if TYPE_CHECKING:
    from segtrack.dataset import Dataset
    from segtrack.model import Predictions
    from segtrack.scoring import SequenceScores

_CONFIGS = ("config.yaml", ".hydra/config.yaml")  # in MLflow, and in a folder of outputs
RESULTS = "results.json"


@dataclass(frozen=True)
class KeptRun:
    """A run of the command, or a folder of results that is nobody's run.

    Files are looked for, fetched and opened when they are asked for.

    Attributes:
        id: of the MLflow run; None where MLflow knows nothing of it.
        name: of the run, or the folder's path.
        status: RUNNING, FINISHED, FAILED or KILLED; empty for a folder.
        started, ended: in UTC; None where it is not known.
        parent: id of the sweep that it is a cell of.
        tags, params: as MLflow has them, long values of params cut.
        metrics: last values by name.
        experiment: id of the one that MLflow has it in.
    """

    id: str | None
    name: str
    place: Place = field(repr=False)
    status: str = ""
    started: datetime | None = None
    ended: datetime | None = None
    parent: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict, repr=False)
    params: Mapping[str, str] = field(default_factory=dict, repr=False)
    metrics: Mapping[str, float] = field(default_factory=dict, repr=False)
    experiment: str = ""

    @property
    def running(self) -> bool:
        """Whether there may be more of it soon."""
        return self.status == "RUNNING"

    @property
    def label(self) -> str:
        """What it can be asked for by: the id, or the folder."""
        return self.id or self.name

    @property
    def command(self) -> str:
        """As it was typed; empty where that is not known."""
        return self.tags.get("command", "")

    @cached_property
    def config(self) -> dict[str, Any]:
        """All settings by dotted key; empty where it kept none."""
        for file in (path for name in _CONFIGS for path in self.files(name)):
            return flatten(yaml.safe_load(file.read_text(encoding="utf-8")) or {})
        return {}

    def files(self, pattern: str) -> list[Path]:
        """What fits a pattern, such as ``tracking/*/mot.txt``, as local files that are only to be
        read, in order of their names; ``*`` within one folder.

        Raises:
            SettingsError: they cannot be fetched.
        """
        return [self.place.fetch(name) for name in self.place.names(pattern)]

    def file(self, name: str) -> Path | None:
        """One file by its path in the run; None where there is none."""
        return next(iter(self.files(name)), None)

    def history(self, metric: str) -> list[tuple[int, float]]:
        """Every value of a metric with its step, in order."""
        return self.place.history(metric)

    @cached_property
    def videos(self) -> tuple[KeptVideo, ...]:
        """The videos that it tracked in, or whatever results.json the folder has, by name."""
        rows, alone = self._rows, Path(self.name)
        single = self.id is None and alone.is_file()
        pattern = f"tracking/*/{RESULTS}" if self.id else alone.name if single else f"**/{RESULTS}"
        by_hand = alone.parent.resolve().name if alone.name == RESULTS else alone.stem
        found = []
        for path in self.place.names(pattern):
            folder = path.rpartition("/")[0]
            row = rows.get(folder.rpartition("/")[2], {})
            name = row.get("name") or folder.removeprefix("tracking/") or by_hand
            found.append(KeptVideo(name, path, self.place, row))
        return tuple(found)

    @cached_property
    def scores(self) -> tuple[SequenceScores, ...]:
        """Counts of every video that was scored, by kind and class."""
        from segtrack.scoring import SequenceScores

        files = self.files("tracking/*/scores/counts.npz")
        return tuple(SequenceScores.load(file.parent) for file in files)

    @cached_property
    def evaluation(self) -> KeptEvaluation | None:
        """How its images were evaluated; None where they were not."""
        if not self.place.names("evaluation/metrics.json"):
            return None
        return KeptEvaluation(self.place, self.stored)

    @cached_property
    def weights(self) -> Path | None:
        """The weights that it trained; None where it trained none."""
        return self.file("weights/best.pt")

    @cached_property
    def segmented(self) -> Predictions | None:
        """What the stage segment found in its pictures; None where there is nothing of it."""
        from segtrack.model import Predictions

        made = self.stored("segment")
        found = self.stored("predict", made[1]["inputs"]["predictions"]) if made else None
        return None if found is None else Predictions.load(found[0])

    @cached_property
    def dataset(self) -> Dataset | None:
        """The prepared data set; None where it used none, or the store has it no more."""
        from segtrack.dataset import Dataset

        found = self.stored("prepare")
        return None if found is None else Dataset.load(found[0])

    def stored(self, stage: str, key: str = "") -> tuple[Path, dict[str, Any]] | None:
        """Folder and record of a stage's result in the run's store; None where it is not there.

        Args:
            key: of the result; default: what the run used, of several results the last.
        """
        key = key or self.tags.get(f"stage.{stage}", "").rpartition(" ")[2]
        root = Path(self.tags.get("store", ""))
        if key and (address := self.tags.get("store.address")):
            # A run of another machine had its cache elsewhere.
            return shared_store(address, root if root.is_dir() else cache_of(address)).kept(
                stage, key
            )
        if not key or not self.tags.get("store") or not root.is_dir():
            return None
        return Store(root).kept(stage, key)

    @property
    def _rows(self) -> dict[str, dict[str, Any]]:
        """What ``tracking.json`` says of each video, by the name of its folder."""
        path = self.file(REPORT)
        if path is None and (output := self.tags.get("output")):
            path = Path(output) / REPORT  # of runs that did not keep it
        if path is None or not path.is_file():
            return {}
        try:
            rows = json.loads(path.read_text(encoding="utf-8"))
            return {level(row["name"]): row for row in rows}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path}: not readable as a list of videos ({error})") from error


@dataclass(frozen=True)
class KeptSweep:
    """A sweep: its parent run, and its cells.

    Attributes:
        keys: what varies between the cells.
        cells: first started first.
    """

    id: str
    name: str
    status: str
    keys: tuple[str, ...]
    parent: KeptRun
    cells: tuple[KeptRun, ...]

    @property
    def running(self) -> bool:
        """Whether there may be more of it soon."""
        return self.status == "RUNNING" or any(cell.running for cell in self.cells)
