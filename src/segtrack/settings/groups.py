"""The options of the config groups: which there are, and how Hydra comes to know them.

An option is a settings class, or an instance of one that holds other values. Whoever adds one (a
tracker, a source, a model) calls ``option`` where the thing is defined; ``conf/`` is only needed
for options that are differences to another one.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from typing import Any

from segtrack.base.registry import load_plugins
from segtrack.settings.evaluation import EvaluationSettings
from segtrack.settings.knobs import knobs_of
from segtrack.settings.labellerr import LabellerrSettings
from segtrack.settings.mlflow import MlflowSettings
from segtrack.settings.root import Settings
from segtrack.settings.trainer import TrainerSettings

ROOT = "schema"  # the name under which conf/config.yaml asks for ``Settings``
BASE = "base"  # of a group: what its presets in conf/ begin with, no choice of its own

_options: dict[str, dict[str, Any]] = {}
_stored: dict[tuple[str, str], Any] = {}  # what Hydra knows already; telling it all takes .1 s


def option(group: str, name: str, node: Any) -> None:
    """Make an option of a config group known, so that ``group=name`` chooses it.

    Args:
        node: a settings class, or an instance of one.

    Raises:
        ValueError: the name is taken by another.
    """
    known = _options.setdefault(group, {})
    if name in known and known[name] != node:
        raise ValueError(f"there is an option {group}={name} already")
    known[name] = node


def options() -> Mapping[str, Mapping[str, Any]]:
    """All options that can be chosen and need no file, as nodes: group -> name -> node."""
    load_plugins()
    return {
        group: {name: node for name, node in sorted(known.items()) if name != BASE}
        for group, known in sorted(_options.items())
    }


def register() -> None:
    """Put every option into Hydra's ConfigStore as ``GROUP/NAME``, and the root as ``schema``."""
    load_plugins()
    store_options()


def store_options() -> None:
    """The same with the options that are known so far."""
    from hydra.core.config_store import ConfigStore

    store = ConfigStore.instance()
    known = {(group, name): node for group, all_ in _options.items() for name, node in all_.items()}
    for (group, name), node in {("", ROOT): Settings, **known}.items():
        if _stored.get((group, name)) is not node:
            store.store(group=group or None, name=name, node=_node(node), provider="segtrack")
            _stored[group, name] = node


def _node(node: Any) -> Any:
    """An instance, in which environment variables take the place of defaults."""
    filled = node() if isinstance(node, type) else copy.copy(node)
    for name, knob in knobs_of(type(filled)).items():
        if knob.env and getattr(filled, name) == knob.default:
            default = "null" if knob.default is None else knob.default
            setattr(filled, name, f"${{oc.env:{knob.env},{default}}}")
        elif dataclasses.is_dataclass(getattr(filled, name)):
            setattr(filled, name, _node(getattr(filled, name)))
    return filled


option("trainer", BASE, TrainerSettings)
option("labellerr", BASE, LabellerrSettings)
option("labellerr", "off", LabellerrSettings)
option("evaluation", "default", EvaluationSettings)
option("mlflow", BASE, MlflowSettings)
