"""What the functions give back: typed, as tables, as figures, and in notebooks."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segtrack.api.parts import Data, Evaluation, Part, Tracking, Training, score_rows
from segtrack.base.errors import SettingsError, some
from segtrack.report import html_table
from segtrack.runs import KeptRun, find

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd
    from matplotlib.figure import Figure

    from segtrack.command import Compared
    from segtrack.scoring import SequenceScores
    from segtrack.settings import MlflowSettings

_OF = {"prepare": "data", "train": "training", "evaluate": "evaluation", "track": "tracking"}
_GROUPS = ("test", "val/best", "track")
_SHOWN = (
    *("mask_map50_95", "mask_map50", "box_map50_95", "box_map50"),
    *("hota", "mota", "idf1", "mask_hota", "tracks"),
)


class Run:
    """A run with what it kept, read when it is asked for.

    Its own ``to_pandas``, ``plot`` and view in a notebook are those of what it was made for: of the
    part whose function gave it, else of the last that it has.
    """

    def __init__(self, kept: KeptRun, scratch: Any = None, function: str = "") -> None:
        """See ``segtrack.load_run``.

        Args:
            kept: the run.
            scratch: lives as long as this object: the folder of files from a server.
            function: that made it.
        """
        self.kept = kept
        self._scratch, self._part = scratch, _OF.get(function, "")

    @staticmethod
    def load(settings: MlflowSettings, run: str | None, function: str = "") -> Run:
        """Find it; see ``segtrack.load_run``."""
        scratch = tempfile.TemporaryDirectory(prefix="segtrack-")
        (found,) = find(settings, [] if run is None else [run], Path(scratch.name))
        if isinstance(found, KeptRun):
            return Run(found, scratch, function)
        cells = some([one.label for one in found.cells], 4) or "it has none"
        raise SettingsError(f"{run}: is the parent of a sweep; load one of its cells: {cells}")

    @property
    def id(self) -> str | None:
        """Of the MLflow run; None for a folder of results."""
        return self.kept.id

    @property
    def label(self) -> str:
        """What it can be loaded by: the id, or the folder."""
        return self.kept.label

    @property
    def name(self) -> str:
        """Of the run, or the folder's path."""
        return self.kept.name

    @property
    def status(self) -> str:
        """RUNNING, FINISHED, FAILED or KILLED; empty for a folder."""
        return self.kept.status

    @property
    def started(self) -> datetime | None:
        """In UTC."""
        return self.kept.started

    @property
    def settings(self) -> Mapping[str, Any]:
        """All settings by dotted key."""
        return self.kept.config

    @property
    def metrics(self) -> Mapping[str, float]:
        """Last values by name, such as ``test/mask_map50_95`` and ``track/hota``."""
        return self.kept.metrics

    @property
    def weights(self) -> Path | None:
        """The weights that it trained; None where it trained none."""
        return self.kept.weights

    @cached_property
    def data(self) -> Data | None:
        """The prepared data set; None where it used none, or the store has it no more."""
        return None if self.kept.dataset is None else Data(self.kept.dataset)

    @cached_property
    def training(self) -> Training | None:
        """How it was trained; None where it was not."""
        return None if self.kept.file("train/results.csv") is None else Training(self.kept)

    @cached_property
    def evaluation(self) -> Evaluation | None:
        """How its images were evaluated; None where they were not."""
        found = self.kept.evaluation
        return None if found is None else Evaluation(found)

    @cached_property
    def tracking(self) -> Tracking | None:
        """What was tracked; None where nothing was."""
        return Tracking(self.kept.videos) if self.kept.videos else None

    @property
    def part(self) -> Part:
        """What it was made for.

        Raises:
            SettingsError: it kept nothing.
        """
        for name in (self._part, *reversed(_OF.values())):
            if name and (found := getattr(self, name)) is not None:
                made: Part = found
                return made
        raise SettingsError(f"{self.label}: this run kept nothing that could be shown")

    def to_pandas(self, what: str | None = None) -> pd.DataFrame:
        """The table of what it was made for; see ``to_pandas`` of ``part``."""
        return self.part.to_pandas(what)

    def plot(self) -> Figure:
        """The figure of what it was made for, see ``plot`` of ``part``."""
        return self.part.plot()

    def __repr__(self) -> str:
        values = ", ".join(f"{row['metric']}={row['value']:.4g}" for row in self._headline())
        return f"Run({self.label}, {self.name}, {self.status}{', ' if values else ''}{values})"

    def _repr_html_(self) -> str:
        rows: list[dict[str, Any]] = [
            {"metric": "run", "value": f"{self.name} ({self.label})"},
            {"metric": "status", "value": self.status},
            *self._headline(),
        ]
        return html_table(rows)

    def _headline(self) -> list[dict[str, Any]]:
        return [
            {"metric": name, "value": value}
            for name, value in self.metrics.items()
            if (parts := name.rpartition("/"))[0] in _GROUPS and parts[2] in _SHOWN
        ]


