"""From command line words to typed settings, with every problem found at once.

Hydra stops at its first problem. Here the overrides are tried alone where the whole does not
compose, so that one message lists all of them, each with the nearest right name.
"""

from __future__ import annotations

import copy
import difflib
import itertools
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from segtrack.pipeline import stage_problems
from segtrack.settings import Problem, Settings, options, register
from segtrack.settings.rules import validate

CONFIG = "config"


@dataclass(frozen=True)
class Cell:
    """One run of a sweep, or the only run.

    Attributes:
        overrides: its command line words. swept: the values that distinguish it, by key.
    """

    overrides: tuple[str, ...]
    swept: dict[str, str] = field(default_factory=dict)


def check(
    folder: Path, overrides: Sequence[str], extra: Path | None = None, sweep: bool = True
) -> list[Problem]:
    """All problems of a command's overrides, a sweep's cells included; empty if it can start.

    Args:
        folder: the configuration folder. overrides: as typed.
        extra: a further folder of configurations (Hydra's ``--config-dir``).
        sweep: several values for a key mean several cells (``-m``); else they are a mistake.
    """
    parsed, problems = _parse(overrides)
    if not sweep:
        allowed = "has several values: add -m for a sweep, or quote them as one value"
        several = [o for o in parsed if o.is_sweep_override()]
        texts = [(o.get_key_element(), (o.input_line or "").partition("=")[2]) for o in several]
        problems += [Problem(key, value, allowed) for key, value in texts]
        parsed = [o for o in parsed if not o.is_sweep_override()]
    with _hydra(folder, extra):
        checker = _Checker(groups(folder, *([extra] if extra else [])))
        seen: dict[str, Problem] = {}
        for cell in _expand(parsed):
            for problem in checker.problems(cell.overrides):
                seen.setdefault(str(problem), problem)
    return [*problems, *seen.values()]


def expand(overrides: Sequence[str]) -> list[Cell]:
    """The cells of a sweep in Hydra's order; overrides that do not parse are left out."""
    return list(_expand(_parse(overrides)[0]))


def to_settings(config: DictConfig) -> Settings:
    """The typed settings of a composed configuration."""
    settings = OmegaConf.to_object(config)
    assert isinstance(settings, Settings), f"composed {type(settings).__name__}"
    return settings


def compose_settings(folder: Path, overrides: Sequence[str]) -> Settings:
    """Compose without running anything; for tests and tools."""
    with _hydra(folder, None):
        return to_settings(compose(CONFIG, overrides=list(overrides)))


def groups(*folders: Path) -> dict[str, list[str]]:
    """The options of every config group: files in these folders, and what registered itself."""
    found = {group: set(known) for group, known in options().items()}
    for folder in folders:
        for path in folder.glob("*/*.yaml"):
            found.setdefault(path.parent.name, set()).add(path.stem)
    return {group: sorted(names) for group, names in sorted(found.items())}


@contextmanager
def _hydra(folder: Path, extra: Path | None) -> Iterator[None]:
    register()
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(folder.resolve()), version_base="1.3", job_name="segtrack"):
        if extra is not None:
            loader = GlobalHydra.instance().config_loader()
            loader.get_search_path().prepend("command-line", f"file://{extra.resolve()}")
        yield


def _parse(overrides: Sequence[str]) -> tuple[list[Override], list[Problem]]:
    parser = OverridesParser.create()
    good, problems = [], []
    for text in overrides:
        try:
            good.extend(parser.parse_overrides([text]))
        except HydraException as error:
            key, _, value = text.partition("=")
            detail = str(error).splitlines()[0]
            allowed = (
                f"Hydra's grammar cannot read this ({detail}). A value with one of "
                f"( ) [ ] {{ }} = , or spaces needs quotes inside the shell's: '{key}=\"{value}\"'"
            )
            problems.append(Problem(key, value, allowed))
    return good, problems


def _expand(parsed: Sequence[Override]) -> Iterator[Cell]:
    choices: list[list[tuple[str, str, bool]]] = []
    for override in parsed:
        key = override.get_key_element()
        if override.is_sweep_override():
            if not override.is_discrete_sweep():
                continue  # a range for an optimising sweeper: it draws values within
            values = list(override.sweep_string_iterator())
            choices.append([(key, value, True) for value in values])
        elif override.is_delete():
            choices.append([(override.input_line or key, "", False)])
        else:
            choices.append([(key, override.get_value_element_as_str(), False)])
    for combination in itertools.product(*choices):
        words = tuple(f"{key}={value}" if value else key for key, value, _ in combination)
        yield Cell(words, {key: value for key, value, swept in combination if swept})


