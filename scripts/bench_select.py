"""Do images that ``stages=[select]`` chooses teach more than images drawn at random?

    python scripts/bench_select.py [DATA ...] [--seeds 5] [--jobs 2] [--out FOLDER]

DATA is simulator or cityscapes (default: both; Cityscapes and COCO's weights lie in
$SEGTRACK_DATA). The labels of a training split are hidden. FIRST images, drawn by seed and the same
for every way to choose, are labelled; a network is trained on them from COCO's weights, is
evaluated on test images that nothing else looks at, and chooses the next STEP of those whose labels
are hidden; their labels are revealed, and so on for ROUNDS rounds. A few images of their own choose
the epoch of each training. Every training begins with COCO's weights anew.

What is compared, and was decided before there was a result: mask AP (mAP50-95), averaged over the
rounds after the first, of ``select.by=both``, the default, less that of images drawn at random; the
other ways are beside it, each by itself. The 95% interval has the test images and the seeds in it,
both as random (``segtrack.base.statistics``); seeds are paired, since both sides begin with the
same images. Tables also have the objects that had to be outlined: an image with many is more work.

Each seed is a process of its own with one thread; what is finished lies in the store, so that a
study that was stopped goes on with the same command.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import yaml
from matplotlib.figure import Figure

from segtrack.base.errors import SegtrackError, SettingsError
from segtrack.base.files import digest
from segtrack.base.statistics import Estimate, Interval, compare
from segtrack.command.app import CONF
from segtrack.command.checking import check
from segtrack.command.composition import compose_settings
from segtrack.command.job import look
from segtrack.curation import read_selection
from segtrack.dataset import Dataset
from segtrack.evaluation import ImageUnits, estimates
from segtrack.pipeline import Runner
from segtrack.report import LINES, NEUTRAL, STYLE, Row, save_figure, table_csv, table_text

WAYS = ("random", "uncertainty", "diversity", "both")
METRIC = "mask_map50_95"
FIRST, STEP, ROUNDS = 16, 16, 2  # images, images, rounds after the first
CHOOSING = 10  # labelled images that choose the epoch
SIZE = 320  # px
_ROAD = (
    "{person: [person, rider], car: [car], bus: [bus], truck: [truck], bicycle: [bicycle], "
    "motorcycle: [motorcycle]}"
)


def sources(data: Path) -> dict[str, list[str]]:
    """Settings of each data set, whose split train is hidden."""
    return {
        "simulator": [
            *("dataset=traffic_sim", "dataset.seed=43000", "dataset.width=320"),
            *("dataset.height=192", "dataset.video_count=0", "dataset.pool=0"),
            *("dataset.train=200", "dataset.val=20", "dataset.test=100"),
        ],
        "cityscapes": [
            "dataset=yolo",
            f"dataset.path={data}/images/cityscapes640",
            f"dataset.classes={_ROAD}",
        ],
    }


@dataclass(frozen=True)
class Files:
    """A data set as files: images by split, sorted, and the names of the classes."""

    images: dict[str, list[str]]
    names: tuple[str, ...]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    data = Path(os.environ.get("SEGTRACK_DATA", "../shared/data")).absolute()
    known = sources(data)
    parser.add_argument("data", metavar="DATA", nargs="*", default=list(known))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=2, help="seeds at a time")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="after the first")
    parser.add_argument("--work", type=Path, default=Path("outputs/what_to_annotate"))
    parser.add_argument("--out", type=Path, default=Path("experiments/what_to_annotate"))
    parser.add_argument("--only", type=int, help="this seed alone, and no report")
    options = parser.parse_args()
    try:
        for name in options.data:
            if name not in known:
                raise SettingsError(f"{name}: there are {', '.join(known)}")
        if options.only is not None:
            for name in options.data:
                one_seed(name, known[name], options.only, data, options)
            return 0
        for name in options.data:  # before seeds look for it side by side
            run(["stages=[prepare]", *known[name]])
        in_processes(options)
        for name in options.data:
            report(name, options)
    except SegtrackError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def in_processes(options: argparse.Namespace) -> None:
    """Every seed of every data set; what fails is told with its last lines."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}

    def work(task: tuple[str, int]) -> None:
        name, seed = task
        words = ["--only", str(seed), "--epochs", str(options.epochs)]
        words += ["--rounds", str(options.rounds), "--work", str(options.work)]
        log = options.work / f"{name}_{seed}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, __file__, name, *words]
        with log.open("w", encoding="utf-8") as file:
            code = subprocess.run(command, env=environment, stdout=file, stderr=file).returncode
        if code:
            last = "\n".join(log.read_text(encoding="utf-8").splitlines()[-8:])
            raise SettingsError(f"{name}, seed {seed}: ended with {code}; {log}:\n{last}")
        print(f"{name}, seed {seed}: done", flush=True)

    tasks = [(name, seed) for name in options.data for seed in range(options.seeds)]
    with ThreadPoolExecutor(options.jobs) as pool:
        list(pool.map(work, tasks))


