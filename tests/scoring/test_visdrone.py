"""VisDrone's rules, pixel by pixel in plain loops, against ours."""

import math
from pathlib import Path

import numpy as np
import pytest

from segtrack.base.errors import DataError
from segtrack.dataset import sequences_from
from segtrack.scoring.kits import score_kit
from segtrack.scoring.pairings import covered
from segtrack.scoring.truth import BoxTruth
from segtrack.scoring.truth_files import read_truth
from tests.dataset.conftest import write_image
from tests.scoring import made, oracle

FRAMES = 20
CATEGORIES = (4, 9, 6, 1, 5)
NAMES = ("car", "bus", "truck", "pedestrian", "van")
Row = tuple[float, ...]


def half_up(value: float) -> int:
    return max(1, math.floor(abs(value) + 0.5) * (1 if value >= 0 else -1))


def share_in(box: Row, regions: list[Row]) -> float:
    """eval/dropObjects.m in loops: pixels of the box, behind its corner, that a region covers."""
    x, y, w, h = map(half_up, box)
    covered_pixels = 0
    for column in range(x + 1, x + w + 1):
        for row in range(y + 1, y + h + 1):
            covered_pixels += any(
                half_up(a) <= column <= half_up(a) + half_up(c)
                and half_up(b) <= row <= half_up(b) + half_up(d)
                for a, b, c, d in regions
            )
    return covered_pixels / (w * h)


def rows_of(seed: int) -> tuple[list[Row], list[Row]]:
    """Ground truth with regions and others; tracks that miss and invent."""
    rng = np.random.default_rng(seed)
    objects = made.rows(seed, FRAMES, objects=15, kinds=5)
    found = made.tracked(objects, seed, 5)
    gt: list[Row] = [
        (r.frame + 1, r.track_id, *r.box, 1, CATEGORIES[r.kind], 0, int(rng.integers(3)))
        for r in objects
    ]
    for frame in range(1, FRAMES + 1, 2):
        for category in (0, 0, 11):
            x, y = rng.integers(1, 60, 2).tolist()
            gt.append((frame, 0 if category == 0 else 90, x, y, 25, 20, 0, category, 0, 0))
    tracks: list[Row] = [
        (r.frame + 1, r.track_id, *r.box, 0.9, CATEGORIES[r.kind], -1, -1) for r in found
    ]
    return gt, tracks


def text(rows: list[Row]) -> list[str]:
    return [",".join(f"{value:g}" for value in row) + "\n" for row in rows]


def kept(rows: list[Row], gt: list[Row]) -> list[Row]:
    regions = {
        frame: [r[2:6] for r in gt if r[0] == frame and r[7] in (0, 11)]
        for frame in range(FRAMES + 1)
    }
    return [
        row
        for row in rows
        if row[7] not in (0, 11)
        and (not regions[int(row[0])] or share_in(row[2:6], regions[int(row[0])]) < 0.5)
    ]


def test_equals_trackeval_on_what_the_toolkit_leaves(tmp_path: Path) -> None:
    for seed in (1, 2, 3):
        gt, tracks = rows_of(seed)
        name = f"uav{seed:04d}"
        made.write(tmp_path / "gt/annotations" / f"{name}.txt", text(gt))
        made.write(tmp_path / "tracks" / f"{name}.txt", text(tracks))
        for category in CATEGORIES:
            folder = tmp_path / str(category)
            place = (-1, -1, -1)
            own = [(*r[:7], *place) for r in kept(gt, gt) if r[7] == category]
            lines = [line.replace(",1,-1,-1,-1", ",1,1,-1,-1") for line in text(own)]
            made.write(folder / "gt" / name / "gt/gt.txt", lines)
            made.ini(folder / "gt" / name / "seqinfo.ini", FRAMES)
            own = [(*r[:7], *place) for r in kept(tracks, gt) if r[7] == category]
            made.write(folder / "tracks" / f"{name}.txt", text(own))
    ours = score_kit("visdrone", tmp_path / "gt", tmp_path / "tracks")
    dropped = 0
    for category, class_name in zip(
        CATEGORIES, ("car", "bus", "truck", "pedestrian", "van"), strict=True
    ):
        folder = tmp_path / str(category)
        lengths = dict.fromkeys(ours, FRAMES)
        data, tracker = oracle.dataset("mot15", folder / "gt", folder / "tracks", lengths)
        expected = oracle.evaluate(data, tracker, "pedestrian")
        for name, scores in ours.items():
            oracle.assert_equal(scores.counts["box", class_name], expected[name], alone=True)
        dropped += sum(int(e["CLEAR"]["CLR_FP"]) for e in expected.values())
    assert dropped > 0
    gt, tracks = rows_of(1)
    assert len(kept(tracks, gt)) < len(tracks) and len(kept(gt, gt)) < len(gt)


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((10, 10, 10, 10), 1.0),  # its pixels are 11 to 20 both ways, as the region's
        ((11, 11, 10, 10), 0.81),
        ((15, 10, 10, 10), 0.5),
        ((16, 10, 10, 10), 0.4),
        ((40, 40, 10, 10), 0.0),
        ((20, 11, 1, 1), 0.0),
        ((9.5, 9.6, 9.5, 10.4), 1.0),  # 10, 10, 10, 10
    ],
)
def test_share_of_a_box_in_a_region(box: Row, expected: float) -> None:
    x, y, w, h = box
    none = np.empty(0, np.int64)
    truth = BoxTruth(
        *("visdrone", (), none, none, none, np.empty((0, 4)), np.empty(0, bool)),
        np.array([0, 1]),
        np.array([[11.0, 11, 20, 20], [0, 0, 90, 90]]),
    )
    boxes, frame = np.array([[x, y, x + w, y + h]]), np.array([0])
    assert covered(boxes, frame, truth)[0] == pytest.approx(share_in(box, [(11, 11, 9, 9)]))
    assert covered(boxes, frame, truth)[0] == pytest.approx(expected)


def test_as_downloaded(tmp_path: Path) -> None:
    gt, _ = rows_of(1)
    made.write(tmp_path / "annotations/uav1.txt", text(gt))
    for frame in range(FRAMES):
        write_image(tmp_path / "sequences/uav1" / f"{frame + 1:07d}.jpg", frame)
    (found,) = sequences_from(str(tmp_path))
    assert (found.name, found.gt_format, found.frame_count) == ("uav1", "visdrone", FRAMES)
    boxes = read_truth(found).boxes
    assert boxes is not None and boxes.protocol == "visdrone"
    assert len(boxes.frame) == sum(row[7] not in (0, 11) for row in gt)
    assert len(boxes.region_frame) == 30
    made.write(tmp_path / "annotations/uav1.txt", text([*gt, (21, 1, 1, 1, 2, 2, 1, 4, 0, 0)]))
    with pytest.raises(DataError, match="has frame 21, the sequence has frames 1 to 20"):
        sequences_from(str(tmp_path))
