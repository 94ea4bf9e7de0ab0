"""What an annotated video costs: decoding its source, drawing and encoding, ms a frame.

    python scripts/bench_render.py                    this checkout
    python scripts/bench_render.py --against HEAD~20  and how many times as fast as that commit

Both sides render the same simulated streets, whose labels serve as tracks with masks, in processes
that alternate; their first run, which loads libraries and fonts, is not counted. Wall and CPU time
are told apart: on several cores decoding, drawing and encoding go on at the same time.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SIZES = ((320, 240), (1440, 1080))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--against", metavar="COMMIT", help="compare with this commit")
    parser.add_argument("--frames", type=int, default=150, help="of each video")
    parser.add_argument("--pairs", type=int, default=3, help="repetitions; the median counts")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--worker", type=Path, metavar="FOLDER", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(rendered(options.worker)))
        return 0
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        sides = {"now": ROOT}
        if options.against:
            sides["before"] = Path(scratch) / "before"
            command = ["git", "-C", str(ROOT), "worktree", "add", "--detach", "--quiet"]
            subprocess.run([*command, str(sides["before"]), options.against], check=True)
        try:
            for width, height in SIZES:
                folder = Path(scratch) / f"{width}x{height}"
                folder.mkdir()
                objects = make_street(folder, width, height, options.frames)
                figures[folder.name] = {"objects": objects, **compare(folder, sides, options.pairs)}
        finally:
            if options.against:
                command = ["git", "-C", str(ROOT), "worktree", "remove", "--force"]
                subprocess.run([*command, str(sides["before"])], check=True)
    print(json.dumps(figures) if options.json else table(figures))
    return 0


def make_street(folder: Path, width: int, height: int, frames: int) -> float:
    """A video and its tracks in ``folder``; returns objects per frame."""
    import numpy as np

    from segtrack.tracker import TrackRows, TracksInfo
    from segtrack.tracker.tracks import TracksWriter, write_info
    from segtrack.tracker.video import Encoder
    from trafficsim import CLASS_NAMES, SimulatorKnobs, render_video

    knobs = SimulatorKnobs(width=width, height=height, density=0.9, light="day", fog=0.0)
    objects, scores = 0, Scores()
    with (
        Encoder(folder / "street.mp4", (width, height), 25.0, None, live=False) as video,
        TracksWriter(folder / "tracks.parquet") as writer,
    ):
        for number, frame in enumerate(render_video(knobs, 5, 16, frames)):
            video.add(frame.image)
            found = sorted(frame.instances, key=lambda one: one.track_id)
            objects += len(found)
            if not found:
                continue
            box = np.array([one.bbox_xyxy for one in found], np.float32)
            writer.add(
                TrackRows(
                    number,
                    np.array([one.track_id for one in found]),
                    np.array([one.class_id for one in found], np.int16),
                    np.array([scores.at(one.track_id) for one in found], np.float32),
                    box,
                    [str(one.rle["counts"]).encode() for one in found],
                    np.zeros(len(found), bool),
                    box,
                )
            )
    write_info(folder, TracksInfo(CLASS_NAMES, frames, width, height, 25.0, {}), [])
    return objects / frames


class Scores:
    """A network's, which wander: labels hold them, and a new one is a new label to draw."""

    def __init__(self) -> None:
        import numpy as np

        self.rng, self.last = np.random.default_rng(0), dict[int, float]()

    def at(self, track: int) -> float:
        """The track's next one."""
        last = self.last.get(track, self.rng.uniform(0.3, 0.9))
        self.last[track] = float(min(max(last + self.rng.normal(0, 0.02), 0.1), 0.95))
        return self.last[track]


def compare(folder: Path, sides: dict[str, Path], pairs: int) -> dict[str, Any]:
    """Medians of each side, ms a frame, and by how much the first one is faster."""
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in sides}
    for _ in range(pairs):
        for name, root in sides.items():
            command = [sys.executable, __file__, "--worker", str(folder)]
            environment = {**os.environ, "PYTHONPATH": str(root / "src")}
            done = subprocess.run(command, env=environment, capture_output=True, text=True)
            if done.returncode:
                sys.exit(done.stderr[-4000:])
            runs[name].append(json.loads(done.stdout.splitlines()[-1]))
    found: dict[str, Any] = {
        name: {key: statistics.median(run[key] for run in one) for key in one[0]}
        for name, one in runs.items()
    }
    if "before" in found:
        for key in ("wall_ms", "cpu_ms"):
            ratios = [b[key] / n[key] for n, b in zip(runs["now"], runs["before"], strict=True)]
            found[f"{key[:-3]}_ratio"] = statistics.median(ratios)
    return found


def rendered(folder: Path) -> dict[str, float]:
    """Milliseconds per frame with the segtrack that is on the path."""
    from segtrack.dataset.video import probe_video, read_frames
    from segtrack.tracker import Tracks, render_video

    video, tracks = probe_video(folder / "street.mp4"), Tracks.load(folder)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "annotated.mp4"
        for _ in range(2):  # the first one loads libraries and fonts
            wall, cpu = time.perf_counter(), time.process_time()
            render_video(read_frames(video), tracks, tracks.info.names, path, 30)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    count = tracks.info.frame_count / 1000
    return {"wall_ms": wall / count, "cpu_ms": cpu / count}


def table(figures: dict[str, Any]) -> str:
    lines = []
    for size, found in figures.items():
        sides = [
            f"{side} {found[side]['wall_ms']:.1f} ms ({found[side]['cpu_ms']:.1f} of CPU)"
            for side in ("now", "before")
            if side in found
        ]
        line = f"{size}, {found['objects']:.1f} objects: {', '.join(sides)} a frame"
        if "wall_ratio" in found:
            line += f"; {found['wall_ratio']:.2f} times as fast ({found['cpu_ratio']:.2f} by CPU)"
        lines.append(line)
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
