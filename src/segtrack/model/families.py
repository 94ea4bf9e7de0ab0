"""The families of models that are known, by the settings that choose them."""

from __future__ import annotations

from segtrack.base.errors import SettingsError
from segtrack.base.registry import Registry, load_plugins
from segtrack.model.port import ModelFamily
from segtrack.settings import ModelSettings

FAMILIES: Registry[ModelFamily] = Registry("model family", "model")


def register_family(family: ModelFamily) -> ModelFamily:
    """Make a family known; its model names become options of the config group ``model``."""
    return FAMILIES.register(family.name, family)


def family_of(settings: ModelSettings) -> ModelFamily:
    """The family that offers this model.

    Raises:
        SettingsError: none does.
    """
    load_plugins()
    families = [FAMILIES.get(name) for name in FAMILIES]
    for family in families:
        if settings.name in family.models:
            return family
    known = ", ".join(name for family in families for name in family.models)
    raise SettingsError(f"model.name={settings.name}: no family has this model; there are {known}")
