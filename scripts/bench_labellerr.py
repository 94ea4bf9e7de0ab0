"""What the Labellerr loop costs per 1,000 files, and whether its memory stays flat.

    python scripts/bench_labellerr.py                       # 2,500 and 10,000 images of 160x96
    python scripts/bench_labellerr.py --count 1000 --json

Draws small images, serves the emulator in a process of its own, and runs every step as its own
command: push; labels set by the emulator's endpoint; ``prepare`` of the exported labels; review
with a prediction first, then again with another confidence, its predictions being there; pull.
Both sizes begin with an empty store and an empty emulator. A peak is the largest resident size of
one process during the step. Needs Linux, whose ``/proc`` tells and resets the emulator's peak.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

WIDTH, HEIGHT, SCENES, SEED = 160, 96, 64, 5
CLASSES = "person,car,truck,bus"
SRC = Path(__file__).resolve().parents[1] / "src"
PAGE = 500
SIZES = {"small": 4, "large": 1}  # divisors of --count
POOL = "dataset.splits={train: 0.0, val: 0.0, test: 0.0, pool: 1.0}"


def main() -> None:
    """Run the benchmark, or, with ``--draw``, make its images."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=10_000, help="images; a fourth goes before")
    parser.add_argument("--folder", type=Path, help="where to work (default: a temporary folder)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--draw", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.draw:
        draw(options.draw, options.count)
        return
    figures = {}
    for name, part in SIZES.items():
        with tempfile.TemporaryDirectory(dir=options.folder) as scratch:
            figures[name] = measure(Path(scratch), options.count // part)
    if options.json:
        print(json.dumps(figures, indent=1))
    else:
        show(figures, [options.count // part for part in SIZES.values()])


def show(figures: dict[str, Any], counts: list[int]) -> None:
    """A row per step: time of 1,000 files, then peaks of client and emulator, at both sizes."""
    small, large = counts
    print(f"{'':22}{'s per 1,000 files':>18}{'client, MiB':>24}{'emulator, MiB':>24}")
    heads = (f"{small:,}", f"{large:,}")
    print(f"{'':22}{heads[0]:>9}{heads[1]:>9}" + f"{heads[0]:>9}{heads[1]:>9}{'':6}" * 2)
    for step, first in figures["small"].items():
        last = figures["large"][step]
        times = (1000 * first["seconds"] / small, 1000 * last["seconds"] / large)
        line = f"{step:22}" + "".join(f"{t:9.2f}" for t in times)
        for key in ("client_mib", "emulator_mib"):
            a, b = first[key], last[key]
            line += f"{a:9.0f}{b:9.0f}{b / a:5.2f}x" if a else f"{'-':>9}{'-':>9}{'':6}"
        print(line)


def measure(folder: Path, count: int) -> dict[str, Any]:
    """Every step over ``count`` images: seconds, and the peaks of client and emulator in MiB."""
    images = folder / "streets"
    command = [sys.executable, __file__, "--draw", str(folder), "--count", str(count)]
    subprocess.run(command, check=True, env=environment())
    setup = "from segtrack.journal import connect; from segtrack.settings import *;"
    setup += "connect(MlflowSettings(uri='sqlite:///mlruns/mlflow.db',"
    setup += "artifacts='mlruns/artifacts'))"
    command = [sys.executable, "-c", setup]
    subprocess.run(command, check=True, env=environment(), cwd=folder, capture_output=True)
    with emulator(folder) as (url, pid):
        bench = Bench(folder, url, pid)
        raw = ["dataset=images", f"dataset.path={images}", f"dataset.classes=[{CLASSES}]"]
        bench.run(None, "prepare", *raw)
        bench.run("push", "push", *raw)
        project = json.loads(bench.kept("push.json"))["project_id"]
        with bench.step("annotate") as step:
            step["client_mib"] = 0.0  # people's work, not the client's
            annotate(f"{url}/_emulator/projects/{project}/files", folder / "labels")
        labelled = ["dataset=labellerr", f"dataset.project_id={project}", f"dataset.path={images}"]
        bench.run("export and prepare", "prepare", *labelled, POOL)
        model = ["model.weights=shipped", f"model.imgsz={WIDTH}"]
        bench.run("predict and review", "review", *labelled, POOL, *model)
        bench.run("review", "review", *labelled, POOL, *model, "labellerr.conf=0.3")
        bench.run("pull", "pull", *labelled, POOL, *model, "labellerr.conf=0.3")
        return bench.figures


class Bench:
    """Runs commands in one folder against one emulator, and keeps what they cost."""

    def __init__(self, folder: Path, url: str, pid: int) -> None:
        self.folder, self.url, self.pid = folder, url, pid
        self.figures: dict[str, Any] = {}

    def run(self, name: str | None, stage: str, *words: str) -> None:
        """``run.py`` with one stage; measured where it has a name."""
        command = [sys.executable, str(SRC / "run.py"), f"stages=[{stage}]", *words]
        command += [f"labellerr.url={self.url}", f"hydra.run.dir=outputs/{stage}"]
        with self.step(name or stage) as step, (self.folder / "log").open("w") as log:
            process = subprocess.Popen(
                command, cwd=self.folder, env=environment(), stdout=log, stderr=log
            )
            # Largest of the command and of the processes that it waited for.
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            step["client_mib"] = used.ru_maxrss / 1024
            step["client_cpu_seconds"] = used.ru_utime + used.ru_stime
        if process.returncode:
            sys.exit((self.folder / "log").read_text())
        if name is None:
            del self.figures[stage]

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[dict[str, float]]:
        """Time and the emulator's peak, from here to the end of the context."""
        process = Path(f"/proc/{self.pid}")
        (process / "clear_refs").write_text("5")  # the peak starts at what it holds now
        figures = self.figures.setdefault(name, {})
        start = time.perf_counter()
        yield figures
        figures["seconds"] = time.perf_counter() - start
        peak = re.search(r"VmHWM:\s+(\d+) kB", (process / "status").read_text())
        assert peak is not None
        figures["emulator_mib"] = int(peak[1]) / 1024

    def kept(self, name: str) -> str:
        """A file of the run folder of the push."""
        return (self.folder / "outputs" / "push" / name).read_text()


@contextlib.contextmanager
def emulator(folder: Path) -> Iterator[tuple[str, int]]:
    """An emulator as a process of its own: its address and process id."""
    command = [sys.executable, "-m", "labellerr_loopback", "--port", "0"]
    command += ["--data", str(folder / "emulator"), "--polls", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as process:
        assert process.stdout is not None
        try:
            url = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
            assert url is not None
            yield url[0], process.pid
        finally:
            process.terminate()


def annotate(target: str, labels: Path) -> None:
    """Gives every file of a project its true outlines and the status accepted, page by page."""
    from labellerr_loopback import ask
    from segtrack.base.content_names import without_tag

    after: str | None = ""
    while after is not None:
        page = ask("GET", target, params={"size": str(PAGE), "after": after})
        work = []
        for file in page["files"]:
            name = without_tag(file["file_name"])
            found = json.loads((labels / f"{name}.json").read_text())
            done = {"file_id": file["file_id"], "status": "accepted", "answers": found}
            work.append(done)
        ask("POST", target, json={"files": work})
        after = page["after"]


def draw(folder: Path, count: int) -> None:
    """``count`` distinct images in ``streets``, and in ``labels`` what people will answer."""
    import cv2

    from trafficsim import CLASS_NAMES, SimulatorKnobs, render_still

    knobs = SimulatorKnobs(width=WIDTH, height=HEIGHT)
    scenes = []
    for index in range(min(SCENES, count)):
        frame = render_still(knobs, SEED, index)
        answers = [
            {
                "question": CLASS_NAMES[one.class_id],
                "polygon": max(one.polygons, key=len).tolist(),
            }
            for one in frame.instances
            if not one.ignore
        ]
        scenes.append((cv2.imencode(".jpg", frame.image)[1].tobytes(), json.dumps(answers)))
    for name in ("streets", "labels"):
        (folder / name).mkdir()
    for number in range(count):
        data, text = scenes[number % len(scenes)]
        name = f"{number:07d}.jpg"
        (folder / "streets" / name).write_bytes(with_comment(data, name))
        (folder / "labels" / f"{name}.json").write_text(text)
    os.sync()


def with_comment(data: bytes, text: str) -> bytes:
    """The JPEG with a comment segment behind its start marker."""
    comment = text.encode()
    return data[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + data[2:]


def environment() -> dict[str, str]:
    """Without anybody's account."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("LABELLERR_", "SEGTRACK_"))}
    return {
        **kept,
        "PYTHONPATH": os.pathsep.join([str(SRC), *filter(None, [kept.get("PYTHONPATH")])]),
    }


if __name__ == "__main__":
    main()
