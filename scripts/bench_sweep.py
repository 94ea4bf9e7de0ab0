"""What a sweep costs: 20 tracker settings on one video against one, training included in both.

    python scripts/bench_sweep.py [--cells 20] [--json]

Each side starts with an empty store; the two alternate, and the ratio of the medians is printed.
Target: a 20-cell sweep takes at most 1.5 times the time of one cell.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUN = Path(__file__).resolve().parents[1] / "src" / "run.py"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=20)
    parser.add_argument("--pairs", type=int, default=1, help="alternated repetitions")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("overrides", nargs="*", help="further settings for both sides")
    options = parser.parse_args()
    values = [f"{0.2 + 0.6 * i / max(1, options.cells - 1):.4f}" for i in range(options.cells)]
    sides = {
        "one_cell": [f"tracker.track_thresh={values[0]}", "render.enabled=false"],
        "sweep": ["-m", f"tracker.track_thresh={','.join(values)}"],
    }
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(options.pairs):
        for name, words in sides.items():
            seconds[name].append(timed([*words, *options.overrides]))
    medians = {f"{name}_s": statistics.median(times) for name, times in seconds.items()}
    ratio = medians["sweep_s"] / medians["one_cell_s"]
    figures = {**medians, "cells": options.cells, "ratio": ratio}
    if options.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:12} {value:.2f}")
    return 0


def timed(words: list[str]) -> float:
    """Seconds of one command in a new folder, with the database made before."""
    with tempfile.TemporaryDirectory() as folder:
        setup = "from segtrack.journal import connect; from segtrack.settings import *;"
        setup += "connect(MlflowSettings(uri='sqlite:///mlruns/mlflow.db',"
        setup += "artifacts='mlruns/artifacts'))"
        subprocess.run([sys.executable, "-c", setup], cwd=folder, check=True, capture_output=True)
        start = time.monotonic()
        done = subprocess.run(
            [sys.executable, str(RUN), *words], cwd=folder, capture_output=True, text=True
        )
        if done.returncode:
            sys.exit(done.stderr)
        return time.monotonic() - start


if __name__ == "__main__":
    sys.exit(main())
