"""What Hydra composes, kept: composing costs a tenth of a second, and a call does it several times.

A process that calls in a loop composes what it has not composed before, and sees it when a file
of the configuration changes.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hydra import compose
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf, open_dict

from segtrack.settings import options

CONFIG = "config"
_MOST = 64  # configurations that are kept, of some 100 kB
_kept: dict[tuple[Any, ...], DictConfig] = {}


def composed(overrides: Sequence[str], hydra: bool = False) -> DictConfig:
    """The configuration of these words, in which nothing is resolved yet, for the caller to change.

    Hydra has to be ready: ``composition.composing``.

    Args:
        hydra: with Hydra's own part.

    Raises:
        HydraException, OmegaConfBaseException: they do not compose.
    """
    found = copy.deepcopy(_whole(overrides))
    if not hydra:
        with open_dict(found):
            del found["hydra"]
    return found


def sweeper_settings(overrides: Sequence[str]) -> dict[str, Any]:
    """What ``hydra.sweeper`` is with these words, nothing resolved; the rest is not copied for it.

    Raises:
        HydraException, OmegaConfBaseException: they do not compose.
    """
    found = OmegaConf.to_container(_whole(overrides).hydra.sweeper, resolve=False)
    assert isinstance(found, dict)
    return {str(key): value for key, value in found.items()}


def _whole(overrides: Sequence[str]) -> DictConfig:
    """The kept one itself, not to be changed."""
    key = (*_state(), *overrides)
    if key not in _kept:
        if len(_kept) == _MOST:
            _kept.pop(next(iter(_kept)))
        _kept[key] = compose(CONFIG, overrides=list(overrides), return_hydra_config=True)
    return _kept[key]


def _state() -> Iterator[Any]:
    """What else decides: the files, the options that are known, and where this process works."""
    yield Path.cwd()
    yield tuple((group, *names) for group, names in options().items())
    for element in GlobalHydra.instance().config_loader().get_search_path().get_path():
        scheme, _, path = (element.path or "").rpartition("://")
        yield element.path
        if scheme in ("", "file") and path:
            for file in sorted(Path(path).rglob("*.yaml")):
                stat = file.stat()
                yield file, stat.st_mtime_ns, stat.st_size
