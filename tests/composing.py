"""Hydra composes the same words, of the same files and options, once.

A command composes its words four times, .1 s each, which is most of a short one.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import CachingConfigRepository
from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobRuntime
from hydra.types import RunMode
from omegaconf import OmegaConf

CONF = Path(__file__).resolve().parents[1] / "conf"
_composed: dict[Any, Any] = {}
_parsed: dict[str, Any] = {}


def install() -> None:
    """From here on, in a process that forks, with all files parsed."""
    compose_once(pytest.MonkeyPatch())
    for path in CONF.rglob("*.yaml"):
        with path.open(encoding="utf-8") as file:
            OmegaConf.load(file)


def compose_once(patch: pytest.MonkeyPatch) -> None:
    """For as long as ``patch`` lasts.

    Words that compose as those of one run compose to the same in each way that Hydra asks for them.
    """
    load, parse = ConfigLoaderImpl.load_configuration, OmegaConf.load

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
        run = json.dumps([places, files, groups, *words])
        how = (run_mode, from_shell, validate_sweep_overrides)
        key = run if run in _composed else json.dumps([run, *map(str, how)])
        if key not in _composed:
            made = load(self, config_name, overrides, *how, **named)
            key = run if run_mode == RunMode.RUN and validate_sweep_overrides else key
            _composed[key] = made, JobRuntime().get("name")
        found, job = copy.deepcopy(_composed[key])
        if "hydra" in found:
            found.hydra.runtime.cwd = str(Path.cwd())
            if found.hydra.job.name == job:
                found.hydra.job.name = JobRuntime().get("name")
        return found

    def light(self: Any, delegate: Any) -> None:
        """Copies what is changed, where Hydra copies every option that is registered."""
        self.delegate, self.cache = copy.copy(delegate), {}

    def parsed(file: Any) -> Any:
        if not hasattr(file, "read"):
            return parse(file)
        text = file.read()
        file.seek(0)
        if text not in _parsed:
            _parsed[text] = parse(file)
        return copy.deepcopy(_parsed[text])

    patch.setattr(OmegaConf, "load", staticmethod(parsed))
    patch.setattr(ConfigLoaderImpl, "load_configuration", once)
    patch.setattr(CachingConfigRepository, "__init__", light)
