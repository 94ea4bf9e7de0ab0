"""Hydra composes the same words, of the same files and options, once.

A command composes its words four times, .1 s each, which is most of a short one. Words that choose
the same options are put on top of one composition of these, by Hydra itself. What is composed is
copied by pickling, which takes a fifth of the time that walking through it does.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hydra._internal import config_loader_impl
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import CachingConfigRepository
from hydra._internal.defaults_list import DefaultsList, Overrides
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobRuntime
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

CONF = Path(__file__).resolve().parents[1] / "conf"
_composed: dict[Any, Callable[[], Any]] = {}
_parsed: dict[str, Callable[[], Any]] = {}
_read: dict[tuple[str, str], Any] = {}
_listed: dict[str, Any] = {}
_chosen: dict[str, Callable[[], Any]] = {}


def install() -> None:
    """From here on, in a process that forks; files are parsed, and what most choose is composed."""
    from segtrack.base import registry
    from segtrack.command.composition import compose_settings

    os.environ.pop(registry.VARIABLE, None)  # each fork has its own plugins, and loads them
    points = functools.cache(registry.entry_points)  # which reads hundreds of files
    pytest.MonkeyPatch().setattr(registry, "entry_points", points)
    compose_once(pytest.MonkeyPatch())
    for path in CONF.rglob("*.yaml"):
        with path.open(encoding="utf-8") as file:
            OmegaConf.load(file)
    for words in ([], ["trainer=smoke"], ["dataset=labellerr"], ["dataset=images"]):
        compose_settings(CONF, words)
    registry._loaded.clear()


def compose_once(patch: pytest.MonkeyPatch) -> None:
    """For as long as ``patch`` lasts.

    Words that compose as those of one run compose to the same in each way that Hydra asks for them.
    """
    load, parse = ConfigLoaderImpl.load_configuration, OmegaConf.load
    choose, read = ConfigLoaderImpl._compose_config_from_defaults_list, OverridesParser.parse_rule
    list_, walk = config_loader_impl.create_defaults_list, DictConfig.__deepcopy__
    state = ""

    def once(
        self: Any,
        config_name: str,
        overrides: list[str],
        run_mode: Any,
        from_shell: bool = True,
        validate_sweep_overrides: bool = True,
        **named: Any,
    ) -> Any:
        groups = {k: len(v) for k, v in ConfigStore.instance().repo.items() if isinstance(v, dict)}
        places = [str(one.path) for one in self.config_search_path.get_path()]
        folders = [Path(p.removeprefix("file://")) for p in places if p.startswith("file://")]
        files = [
            (str(file), file.stat().st_mtime_ns, file.stat().st_size)
            for folder in folders
            for file in sorted(folder.rglob("*.yaml"))
        ]
        words = [config_name, list(overrides), named]
        nonlocal state
        state = json.dumps([places, files, groups])
        run = json.dumps([state, *words])
        how = (run_mode, from_shell, validate_sweep_overrides)
        key = run if run in _composed else json.dumps([run, *map(str, how)])
        if key not in _composed:
            made = load(self, config_name, overrides, *how, **named)
            key = run if run_mode == RunMode.RUN and validate_sweep_overrides else key
            _composed[key] = _copies((made, JobRuntime().get("name")))
        found, job = _composed[key]()
        if "hydra" in found:
            found.hydra.runtime.cwd = str(Path.cwd())
            if found.hydra.job.name == job:
                found.hydra.job.name = JobRuntime().get("name")
        return found

    def listed(
        repo: Any, config_name: Any, overrides_list: Any, prepend_hydra: Any, skip_missing: Any
    ) -> DefaultsList:
        """What words that set values have nothing to do with."""
        given = Overrides(repo=repo, overrides_list=overrides_list)
        choices = [given.override_choices, given.append_group_defaults, given.deletions]
        how = [config_name, prepend_hydra, skip_missing]
        key = json.dumps([state, _places(repo), how, repr(choices)])
        if key not in _listed:
            _listed[key] = list_(repo, config_name, overrides_list, prepend_hydra, skip_missing)
        found = copy.copy(_listed[key])
        given.known_choices = found.overrides.known_choices
        found.overrides, found.config_overrides = given, given.config_overrides
        return found

    def chosen(self: Any, defaults: Any, repo: Any) -> Any:
        key = json.dumps([state, _places(repo), repr(defaults)])
        if key not in _chosen:
            _chosen[key] = _copies(choose(self, defaults, repo))
        return _chosen[key]()

    def word(self: Any, text: str, rule: str) -> Any:
        if (text, rule) not in _read:
            _read[text, rule] = read(self, text, rule)
        return copy.copy(_read[text, rule])

    def light(self: Any, delegate: Any) -> None:
        """Copies what is changed, where Hydra copies every option that is registered."""
        self.delegate, self.cache = copy.copy(delegate), {}

    def parsed(file: Any) -> Any:
        if not hasattr(file, "read"):
            return parse(file)
        text = file.read()
        file.seek(0)
        if text not in _parsed:
            _parsed[text] = _copies(parse(file))
        return _parsed[text]()

    def copied(self: DictConfig, memo: dict[int, Any]) -> Any:
        if self._get_parent() is None:
            with contextlib.suppress(*_UNPICKLED):
                return pickle.loads(pickle.dumps(self))
        return walk(self, memo)

    patch.setattr(DictConfig, "__deepcopy__", copied)
    patch.setattr(OmegaConf, "load", staticmethod(parsed))
    patch.setattr(ConfigLoaderImpl, "load_configuration", once)
    patch.setattr(ConfigLoaderImpl, "_compose_config_from_defaults_list", chosen)
    patch.setattr(config_loader_impl, "create_defaults_list", listed)
    patch.setattr(OverridesParser, "parse_rule", word)
    patch.setattr(CachingConfigRepository, "__init__", light)


_UNPICKLED = (pickle.PicklingError, AttributeError, TypeError)  # of a class inside of a function


def _copies(value: Any) -> Callable[[], Any]:
    """What gives a copy of its own to each who asks."""
    try:
        kept = pickle.dumps(value)
    except _UNPICKLED:
        return lambda: copy.deepcopy(value)
    return lambda: pickle.loads(kept)


def _places(repo: Any) -> list[str]:
    return [f"{source.scheme()}://{source.path}" for source in repo.get_sources()]
