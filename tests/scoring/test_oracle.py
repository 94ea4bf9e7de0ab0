"""Equality with TrackEval 1.3.0 on made-up benchmarks of every format, to 1e-9."""

from pathlib import Path

import numpy as np
import pytest

from segtrack.scoring.counts import class_averaged
from segtrack.scoring.kits import KITS, score_kit
from tests.scoring import made, oracle

FRAMES = 30
SEEDS = (1, 2, 3, 4)
KITTI_SEQMAP = "evaluate_tracking.seqmap.val"
MOTS_SEQMAP = "evaluate_mots.seqmap.val"


def kit(folder: Path, name: str) -> tuple[Path, Path]:
    """Folders of ground truth and of tracks; one sequence has no tracks, one no ground truth."""
    gt, tracks = folder / "gt", folder / "tracks"
    seqmap = []
    for number, seed in enumerate((*SEEDS, 5, 6)):
        sequence = f"{number:04d}"
        kinds = 5 if name == "kitti" else 2
        objects = made.rows(seed, FRAMES, objects=4 * kinds, kinds=kinds)
        found = made.tracked(objects, seed, kinds)
        objects = [] if seed == 6 else objects
        found = [] if seed == 5 else found
        if name in ("mot15", "mot17", "mot20"):
            others = (7, 6, 12, 2) if name == "mot20" else (7, 8, 12, 2)
            rows = made.mot_gt(objects, seed, name != "mot15", others)
            made.write(gt / sequence / "gt/gt.txt", rows)
            made.ini(gt / sequence / "seqinfo.ini", FRAMES)
            lines = made.mot_tracks(found)
        elif name == "kitti":
            made.write(gt / f"label_02/{sequence}.txt", made.kitti_lines(objects, seed, False))
            lines = made.kitti_lines(found, seed, True)
            seqmap.append(f"{sequence} empty 000000 {FRAMES:06d}\n")
        else:
            first = KITS[name].first_frame
            file = "label_02/{}.txt" if name == "kitti_mots" else "{}/gt/gt.txt"
            made.write(gt / file.format(sequence), made.mots_lines(objects, first, True))
            made.ini(gt / sequence / "seqinfo.ini", FRAMES)
            lines = made.mots_lines(found, first, False)
            seqmap.append(f"{sequence} empty 000000 {FRAMES - 1:06d}\n")
        made.write(tracks / f"{sequence}.txt", lines)
    if name == "kitti":
        made.write(gt / KITTI_SEQMAP, seqmap)
    if name == "kitti_mots":
        made.write(gt / MOTS_SEQMAP, seqmap)
    return gt, tracks


@pytest.mark.parametrize("name", sorted(set(KITS) - {"visdrone"}))
def test_equals_trackeval(tmp_path: Path, name: str) -> None:
    gt, tracks = kit(tmp_path, name)
    ours = score_kit(name, gt, tracks)
    lengths = dict.fromkeys(ours, FRAMES)
    extra = {"SPLIT_TO_EVAL": "val"} if name == "kitti" else {}
    data, tracker = oracle.dataset(name, gt, tracks, lengths, **extra)
    classes = [class_name for _, class_name in KITS[name].classes]
    totals, expected = {}, {}
    for class_name in classes:
        results = oracle.evaluate(data, tracker, class_name)
        assert set(ours) == set(results) - {"combined"}
        key = (KITS[name].kind, class_name)
        for sequence, scores in ours.items():
            oracle.assert_equal(scores.counts[key], results[sequence], alone=True)
        totals[class_name] = np.sum([one.counts[key] for one in ours.values()], axis=0)
        oracle.assert_equal(totals[class_name], results["combined"])
        expected[class_name] = results["combined"]
        # The made-up data is neither too easy nor too hard to tell scorers apart.
        assert 0.2 < np.mean(results["combined"]["HOTA"]["HOTA"]) < 0.9
        assert results["combined"]["CLEAR"]["IDSW"] > 0
    everything = np.sum(list(totals.values()), axis=0)
    oracle.assert_equal(everything, oracle.combine(expected, "combine_classes_det_averaged"))
    oracle.compare(
        class_averaged(np.stack(list(totals.values()))),
        oracle.combine(expected, "combine_classes_class_averaged"),
    )
