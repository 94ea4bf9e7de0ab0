"""The study of a search: its trials, kept in a database, so that a search that ended goes on.

Hydra's plugin asks Optuna for values and tells it what came of them. What it leaves open is done
here, before it begins and through the same database: the defaults are the first trial, trials that
a kill left behind are made again, and only those are run that are not there yet.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from hydra.core.override_parser.types import IntervalSweep, Override, Transformer
from hydra.core.plugins import Plugins
from omegaconf import OmegaConf
from packaging.version import Version

from segtrack import __version__
from segtrack.base.errors import SettingsError
from segtrack.base.files import digest
from segtrack.base.saying import say
from segtrack.command.cells import meaning
from segtrack.command.circumstances import config_hash
from segtrack.command.composition import Swept, first_line
from segtrack.command.sweeper import storage_of
from segtrack.pipeline import minimised
from segtrack.settings import Settings
from segtrack.store import is_address, store_folder

_PARENT = "segtrack.parent_run"  # attribute of a study
_KILLED = "segtrack.killed"  # of a trial: its process was
FILE = "studies.db"
KEPT_FROM = Version("4")
"""Versions of Optuna before write no database with the SQLAlchemy that MLflow needs."""


def optuna_version() -> Version:
    """Of the installed one; 0 where there is none."""
    try:
        return Version(version("optuna"))
    except PackageNotFoundError:
        return Version("0")


def require_search(sweep: Swept, first: Settings) -> None:
    """Refuse a search that could not choose, or would lose its trials.

    Args:
        first: settings of the defaults.

    Raises:
        SettingsError: there is no objective, or a database that cannot be written.
    """
    if not first.objectives:
        raise SettingsError(
            "objective=null: a sweeper that draws values needs a score to raise: give "
            "objective=track/hota, objective=val/mask_map50_95 or another metric's name"
        )
    _require_sweeper(sweep)
    if first.plan:
        raise SettingsError(
            "plan=true: which values will be drawn is not known; plan one cell, without -m"
        )
    storage = sweep.sweeper.settings.get("storage")
    kept = sweep.sweeper.is_optuna and optuna_version() >= KEPT_FROM
    if storage is not None and sweep.sweeper.is_optuna and not kept:
        raise SettingsError(
            f"hydra.sweeper.storage={storage}: Optuna {optuna_version()} cannot write it together "
            "with SQLAlchemy 2; leave it out, or install Hydra 1.4 and its plugin: pip install "
            "'segtrack[optuna]'"
        )
    if first.prune is not None and not kept:
        raise SettingsError(
            f"prune={first.prune}: needs trials that are kept in a database, so Hydra 1.4 and its "
            "plugin: pip install 'segtrack[optuna]'"
        )


def _require_sweeper(sweep: Swept) -> None:
    """Make the sweeper as Hydra will when the parent run has begun.

    Raises:
        SettingsError: it cannot be made.
    """
    try:
        Plugins.instance()._instantiate(OmegaConf.create(dict(sweep.sweeper.settings)))
    except Exception as error:  # of its class, of its sampler's, of Hydra's
        why = first_line(str(error.__cause__ or error))
        raise SettingsError(f"hydra.sweeper: cannot be made with these settings: {why}") from error


def words_of(sweep: Swept, first: Settings, overrides: Sequence[str]) -> list[str]:
    """What Hydra's plugin for Optuna must be told beside the command; empty for other sweepers.

    Which way is better follows from the objective. A cell that fails leaves the others alone, as in
    other sweeps.

    Raises:
        SettingsError: the command says that another way is better.
    """
    if not sweep.sweeper.is_optuna:
        return []
    typed = {word.lstrip("+").partition("=")[0] for word in overrides}
    words = []
    ways = directions(first)
    listed = f"[{','.join(ways)}]" if isinstance(first.objective, list) else ways[0]
    if "hydra.sweeper.direction" not in typed:
        words.append(f"hydra.sweeper.direction={listed}")
    elif sweep.sweeper.settings.get("direction") not in (ways, *(ways if len(ways) == 1 else ())):
        given = sweep.sweeper.settings.get("direction")
        raise SettingsError(
            f"hydra.sweeper.direction={given}: of objective={','.join(first.objectives)} it is "
            f"{listed}, which follows from the name: leave it out"
        )
    if "hydra.sweeper.max_failure_rate" not in typed:
        words.append("hydra.sweeper.max_failure_rate=1.0")
    return words


def hush() -> None:
    """Optuna's notes of every trial are ours to say."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)


def directions(settings: Settings) -> list[str]:
    """Which way each objective is better, in Optuna's words."""
    return ["minimize" if minimised(name) else "maximize" for name in settings.objectives]