def one_seed(
    name: str, words: Sequence[str], seed: int, data: Path, options: argparse.Namespace
) -> None:
    """All ways to choose, round by round; writes where each round's results lie."""
    files = files_of(run(["stages=[prepare]", *words]).get("prepare", {}).value)
    hidden = files.images["train"]
    rng = np.random.default_rng(seed)
    first = sorted(rng.choice(len(hidden), FIRST, replace=False).tolist())
    choosing = sorted(rng.choice(files.images["val"], CHOOSING, replace=False).tolist())
    own = {Path(path).resolve(): path for path in hidden}
    steps: list[dict[str, Any]] = []
    for way in WAYS:
        labelled = [hidden[i] for i in first]
        for round_ in range(options.rounds + 1):
            folder = write(files, labelled, choosing, options.work / name)
            last = round_ == options.rounds
            runner = run(settings(folder, seed, way, data, options.epochs, last))
            dataset: Dataset = runner.get("prepare", {}).value
            steps.append(
                {
                    "way": way,
                    "round": round_,
                    "images": len(labelled),
                    "objects": sum(1 for _ in dataset.iter_annotations("train")),
                    "result": str(runner.get("evaluate", {}).folder.absolute()),
                }
            )
            if not last:
                chosen = read_selection(runner.get("select", {}).folder)
                ids = {row["image_id"] for row in chosen}
                pool = (row for row in dataset.iter_images("pool") if row.image_id in ids)
                labelled = sorted([*labelled, *(own[row.path.resolve()] for row in pool)])
    options.work.mkdir(parents=True, exist_ok=True)
    target = options.work / f"{name}_{seed}.json"
    target.write_text(json.dumps(steps, indent=1) + "\n", encoding="utf-8")


def settings(folder: Path, seed: int, way: str, data: Path, epochs: int, last: bool) -> list[str]:
    """What is typed for one round."""
    stages = "prepare,train,evaluate" + ("" if last else ",select")
    return [
        *(f"stages=[{stages}]", "dataset=yolo", f"dataset.path={folder}", "dataset.workers=1"),
        *(f"model.weights={data}/weights/yolov8n-seg.pt", "model.backend=torch"),
        *(f"model.imgsz={SIZE}", "trainer=quick", f"trainer.imgsz={SIZE}", "trainer.threads=1"),
        *(f"trainer.epochs={epochs}", "trainer.freeze=10", "trainer.batch=4"),
        *("trainer.extra={nbs: 4}", "evaluation.gallery=1", f"seed={seed}"),
        *(f"select.by={way}", f"select.count={STEP}"),
    ]


def files_of(dataset: Dataset) -> Files:
    """The tree of links that ``prepare`` made, whose labels are those of the canonical form."""
    tree = (dataset.yolo_yaml.parent / "images").absolute()
    images = {
        split: [str(path) for path in sorted((tree / split).iterdir())]
        for split in ("train", "val", "test")
    }
    return Files(images, dataset.names)


def write(files: Files, labelled: Sequence[str], choosing: Sequence[str], work: Path) -> Path:
    """A YOLO data set in which only ``labelled`` are to be learnt from; the same for the same."""
    folder = (work / digest([labelled, choosing])[:16]).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    known = set(labelled)
    rest = [path for path in files.images["train"] if path not in known]
    parts = {"train": labelled, "val": choosing, "test": files.images["test"], "pool": rest}
    for split, paths in parts.items():
        (folder / f"{split}.txt").write_text("\n".join(paths) + "\n", encoding="utf-8")
    described = {split: f"{split}.txt" for split in parts} | {"names": list(files.names)}
    text = yaml.safe_dump(described, sort_keys=False, allow_unicode=True)
    (folder / "data.yaml").write_text(text, encoding="utf-8")
    return folder


def run(words: Sequence[str]) -> Runner:
    """What ``python src/run.py WORDS`` does, without a record of the run."""
    print("python src/run.py", *words, flush=True)
    if problems := check(CONF, list(words), sweep=False):
        raise SettingsError("; ".join(map(str, problems)))
    runner = look(compose_settings(CONF, list(words)))
    runner.run()
    return runner


# What comes of it


