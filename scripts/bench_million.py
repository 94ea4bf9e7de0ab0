"""Data sets of up to 1,000,000 images: time, memory and disk of each step.

    python scripts/bench_million.py --rows 10000              every step, a minute or two
    python scripts/bench_million.py --rows 1000000 --pictures 100000 --keep FOLDER
                                    100,000 pictures are prepared, and their tables come again and
                                    again for the other steps; what is made lies in FOLDER
    python scripts/bench_million.py --rows 100000 evaluate    these steps; what they need is made

Made are JPEGs of distinct bytes, 1,000 per folder, a COCO JSON with some 5.5 objects in each (8
classes, polygons of 12 points, one in ten a crowd), and predictions by moving these labels: some
are missed, some are of another class, some are where nothing is.

- prepare: the COCO data set, which is divided into splits; decoding is off.
- split: the division of images into splits, and of folders of 1,000 images; a part of prepare.
- evaluate: the predictions, all images being the test split, with figures, tables and gallery.
- intervals: two such evaluations compared, by images and by the groups of 1,000 of a folder.
- coco, yolo: the data set, written in these forms without pictures.
- view: the pages on that evaluation: first page, a page in the middle, a search, one image.

Each step is a process of its own. Peaks are of resident memory: of the process itself, and the sum
over it and its children, as seen ten times a second. CPU seconds are of the process and of its
children.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

WIDTH, HEIGHT, TEMPLATES, POINTS, PER_FOLDER = 640, 480, 509, 12, 1000
NAMES = ("car", "person", "truck", "bicycle", "bus", "motorcycle", "rider", "train")
SHARES = np.array([0.42, 0.28, 0.1, 0.07, 0.05, 0.04, 0.03, 0.01])
CROWDS, MISSED, CONFUSED, ALARMS = 0.1, 0.15, 0.05, 0.7  # shares; false alarms per image
SEED = 0


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("steps", nargs="*", metavar="STEP", help=", ".join(STEPS))
    parser.add_argument("--rows", type=int, default=10_000, metavar="N", help="images")
    parser.add_argument("--pictures", type=int, help="of these; all are rows of the tables")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="work there and leave it")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if unknown := set(options.steps) - set(STEPS):
        parser.error(f"no such step: {', '.join(sorted(unknown))}; there are {', '.join(STEPS)}")
    if options.child:
        said = STEPS[options.steps[0]].run(options.keep, options.rows) or {}
        print(json.dumps(said))
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        rows = []
        for name in in_order(options.steps or list(STEPS)):
            out = folder / STEPS[name].out
            if (STEPS[name].made or name not in options.steps) and out.exists():
                continue
            rows.append(measured(name, folder, options))
            if not options.json:
                print(line(rows[-1]), flush=True)
    if options.json:
        print(json.dumps(rows, indent=1))
    return 0


def in_order(asked: list[str]) -> list[str]:
    """The steps with those that they need, before them."""
    wanted: set[str] = set()

    def add(name: str) -> None:
        wanted.add(name)
        for other in STEPS[name].needs:
            add(other)

    for name in asked:
        add(name)
    return [name for name in STEPS if name in wanted]


def measured(name: str, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """One step in a process of its own."""
    out = folder / STEPS[name].out
    remove(out)
    of_files = name in ("make", "prepare")
    count = (options.pictures or options.rows) if of_files else options.rows
    command = [sys.executable, __file__, name, "--child", "--keep", str(folder)]
    started, used = time.perf_counter(), cpu_of_children()
    with subprocess.Popen(
        [*command, "--rows", str(count)], stdout=subprocess.PIPE, text=True
    ) as child:
        own = tree = 0
        while child.poll() is None:
            sizes = resident(child.pid)
            own, tree = max(own, sizes[0] if sizes else 0), max(tree, sum(sizes))
            time.sleep(0.1)
        assert child.stdout is not None
        said = child.stdout.read()
    if child.returncode:
        raise SystemExit(f"{name} failed with exit code {child.returncode}")
    seconds = time.perf_counter() - started
    files, size = on_disk(out)
    found = {"step": name, "images": count, "seconds": seconds}
    found["cpu_seconds"] = cpu_of_children() - used
    found |= {"peak_mib": own / 2**20, "peak_tree_mib": tree / 2**20}
    return {**found, "files": files, "mib": size / 2**20, **json.loads(said.splitlines()[-1])}


def line(row: dict[str, Any]) -> str:
    """One step as text."""
    rest = {k: v for k, v in row.items() if k not in ("step", "images", *_SHOWN)}
    values = "  ".join(
        f"{k} {v:,.3f}" if isinstance(v, float) else f"{k} {v}" for k, v in rest.items()
    )
    return (
        f"{row['step']:10} {row['images']:>9,} images {row['seconds']:8.1f} s "
        f"(CPU {row['cpu_seconds']:8.1f})  peak "
        f"{row['peak_mib']:6,.0f} MiB, with children {row['peak_tree_mib']:6,.0f}  on disk "
        f"{row['files']:>9,} files, {row['mib']:8,.0f} MiB  {values}"
    )


_SHOWN = ("seconds", "cpu_seconds", "peak_mib", "peak_tree_mib", "files", "mib")


def cpu_of_children() -> float:
    """CPU seconds of all ended processes below this one; other work beside hardly moves them."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def resident(pid: int) -> list[int]:
    """Resident bytes of a process and of all below it."""
    found, waiting = [], [pid]
    while waiting:
        one = waiting.pop(0)
        try:
            pages = int(Path(f"/proc/{one}/statm").read_text().split()[1])
            below = Path(f"/proc/{one}/task/{one}/children").read_text().split()
        except (OSError, IndexError):
            continue
        found.append(pages * os.sysconf("SC_PAGE_SIZE"))
        waiting += map(int, below)
    return found