class _Checker:
    """Composes each choice of groups once and puts the other overrides on top of copies of it.

    Composing costs a tenth of a second, an override on a copy a millisecond: that is what makes
    checking all cells of a large sweep before the first one starts affordable.
    """

    def __init__(self, names: dict[str, list[str]]) -> None:
        self.names = names
        self.parser = OverridesParser.create()
        self.composed: dict[tuple[str, ...], DictConfig | Exception] = {}

    def problems(self, overrides: Sequence[str]) -> list[Problem]:
        choices = [o for o in overrides if self._composes(o)]
        config = self._compose(choices)
        problems = []
        if isinstance(config, Exception):
            good: list[str] = []
            for choice in choices:
                result = self._compose([*good, choice])
                if isinstance(result, Exception):
                    problems.append(self._explain(choice, result, self._compose(good)))
                else:
                    good.append(choice)
            config = self._compose(good)
        assert isinstance(config, DictConfig), f"the defaults do not compose: {config}"
        merged = copy.deepcopy(config)
        for override in self.parser.parse_overrides([o for o in overrides if o not in choices]):
            try:
                value = override.value()
                OmegaConf.update(merged, override.key_or_group, value, merge=True)
            except (OmegaConfBaseException, HydraException, ValueError) as error:
                problems.append(self._explain(override.input_line or "", error, config))
        try:
            settings = to_settings(merged)
            return [*problems, *validate(settings), *stage_problems(settings)]
        except (OmegaConfBaseException, ValueError) as error:
            key = getattr(error, "full_key", None) or "settings"
            return problems or [Problem(key, "?", _first_line(str(error)))]

    def _composes(self, override: str) -> bool:
        """Whether Hydra itself must see the override: groups, its own settings, additions."""
        key = override.partition("=")[0]
        return key[0] in "+~" or key.split("@")[0] in self.names or key.startswith("hydra")

    def _compose(self, overrides: Sequence[str]) -> DictConfig | Exception:
        words = tuple(overrides)
        if words not in self.composed:
            try:
                self.composed[words] = compose(CONFIG, overrides=list(words))
            except (HydraException, OmegaConfBaseException) as error:
                self.composed[words] = error
        return self.composed[words]

    def _explain(self, override: str, error: Exception, config: Any) -> Problem:
        key, _, value = override.partition("=")
        bare = key.lstrip("+~")
        text = "\n".join(str(e) for e in (error, error.__cause__) if e is not None)
        if bare in self.names:
            options = self.names[bare]
            if value in options:  # the option is there: something inside it is wrong
                return Problem(key, value, _first_line(text))
            near = _nearest(value, options)
            return Problem(key, value, f"must be one of {', '.join(options)}{near}")
        plain = OmegaConf.to_container(config, resolve=False, enum_to_str=True)
        assert isinstance(plain, dict)
        known = sorted({*flatten(plain), *map(str, plain), *self.names})
        if bare not in known and not any(k.startswith(f"{bare}.") for k in known):
            return Problem(key, value, f"no such setting{_nearest(bare, known)}")
        return Problem(key, value, _type_message(text))


def _type_message(text: str) -> str:
    for pattern, message in (
        (r"could not be converted to (Float|Integer)", "must be {}"),
        (r"is not a valid (bool)", "must be {}"),
        (r"Invalid value '.*', expected one of \[(.*)\]", "must be one of {}"),
        (r"field '\w+' is not Optional", "must not be null"),
    ):
        if found := re.search(pattern, text):
            kinds = {"Float": "a number", "Integer": "a whole number", "bool": "true or false"}
            return message.format(*(kinds.get(g, g) for g in found.groups()))
    return _first_line(text)


def _first_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return next((line for line in lines if "Error merging override" not in line), lines[0])


def flatten(value: Any, prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one level with dotted keys; an empty mapping stays a value."""
    if not isinstance(value, dict) or (not value and prefix):
        return {prefix: value}
    rows: dict[str, Any] = {}
    for key, item in value.items():
        rows.update(flatten(item, f"{prefix}.{key}" if prefix else str(key)))
    return rows


def _nearest(name: str, known: Sequence[str]) -> str:
    leaves = {k.rsplit(".", 1)[-1]: k for k in known}
    if name in leaves:  # the right key without its group
        return f"; did you mean {leaves[name]}?"
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if not close:  # perhaps the right key in the wrong group
        leaf = difflib.get_close_matches(name.rsplit(".", 1)[-1], list(leaves), n=1, cutoff=0.6)
        close = [leaves[leaf[0]]] if leaf else []
    return f"; did you mean {close[0]}?" if close else ""
