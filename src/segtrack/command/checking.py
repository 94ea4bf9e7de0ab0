"""All problems of a command's words, found at once.

Hydra stops at its first problem. Here the overrides are tried alone where the whole does not
compose, so that one message lists all of them, each with the nearest right name.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from segtrack.base.errors import of_machine
from segtrack.base.nested import flatten
from segtrack.command.cells import again, cells_of, probes_of, sweep_problems, twice, undrawn
from segtrack.command.composed import composed
from segtrack.command.composition import (
    composing,
    config_folders,
    first_line,
    groups,
    parse,
    to_settings,
)
from segtrack.command.keys import (
    NO_SUCH,
    flat,
    locate,
    nearest,
    normalised,
    of_hydra,
    option_classes,
    shape_problem,
    unknown,
)
from segtrack.command.sweeper import Sweeper, lacking, sweeper_of
from segtrack.pipeline import stage_problems
from segtrack.settings import Problem, validate


def check(
    folder: Path, overrides: Sequence[str], extra: Path | None = None, sweep: bool = True
) -> list[Problem]:
    """All problems of a command's overrides, a sweep's cells included; empty if it can start.

    Args:
        folder: the configuration folder. overrides: as typed.
        extra: a further folder of configurations (Hydra's ``--config-dir``).
        sweep: several values for a key mean several cells (``-m``); else they are a mistake.
    """
    with composing(folder, extra):
        names = groups(*config_folders(folder, extra))
        parsed, problems = parse(normalised(overrides, names))
        if not sweep:
            several = [o for o in parsed if o.is_sweep_override()]
            texts = [(o.key_or_group, (o.input_line or "").partition("=")[2]) for o in several]
            problems += [Problem(key, value, _several(value)) for key, value in texts]
            parsed = [o for o in parsed if not o.is_sweep_override()]
            for_sweeps = "chooses for a sweep and does nothing to a single run: add -m"
            chosen = [o for o in parsed if o.key_or_group in _OF_SWEEPS]
            texts = [(o.key_or_group, (o.input_line or "").partition("=")[2]) for o in chosen]
            problems += [Problem(key, value, for_sweeps) for key, value in texts]
            theirs = (*_OF_SWEEPS, "hydra.sweeper.", "hydra.launcher.") if chosen else ()
            parsed = [o for o in parsed if not o.key_or_group.startswith(theirs)]
        sweeper = Sweeper()
        if sweep:
            # What of them does not compose is told below, with the others.
            choices = [o for o in parsed if not o.key_or_group.startswith("hydra.")]
            with suppress(Exception):
                sweeper = sweeper_of(choices)
                sweeper = sweeper_of(parsed)
            parsed += parse(sweeper.words)[0]
        wrong = [
            *again(parsed), *sweeper.problems(parsed), *sweep_problems(parsed, sweeper.draws)
        ]  # fmt: skip
        if wrong:  # cells that cannot be counted
            return [*problems, *wrong]
        problems += [problem for one in parsed if (problem := twice(one))]
        checker = Checker(names)
        seen: dict[str, Problem] = {}
        searched = any(o.key_or_group in ("hydra/sweeper", "hparams_search") for o in parsed)
        if not sweeper.draws and (sweeper.target or not searched):
            for override in parsed:
                if override.is_sweep_override() and not override.is_discrete_sweep():
                    wrong = list(checker.key_problems(override)) or [undrawn(override)]
                    seen |= {str(problem): problem for problem in wrong}
        for cell in probes_of(parsed) if sweeper.draws else cells_of(parsed):
            for problem in checker.problems(cell.overrides):
                # A key that does not exist is one slip, however many values it has.
                unknown_key = problem.allowed.startswith(NO_SUCH)
                seen.setdefault(problem.key if unknown_key else str(problem), problem)
    return [*problems, *seen.values()]


def _several(value: str) -> str:
    """What to do about a value with commas in it."""
    listed = "" if re.search(r"[\[({]", value) else f", write a list as [{value}]"
    return f"has several values: add -m for a sweep{listed}, or quote them as one value"


_OF_SWEEPS = ("hydra/sweeper", "hydra/launcher", "hparams_search")


class Checker:
    """Composes each choice of groups once and puts the other overrides on top of copies of it.

    Composing costs a tenth of a second, an override on a copy a millisecond: that is what makes
    checking all cells of a large sweep before the first one starts affordable.
    """

    def __init__(self, names: dict[str, list[str]]) -> None:
        self.names = names
        self.parser = OverridesParser.create()
        self.composed: dict[tuple[str, ...], DictConfig | Exception] = {}

    def problems(self, overrides: Sequence[str]) -> list[Problem]:
        """What is wrong with one cell's overrides."""
        parsed = self.parser.parse_overrides(list(overrides))
        problems, choices, values = [], [], []
        for one in parsed:
            if wrong := self._refused(one):
                problems.append(Problem(one.get_key_element(), _shown(one), wrong))
            elif self._composes(one):
                choices.append(str(one.input_line))
            else:
                values.append(one)
        config = self._compose(choices)
        if isinstance(config, Exception):
            good: list[str] = []
            # Settings of a sweeper after the word that chooses it, wherever that stands.
            for choice in sorted(choices, key=lambda word: word.lstrip("+").startswith("hydra.")):
                result = self._compose([*good, choice])
                if isinstance(result, Exception):
                    problems.append(self._explain(choice, result, good))
                else:
                    good.append(choice)
            config = self._compose(good)
        if isinstance(config, Exception):
            return [*problems, _of_the_files(config)]
        merged = copy.deepcopy(config)
        by_key = {p.key: p for one in values for p in self._set(merged, one)}  # a key's last one
        problems += by_key.values()
        try:
            settings = to_settings(merged)
        except (OmegaConfBaseException, ValueError) as error:
            return problems or [_left_open(error)]
        return [*problems, *validate(settings), *stage_problems(settings)]

    def quick(self, overrides: Sequence[str]) -> DictConfig | None:
        """The configuration of one cell with Hydra's own part, which knows the choices alone; None
        where something is wrong with it."""
        parsed = self.parser.parse_overrides(list(overrides))
        if any(self._refused(one) for one in parsed):
            return None
        choices = [str(one.input_line) for one in parsed if self._composes(one)]
        config = composed(choices, hydra=True)
        values = [one for one in parsed if not self._composes(one)]
        wrong = [problem for one in values for problem in self._set(config, one)]
        return None if wrong else config

    def key_problems(self, override: Override) -> Iterator[Problem]:
        """What is wrong with the key of an override whose values are not known yet."""
        key = override.key_or_group
        if not of_hydra(key) and locate(key, option_classes)[0] is None:
            value = (override.input_line or "").partition("=")[2]
            yield Problem(key, value, unknown(key, self._known(self._compose([])), self.names))

    def _refused(self, override: Override) -> str | None:
        """Why an override can be nothing that composes, whatever else is chosen."""
        key = override.key_or_group
        if key == "":
            return "has no key: type KEY=VALUE"
        if of_hydra(key):
            return _refused_by_hydra(override)
        if override.is_delete():
            knob, inside = locate(key, option_classes)
            if inside or key == "local":
                return None
            if key in self.names:
                return f"a group cannot be left out; choose one of {', '.join(self.names[key])}"
            if knob is None:
                return unknown(key, self._known(self._compose([])), self.names)
            return "a setting cannot be deleted; give it another value"
        value = override.value()
        if key not in self.names or isinstance(value, dict):
            return None
        options = self.names[key]
        if key == "experiment" and isinstance(value, list) and set(value) <= set(options):
            return None
        near = nearest(str(value), options)
        if key == "model" and Path(str(value)).suffix:
            near += f"; weights in a file are model.weights={value}"
        listed = "; choose one" if isinstance(value, list) else near
        known = isinstance(value, str) and value in options
        return None if known else f"must be one of {', '.join(options)}{listed}"

    def _composes(self, override: Override) -> bool:
        """Whether Hydra itself must see it: groups, its own settings, deletions."""
        if override.is_delete() or override.package:
            return True
        key = override.key_or_group
        return of_hydra(key) or (key in self.names and not isinstance(override.value(), dict))

    def _set(self, config: DictConfig, override: Override) -> Iterator[Problem]:
        def classes(group: str) -> list[type]:
            node = OmegaConf.get_type(config, group)
            return [node] if node is not None else []

        for key, value in flat(override.key_or_group, override.value(), classes):
            knob, inside = locate(key, classes)
            if knob is None:
                yield Problem(key, _text(value), unknown(key, self._known(config), self.names))
                continue
            wrong = None if inside else shape_problem(key, knob, value)
            if wrong:
                yield Problem(key, _text(value), wrong)
                continue
            try:
                replaces = knob.type is Any and not inside
                grows = inside or isinstance(value, dict)
                OmegaConf.update(config, key, value, merge=not replaces, force_add=grows)
            except (OmegaConfBaseException, HydraException, ValueError) as error:
                yield Problem(key, _text(value), _type_message(str(error)))

    def _compose(self, overrides: Sequence[str]) -> DictConfig | Exception:
        words = tuple(overrides)
        if words not in self.composed:
            try:
                self.composed[words] = composed(words)
            except (HydraException, OmegaConfBaseException) as error:
                self.composed[words] = error
            except Exception as error:  # values for Hydra itself fail in any way
                if of_machine(error):
                    raise
                self.composed[words] = HydraException("Hydra cannot take this value")
        return self.composed[words]

    def _known(self, config: Any) -> list[str]:
        """All keys of a composed configuration."""
        if isinstance(config, Exception):
            return []
        plain = OmegaConf.to_container(config, resolve=False, enum_to_str=True)
        assert isinstance(plain, dict)
        return sorted({*flatten(plain), *map(str, plain)})

    def _explain(self, override: str, error: Exception, good: Sequence[str]) -> Problem:
        key, _, value = override.partition("=")
        text = "\n".join(str(e) for e in (error, error.__cause__) if e is not None)
        if key.lstrip("+").startswith("hydra."):
            known = _hydra_keys(good)
            wrong = _type_message(_in_files(text, known, {}))
            return Problem(key, value, wrong.removeprefix(f"{key.lstrip('+')}: "))
        return Problem(key, value, _in_files(text, self._known(self._compose(good)), self.names))


def _of_the_files(error: Exception) -> Problem:
    """What is wrong with the configuration files themselves, whatever the command line says."""
    text = "\n".join(str(e) for e in (error, error.__cause__) if e is not None)
    return Problem("conf", "files", _in_files(text, [], {}))


def _in_files(text: str, known: Sequence[str], names: Mapping[str, Sequence[str]]) -> str:
    """An error of composing in one line, with the right name where a file has a wrong one."""
    line = first_line(text)
    if plugin := re.search(r"Could not (?:find|load) 'hydra/(?:sweeper|launcher)/(\w+)'", line):
        options = re.findall(r"^\t(\S+)$", text, re.MULTILINE)
        near = nearest(plugin.group(1), options) if "find" in line else ""
        return line.removesuffix(".") + (lacking(plugin.group(1)) or near)
    found = re.search(r"full_key: (\S+)", text)
    if found and re.search(r"Key '.*' (not in '|is not in struct)", text):
        key = found.group(1)
        where = re.search(r"In '(.*?)'", text)
        open_ = "is not in struct" in text and key.startswith("hydra.")  # takes further keys
        plus = f"; +{key}=VALUE adds it" if open_ else ""
        wrong = f"{unknown(key, known, names).removesuffix('?' if plus else '')}{plus}"
        return f"{where.group(1) + ': ' if where else ''}{key}: {wrong}"
    return line


def _left_open(error: Exception) -> Problem:
    key = getattr(error, "full_key", None) or "settings"
    if isinstance(error, MissingMandatoryValue):
        return Problem(key, "???", f"must be given: {key}=VALUE")
    return Problem(key, "?", first_line(str(error)))


def _hydra_keys(words: Sequence[str] = ()) -> list[str]:
    """All keys of Hydra itself, as they are with these overrides alone."""
    config = composed(list(words), hydra=True)
    plain = OmegaConf.to_container(config.hydra, resolve=False, enum_to_str=True)
    assert isinstance(plain, dict)
    return sorted(flatten(plain, "hydra"))


def _refused_by_hydra(override: Override) -> str | None:
    """Hydra takes everything behind a plus, also where nothing of it reads it."""
    key = override.key_or_group
    if override.is_delete() or "/" in key or "." not in key:
        return None
    if override.value() == "":
        return f"is empty; type {key}=VALUE"
    if key.startswith("hydra.sweeper.params."):
        name = key.removeprefix("hydra.sweeper.params.")
        return f"{NO_SUCH} of Hydra; what is searched is typed by itself: {name}=..."
    known = _hydra_keys()
    part = ".".join(key.split(".")[:2])
    there = key in known or any(k.startswith((f"{key}.", f"{part}.")) for k in known)
    closed = part in ("hydra.run", "hydra.sweep", "hydra.job") and "env_set" not in key
    if there and not (closed and not any(k == key or k.startswith(f"{key}.") for k in known)):
        return None
    return f"{NO_SUCH} of Hydra{nearest(key, known)}"


def _shown(override: Override) -> Any:
    return ... if override.is_delete() else override.get_value_element_as_str()


def _text(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value


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
    return first_line(text)