def on_disk(path: Path) -> tuple[int, int]:
    """Files and bytes of a file or folder."""
    if path.is_file():
        return 1, path.stat().st_size
    files = size = 0
    for folder, _, names in os.walk(path):
        files += len(names)
        size += sum(os.lstat(f"{folder}/{name}").st_size for name in names)
    return files, size


def remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)


# What is made


@dataclass(frozen=True)
class Scene:
    """One of the pictures that come again and again.

    Attributes:
        classes: of the objects. polygons: float (12, 2) each, px. crowd: flags.
    """

    classes: list[int]
    polygons: list[np.ndarray]
    crowd: list[bool]


def scenes() -> list[Scene]:
    rng = np.random.default_rng(SEED)
    made = []
    for _ in range(TEMPLATES):
        count = 1 + int(rng.poisson(4.5))
        classes = rng.choice(len(NAMES), count, p=SHARES).tolist()
        polygons = [polygon(rng) for _ in range(count)]
        made.append(Scene(classes, polygons, (rng.uniform(size=count) < CROWDS).tolist()))
    return made


def polygon(rng: np.random.Generator) -> np.ndarray:
    angle = np.sort(rng.uniform(0, 2 * np.pi, POINTS))
    size = np.exp(rng.uniform(np.log(8), np.log(90)))
    points = np.stack([np.cos(angle), np.sin(angle)], 1) * size * rng.uniform(0.7, 1, (POINTS, 1))
    points += rng.uniform((0, 0), (WIDTH, HEIGHT))
    return np.asarray(np.round(np.clip(points, (0, 0), (WIDTH, HEIGHT)), 1))


def file_name(number: int) -> str:
    return f"{number // PER_FOLDER:04d}/{number:07d}.jpg"


def make(folder: Path, rows: int) -> None:
    """The pictures and their COCO JSON."""
    import cv2

    part = folder / "raw.part"
    remove(part)
    rng = np.random.default_rng(SEED)
    pictures = []
    for _ in range(TEMPLATES):
        small = rng.integers(0, 256, (3, 4, 3), np.uint8)
        image = cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_NEAREST)
        pictures.append(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 40])[1].tobytes())
    for number in range(rows):
        if number % PER_FOLDER == 0:
            (part / file_name(number)).parent.mkdir(parents=True)
        data, text = pictures[number % TEMPLATES], str(number).encode()
        comment = b"\xff\xfe" + (len(text) + 2).to_bytes(2, "big") + text
        with open(f"{part}/{file_name(number)}", "wb") as file:  # noqa: PTH123 (hot loop)
            file.write(data[:2] + comment + data[2:])
    labels = [list(objects(scene)) for scene in scenes()]
    with (part / "labels.json").open("w") as file:
        file.write('{"categories": ')
        json.dump([{"id": i, "name": name} for i, name in enumerate(NAMES)], file)
        file.write(',\n"images": [')
        for number in range(rows):
            file.write(",\n" if number else "\n")
            file.write(
                f'{{"id": {number}, "file_name": "{file_name(number)}", "width": {WIDTH}, '
                f'"height": {HEIGHT}}}'
            )
        file.write('],\n"annotations": [')
        count = 0
        for number in range(rows):
            for label in labels[number % TEMPLATES]:
                file.write((",\n" if count else "\n") + f'{{"id": {count}, "image_id": {number}, ')
                file.write(label)
                count += 1
        file.write("]}\n")
    part.rename(folder / "raw")


