"""Measures how fast the simulator draws and labels on one core.

    python scripts/bench_simulator.py --json

Frames of a video, whose scene was made before, and stills, each with a scene of its own, as the
embedded data set has them. The time is that of the processor, so that other work on the machine
counts little. Encoding is not part of it.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from collections.abc import Sequence

import cv2

from trafficsim import SimulatorKnobs, render_still, render_video

SEED = 5
INDEX = 16
"""A crowded scene: about 20 instances per frame at 640x360."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--frames", type=int, default=150, help="frames to measure (default 150)")
    parser.add_argument("--stills", type=int, default=100, help="stills to measure (default 100)")
    parser.add_argument("--width", type=int, default=640, help="px (default 640)")
    parser.add_argument("--height", type=int, default=360, help="px (default 360)")
    parser.add_argument("--index", type=int, default=INDEX, help=f"scene (default {INDEX})")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    for name in ("frames", "stills"):
        if getattr(options, name) < 1:
            parser.error(f"--{name} must be at least 1, got {getattr(options, name)}")
    cv2.setNumThreads(1)
    gc.disable()  # as where data sets are rendered
    mixed = SimulatorKnobs(width=options.width, height=options.height)
    # of the first, also what a process draws once: more stills, less for each
    started = time.process_time()
    for index in range(options.stills):
        render_still(mixed, SEED, index)
    still = (time.process_time() - started) / options.stills
    knobs = SimulatorKnobs(
        width=options.width, height=options.height, density=0.9, light="day", fog=0.0
    )
    film = render_video(knobs, SEED, options.index, options.frames + 1)
    next(film)  # the scene is made here
    started = time.process_time()
    counts = [len(frame.instances) for frame in film]
    seconds = time.process_time() - started
    measured = {
        "ms_per_still": round(1000 * still, 1),
        "frames_per_s": round(len(counts) / seconds, 1),
        "instances_per_frame": round(sum(counts) / len(counts), 1),
    }
    if options.json:
        print(json.dumps(measured))
    else:
        print(
            f"{measured['frames_per_s']} frames/s at {options.width}x{options.height} "
            f"with {measured['instances_per_frame']} instances per frame, "
            f"{measured['ms_per_still']} ms for a still of its own street, one core"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
