"""Things that are chosen by name, and how those of other packages come to be known.

Whatever is chosen by a word on the command line (a tracker, a data source, a stage, a model family)
registers itself where it is defined. segtrack's own are found by walking the folders they lie in;
those of other packages by the entry point group ``segtrack.plugins`` of an installed distribution,
or by the environment variable ``SEGTRACK_PLUGINS``: names of modules, separated by commas.
"""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, Generic, TypeVar

from segtrack.base.errors import SettingsError

# Folders whose modules and packages register themselves when they are imported. Importing one is
# cheap: what does the work is imported where the work is done.
HOMES = (
    "segtrack.dataset.sources",
    "segtrack.model",
    "segtrack.tracker",
    "segtrack.pipeline.stages",
)
GROUP = "segtrack.plugins"
VARIABLE = "SEGTRACK_PLUGINS"
T = TypeVar("T")


class Registry(Generic[T]):
    """Things of one kind by name, in the order in which they were registered.

    Attributes:
        module: that keeps the registry.
        homes: the module that registered each thing, by name.
    """

    def __init__(self, kind: str, key: str) -> None:
        """``kind`` says what they are; ``key`` is the setting that chooses one of them."""
        self.kind, self.key = kind, key
        self.module = _module()
        self.homes: dict[str, str] = {}
        self._things: dict[str, T] = {}
        REGISTRIES.append(self)

    def register(self, name: str, thing: T) -> T:
        """Make ``thing`` known; a name stands for one thing only.

        Raises:
            ValueError: the name is taken by another.
        """
        if name in self._things:
            raise ValueError(f"there is a {self.kind} named {name!r} already")
        self._things[name] = thing
        self.homes[name] = _module()
        return thing

    def get(self, name: str) -> T:
        """The thing of that name.

        Raises:
            SettingsError: there is none; names those that are there, and the nearest.
        """
        load_plugins()
        if name not in self._things:
            near = difflib.get_close_matches(name, self._things, n=1, cutoff=0.5)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise SettingsError(
                f"{self.key}={name}: no such {self.kind}; there are {', '.join(self._things)}{hint}"
            )
        return self._things[name]

    def __iter__(self) -> Iterator[str]:
        load_plugins()
        return iter(self._things)

    def __contains__(self, name: object) -> bool:
        load_plugins()
        return name in self._things


REGISTRIES: list[Registry[Any]] = []  # all that were made
_loaded: set[str] = set()


def load_plugins() -> None:
    """Import everything that registers itself, once per process.

    Raises:
        SettingsError: a plugin that was named cannot be imported.
    """
    if _loaded:
        return
    _loaded.add(GROUP)  # before: what is imported here may ask again
    load_homes()
    named = [(entry.name, entry.module) for entry in entry_points(group=GROUP)]
    listed = os.environ.get(VARIABLE, "").split(",")
    asked = [(VARIABLE, name.strip()) for name in listed if name.strip()]
    if asked and str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))  # where a study's own module lies
    for origin, name in named + asked:
        try:
            import_module(name)
        except Exception as error:
            raise SettingsError(
                f"{origin}={name}: this plugin cannot be imported ({type(error).__name__}: "
                f"{error}); name a module that lies in this folder or on PYTHONPATH, or take its "
                "name out"
            ) from error


def load_homes() -> None:
    """Import what registers itself from inside."""
    for home in HOMES:
        if find_spec(home) is None:
            continue
        package = import_module(home)
        for module in sorted(iter_modules(package.__path__, f"{home}."), key=lambda m: m.name):
            if module.ispkg or home in ("segtrack.dataset.sources", "segtrack.pipeline.stages"):
                import_module(module.name)


def _module() -> str:
    """The module whose import leads here, or else the one that called."""
    caller = sys._getframe(2)
    frame = caller
    while frame.f_code.co_name != "<module>" and frame.f_back is not None:
        frame = frame.f_back
    found = frame if frame.f_code.co_name == "<module>" else caller
    return str(found.f_globals["__name__"])
