"""Transcripts of documents, typed word for word: the platform in a process of its own."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Callable

from tests.integration.conftest import Outcome, Project


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


def type_in(
    document: str,
    project: Project,
    here: Callable[..., Outcome],
    platform: Callable[[str], str],
) -> dict[str, str]:
    """Type the commands of a transcript; every line that it shows must come. What each printed."""
    (up, page), *rest = steps(document)
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
    return outputs
