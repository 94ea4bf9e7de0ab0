"""The runs of the experiment in order, by a search that MLflow does, in a file as on a server."""

from __future__ import annotations

import heapq
import math
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from segtrack.base.errors import SettingsError
from segtrack.journal.database import sqlite_path
from segtrack.journal.tracking import connect, reading
from segtrack.settings import MlflowSettings

CHUNK = 51  # runs that are asked for at once: a page, and whether there is another
_PARENT = "mlflow.parentRunId"
_NO_CELL = f"tags.`{_PARENT}` IS NULL"
_CHOICES = ("model", "tracker", "dataset", "trainer")  # groups that runs are looked for by
_FIELDS = (
    *("attributes.run_name", "tags.command", "tags.output", "tags.error"),
    *(f"tags.`choice.{group}`" for group in _CHOICES),
)
_LOWEST = "-1000000000000"  # below every score
_OWN = ("mlflow.", "segtrack.")  # tags that nobody reads


@dataclass(frozen=True)
class Wanted:
    """Which runs are listed, and in which order.

    Attributes:
        text: words, each of which stands in a run's name, command, another tag or a setting
            (``tracker.track_thresh=0.4``), or begins its id.
        status: as MLflow has it; empty: any.
        by: a metric, the highest first, of the runs that have it; empty: newest first.
        after: ``place`` of the last run of the page before; empty: from the first on.
    """

    text: str = ""
    status: str = ""
    by: str = ""
    after: str = ""

    @property
    def words(self) -> list[str]:
        """In lower case."""
        return self.text.lower().split()

    def place(self, run: Any) -> str:
        """Where a run stands in this order."""
        value, start, run_id = self._key(run)
        return f"{-value!r},{-start},{run_id}"

    def _key(self, run: Any) -> tuple[float, int, str]:
        """By which runs are in order: as MLflow has it, with its ways to break ties."""
        value = float(run.data.metrics.get(self.by, math.nan)) if self.by else 0.0
        value = value if value == value else -math.inf  # MLflow has what is no number last
        return -value, -int(run.info.start_time or 0), str(run.info.run_id)

    def _after(self) -> tuple[float, int, str] | None:
        if not self.after:
            return None
        try:
            value, start, run_id = self.after.split(",")
            return -float(value), -int(start), run_id
        except ValueError as error:
            raise SettingsError(f"{self.after!r} is no place in the list of runs") from error

    def _clauses(self) -> list[str]:
        """What all that is asked for has in common."""
        clauses: list[str] = []
        after = self._after()
        if self.status:
            clauses.append(f"attributes.status = '{_plain(self.status)}'")
        if self.by:
            limit = f"> {_LOWEST}" if after is None else f"<= {-after[0]!r}"
            clauses.append(f"metrics.`{_plain(self.by)}` {limit}")
        elif after is not None:
            clauses.append(f"attributes.start_time <= {-after[1]}")
        return clauses

    def _alternatives(self) -> list[list[str]]:
        """MLflow's filters know no "or": each of these is asked for. They look for one word, the
        longest; the others are looked for in what comes."""
        if not self.words:
            return [[]]
        word = max(self.words, key=len)
        found = [f"{field} ILIKE '%{_plain(word)}%'" for field in _FIELDS]
        if re.fullmatch("[0-9a-f]{6,32}", word):
            found.append(f"attributes.run_id LIKE '{word}%'")
        key, equals, value = word.partition("=")
        if equals and re.fullmatch(r"[\w.-]+", key):
            found.append(f"params.`{key}` ILIKE '{_plain(value)}'")
        return [[clause] for clause in found]

    def _fits(self, run: Any) -> bool:
        if _PARENT in run.data.tags or math.isinf(self._key(run)[0]):  # a cell; no score
            return False
        if not self.words:
            return True
        tags = [value for key, value in run.data.tags.items() if not key.startswith(_OWN)]
        settings = [f"{key}={value}" for key, value in run.data.params.items()]
        text = "\n".join([run.info.run_name or "", *tags, *settings]).lower()
        return all(word in text or run.info.run_id.startswith(word) for word in self.words)


def listed_runs(settings: MlflowSettings, wanted: Wanted) -> Iterator[Any]:
    """MLflow's records of runs and of sweeps' parents, without cells; asked for as they are taken.

    Nothing is made: where there is no database yet, there are no runs.

    Raises:
        SettingsError: they cannot be read.
    """
    path = sqlite_path(settings.uri)
    if path is not None and not path.exists():
        return
    client, experiment = connect(settings)
    order = f"metrics.`{_plain(wanted.by)}` DESC" if wanted.by else "attributes.start_time DESC"
    asked = [[*wanted._clauses(), *one] for one in wanted._alternatives()]
    streams = [_stream(client, experiment, clauses, order) for clauses in asked]
    seen: set[str] = set()
    after = wanted._after()
    with reading(settings, "runs cannot be listed"):
        for run in heapq.merge(*streams, key=wanted._key):
            if (after is None or wanted._key(run) > after) and run.info.run_id not in seen:
                seen.add(run.info.run_id)
                if wanted._fits(run):
                    yield run


def newest_run(settings: MlflowSettings, tags: Collection[str]) -> Any | None:
    """MLflow's record of the newest run, or cell, that has one of these tags."""
    found = (run for tag in tags for run in runs_with(settings, tag, 1))  # filters know no "or"
    return max(found, key=lambda run: run.info.start_time, default=None)


def runs_with(settings: MlflowSettings, tag: str, most: int) -> list[Any]:
    """MLflow's records of the newest runs and cells that have a tag."""
    path = sqlite_path(settings.uri)
    if path is not None and not path.exists():
        return []
    client, experiment = connect(settings)
    query, order = f"tags.`{tag}` != ''", ["attributes.start_time DESC"]
    return list(client.search_runs([experiment], query, order_by=order, max_results=most))


def _stream(client: Any, experiment: str, clauses: Sequence[str], order: str) -> Iterator[Any]:
    from mlflow.exceptions import MlflowException

    own, token = [_NO_CELL], None
    while True:
        query = " AND ".join([*clauses, *own])
        try:
            page = client.search_runs(
                [experiment], query, order_by=[order], max_results=CHUNK, page_token=token
            )
        except MlflowException:
            if not own or token:
                raise
            own = []  # a server before MLflow 3.11 cannot leave out cells
            continue
        yield from page
        token = page.token
        if not token:
            return


def _plain(text: str) -> str:
    """With ``_``, which stands for any letter, where MLflow's filters have no way to write it."""
    return re.sub(r"[^\w.=/:,+ -]", "_", text)
