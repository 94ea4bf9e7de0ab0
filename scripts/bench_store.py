"""What it costs that the store verifies its results: 2 GB of large files, 100,000 small ones.

    python scripts/bench_store.py [--gigabytes 2] [--files 100000] [--folder .] [--json]
    python scripts/bench_store.py --s3 [--gigabytes 0.5]    and to and from an S3 server (moto)

``first_use_s`` is the first use of a result in a process, which reads every file; ``next_use_s``
compares sizes and times. The files were written just before, so the disk's own speed is left out.
``send_s`` and ``fetch_s`` are those of ``store=s3://...`` through the loopback interface, fetching
with all that verifies it; ``copy_s`` is a copy of the folder on this disk, for comparison. The
server is a simulation in Python that takes a share of the same cores.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from segtrack.base.metrics import Report
from segtrack.store import Far, StageCall, StageResult, Store

CHUNK = 100_000_000


def main() -> None:
    """Build a result of each kind and use it twice."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=2.0)
    parser.add_argument("--files", type=int, default=100_000, help="labels, and links to images")
    parser.add_argument("--folder", type=Path, help="where to work (default: a temporary folder)")
    parser.add_argument("--s3", action="store_true", help="measure a store at an address, too")
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
            if args.s3:
                with moto(Path(folder) / "moto.log") as address:
                    figures[build.__name__] |= shared(address, result, Path(folder))
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


def shared(address: str, result: StageResult, scratch: Path) -> dict[str, float]:
    """Seconds of sending and fetching a result, and of copying it, with rates."""
    files = [path.lstat() for path in result.folder.rglob("*") if not path.is_dir()]
    mb, far, into = sum(one.st_size for one in files) / 1e6, Far(address), scratch / result.key
    far.reach(write=True)  # the first request loads the library
    into.mkdir()
    start = time.perf_counter()
    far.send(result.name, result.key, result.folder, scratch / "out.tar")
    sent = time.perf_counter()
    assert far.fetch(result.name, result.key, into)
    fetched = time.perf_counter()
    shutil.rmtree(into)
    copying = time.perf_counter()
    shutil.copytree(result.folder, into, symlinks=True)
    copied = time.perf_counter() - copying
    shutil.rmtree(into)
    figures = {"send_s": sent - start, "fetch_s": fetched - sent, "copy_s": copied}
    for name, seconds in list(figures.items()):
        figures[name.replace("_s", "_mb_per_s")] = mb / seconds
        figures[name.replace("_s", "_files_per_s")] = len(files) / seconds
    return figures


@contextmanager
def moto(log: Path) -> Iterator[str]:
    """A simulated S3 server on this machine, in a process of its own, with a bucket in it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    os.environ |= {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "measured",
        "AWS_SECRET_ACCESS_KEY": "measured",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    with log.open("w") as lines:
        command = [sys.executable, "-m", "moto.server", "-p", str(port)]
        server = subprocess.Popen(command, stdout=lines, stderr=lines)
    try:
        import boto3

        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except ConnectionRefusedError:
                assert server.poll() is None, log.read_text()
                time.sleep(0.1)
        boto3.client("s3").create_bucket(Bucket="measured")
        yield "s3://measured/segtrack"
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
