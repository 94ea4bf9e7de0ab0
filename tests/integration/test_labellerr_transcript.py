"""The transcript of docs/labellerr.md, word for word: the platform in one process, the commands in
another, from raw pictures to the comparison of two models."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from tests.integration.conftest import ROOT, Outcome, Project

DOC = ROOT / "docs" / "labellerr.md"
README = ROOT / "README.md"


def steps(document: str) -> list[tuple[str, list[str]]]:
    """Each command of the transcript, with the lines that are shown below it."""
    (part,) = re.findall(r"^## The transcript\n(.*?)^## ", document, re.MULTILINE | re.DOTALL)
    found: list[tuple[str, list[str]]] = []
    for line in re.sub(r"\\\n\s*", "", part).splitlines():
        if line.startswith("    $ "):
            found.append((line.removeprefix("    $ "), []))
        elif line.startswith("    ") and line.strip():
            found[-1][1].append(line.removeprefix("    "))
    return found


def shown(pattern: str, text: str) -> bool:
    """Whether a line of the document is one of ``text``; ``...`` stands for anything."""
    parts = [re.escape(part) for part in re.split(r"\.\.\.", pattern)]
    # Columns are as wide as what differs.
    wanted = ".*".join(re.sub(r"(\\ )+", r"\\s+", part) for part in parts)
    return any(re.fullmatch(wanted, line) for line in text.splitlines())


@pytest.fixture
def platform(project: Project) -> Iterator[Callable[[str], str]]:
    """Starts a command that stays, and gives what it printed; ended as Ctrl-C ends it."""
    started: list[subprocess.Popen[str]] = []

    def start(command: str) -> str:
        words = shlex.split(command)
        assert words[0] == "segtrack"
        process = subprocess.Popen(
            [sys.executable, "-m", "segtrack", *words[1:]],
            cwd=project.folder,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        return "".join(process.stdout.readline() for _ in range(3))

    yield start
    for process in started:
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)
        assert process.returncode == 0 and "ended; its projects stay" in out


def test_the_transcript(
    project: Project, here: Callable[..., Outcome], platform: Callable[[str], str]
) -> None:
    (up, page), *rest = steps(DOC.read_text(encoding="utf-8"))
    assert up == "segtrack labellerr up"
    out = platform(up)
    assert all(shown(line, out) for line in page), out
    outputs: dict[str, str] = {}
    for command, lines in rest:
        if command.startswith("segtrack "):
            done = here(*shlex.split(command)[1:])
            assert done.code == 0, f"{command}\n{done.out}{done.err}"
            out = done.out
        else:
            subprocess.run(command, shell=True, cwd=project.folder, check=True)
            out = ""
        outputs[command] = out
        for line in lines:
            assert shown(line, out), f"{command}\n{line}\n{out}"
    first, second = (
        next(run for run in project.runs() if run.info.run_name == name)
        for name in ("first", "second")
    )
    # 24 labelled, then 12 more: what tests is the same, what is learnt from is more.
    counts = [
        {s: int(run.data.metrics[f"data/images/{s}"]) for s in ("train", "val", "test", "pool")}
        for run in (first, second)
    ]
    assert sum(counts[0].values()) == 24 and counts[0]["pool"] == 0
    assert counts[1] == {**counts[0], "train": counts[0]["train"] + 12}
    assert "on these" in outputs["segtrack compare first second --kind image"]


def test_the_readme_shows_commands_of_the_transcript() -> None:
    """Its short form is the same words, so that it is tested too."""
    known = {" ".join(shlex.split(command)) for command, _ in steps(DOC.read_text("utf-8"))}
    text = README.read_text(encoding="utf-8")
    (part,) = re.findall(r"^## Labels, reviewed by people\n(.*?)^## ", text, re.M | re.S)
    lines = [line.strip() for line in part.splitlines() if line.startswith("    ")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines()
    typed = [line.partition("  #")[0].strip() for line in joined]
    typed = [" ".join(shlex.split(line)) for line in typed if line.startswith("segtrack ")]
    cloud = [line for line in typed if "labellerr=cloud" in line]
    if not typed:
        pytest.skip("the README has no transcript yet")
    assert len(typed) - len(cloud) >= 6
    assert [line for line in typed if line not in known and line not in cloud] == []
