"""Time of scoring one tracker output on MOT17-val-half, against TrackEval's for the same files.

    python scripts/bench_scoring.py [--gt DIR] [--tracks DIR] [--rounds N] [--json]

Everything runs in one process, TrackEval and ours in turn, medians of the rounds. TrackEval is
driven through its own data set and metric classes (HOTA, CLEAR, Identity). Ours is measured twice:
from the same text files, and as a stage of the pipeline does it, with the ground truth parsed
before and the trajectories as a table. Without ``--tracks`` the tracker output is the ground truth
with noise, misses, switched ids and false alarms.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("SEGTRACK_DATA", ROOT.parent / "shared" / "data"))
SHARED = ("HOTA", "DetA", "AssA", "LocA", "MOTA", "MOTP", "IDF1", "IDP", "IDR", "IDSW", "Frag")


def main() -> int:
    """Exit code 0; 2 where the data is not there."""
    parser = argparse.ArgumentParser(description="Time of scoring, against TrackEval's.")
    parser.add_argument("--gt", type=Path, default=DATA / "mot" / "MOT17-val-half")
    parser.add_argument("--tracks", type=Path, help="one txt per sequence (default: made up)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    if not args.gt.is_dir():
        print(f"bench_scoring.py: {args.gt}: no such folder; give --gt", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as scratch:
        result = measure(args.gt, args.tracks, args.rounds, Path(scratch))
    if args.json:
        print(json.dumps(result, indent=1))
        return 0
    for name, seconds in result["seconds"].items():
        ratio = result["ratio_to_trackeval"][name]
        print(f"{name:16s} {seconds:8.3f} s   {ratio:6.1f} times TrackEval's speed")
    print(f"largest difference of {', '.join(SHARED)}: {result['largest_difference']:.2g}")
    return 0


def measure(gt: Path, tracks: Path | None, rounds: int, scratch: Path) -> dict[str, Any]:
    """Medians in seconds, ratios, and how far the scores are apart."""
    from segtrack.scoring import score_kit

    if tracks is None:
        tracks = scratch / "made"
        make_tracks(gt, tracks)
    stage = staged(gt, tracks, scratch)
    files = scratch / "files"
    ways: dict[str, Callable[[], dict[str, float]]] = {
        "trackeval": lambda: trackeval_scores(gt, files, scratch),
        "segtrack_files": lambda: totals(score_kit("mot17", gt, files)),
        "segtrack_stage": lambda: totals(stage()),
    }
    scores = {name: way() for name, way in ways.items()}  # and compiles, imports, warms caches
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            begin = time.perf_counter()
            way()
            times[name].append(time.perf_counter() - begin)
    seconds = {name: statistics.median(values) for name, values in times.items()}
    apart = max(
        abs(scores[name][key] - scores["trackeval"][key])
        for name in ("segtrack_files", "segtrack_stage")
        for key in SHARED
    )
    return {
        "seconds": seconds,
        "ratio_to_trackeval": {name: seconds["trackeval"] / seconds[name] for name in ways},
        "largest_difference": apart,
        "scores": {key: scores["trackeval"][key] for key in SHARED},
    }


def make_tracks(gt: Path, folder: Path) -> None:
    """Persons of the ground truth, badly tracked."""
    from segtrack.formats import MotTable, read_mot, write_mot

    folder.mkdir()
    rng = np.random.default_rng(0)
    for path in sorted(gt.glob("*/gt/gt.txt")):
        table = read_mot(path)
        assert table.class_id is not None
        rows = np.flatnonzero((table.class_id == 1) & (rng.random(len(table.frame)) < 0.85))
        box = table.bbox_xywh[rows] * (1 + rng.normal(0, 0.02, (len(rows), 4)))
        # A track is followed for some 60 frames, then it is a new one.
        track_id = table.track_id[rows] * 100 + table.frame[rows] // 60
        alarms = rng.choice(len(rows), len(rows) // 20, replace=False)
        frame = np.concatenate([table.frame[rows], table.frame[rows][alarms]])
        ids = np.concatenate([track_id, 1_000_000 + np.arange(len(alarms)) // 20])
        boxes = np.concatenate([box, box[alarms] + [40, 10, 0, 0]])
        _, kept = np.unique(np.stack([frame, ids]), axis=1, return_index=True)
        made = MotTable(frame[kept], ids[kept], np.round(boxes[kept], 2), np.ones(len(kept)))
        write_mot(folder / f"{path.parents[1].name}.txt", made)


def staged(gt: Path, tracks: Path, scratch: Path) -> Callable[[], dict[str, Any]]:
    """Ground truth and trajectories as the pipeline's stages leave them; text files beside."""
    from segtrack.dataset.sequence_sources import sequences_from
    from segtrack.formats import read_mot
    from segtrack.scoring import SequenceScores, Truth, build_truth, score_tracks
    from segtrack.tracker import (
        TrackRows,
        Tracks,
        TracksInfo,
        TracksWriter,
        mot_lines,
        write_info,
    )

    (scratch / "files").mkdir()
    folders = []
    for sequence in sequences_from(str(gt)):
        folder = scratch / "stage" / sequence.name
        folder.mkdir(parents=True)
        build_truth(sequence, folder, _ignore)
        table = read_mot(tracks / f"{sequence.name}.txt")
        with (
            TracksWriter(folder / "tracks.parquet") as writer,
            (scratch / "files" / f"{sequence.name}.txt").open("w") as text,
        ):
            for frame in np.unique(table.frame).tolist():
                rows = np.flatnonzero(table.frame == frame)
                rows = rows[np.argsort(table.track_id[rows])]
                box = table.bbox_xyxy[rows].astype(np.float32)
                found = TrackRows(
                    frame,
                    table.track_id[rows],
                    np.zeros(len(rows), np.int16),
                    table.conf[rows].astype(np.float32),
                    box,
                    [None] * len(rows),
                    np.zeros(len(rows), bool),
                    box,
                )
                writer.add(found)
                text.writelines(mot_lines(found))
        size = (sequence.frame_count, sequence.width, sequence.height, sequence.fps)
        write_info(folder, TracksInfo(("person",), *size, {}), [])
        folders.append((sequence.name, folder))

    def run() -> dict[str, Any]:
        scores = {}
        for name, folder in folders:
            found = Tracks.load(folder)
            score_tracks(Truth.load(folder), found, found.info.names, folder, _ignore)
            scores[name] = SequenceScores.load(folder)
        return scores

    return run


