"""A sweep whose sweeper draws the values: what its plugin must be told, and what it has done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from segtrack import journal as journals
from segtrack.base.errors import SettingsError
from segtrack.base.saying import say
from segtrack.base.words import counted
from segtrack.command.composition import Swept
from segtrack.command.study import KEPT_FROM, Study, hush, optuna_version, require_search, words_of
from segtrack.command.sweeper import Searched
from segtrack.settings import Settings


class Search:
    """A search, of one command or of several that go on with it.

    Attributes:
        name: of the sweeper and what it samples with.
        parent: the MLflow run of an earlier command of the same search; None where there is none.
    """

    def __init__(
        self,
        sweep: Swept,
        first: Settings,
        overrides: Sequence[str],
    ) -> None:
        """Look whether it can begin; nothing is made.

        Args:
            sweep: with what is drawn.
            first: settings of the defaults.
            overrides: of the command.

        Raises:
            SettingsError: it cannot.
        """
        require_search(sweep, first)
        self._sweep, self._first, self._overrides = sweep, first, overrides
        self._words = words_of(sweep, first, overrides)
        self._study: Study | None = None
        self.name = _name(sweep)
        self.parent: str | None = None

    def open(self) -> bool:
        """Look what there is of it, where trials are kept.

        Returns:
            Whether nothing is left to do, which is said.

        Raises:
            SettingsError: the trials cannot be kept, or another process is at it.
        """
        if not (self._sweep.sweeper.is_optuna and optuna_version() >= KEPT_FROM):
            return False
        self._study = Study(self._sweep, self._first, self._overrides)
        run = self._earlier()
        if run is None:
            return False
        self.parent = str(run.info.run_id)
        if self.left or run.info.status not in ("FINISHED", "FAILED"):
            return False
        trials = counted(self._study.total, "trials")
        say(
            f"this search has its {trials}, in the run {self.parent}: nothing is left to do. "
            f"hydra.sweeper.n_trials={2 * self._study.total} goes on with it, "
            "hydra.sweeper.study_name=NAME begins another"
        )
        return True

    def begin(self, journal: journals.Journal, defaults: Mapping[str, Any]) -> None:
        """Prepare the study for the sweeper, and say what it goes on with.

        Args:
            journal: of the parent. defaults: of the drawn keys.
        """
        run_id = journal.run_id
        journal.tags({journals.SWEEP_ONCE: "true"})
        journal.flush()
        if self._study is None:
            if self._sweep.sweeper.is_optuna:
                hush()
                say(
                    "note: with Hydra 1.3 trials are kept in memory alone: the defaults are not "
                    "among them, and a search that ends does not go on; Hydra 1.4 does all of it: "
                    "pip install 'segtrack[optuna]'"
                )
            return
        self._study.belongs_to(run_id)
        if self._study.done:
            done = counted(self._study.done, "trials")
            say(f"going on with a search that has {done}: run {run_id}")
        self._study.settle()
        if why := self._study.begin_with(defaults, self._sweep.drawn):
            say(f"warning: no trial has the defaults: {why}")

    @property
    def lost(self) -> bool:
        """Whether trials were begun that nobody told the end of."""
        return self._study is not None and self._study.lost

    def settle(self) -> None:
        """Let trials that were lost be made again."""
        if self._study is not None:
            self._study.settle()

    def words(self) -> list[str]:
        """What Hydra must be told beside the command, for all that is left to do."""
        return [*self._words, *(self._study.words() if self._study else [])]

    @property
    def left(self) -> bool:
        """Whether there are trials to run."""
        return self._study is None or self._study.done < self._study.total

    @property
    def outcome(self) -> Searched:
        """What its end is concluded from."""
        name = self._study.name if self._study else ""
        return Searched(self.name, self._first.objectives, tuple(self._sweep.drawn), name)

    def _earlier(self) -> Any | None:
        """The run of an earlier command, if MLflow still has it."""
        parent = self._study.parent if self._study else None
        if parent is None:
            return None
        try:
            run = journals.earlier_run(self._first.mlflow, parent)
        except SettingsError:
            say(f"warning: MLflow has the run {parent} of this search no more; it gets another")
            return None
        if run.info.lifecycle_stage == "deleted":
            return None
        if run.info.status == "RUNNING":
            where = run.data.tags.get("segtrack.host", "another machine")
            raise SettingsError(
                f"this search is being run on {where}, as {parent}: wait for its end. If it has "
                "ended there without saying so, give hydra.sweeper.study_name=ANOTHER"
            )
        return run


def _name(sweep: Swept) -> str:
    sampler = (sweep.sweeper.settings.get("sampler") or {}).get("_target_", "")
    last = str(sampler or sweep.sweeper.target).rpartition(".")[2]
    if (made := last.removeprefix("create_").removesuffix("_sampler")) != last:
        last = f"{made.upper()}Sampler"  # the plugin makes some by functions: create_nsgaii_sampler
    return f"Optuna's {last}" if sweep.sweeper.is_optuna else last
