"""The sweeper that a command chooses: whether it draws values, and what it was told to sweep."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from packaging.version import Version

from segtrack.base.errors import SettingsError
from segtrack.command.composed import sweeper_settings
from segtrack.command.keys import of_hydra
from segtrack.settings import Problem

HYDRA = Version(version("hydra-core"))
# From 1.4 on a warning says that it has no meaning; before, one says that it is missing.
VERSION_BASE: dict[str, Any] = {"version_base": "1.3"} if HYDRA.release < (1, 4) else {}
_PRESETS = ("experiment", "hparams_search", "local")  # groups that may set what is Hydra's
_EXTRAS = {  # which has an option of Hydra's plugins
    "optuna": "optuna",
    "joblib": "joblib",
    "submitit_local": "submitit",
    "submitit_slurm": "submitit",
    "ray": "ray",
}


@dataclass(frozen=True)
class Sweeper:
    """What decides which cells a sweep has.

    Attributes:
        target: its class, with its whole name.
        words: what its settings sweep (``hydra.sweeper.params``) beside the command line.
        settings: all of its settings, by name.
    """

    target: str = ""
    words: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def draws(self) -> bool:
        """Whether it chooses values itself, from intervals too, instead of running all."""
        return bool(self.target) and "basic_sweeper" not in self.target

    @property
    def is_optuna(self) -> bool:
        """Whether it is Hydra's own plugin for Optuna."""
        return "hydra_optuna_sweeper" in self.target

    def problems(self, parsed: Sequence[Override]) -> list[Problem]:
        """What keeps it from drawing anything.

        Args:
            parsed: the command's words, with what its settings sweep.
        """
        if not self.draws:
            return []
        counts = [key for key in ("n_trials", "n_jobs") if key in self.settings]
        found = [
            Problem(f"hydra.sweeper.{key}", self.settings[key], "must be a whole number from 1 on")
            for key in counts
            if not isinstance(value := self.settings[key], int) or value < 1
        ]
        if not any(one.is_sweep_override() for one in parsed):
            allowed = "has nothing to draw: name what is searched, KEY=interval(LOW,HIGH) or a list"
            found.append(Problem("hydra/sweeper", self.target.rpartition(".")[2], allowed))
        if self.is_optuna:
            found += [problem for one in parsed for problem in _tag_problems(one)]
        return found


@dataclass(frozen=True)
class Searched:
    """How a sweeper drew the values.

    Attributes:
        sweeper: in words. objectives: names of the metrics.
        drawn: what it drew from. study: name of the kept study; empty where none is kept.
    """

    sweeper: str
    objectives: Sequence[str]
    drawn: Sequence[Override]
    study: str = ""


def sweeper_of(parsed: Sequence[Override]) -> Sweeper:
    """The sweeper that these overrides choose, composed by Hydra, which must be ready to.

    Raises:
        Exception: they do not compose, in any way.
    """
    words = [
        str(one.input_line)
        for one in parsed
        if of_hydra(one.key_or_group) or one.key_or_group in _PRESETS
        if not one.is_sweep_override()
    ]
    settings = sweeper_settings(words)
    typed = {one.key_or_group for one in parsed}
    params: Mapping[str, Any] = settings.get("params") or {}
    swept = [f"{key}={value}" for key, value in params.items()]
    names = OverridesParser.create().parse_overrides(swept)
    own = (word for word, one in zip(swept, names, strict=True) if one.key_or_group not in typed)
    return Sweeper(str(settings.get("_target_", "")), tuple(own), settings)


def storage_of(settings: Mapping[str, Any]) -> str | None:
    """The database of trials that a sweeper is given, with what its address takes from elsewhere:
    ``${oc.env:STUDIES}`` keeps a password out of all that is recorded.

    Raises:
        SettingsError: what it takes is not there.
    """
    storage = settings.get("storage")
    try:
        found = OmegaConf.create({"storage": storage}).storage
    except OmegaConfBaseException as error:
        why = str(error).splitlines()[0]
        raise SettingsError(f"hydra.sweeper.storage={storage}: {why}") from error
    return None if found is None else str(found)


def _tag_problems(override: Override) -> Iterator[Problem]:
    """What the plugin reads over: a misspelt tag would be no tag, and the draw another one."""
    if not override.is_sweep_override():
        return
    value = override.value()
    if wrong := sorted(getattr(value, "tags", set()) - {"log"}):
        allowed = f"{wrong[0]} is no tag of a search; there is tag(log,interval(LOW,HIGH)) alone"
    elif getattr(value, "tags", set()) and not isinstance(value, IntervalSweep):
        allowed = "only an interval is drawn by its logarithm: tag(log,interval(LOW,HIGH))"
    else:
        return
    text = (override.input_line or "").partition("=")[2]
    yield Problem(override.key_or_group, text, allowed)


def lacking(name: str) -> str:
    """How to install the plugin that has an option of ``hydra/sweeper`` or ``hydra/launcher``;
    empty: none of those that segtrack knows has it."""
    extra = _EXTRAS.get(name)
    return f"; it comes with pip install 'segtrack[{extra}]'" if extra else ""