def objects(scene: Scene) -> Iterator[str]:
    """The end of each annotation's JSON."""
    for class_id, points, crowd in zip(scene.classes, scene.polygons, scene.crowd, strict=True):
        x, y = points.min(0)
        w, h = np.ptp(points, axis=0)
        area = abs(float(np.sum(points[:, 0] * np.roll(points[:, 1], -1)))
                   - float(np.sum(np.roll(points[:, 0], -1) * points[:, 1]))) / 2  # fmt: skip
        values = {"category_id": class_id, "segmentation": [points.reshape(-1).tolist()]}
        values |= {"bbox": [float(v) for v in (x, y, w, h)], "area": area, "iscrowd": int(crowd)}
        yield json.dumps(values)[1:]


def prepare(folder: Path, rows: int) -> dict[str, Any]:
    from segtrack.dataset import CocoSettings
    from segtrack.dataset import prepare as prepare_dataset

    raw, out = folder / "raw", folder / "prepared"
    settings = CocoSettings(
        path=str(raw), annotations=str(raw / "labels.json"), decode=False, workers=2
    )
    out.mkdir()
    cache = folder / "cache"
    remove(cache)
    prepare_dataset(settings, SEED, out, ignore, cache)
    return {"cache_mib": on_disk(cache)[1] / 2**20}


def ignore(name: str, value: float, step: int = 0) -> None:
    """A report that nobody reads."""


def grow(folder: Path, rows: int) -> None:
    """The prepared tables again and again, up to ``rows``, with every image in the test split."""
    import pyarrow.parquet as pq

    source, out = folder / "prepared", folder / "grown"
    out.mkdir()
    facts = json.loads((source / "dataset.json").read_text())
    base = sum(facts["counts"].values())
    facts["counts"] = {split: rows * (split == "test") for split in facts["counts"]}
    (out / "dataset.json").write_text(json.dumps(facts))
    shutil.copy(source / "sequences.json", out)
    images, labels = (pq.read_table(source / f"{name}.parquet") for name in TABLES)
    with (
        pq.ParquetWriter(out / "images.parquet", images.schema) as to_images,
        pq.ParquetWriter(out / "annotations.parquet", labels.schema) as to_labels,
    ):
        for first in range(0, rows, base):
            some = images.slice(0, rows - first)
            numbers = range(first, first + len(some))
            for name, values in (
                ("image_id", list(numbers)),
                ("file_name", [file_name(i) for i in numbers]),
                ("split", ["test"] * len(some)),
            ):
                some = replaced(some, name, values)
            to_images.write_table(some, row_group_size=4096)
            own = labels["image_id"].to_numpy()
            part = labels.slice(0, int(np.searchsorted(own, len(some))))
            start = first // base * len(labels)
            part = replaced(part, "image_id", own[: len(part)] + first)
            part = replaced(part, "annotation_id", np.arange(start, start + len(part)))
            to_labels.write_table(part, row_group_size=4096)


TABLES = ("images", "annotations")


def replaced(table: Any, name: str, values: Any) -> Any:
    import pyarrow as pa

    at = table.schema.get_field_index(name)
    field = table.schema.field(at)
    return table.set_column(at, field, pa.array(values, field.type))