class Scores:
    """Scores of any tracker's files, by sequence and class.

    Attributes:
        sequences: counts by sequence (``SequenceScores``).
    """

    def __init__(self, sequences: Mapping[str, SequenceScores]) -> None:
        self.sequences = dict(sequences)

    def rows(self) -> list[dict[str, Any]]:
        """A row for each kind, class and sequence, and for all sequences together (``sequence`` is
        empty); fractions in percent, None where the ground truth has no object."""
        return score_rows(self.sequences)

    def to_pandas(self) -> pd.DataFrame:
        """``rows`` as a table."""
        import pandas as pd

        return pd.DataFrame(self.rows())

    def plot(self) -> Figure:
        """HOTA over localisation thresholds, of all sequences and classes together."""
        from segtrack.scoring import (
            combined,
            curve_rows,
            detection_averaged,
            figure_curves,
            kind_of,
        )

        kind = kind_of(self.sequences.values())
        total = detection_averaged(combined(self.sequences.values()), kind)
        return figure_curves(curve_rows(total))

    def __repr__(self) -> str:
        total = [row for row in self.rows() if not row["sequence"]]
        texts = [f"{row['class_name']}: HOTA {row['HOTA'] or float('nan'):.2f}" for row in total]
        return f"Scores({', '.join(texts)})"

    def _repr_html_(self) -> str:
        shown = ("class_name", "sequence", "HOTA", "MOTA", "IDF1", "IDSW", "FP", "FN")
        return html_table([{key: row[key] for key in shown} for row in self.rows()])


class Comparison:
    """What can be told of two settings.

    Attributes:
        found: both sides with their scores (``segtrack.command.Compared``).
    """

    def __init__(self, found: Compared) -> None:
        self.found = found

    @cached_property
    def document(self) -> dict[str, Any]:
        """Everything, as ``compare --json`` prints it; scores in percent."""
        from segtrack.command import comparison_document

        return comparison_document(self.found)

    @property
    def claim(self) -> str:
        """What can be said, in a sentence, of the first metric."""
        first = next(iter(self.document["metrics"].values()))
        return str(first["claim"])

    def rows(self) -> list[dict[str, Any]]:
        """A row for each metric: means over seeds of both, the difference with its interval in
        percentage points, and whether it can be told."""
        return [
            {
                "metric": name,
                **{side: sum(one[side]) / len(one[side]) for side in ("a", "b")},
                **{key: one[key] for key in ("difference", "low", "high", "told")},
            }
            for name, one in self.document["metrics"].items()
        ]

    def to_pandas(self, what: str | None = None) -> pd.DataFrame:
        """``rows`` as a table; ``what="units"``: each sequence or image, of the first metric."""
        import pandas as pd

        if what == "units":
            return pd.DataFrame(next(iter(self.document["metrics"].values()))["each"])
        return pd.DataFrame(self.rows())

    def plot(self) -> Figure:
        """The difference in each metric with its interval."""
        from segtrack.report import figure_gaps

        return figure_gaps(self.rows(), self.claim, self.found.level)

    def __repr__(self) -> str:
        return f"Comparison({self.claim})"

    def _repr_html_(self) -> str:
        return html_table(self.rows(), self.claim)
