"""scripts/bench_select.py: whose labels are known in a round, and what differences rest on."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import yaml

from segtrack.base.statistics import Estimate
from tests.scripts import load_script


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load_script("bench_select")


def estimate(whole: list[float], units: int = 40, tilt: float = 0.0) -> Estimate:
    """A score by seed; ``tilt`` makes its units differ."""
    values = np.array(whole)
    ramp = tilt * (np.arange(units) - (units - 1) / 2)
    names = tuple(map(str, range(units)))
    alone = values[:, None] + ramp
    without = values[:, None] - ramp / (units - 1)
    return Estimate(names, np.ones(units), values, without, alone)


def test_a_round_knows_the_labels_that_were_revealed_and_no_others(
    script: ModuleType, tmp_path: Path
) -> None:
    images = {"train": [f"/t/{i}.jpg" for i in range(6)], "val": ["/v/0.jpg"], "test": ["/e/0.jpg"]}
    files = script.Files(images, ("car", "bus"))
    folder = script.write(files, ["/t/1.jpg", "/t/4.jpg"], ["/v/0.jpg"], tmp_path)
    said = yaml.safe_load((folder / "data.yaml").read_text())
    lists = {k: (folder / said[k]).read_text().split() for k in ("train", "val", "test", "pool")}
    assert lists["train"] == ["/t/1.jpg", "/t/4.jpg"]
    assert lists["pool"] == ["/t/0.jpg", "/t/2.jpg", "/t/3.jpg", "/t/5.jpg"]
    assert (lists["val"], lists["test"]) == (["/v/0.jpg"], ["/e/0.jpg"])
    assert said["names"] == ["car", "bus"]
    assert script.write(files, ["/t/1.jpg", "/t/4.jpg"], ["/v/0.jpg"], tmp_path) == folder
    assert script.write(files, ["/t/1.jpg"], ["/v/0.jpg"], tmp_path) != folder


def test_seeds_are_paired_and_both_noises_count(script: ModuleType) -> None:
    random = estimate([0.30, 0.40, 0.50])
    # What a seed begins with moves both sides: .02 is told, though seeds are .1 apart.
    found = script.gap(random, estimate([0.32, 0.42, 0.52]))
    assert found.difference == pytest.approx(0.02)
    some = script.gap(random, estimate([0.319, 0.420, 0.521]))
    seeds = np.std([0.019, 0.020, 0.021], ddof=1) / np.sqrt(3)
    assert some.se == pytest.approx(seeds) and some.told
    assert some.low == pytest.approx(0.02 - 4.3027 * seeds, abs=1e-5)
    # Where images differ in the difference, that is in it too.
    both = script.gap(random, estimate([0.319, 0.420, 0.521], tilt=0.01))
    images = np.std(0.01 * np.arange(40), ddof=1) / np.sqrt(40)
    assert both.se == pytest.approx(np.hypot(seeds, images))


def test_rounds_are_averaged_and_compared_with_chance(script: ModuleType) -> None:
    scores = {
        (way, r): estimate([0.1 * r + gain * r + 0.01 * s for s in range(3)], tilt=1e-4 * gain)
        for way, gain in zip(script.WAYS, (0.0, 0.02, -0.01, 0.03), strict=True)
        for r in range(3)
    }
    steps = [
        {"way": way, "round": 2, "objects": 10 * (s + 1)} for way in script.WAYS for s in range(3)
    ]
    rows = script.differences(scores, steps, 2)
    assert [row["way"] for row in rows] == list(script.WAYS)
    assert "difference" not in rows[0] and rows[0]["ap"] == pytest.approx(16)
    assert [row["difference"] for row in rows[1:]] == pytest.approx([3, -1.5, 4.5])
    assert [row[f"at_{script.FIRST + 2 * script.STEP}"] for row in rows[1:]] == pytest.approx(
        [4, -2, 6]
    )
    assert all(row["objects"] == 20 for row in rows)
