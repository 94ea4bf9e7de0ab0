"""docs/adding.md shows code that is tested, and commands that can be typed."""

from __future__ import annotations

import dataclasses
import inspect
import os
import re
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest

from segtrack.dataset import Source
from segtrack.model import ModelFamily
from segtrack.pipeline import Stage
from segtrack.settings import knob
from segtrack.tracker import TrackerKind
from tests.integration.light import LIGHT

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs" / "adding.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
PLUGINS = {path.stem: path for path in (ROOT / "tests" / "plugins").glob("toy_*.py")}


def blocks(language: str) -> list[str]:
    return [text for kind, text in BLOCKS if kind == language]


def stands_in(block: str, code: str) -> bool:
    """Whether the lines of ``block`` follow each other in ``code``, all indented alike."""
    wanted, lines = textwrap.dedent(block).splitlines(), code.splitlines()
    spots = (lines[i : i + len(wanted)] for i in range(len(lines)))
    return any(textwrap.dedent("\n".join(spot)).splitlines() == wanted for spot in spots)


def test_all_blocks_are_of_a_kind_that_is_checked() -> None:
    assert TEXT.count("```") == 2 * len(BLOCKS)
    assert {kind for kind, _ in BLOCKS} == {"python", "sh", "toml"}


@pytest.mark.parametrize("block", blocks("python"))
def test_code_is_that_of_a_tested_plugin(block: str) -> None:
    found = [name for name, path in PLUGINS.items() if stands_in(block, path.read_text("utf-8"))]
    assert len(found) == 1, f"in {found}:\n{block}"


@pytest.mark.parametrize("block", blocks("sh"))
def test_commands_name_plugins_that_are_there_and_can_be_typed(block: str) -> None:
    for line in block.strip().splitlines():
        match = re.fullmatch(r"SEGTRACK_PLUGINS=(\S+) python src/run\.py (.+)", line)
        assert match is not None, line
        names, words = match[1].split(","), match[2].split()
        assert {name.removeprefix("tests.plugins.") for name in names} <= set(PLUGINS), line
        code = (
            "import sys; from segtrack.command.app import CONF; "
            "from segtrack.command.checking import check; "
            "sys.exit('; '.join(map(str, check(CONF, sys.argv[1:], sweep=False))) or None)"
        )
        command = [sys.executable, "-c", code, *words]
        done = LIGHT.run(command, ROOT, os.environ | {"SEGTRACK_PLUGINS": match[1]})
        assert done.code == 0, done.err


def test_every_plugin_has_a_command_and_a_row() -> None:
    for name in PLUGINS:
        assert any(f"tests.plugins.{name}" in block for block in blocks("sh")), name
    files = set(re.findall(r"`((?:src|tests|conf|scripts|docs)/[\w./]+)`", TEXT))
    assert {f"tests/plugins/{name}.py" for name in PLUGINS} <= files
    files |= {f"docs/{name}" for name in re.findall(r"\]\((\S+?)\)", TEXT)}
    missing = [
        name
        for name in sorted(files)
        if not re.search("NAME|GROUP", name) and not (ROOT / name).exists()
    ]
    assert missing == []


def test_the_entry_point_is_a_plugin() -> None:
    (block,) = blocks("toml")
    points = tomllib.loads(block)["project"]["entry-points"]["segtrack.plugins"]
    assert {point.removeprefix("tests.plugins.") for point in points.values()} <= set(PLUGINS)


@pytest.mark.parametrize("kind", [Stage, TrackerKind, Source, ModelFamily, knob])
def test_every_attribute_is_explained(kind: type) -> None:
    if kind is ModelFamily:
        names = {name for name in vars(kind) if not name.startswith("_")}
    elif dataclasses.is_dataclass(kind):
        names = {field.name for field in dataclasses.fields(kind)}
    else:
        names = set(inspect.signature(kind).parameters)
    title = "argument" if kind is knob else f"`{kind.__name__}`"
    table = TEXT.split(f"\n| {title} |", 1)[1].split("\n\n", 1)[0]
    told = {name for row in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", row)}
    assert sorted(names - told) == []
