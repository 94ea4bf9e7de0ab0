"""The transcript of docs/suspect.md, word for word: from spoilt labels to the corrected version."""

from __future__ import annotations

import csv
from collections.abc import Callable

from segtrack.dataset import Dataset
from tests.integration.conftest import ROOT, Outcome, Project
from tests.integration.transcript import type_in

DOC = ROOT / "docs" / "suspect.md"
SPOILT = {"9": "overlooked", "4": "swapped", "6": "spurious"}  # by the number of the image


def test_the_transcript(
    project: Project, here: Callable[..., Outcome], platform: Callable[[str], str]
) -> None:
    type_in(DOC.read_text(encoding="utf-8"), project, here, platform)
    (found,) = project.folder.glob(".segtrack/labellerr/recheck_pulls/*/objects.csv")
    with found.open(newline="") as file:
        rows = list(csv.DictReader(file))
    changed = {row["kind"]: row["outcome"] for row in rows if row["outcome"] != "kept"}
    outcome = {"overlooked": "added", "swapped": "class_changed", "spurious": "deleted"}
    for number, kind in SPOILT.items():
        own = [row for row in rows if f"/000000{number}_" in row["file_name"]]
        assert (kind, outcome[kind]) in [(row["kind"], row["outcome"]) for row in own], own
    assert changed.keys() >= set(SPOILT.values())
    *_, before, _, after = sorted(
        project.folder.glob(".segtrack/results/prepare/*"), key=lambda path: path.stat().st_mtime
    )
    old, new = Dataset.load(before), Dataset.load(after)
    assert new.split_fingerprint("test") == old.split_fingerprint("test")
    assert new.split_fingerprint("train") != old.split_fingerprint("train")
    assert new.counts == old.counts
    (run,) = [run for run in project.runs() if "recheck/suspects/wrong_share" in run.data.metrics]
    assert run.data.metrics["recheck/swapped/class_changed"] == 1
    assert {"recheck/kinds.csv", "recheck/objects.csv", "recheck/gallery.jpg"} <= (
        project.artifacts(run)
    )
