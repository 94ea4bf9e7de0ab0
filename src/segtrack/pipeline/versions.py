"""Whether a stage changed without its version: what keeps a store from serving old results.

``stages.json`` holds, for each stage, its version and a digest of every module that its own module
reaches by imports, wherever in the code they stand. Through a lazy door a name leads to the module
that defines it, not to all that the door offers. What a stage's own module names only as types
counts too: those are the values that it is handed. For maintenance only: it needs grimp.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from segtrack.base.files import digest
from segtrack.base.registry import REGISTRIES, load_plugins

SOURCE = Path(__file__).resolve().parents[2]
RECORD = Path(__file__).with_name("stages.json")
PACKAGES = ("segtrack", "trafficsim")
# Where the search ends, and why what lies behind never makes a stored result another one.
STOPS = {
    "segtrack.settings": "its values enter the key",
    "segtrack.pipeline": "says what is built, and that enters the key (stages have modules below)",
    "segtrack.store": "keeps results as they are",
    "segtrack.journal": "reads results",
    "segtrack.base.errors": "messages",
    "segtrack.base.metrics": "passes numbers on as they are",
    "segtrack.base.processes": "says when to stop",
    "segtrack.base.progress": "is shown",
    "segtrack.base.saying": "is said",
    "segtrack.base.registry": "finds things; what is found has a version of its own",
}
STAGES_FOLDER = "segtrack.pipeline.stages."


class Code:
    """The modules in a source tree, and what each reaches.

    The imports are those of the installed packages; ``source`` may be a copy with other code in it.
    """

    def __init__(self, source: Path = SOURCE) -> None:
        self.source = source
        self.graph, self.with_types = _graph(types=False), _graph(types=True)

    def reached(self, start: str) -> list[str]:
        """Every module that may shape what ``start`` does, itself included."""
        found, waiting = {start}, [start]
        while waiting:
            for module in self._imported(waiting.pop()):
                if module not in found and not _stops(module):
                    found.add(module)
                    waiting.append(module)
        return sorted(found)

    def digest(self, module: str) -> str:
        """Of the code without comments, layout and docstrings, which change nothing."""
        return digest(_code(self._tree(module)))[:12]

    def _imported(self, module: str) -> Iterator[str]:
        for registry in REGISTRIES:  # what is found by name there, and has no version of its own
            if registry.module == module:
                versions = {name: getattr(registry.get(name), "version", 0) for name in registry}
                yield from (registry.homes[name] for name, own in versions.items() if not own)
        types = module.startswith(STAGES_FOLDER)
        graph = self.with_types if types else self.graph
        for other in graph.find_modules_directly_imported_by(module):
            if not self._is_door(other):
                yield other
                continue
            imported, dotted = _names_from(self._tree(module), other, types)
            for name in imported | dotted:
                found = self._defining(other, name)
                if found is not None:
                    yield found
                elif name in imported:  # a dotted one may belong to a variable of that name
                    raise LookupError(f"{module}: {other} does not say where {name} is from")

    def _is_door(self, module: str) -> bool:
        return (self._folder(module) / "__init__.pyi").is_file()

    def _defining(self, door: str, name: str) -> str | None:
        """The module that ``name`` comes from, behind one door or several."""
        stub = ast.parse((self._folder(door) / "__init__.pyi").read_text(encoding="utf-8"))
        for node in stub.body:
            if isinstance(node, ast.ImportFrom) and any(a.asname == name for a in node.names):
                module = f"{door}.{node.module}" if node.level else str(node.module)
                return self._defining(module, name) if self._is_door(module) else module
        inner = f"{door}.{name}"
        return inner if inner in self.graph.modules else None

    def _folder(self, module: str) -> Path:
        return self.source.joinpath(*module.split("."))

    def _tree(self, module: str) -> ast.Module:
        folder = self._folder(module)
        file = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
        return _parsed(file.read_text(encoding="utf-8"))


def changed(source: Path = SOURCE) -> dict[str, list[str]]:
    """Stages (trackers, models) that differ from the record, each with the modules that changed."""
    known: dict[str, Any] = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    result: dict[str, list[str]] = {}
    for name, now in current(source).items():
        before = known.get(name, {"version": None, "modules": {}})
        old, new = before["modules"], now["modules"]
        differ = [m for m in sorted(old.keys() | new.keys()) if old.get(m) != new.get(m)]
        if differ or before["version"] != now["version"]:
            result[name] = differ or ["its version"]
    return result


def write(names: Collection[str] = ()) -> None:
    """Record stages as they are now: those that are named, or all."""
    now = current()
    if names:
        known = json.loads(RECORD.read_text())
        now = {name: now[name] if name in names else known.get(name, now[name]) for name in now}
    RECORD.write_text(json.dumps(now, indent=1) + "\n", encoding="utf-8")


def current(source: Path = SOURCE) -> dict[str, dict[str, Any]]:
    """Version and modules of each stage, and of what is chosen by name and has its own version."""
    load_plugins()
    code = Code(source)
    rows = {}
    for registry in REGISTRIES:
        for name in registry:
            version, module = getattr(registry.get(name), "version", 0), registry.homes[name]
            if version and module.startswith(PACKAGES):
                label = name if registry.kind == "stage" else f"{registry.kind} {name}"
                modules = {one: code.digest(one) for one in code.reached(module)}
                rows[label] = {"version": version, "modules": modules}
    return dict(sorted(rows.items()))


@cache
def _graph(types: bool) -> Any:
    import grimp

    return grimp.build_graph(*PACKAGES, exclude_type_checking_imports=not types, cache_dir=None)


def _stops(module: str) -> bool:
    if module.startswith(STAGES_FOLDER):
        return False
    return any(module == stop or module.startswith(f"{stop}.") for stop in STOPS)


@cache
def _parsed(text: str) -> ast.Module:
    return ast.parse(text)


@cache
def _code(tree: ast.Module) -> str:
    tree = ast.parse(ast.unparse(tree))  # a copy
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)


@cache
def _names_from(tree: ast.Module, door: str, types: bool) -> tuple[set[str], set[str]]:
    """The names of a door that a module imports, and those that it uses by ``door.name``."""
    nodes = list(ast.walk(tree) if types else _run(tree))
    parent, _, leaf = door.rpartition(".")
    names, dotted, aliases = set(), set(), set()
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module == door:
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == parent:
            aliases |= {a.asname or a.name for a in node.names if a.name == leaf}
        elif isinstance(node, ast.Import):
            aliases |= {a.asname or a.name for a in node.names if a.name == door}
    for node in nodes:
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in aliases:
            dotted.add(node.attr)
    return names, dotted


def _run(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those that only a type checker reads."""
    yield node
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        return
    for child in ast.iter_child_nodes(node):
        yield from _run(child)
