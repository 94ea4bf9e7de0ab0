"""What it costs that the store verifies its results: 2 GB of large files, 100,000 small ones.

    python scripts/bench_store.py [--gigabytes 2] [--files 100000] [--folder .] [--json]

``first_use_s`` is the first use of a result in a process, which reads every file; ``next_use_s``
compares sizes and times. The files were written just before, so the disk's own speed is left out.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

from segtrack.base.metrics import Report
from segtrack.store import StageCall, Store

CHUNK = 100_000_000


def main() -> None:
    """Build a result of each kind and use it twice."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=2.0)
    parser.add_argument("--files", type=int, default=100_000, help="labels, and links to images")
    parser.add_argument("--folder", type=Path, help="where to work (default: a temporary folder)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    args = parser.parse_args()

    def large(folder: Path, report: Report) -> None:
        for number in range(round(args.gigabytes * 1e9 / CHUNK)):
            (folder / f"{number}.npz").write_bytes(os.urandom(CHUNK))

    def small(folder: Path, report: Report) -> None:
        for kind in ("images", "labels"):
            (folder / kind).mkdir()
        for number in range(args.files):
            (folder / "labels" / f"{number:07d}.txt").write_text(f"{number} 0.25 0.5 0.75\n" * 10)
            (folder / "images" / f"{number:07d}.jpg").symlink_to(f"/data/{number:07d}.jpg")

    figures = {}
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        for build in (large, small):
            call = StageCall(build.__name__, 1, {}, {})
            result = Store(Path(folder)).run(call, build)
            record = (result.folder / "stage.json").stat().st_size
            figures[build.__name__] = {"record_kb": record / 1000} | uses(Path(folder), call)
    if args.json:
        print(json.dumps(figures, indent=1))
        return
    for kind, values in figures.items():
        print(f"{kind:6} " + "  ".join(f"{name} {value:.4f}" for name, value in values.items()))


def uses(root: Path, call: StageCall) -> dict[str, float]:
    """Seconds of the first use and of one more."""
    seconds = {}
    for name in ("first_use_s", "next_use_s"):
        start = time.perf_counter()
        assert Store(root).find(call)
        seconds[name] = time.perf_counter() - start
    return seconds


if __name__ == "__main__":
    main()