def totals(scores: dict[str, Any]) -> dict[str, float]:
    """Our scores over all sequences."""
    from segtrack.scoring import summary

    counts = np.sum([value for one in scores.values() for value in one.counts.values()], axis=0)
    return {name: float(value) for name, value in summary(counts).items()}


def trackeval_scores(gt: Path, tracks: Path, scratch: Path) -> dict[str, float]:
    """TrackEval's scores over all sequences."""
    import trackeval

    quiet = {"PRINT_CONFIG": False}
    metrics = [
        trackeval.metrics.HOTA(),
        trackeval.metrics.CLEAR(quiet),
        trackeval.metrics.Identity(quiet),
    ]
    config = {
        "GT_FOLDER": str(gt),
        "TRACKERS_FOLDER": str(tracks.parent),
        "TRACKERS_TO_EVAL": [tracks.name],
        "TRACKER_SUB_FOLDER": "",
        "OUTPUT_FOLDER": str(scratch / "trackeval"),
        "SKIP_SPLIT_FOL": True,
        "BENCHMARK": "MOT17",
        "SEQ_INFO": dict.fromkeys(path.stem for path in sorted(tracks.glob("*.txt"))),
        **quiet,
    }
    with contextlib.redirect_stdout(io.StringIO()):
        data = trackeval.datasets.MotChallenge2DBox(config)
        results: list[dict[str, Any]] = [{} for _ in metrics]
        for sequence in data.seq_list:
            raw = data.get_raw_seq_data(tracks.name, sequence)
            part = data.get_preprocessed_seq_data(raw, "pedestrian")
            for metric, of_metric in zip(metrics, results, strict=True):
                of_metric[sequence] = metric.eval_sequence(part)
        values: dict[str, Any] = {}
        for metric, of_metric in zip(metrics, results, strict=True):
            values |= metric.combine_sequences(of_metric)
    return {name: float(np.mean(values[name])) for name in SHARED}


def _ignore(name: str, value: float, step: int = 0) -> None:
    """A report that nobody reads."""


if __name__ == "__main__":
    sys.exit(main())
