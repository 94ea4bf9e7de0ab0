"""What ``convert --to mot`` writes, read and counted by py-motmetrics, where that is installed."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from segtrack.scoring import FIELDS, SequenceScores
from tests.convert.conftest import Convert
from tests.view.made import NAMES, TRUTH, write_run

pytestmark = pytest.mark.filterwarnings("ignore:Operation with tuple is deprecated")
mm = pytest.importorskip("motmetrics", reason="py-motmetrics is not installed")


@pytest.fixture(autouse=True)
def _numpy_1(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its release 1.4 calls what numpy 2 has no more."""
    monkeypatch.setattr(np, "asfarray", partial(np.asarray, dtype=float), raising=False)


def test_objects_and_mota(tmp_path: Path, convert: Convert) -> None:
    run = write_run(tmp_path / "run", source=False)
    convert(run, tmp_path / "OUT.txt", "mot")
    found = mm.io.loadtxt(tmp_path / "OUT.txt", fmt="mot16")

    objects = json.loads((run / "tracking/clip/results.json").read_text())["objects"]
    x, y, w, h = (found[name] for name in ("X", "Y", "Width", "Height"))
    # It takes off 1, with which MATLAB begins to count; CVAT's form, as ours, begins with 0.
    boxes = np.stack([x, y, x + w, y + h], axis=1) + 1.0
    ours = {(one["frame"] + 1, one["track_id"]): one["bbox_xyxy"] for one in objects}
    assert dict(zip(found.index, boxes.round(3).tolist(), strict=True)) == ours

    lines = [
        f"{frame + 1},{one},{x1},{y1},{x2 - x1},{y2 - y1},1,{kind + 1},1"
        for one, kind, frames, box in TRUTH
        for frame in frames
        for x1, y1, x2, y2 in [box(frame)]
    ]
    (tmp_path / "gt.txt").write_text("\n".join(lines))
    truth = mm.io.loadtxt(tmp_path / "gt.txt", fmt="mot16")
    counted = mm.utils.compare_to_groundtruth(truth, found, "iou", distth=0.5)
    names = ["num_objects", "num_misses", "num_false_positives", "num_switches", "mota"]
    theirs = mm.metrics.create().compute(counted, metrics=names, return_dataframe=False)

    scores = SequenceScores.load(run / "tracking/clip/scores").counts
    sums = sum(scores["box", name] for name in NAMES)
    tp, fn, fp, switches = (sums[FIELDS.index(f)] for f in ("CLR_TP", "CLR_FN", "CLR_FP", "IDSW"))
    assert [theirs[name] for name in names[:4]] == [tp + fn, fn, fp, switches] == [220, 16, 16, 1]
    assert theirs["mota"] == pytest.approx(1 - 33 / 220)
