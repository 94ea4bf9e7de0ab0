"""Published and measured figures of real sequences, and equality with TrackEval on them."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from segtrack.base.rle import disjoint, pixels
from segtrack.formats import MotsTable, MotTable, read_mot, read_mots, write_mot, write_mots
from segtrack.scoring.kits import score_kit
from segtrack.scoring.score import percent
from tests.scoring import oracle
from tests.tracker import peer

KEY = ("box", "pedestrian")
MASK_KEY = ("mask", "pedestrian")


def against_trackeval(
    kind: str, gt: Path, tracks: Path, lengths: dict[str, int], key: tuple[str, str]
) -> dict[str, float]:
    """Scores of all sequences in percent, after they were found equal to TrackEval's."""
    ours = score_kit(kind, gt, tracks, [key[1]])
    data, tracker = oracle.dataset(kind, gt, tracks, lengths)
    expected = oracle.evaluate(data, tracker, key[1])
    for name, scores in ours.items():
        oracle.assert_equal(scores.counts[key], expected[name], alone=True)
    total = np.sum([scores.counts[key] for scores in ours.values()], axis=0)
    oracle.assert_equal(total, expected["combined"])
    return percent(total)


def test_tud_stadtmitte_as_published(shared_data: Path, tmp_path: Path) -> None:
    """Every figure of the MOTChallenge devkit's table for CEM, to the digit that it prints."""
    source = shared_data / "mot" / "TUD-Stadtmitte"
    gt, tracks = tmp_path / "gt", tmp_path / "tracks"
    gt.mkdir()
    tracks.mkdir()
    (gt / "TUD-Stadtmitte").symlink_to(source)
    shutil.copy(source / "results" / "CEM.txt", tracks / "TUD-Stadtmitte.txt")
    scores = against_trackeval("mot15", gt, tracks, {"TUD-Stadtmitte": 179}, KEY)
    printed = {
        **{"IDF1": 64.5, "IDP": 82.0, "IDR": 53.1, "Recall": 60.9, "Precision": 94.0},
        **{"MT": 5, "PT": 4, "ML": 1, "FP": 45, "FN": 452, "IDSW": 7, "Frag": 6},
        **{"MOTA": 56.4, "MOTP": 65.4},
    }
    assert {name: round(scores[name], 1) for name in printed} == printed