def predict(folder: Path, rows: int) -> None:
    """Labels that were moved, of two networks: ``found`` is the better one."""
    from segtrack.dataset import Dataset
    from segtrack.model import FrameDetections, PredictionsInfo, PredictionsWriter

    dataset = Dataset.load(folder / "grown")
    for name, shift in (("found", 0.04), ("other", 0.07)):
        rng = np.random.default_rng(SEED)
        made = [guesses(scene, shift, rng) for scene in scenes()]
        out = folder / f"{name}.part"
        remove(out)
        out.mkdir()
        jitter = rng.uniform(-0.1, 0.1, 65_536).astype(np.float32)
        with PredictionsWriter(out) as writer:
            for row in dataset.iter_images("test"):
                class_id, score, box, rle = made[int(row.path.stem) % TEMPLATES]
                moved = np.take(jitter, row.image_id * 31 + np.arange(len(score)), mode="wrap")
                sure = np.clip(score + moved, 0.01, 0.99)
                writer.add(FrameDetections(row.image_id, class_id, sure, box, rle))
            writer.finish(PredictionsInfo(dataset.names, rows, conf_floor=0.001))
        remove(folder / name)
        out.rename(folder / name)


def guesses(
    scene: Scene, shift: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[bytes | None]]:
    """Class, score, box and mask of what is found in a picture."""
    from pycocotools import mask as coco_mask

    found: list[tuple[int, float, np.ndarray]] = []
    for class_id, points in zip(scene.classes, scene.polygons, strict=True):
        size = np.ptp(points, axis=0) + 1
        moved = points + rng.normal(0, shift, 2) * size + rng.normal(0, 0.03, points.shape) * size
        if rng.uniform() < MISSED:
            continue
        wrong = rng.uniform() < CONFUSED
        kind = int(rng.integers(len(NAMES))) if wrong else class_id
        found.append((kind, float(rng.uniform(0.2, 0.9)), moved))
    for _ in range(int(rng.poisson(ALARMS))):
        kind = int(rng.choice(len(NAMES), p=SHARES))
        found.append((kind, float(rng.uniform(0.02, 0.5)), polygon(rng)))
    box = np.zeros((len(found), 4), np.float32)
    rles: list[bytes | None] = []
    for i, (_, _, points) in enumerate(found):
        points = np.clip(points, (0, 0), (WIDTH, HEIGHT))
        box[i] = *points.min(0), *points.max(0)
        rle = coco_mask.frPyObjects([points.reshape(-1).tolist()], HEIGHT, WIDTH)[0]
        rles.append(rle["counts"])
    kinds = np.array([kind for kind, _, _ in found], np.int16)
    return kinds, np.array([score for _, score, _ in found], np.float32), box, rles


# What is measured


def split(folder: Path, rows: int) -> dict[str, Any]:
    """The division that ``prepare`` makes, by image and by the folders as groups."""
    from segtrack.base.frames import row_groups
    from segtrack.dataset import Dataset, Grouping
    from segtrack.dataset.splits import divide, strata

    dataset = Dataset.load(folder / "grown")
    parts = [
        (table["image_id"].to_numpy(), table["class_id"].to_numpy())
        for table in row_groups(dataset.folder / "annotations.parquet", ["image_id", "class_id"])
    ]
    owner, class_id = map(np.concatenate, zip(*parts, strict=True))
    found: dict[str, Any] = {}
    for name, pattern in (("images", None), ("folders", r"^(\d+)/")):
        started = time.perf_counter()
        grouping = Grouping(pattern)
        names = (row["file_name"] for row in dataset.image_rows("file_name"))
        group = np.fromiter(map(grouping.number, names), np.int64)
        chosen = divide(strata(group, owner, class_id, len(NAMES)), np.array([0.7, 0.2, 0.1]), SEED)
        shares = np.bincount(chosen[group], minlength=3) / rows
        found[f"{name}_seconds"] = time.perf_counter() - started
        found[f"{name}_shares"] = " / ".join(f"{share:.4f}" for share in shares)
    return found


def evaluate(folder: Path, rows: int) -> dict[str, Any]:
    return _evaluate(folder, "found", "evaluation")


def evaluate_other(folder: Path, rows: int) -> dict[str, Any]:
    return _evaluate(folder, "other", "evaluation_other")


def _evaluate(folder: Path, predictions: str, name: str) -> dict[str, Any]:
    from segtrack.dataset import Dataset
    from segtrack.evaluation import evaluate as evaluate_split
    from segtrack.model import Predictions
    from segtrack.settings import EvaluationSettings

    out = folder / name
    out.mkdir()
    dataset = Dataset.load(folder / "grown")
    found = Predictions.load(folder / predictions)
    evaluate_split(dataset, "test", found, EvaluationSettings(), out, ignore)
    figures = json.loads((out / "metrics.json").read_text())["metrics"]
    return {kind: figures[f"test/{kind}_map50_95"] for kind in ("mask", "box")}


