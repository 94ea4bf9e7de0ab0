"""How well do both boxes of a tracked object fit it: the detection's own, and the tracker's?

    python scripts/compare_boxes.py RUN_FOLDER [RUN_FOLDER ...]

RUN_FOLDER is what a run prints last. From its results.json come the IoU of each box with the extent
of the object's own mask (median and 10th percentile over all objects that have one); where the
videos have ground truth, HOTA, LocA, MOTA and IDF1 of all sequences with each of them, in percent.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from segtrack.base.errors import DataError, SegtrackError
from segtrack.base.frames import BOX_COLUMNS
from segtrack.base.rle import mask_box, run_lengths
from segtrack.report import table_text
from segtrack.scoring import BOX, SequenceScores, Truth, combined, detection_averaged, percent
from segtrack.scoring.pairings import TrackBoxes
from segtrack.scoring.score import score_rows
from segtrack.tracker import TRACKER_BOX, Results, Tracks, read_results

BOXES = {"own": BOX_COLUMNS, "tracker's": TRACKER_BOX}
SCORES = ("HOTA", "LocA", "MOTA", "IDF1")


def main(arguments: Sequence[str] | None = None) -> int:
    text = __doc__ or ""
    parser = argparse.ArgumentParser(
        description=text, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="+", type=Path, metavar="RUN_FOLDER")
    try:
        rows = [row for folder in parser.parse_args(arguments).folders for row in compared(folder)]
    except SegtrackError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(table_text(rows))
    return 0


def compared(folder: Path) -> Iterator[dict[str, Any]]:
    """A row for each kind of box.

    Raises:
        DataError: the folder is none of a run with the stage track.
    """
    files = sorted(folder.glob("tracking/*/results.json"))
    if not files:
        raise DataError(f"{folder}: holds no tracking/*/results.json; give the folder of a run")
    fits = [_fits(read_results(file)) for file in files]
    report = folder / "tracking.json"
    scored = json.loads(report.read_text(encoding="utf-8")) if report.is_file() else []
    for number, (name, columns) in enumerate(BOXES.items()):
        fit = np.concatenate([one[number] for one in fits])
        row: dict[str, Any] = {"run": folder.name, "box": name, "objects": len(fit)}
        row["IoU median"] = f"{np.median(fit):.3f}" if len(fit) else "-"
        row["IoU 10%"] = f"{np.quantile(fit, 0.1):.3f}" if len(fit) else "-"
        scores = _scores(scored, columns) if scored else {}
        known = {key: value for key in SCORES if (value := scores.get(key)) is not None}
        yield row | {key: f"{known[key]:.2f}" if key in known else "-" for key in SCORES}


def _fits(results: Results) -> tuple[np.ndarray, np.ndarray]:
    """IoU of the own and of the tracker's box with the mask's extent, of objects with a mask."""
    height = results.video["height"]
    own, tracked, extents = [], [], []
    for rows in results.frames:
        for i, counts in enumerate(rows.rle):
            extent = mask_box(run_lengths(counts), height) if counts else (0, 0, 0, 0)
            if extent[2]:
                extents.append(extent)
                own.append(rows.bbox_xyxy[i])
                tracked.append(rows.tracker_bbox_xyxy[i])
    masks = np.array(extents, np.float64).reshape(-1, 4)
    return _iou(np.reshape(own, (-1, 4)), masks), _iou(np.reshape(tracked, (-1, 4)), masks)


def _iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    sides = np.clip(np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2]), 0, None)
    shared = sides.prod(axis=1)
    areas = (a[:, 2:] - a[:, :2]).prod(axis=1) + (b[:, 2:] - b[:, :2]).prod(axis=1)
    found: np.ndarray = shared / (areas - shared)
    return found


def _scores(scored: list[dict[str, Any]], columns: tuple[str, ...]) -> dict[str, float | None]:
    """Of all sequences that have boxes as ground truth, detections weighing the same."""
    found = []
    for one in scored:
        truth, tracks = Truth.load(Path(one["truth"])), Tracks.load(Path(one["tracks"]))
        if truth.boxes is None:
            continue
        numbers = tracks.columns("frame", "track_id", "class_id")
        frame, track_id, class_id = (column.astype(np.int64) for column in numbers)
        box = np.stack(tracks.columns(*columns), axis=1).astype(np.float64)
        rows = TrackBoxes(frame, track_id, class_id, box)
        count = max(truth.frame_count, truth.last_frame + 1, tracks.info.frame_count)
        scores = score_rows(truth, rows, None, tracks.info.names, count)
        counts = {(BOX, each.name): each.counts for each in scores}
        found.append(SequenceScores(one["name"], counts))
    return percent(detection_averaged(combined(found), BOX)) if found else {}


if __name__ == "__main__":
    sys.exit(main())