@pytest.fixture(scope="module")
def byte_tracks(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ultralytics' BYTETracker on MOT17-val-half as the data's README describes it; boxes with one
    decimal, as ByteTrack writes them."""
    folder = tmp_path_factory.mktemp("byte")
    for sequence in sorted((shared_data / "mot" / "MOT17-val-half").glob("MOT17-*")):
        tracker = peer.byte_tracker(peer.BUFFERS.get(sequence.name, 30))
        parts = []
        for frame in peer.mot_detections(sequence):
            found = np.asarray(tracker.update(peer.Boxes.of(frame))).reshape(-1, 8)[:, :5]
            parts.append(np.column_stack([np.full(len(found), frame.frame), found]))
        rows = np.concatenate(parts)
        size = rows[:, 3:5] - rows[:, 1:3]
        rows = rows[(size.prod(axis=1) > 100) & (size[:, 0] / size[:, 1] <= 1.6)]
        box = np.round(np.concatenate([rows[:, 1:3], rows[:, 3:5] - rows[:, 1:3]], axis=1), 1)
        frames, ids = rows[:, 0].astype(np.int64), rows[:, 5].astype(np.int64)
        write_mot(folder / f"{sequence.name}.txt", MotTable(frames, ids, box, np.ones(len(rows))))
    return folder


@pytest.mark.timeout(600)
def test_mot17_val_half_as_measured(shared_data: Path, byte_tracks: Path) -> None:
    gt = shared_data / "mot" / "MOT17-val-half"
    lengths = dict.fromkeys(path.stem for path in sorted(byte_tracks.glob("*.txt")))
    assert len(lengths) == 7
    scores = against_trackeval("mot17", gt, byte_tracks, lengths, KEY)  # type: ignore[arg-type]
    measured = {"HOTA": 67.648, "MOTA": 77.777, "IDF1": 79.658, "IDSW": 180, "FP": 2712, "FN": 9084}
    assert {name: round(scores[name], 3) for name in measured} == measured


def test_kitti_17_boxes(shared_data: Path, tmp_path: Path) -> None:
    """The public detections, each with the id of the last one at nearly its place."""
    source = shared_data / "mot" / "KITTI-17"
    gt, tracks = tmp_path / "gt", tmp_path / "tracks"
    (gt / "KITTI-17").mkdir(parents=True)
    tracks.mkdir()
    (gt / "KITTI-17" / "gt").symlink_to(source / "gt")
    shutil.copy(source / "seqinfo.ini", gt / "KITTI-17")
    table = read_mot(source / "det" / "det.txt", tracks=False)
    ids, seen, count = np.zeros(len(table.frame), np.int64), {}, 0
    for row in np.argsort(table.frame, kind="stable").tolist():
        x, _, width, _ = table.bbox_xywh[row]
        near = [
            i
            for i, (frame, at) in seen.items()
            if frame == table.frame[row] - 1 and abs(at - x) < width / 2
        ]
        count += not near
        ids[row] = near[0] if near else count
        seen[int(ids[row])] = (table.frame[row], x)
    write_mot(
        tracks / "KITTI-17.txt", MotTable(table.frame, ids, table.bbox_xywh, table.conf)
    )  # fmt: skip
    scores = against_trackeval("mot15", gt, tracks, {"KITTI-17": 145}, KEY)
    assert 20 < scores["HOTA"] < 80 and scores["IDSW"] > 10


@pytest.mark.parametrize(("kind", "first"), [("kitti_mots", 0), ("mots", 1)])
def test_kitti_17_masks(shared_data: Path, tmp_path: Path, kind: str, first: int) -> None:
    """The ground-truth masks, shifted, with misses, switched ids and masks in the ignore region."""
    truth = read_mots(shared_data / "mot" / "KITTI-17" / "mots" / "instances.txt")
    place = "label_02/0017.txt" if kind == "kitti_mots" else "0017/gt/gt.txt"
    gt, tracks = tmp_path / "gt", tmp_path / "tracks"
    (gt / place).parent.mkdir(parents=True)
    tracks.mkdir()
    write_mots(gt / place, truth, first)
    write_mots(tracks / "0017.txt", perturbed(truth), first)
    scores = against_trackeval(kind, gt, tracks, {"0017": 145}, MASK_KEY)
    assert 40 < scores["HOTA"] < 90
    assert 0 < scores["sMOTA"] < scores["MOTA"] < 95
    assert scores["IDSW"] > 5 and scores["FP"] > 5


def perturbed(truth: MotsTable) -> MotsTable:
    """A tracker's masks made from true ones."""
    rng = np.random.default_rng(1)
    frames, ids, rle = [], [], []
    number = dict.fromkeys(truth.track_id.tolist(), 0)
    for frame in np.unique(truth.frame).tolist():
        rows = [row for row in np.flatnonzero(truth.frame == frame) if rng.random() < 0.9]
        found = [shifted(truth, row, int(rng.integers(-3, 4))) for row in rows]
        order = np.argsort(-rng.random(len(rows))).tolist()
        for place, counts in enumerate(disjoint(found, order, truth.height, truth.width)):
            if not counts or not pixels(counts):
                continue
            one = int(truth.track_id[rows[place]])
            number[one] += int(rng.random() < 0.05)
            frames.append(frame)
            ids.append(2000 + 30 * (one % 1000 % 30) + number[one] % 30)
            rle.append(counts)
    kept = {(frame, one): i for i, (frame, one) in enumerate(zip(frames, ids, strict=True))}
    rows = sorted(kept.values())
    return MotsTable(
        np.array(frames)[rows],
        np.array(ids)[rows],
        np.full(len(rows), 2),
        truth.height,
        truth.width,
        tuple(rle[row] for row in rows),
    )


def shifted(truth: MotsTable, row: int, pixels: int) -> bytes:
    """One mask, moved to the right."""
    from pycocotools import mask as coco

    size = {"size": [truth.height, truth.width], "counts": truth.rle[row]}
    mask = np.roll(coco.decode([size])[..., 0], pixels, axis=1)
    return bytes(coco.encode(np.asfortranarray(mask))["counts"])
