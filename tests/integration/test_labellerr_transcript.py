"""The transcript of docs/labellerr.md, word for word: the platform in one process, the commands in
another, from raw pictures to the comparison of two models."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable

import pytest

from tests.integration.conftest import ROOT, Outcome, Project
from tests.integration.transcript import steps, type_in

DOC = ROOT / "docs" / "labellerr.md"
README = ROOT / "README.md"


def test_the_transcript(
    project: Project, here: Callable[..., Outcome], platform: Callable[[str], str]
) -> None:
    outputs = type_in(DOC.read_text(encoding="utf-8"), project, here, platform)
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
    # So few images of so short a training may be scored 0 by both: then without intervals.
    compared = outputs["segtrack compare first second --kind image"]
    assert re.search(r"^mask_map50_95 +\d+\.\d\d +\d+\.\d\d ", compared, re.M)


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
