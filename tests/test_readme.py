"""What the documents tell people to type can be typed; nothing is run."""

from __future__ import annotations

import base64
import json
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from segtrack.command import convert, report
from segtrack.command.app import CONF, main
from segtrack.command.checking import check
from segtrack.command.compare import options_of

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
COMMAND = "python src/run.py"
VARIABLES = {"$level": "0.5", "$E": "http://127.0.0.1:8110", "$C": "person,car", "$size": "640"}
VARIABLES |= {"$study": "experiments/occlusion"}
FOLDERS = (
    "$SEGTRACK_DATA/images/cityscapes640",
    "$out/streets/raw",
    "$out/KITTI-17",
    "FOLDER",
    "KITTI-17",
)


def documents() -> list[Path]:
    found = [README, ROOT / "sources.md", ROOT / "mlruns" / "README.md", ROOT / "Makefile"]
    for pattern in ("docs/*.md", "experiments/*/README.md", "conf/*.yaml", "conf/*/*.yaml"):
        found += sorted(ROOT.glob(pattern))
    return found


def commands(path: Path) -> list[str]:
    """The words after each ``python src/run.py``, in lines and in `quotes`."""
    text = re.sub(r"\\\n\s*", " ", path.read_text(encoding="utf-8"))
    found = []
    for line in text.splitlines():
        if "SEGTRACK_PLUGINS" in line:  # of tests/test_adding.py
            continue
        for quoted in re.findall(rf"`{COMMAND}([^`]*)`", line):
            found.append(quoted)
        plain = re.sub(r"`[^`]*`", "", line)
        if COMMAND in plain and not plain.lstrip().startswith("$ "):
            found.append(plain.split(COMMAND, 1)[1])
    return found


def words_of(command: str, folder: Path) -> list[str]:
    """As the shell gives them, with things that are there for what a person fills in."""
    command = re.split(r"\s{2,}|;| \.\.\.", command)[0] if "='" not in command else command
    command = command.partition(" | tee ")[0]
    (folder / "data.yaml").write_text("names: [car]\n")
    for name in ("FILE.pt", "FILE.mp4", "FILE.json"):
        (folder / name).write_text("{}")
        command = command.replace(name, str(folder / name))
    for name in FOLDERS:
        command = command.replace(name, str(folder))
    command = command.replace("$coco", str(folder / "FILE.pt"))
    command = command.replace("=ID", "=p1").replace("experiment=NAME", "experiment=occlusion")
    for name, value in VARIABLES.items():
        command = command.replace(name, value)
    return [word for word in shlex.split(command, comments=True) if not word.startswith("$")]


def cases() -> list[tuple[str, str]]:
    return [(str(p.relative_to(ROOT)), c) for p in documents() for c in commands(p)]


def test_words_with_brackets_are_quoted() -> None:
    """zsh, the shell of a Mac, takes them for a pattern otherwise, and begins no command."""
    bare, quoted = [], 0
    for path in (README, *sorted((ROOT / "docs").glob("*.md"))):
        for line in re.sub(r"\\\n\s*", " ", path.read_text(encoding="utf-8")).splitlines():
            if re.match(rf"    +(\$ )?({COMMAND}|segtrack) ", line):
                words = [w for w in shlex.split(line, comments=True, posix=False) if "[" in w]
                bare += [f"{path.name}: {word}" for word in words if word[0] not in "\"'"]
                quoted += len(words)
    assert not bare
    assert quoted > 30


@pytest.mark.parametrize(("document", "command"), cases())
def test_a_documented_command_is_right(document: str, command: str, tmp_path: Path) -> None:
    words = words_of(command, tmp_path)
    if words[:1] == ["compare"]:
        assert options_of(words[1:]).a
    if words[:1] == ["convert"]:
        assert convert.options_of([w.replace("FORMAT", "coco") for w in words[1:]]).out
        return  # its settings are checked with IN at hand
    if words[:1] == ["report"]:
        assert report.options_of(words[1:]).what
    sweep = "-m" in words
    overrides = [word for word in words if "=" in word]
    problems = [str(problem) for problem in check(CONF, overrides, sweep=sweep)]
    plugins = [one for one in problems if "Could not load" in one and "pip install" in one]
    if plugins and all(one in plugins or one.startswith(("hydra.", "+hydra.")) for one in problems):
        pytest.skip(plugins[0])
    assert problems == []


def test_the_image_that_is_posted_may_be_of_any_size(tmp_path: Path) -> None:
    """A word of a command line has room for 96 kB of it."""
    text = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"^    (.*base64.*\n    .* curl .*)$", text, re.MULTILINE)
    (tmp_path / "street.jpg").write_bytes(content := bytes(range(256)) * 2000)
    (tmp_path / "curl").write_text('#!/bin/sh\n[ "$5" = @- ] && exec cat\n')
    (tmp_path / "curl").chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", shown], cwd=tmp_path, env={**os.environ, "PATH": path}, capture_output=True
    )
    sent = json.loads(done.stdout)
    assert base64.b64decode(sent["dataframe_records"][0]["image"]) == content
    assert sent["params"] == {"conf": 0.4}


def test_the_commands_were_found() -> None:
    documents = [document for document, _ in cases()]
    assert documents.count("README.md") >= 15 and len(documents) >= 25


def test_the_wrong_command_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    text = README.read_text(encoding="utf-8")
    (shown,) = re.findall(rf"^    \$ {COMMAND} (.*)\n((?:    .+\n)+)", text, re.MULTILINE)
    assert main(shown[0].split()) == 2
    assert capsys.readouterr().err == re.sub("^    ", "", shown[1], flags=re.MULTILINE)


def test_the_readme_stays_short() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) < 200