def report(name: str, options: argparse.Namespace) -> None:
    """Tables and the figure of one data set."""
    steps = [
        {"seed": seed, **step}
        for seed in range(options.seeds)
        for step in json.loads((options.work / f"{name}_{seed}.json").read_text())
    ]
    rounds = range(options.rounds + 1)
    scores = {
        (way, round_): score([s for s in steps if (s["way"], s["round"]) == (way, round_)])
        for way in WAYS
        for round_ in rounds
    }
    curve = [
        {
            **{key: step[key] for key in ("seed", "way", "round", "images", "objects")},
            METRIC: float(scores[step["way"], step["round"]].whole[step["seed"]]),
        }
        for step in steps
    ]
    rows = differences(scores, steps, options.rounds)
    options.out.mkdir(parents=True, exist_ok=True)
    print(f"\n{name}\n{table_text(rows, 3)}", flush=True)
    save_figure(figure(name, curve, rows), options.out / f"{name}.png", rows)
    (options.out / f"{name}.rounds.csv").write_text(table_csv(curve), encoding="utf-8")


def score(steps: Sequence[dict[str, Any]]) -> Estimate:
    """Of one way and round, by seed and test image."""
    units = [ImageUnits.load(Path(step["result"]) / "units.npz") for step in steps]
    return estimates(units, [METRIC])[METRIC]


def mean(parts: Sequence[Estimate]) -> Estimate:
    """The mean of several scores on the same units and seeds."""
    whole, without, alone = (
        np.mean([getattr(one, name) for one in parts], axis=0)
        for name in ("whole", "without", "alone")
    )
    return replace(parts[0], whole=whole, without=without, alone=alone)


def gap(a: Estimate, b: Estimate) -> Interval:
    """b - a, seed by seed: of both sides of a seed the first images are the same."""
    paired = replace(
        a, whole=b.whole - a.whole, without=b.without - a.without, alone=b.alone - a.alone
    )
    zero = replace(
        a,
        whole=np.zeros_like(a.whole),
        without=np.zeros_like(a.without),
        alone=np.zeros_like(a.alone),
    )
    return compare(zero, paired)


def differences(
    scores: dict[tuple[str, int], Estimate], steps: Sequence[dict[str, Any]], rounds: int
) -> list[Row]:
    """Each way less random, over all rounds after the first and in each: percent and points."""
    every = range(1, rounds + 1)
    rows: list[Row] = []
    for way in WAYS:
        own = mean([scores[way, r] for r in every])
        last = [s["objects"] for s in steps if (s["way"], s["round"]) == (way, rounds)]
        row: dict[str, Any] = {
            "way": way,
            "ap": 100 * own.score,
            "ap_last": 100 * scores[way, rounds].score,
            "objects": float(np.mean(last)),
        }
        if way != WAYS[0]:
            other = mean([scores[WAYS[0], r] for r in every])
            row |= _ends("difference", gap(other, own))
            for r in every:
                found = gap(scores[WAYS[0], r], scores[way, r])
                row |= _ends(f"at_{FIRST + r * STEP}", found)
        rows.append(row)
    return rows


def _ends(name: str, found: Interval) -> dict[str, float]:
    ends = (found.difference, found.low, found.high)
    heads = (name, f"{name}_low", f"{name}_high")
    return {head: 100 * value for head, value in zip(heads, ends, strict=True)}


def figure(name: str, curve: Sequence[Row], rows: Sequence[Row]) -> Figure:
    """AP over labelled images, each seed as a thin line; and differences with intervals."""
    colours = dict(zip(WAYS, (NEUTRAL, *LINES), strict=False))
    with matplotlib.rc_context(STYLE):
        drawn = Figure(figsize=(10.5, 4.4), layout="constrained")
        left, right = drawn.subplots(1, 2, width_ratios=(1.15, 1))
        images = sorted({row["images"] for row in curve})
        for way in WAYS:
            values = np.array(
                [
                    [100 * r[METRIC] for r in curve if (r["way"], r["images"]) == (way, n)]
                    for n in images
                ]
            )
            left.plot(images, values, color=colours[way], lw=0.7, alpha=0.45)
            left.plot(images, values.mean(1), color=colours[way], lw=2.2, marker="o", label=way)
        left.set_title(f"{name}: what chosen images teach")
        left.set_xlabel("labelled images")
        left.set_ylabel("mask AP, % (thin: each seed)")
        left.set_xticks(images)
        left.legend(loc="lower right")
        others = [row for row in rows if row["way"] != WAYS[0]]
        for i, row in enumerate(others):
            for n in images[1:]:
                head = f"at_{n}"
                x = n + (i - 1) * 2.5
                right.vlines(
                    x, row[f"{head}_low"], row[f"{head}_high"], color=colours[row["way"]], lw=1.6
                )
                right.plot(x, row[head], "o", color=colours[row["way"]], ms=6)
        right.axhline(0, color=NEUTRAL, lw=1.2)
        right.set_title("less images drawn at random")
        right.set_xlabel("labelled images")
        right.set_ylabel("difference of mask AP, points (95%)")
        right.set_xticks(images[1:])
        for axes in (left, right):
            axes.grid(True)
        return drawn


if __name__ == "__main__":
    sys.exit(main())
