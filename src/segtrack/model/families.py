"""The families of networks there are.

The model names of a family are the options of the config group ``model``, and which family is meant
follows from the settings that such an option makes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from segtrack.base.errors import SettingsError
from segtrack.base.registry import Registry, load_plugins
from segtrack.settings import ModelSettings, option

if TYPE_CHECKING:
    from segtrack.model.port import ModelFamily

FAMILIES: Registry[ModelFamily] = Registry("model family", "model")
_by_settings: dict[type[ModelSettings], ModelFamily] = {}


def register_family(family: ModelFamily) -> ModelFamily:
    """Make a family known; its model names become options of the config group ``model``.

    Raises:
        ValueError: its name, its settings class or one of its models' names is another's already.
    """
    if family.settings is ModelSettings or family.settings in _by_settings:
        raise ValueError(
            f"{family.name} needs a settings class of its own, a subclass of ModelSettings: a "
            "family is known by it"
        )
    FAMILIES.register(family.name, family)
    _by_settings[family.settings] = family
    for name in family.models:
        option("model", name, family.settings(name=name))
    return family


def family_of(settings: ModelSettings) -> ModelFamily:
    """The family whose settings these are.

    Raises:
        SettingsError: they are of none.
    """
    load_plugins()
    family = _by_settings.get(type(settings))
    if family is None:
        known = ", ".join(name for one in _by_settings.values() for name in one.models)
        raise SettingsError(f"model={settings.name}: no family has this model; there are {known}")
    return family


def model_settings(name: str, **knobs: Any) -> ModelSettings:
    """The settings of the model of that name, as ``model=name`` and ``model.KNOB=...`` make them.

    Raises:
        SettingsError: no family offers it.
    """
    load_plugins()
    for kind, family in _by_settings.items():
        if name in family.models:
            return kind(name=name, **knobs)
    family_of(ModelSettings(name=name))
    raise AssertionError("unreachable")