def intervals(folder: Path, rows: int) -> dict[str, Any]:
    from dataclasses import replace

    from segtrack.base.statistics import compare
    from segtrack.evaluation import METRICS, ImageUnits, check_paired, estimates

    each = [
        ImageUnits.load(folder / name / "units.npz") for name in ("evaluation_other", "evaluation")
    ]
    check_paired(each[0], each[1], ("other", "found"))
    found: dict[str, Any] = {}
    for kind in ("images", "folders"):
        if kind == "folders":
            group = np.array([name.partition("/")[0] for name in each[0].group])
            each = [replace(one, group=group) for one in each]
        started = time.perf_counter()
        a, b = (estimates(one, METRICS[:1])[METRICS[0]] for one in each)
        gap = compare(a, b)
        found |= {
            f"{kind}_seconds": time.perf_counter() - started,
            f"{kind}_gap": f"{gap.difference:.5f} ({gap.low:.5f} to {gap.high:.5f})",
            f"{kind}_units": gap.units,
        }
    return found


def to_coco(folder: Path, rows: int) -> None:
    _convert(folder, "coco", "coco.json")


def to_yolo(folder: Path, rows: int) -> None:
    _convert(folder, "yolo", "yolo")


def _convert(folder: Path, form: str, out: str) -> None:
    from segtrack.convert import convert, input_of

    given = input_of(folder / "grown", False)
    convert(given, None, SEED, folder / out, form, pictures="none")


def view(folder: Path, rows: int) -> dict[str, Any]:
    """The pages of an evaluation as a person asks for them; this process is the server."""
    import requests

    from segtrack.runs import KeptRun
    from segtrack.runs.places import Folder
    from segtrack.settings import MlflowSettings
    from segtrack.view import Library, start_view

    class Made(KeptRun):
        """A run whose results lie in the folder instead of a store."""

        def stored(self, stage: str, key: str = "") -> tuple[Path, dict[str, Any]] | None:
            place = {"prepare": "grown", "predict": "found", "evaluate": "evaluation"}[stage]
            return folder / place, {"inputs": {"predictions": "made"}}

    library = Library(
        MlflowSettings(uri=f"sqlite:///{folder / 'none.db'}"),
        [Made(None, "evaluated", Folder(folder))],
        folder,
    )
    middle = rows // 48 // 2
    found: dict[str, Any] = {}
    with start_view(library) as server:
        address = f"{server.address}runs/folder-1/images/"
        for name, query in (
            ("opened", ""),
            ("first", ""),
            ("middle", f"?page={middle}"),
            ("by_name", f"?sort=name&page={middle}"),
            ("of_class", "?name=bus&page=2"),
            ("cell", "?real=person&predicted=car"),
            ("point", "?curve=car&score=0.5&what=fp"),
            ("one", f"{rows // 2}/"),
            ("thumbnail", f"{rows // 2}/small"),
        ):
            started = time.perf_counter()
            page = requests.get(address + query, timeout=600)
            page.raise_for_status()
            found[name] = time.perf_counter() - started
            if name == "opened":
                found["held_mib"] = resident(os.getpid())[0] / 2**20
    return found


@dataclass(frozen=True)
class Step:
    """A step: what it does, what it leaves, and the steps before it.

    Attributes:
        made: it is no measurement, and not done again where its result is there.
    """

    run: Callable[[Path, int], dict[str, Any] | None]
    out: str
    needs: tuple[str, ...] = ()
    made: bool = False


STEPS = {
    "make": Step(make, "raw", made=True),
    "prepare": Step(prepare, "prepared", ("make",)),
    "grow": Step(grow, "grown", ("prepare",), made=True),
    "split": Step(split, "none", ("grow",)),
    "predict": Step(predict, "other", ("grow",), made=True),
    "evaluate": Step(evaluate, "evaluation", ("predict",)),
    "evaluate_other": Step(evaluate_other, "evaluation_other", ("predict",), made=True),
    "intervals": Step(intervals, "none", ("evaluate_other",)),
    "coco": Step(to_coco, "coco.json", ("grow",)),
    "view": Step(view, "none", ("evaluate",)),
    "yolo": Step(to_yolo, "yolo", ("grow",)),
}


if __name__ == "__main__":
    sys.exit(main())