class Study:
    """A study in a database.

    Attributes:
        name, storage: by which Optuna finds it.
        total: trials that were asked for.
    """

    def __init__(self, sweep: Swept, first: Settings, overrides: Sequence[str]) -> None:
        """Open it, or make it.

        Raises:
            SettingsError: the database cannot be opened.
        """
        import optuna

        given = sweep.sweeper.settings
        self.total = int(given["n_trials"])
        # As it was typed, for Hydra and for what is printed.
        self.storage = str(given.get("storage") or _own_storage(first))
        database = storage_of(given) or self.storage
        self.name = str(given.get("study_name") or _own_name(sweep, first, overrides))
        sampler = given.get("sampler") or {}
        self._seed = sampler.get("seed")
        self._grid = str(sampler.get("_target_", "")).endswith("GridSampler")
        with _told(self.storage), _quiet():
            self._study = optuna.create_study(
                study_name=self.name,
                storage=database,
                directions=directions(first),
                load_if_exists=True,
            )

    @property
    def parent(self) -> str | None:
        """The MLflow run that holds its cells; None before there is one."""
        found = self._study.user_attrs.get(_PARENT)
        return None if found is None else str(found)

    def belongs_to(self, run_id: str) -> None:
        """Remember the MLflow run that holds its cells."""
        self._study.set_user_attr(_PARENT, run_id)

    @property
    def done(self) -> int:
        """Trials that were told a value."""
        return sum(trial.state.name == "COMPLETE" for trial in self._trials)

    @property
    def lost(self) -> bool:
        """Whether trials were begun and nobody told what came of them."""
        return any(trial.state.name == "RUNNING" for trial in self._trials)

    def begin_with(self, defaults: Mapping[str, Any], drawn: Sequence[Override]) -> str:
        """Let the first trial be that of the defaults.

        Args:
            defaults: values of the drawn keys where nothing draws them.
            drawn: what the sweeper draws.

        Returns:
            Why there is no such trial; empty where there is.
        """
        if self._trials or self._grid:  # Optuna would leave out a point of the grid
            return ""
        point: dict[str, Any] = {}
        for one in drawn:
            key = one.key_or_group
            value = defaults.get(key)
            found = list(_among(one, value))
            if not found:
                shown = "null" if value is None else value
                return f"{key}={shown}, the default, is not among what is searched"
            point[one.get_key_element()] = found[0]
        with _quiet():
            self._study.enqueue_trial(point)
        return ""

    def settle(self) -> None:
        """Let what a kill left behind be made again, before anything new is drawn."""
        for trial in [one for one in self._trials if one.state.name == "RUNNING"]:
            with _quiet():
                self._study.tell(trial.number, state=_fail())
                if trial.params:
                    self._study.enqueue_trial(trial.params, user_attrs={_KILLED: trial.number})

    def words(self) -> list[str]:
        """What tells Hydra's plugin to go on with this study, for the trials that are left."""
        begun = len([one for one in self._trials if one.state.name != "WAITING"])
        words = [
            f'hydra.sweeper.storage="{self.storage}"',
            f'hydra.sweeper.study_name="{self.name}"',
            f"hydra.sweeper.n_trials={self.total - self.done}",
        ]
        if isinstance(self._seed, int) and begun:
            # The same one again would draw what it has drawn before.
            words.append(f"hydra.sweeper.sampler.seed={self._seed + begun}")
        return words

    @property
    def _trials(self) -> Sequence[Any]:
        with _told(self.storage):
            found: Sequence[Any] = self._study.get_trials(deepcopy=False)
        return found


def _own_storage(first: Settings) -> str:
    folder = store_folder(first).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if is_address(first.store):
        say(
            f"search: its trials are kept in {folder / FILE}, by this machine alone; several work "
            "at one search with hydra.sweeper.storage=DATABASE"
        )
    return f"sqlite:///{folder / FILE}"


def _own_name(sweep: Swept, first: Settings, overrides: Sequence[str]) -> str:
    """The same for the same search: what is drawn, all else that decides results, where it is
    recorded. How many trials there are to be is not part of it."""
    space = sorted(str(one.input_line) for one in sweep.drawn)
    where = [first.mlflow.uri, first.mlflow.experiment, first.mlflow.run_name]
    own = sorted(word for word in overrides if not word.startswith("hydra"))
    facts = {"space": space, "settings": config_hash(first), "where": where, "words": own}
    return f"segtrack-{digest({**facts, 'objective': first.objective, 'of': __version__})[:12]}"


def _among(override: Override, value: Any) -> Iterator[Any]:
    """A value as Optuna has it, if it may be drawn."""
    sweep = override.value()
    if isinstance(sweep, IntervalSweep):
        whole = isinstance(sweep.start, int) and isinstance(sweep.end, int)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if number and sweep.start <= value <= sweep.end and (not whole or value == int(value)):
            yield int(value) if whole else float(value)
        return
    for one in override.sweep_iterator(transformer=Transformer.encode):
        if one == value or meaning(str(one)) == value:
            yield one


def _fail() -> Any:
    from optuna.trial import TrialState

    return TrialState.FAIL


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Optuna's notes on what is experimental are for who writes programs."""
    hush()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def _told(storage: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        theirs = type(error).__module__.partition(".")[0] in ("sqlalchemy", "optuna", "alembic")
        if not theirs and not isinstance(error, ImportError | OSError):
            raise
        why = " ".join((str(error).splitlines() or [type(error).__name__])[0].split())
        raise SettingsError(
            f"hydra.sweeper.storage={storage}: the study cannot be kept there: {why[:300]}. Give "
            "another database, such as sqlite:///FILE"
        ) from error
