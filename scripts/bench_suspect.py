"""How well planted label errors are found, by kind, beside cleanlab's box scores.

    python scripts/bench_suspect.py [DATA[:JUDGE] ...] [--rate .04] [--seeds 0 1 2] [--out FOLDER]

DATA is simulator, coco128, coco100 or cityscapes (default: all; but for the first they lie in
$SEGTRACK_DATA), JUDGE folds (networks trained on the other parts, errors and all) or untrained
(weights as they come, suspect.folds=0); without it all that the data set has. Labels are taken as
right. Of those that cover 0.1% of their image or more, and less than 80% of its width and height, a
share ``--rate`` gets one error of each kind of the right column, no label two:

    drop       the label is gone                                            overlooked
    shift      moved by 25 to 50% of its width and height                   badly_located
    deform     a half is cut off, or it is 1.6 times as large               badly_located
    outline    only its four outermost points are left: its box stays       badly_located
    swap       another class, drawn by how frequent it is                   swapped
    add        another image's label where no label is                      spurious
    duplicate  a second label, moved by 2 to 6%, drawn with other points    duplicate

Then ``stages=[prepare,suspect]`` runs on what came out. Each kind is scored by itself: labels with
errors of another kind are left out. Average precision of a ranking is the mean, over the planted
errors, of the precision down to where each was found, 0 where it was not; equal scores are passed
together. cleanlab's scores are those of the same predictions and of the labels' boxes: its own for
what it knows (overlooked, badly located, swapped), the lower of its two for labels where it knows
no such kind. It takes no prediction below .95 as evidence of an overlooked or a swapped object,
which small networks hardly reach, so it is also asked with lower thresholds (``--low``).

Each seed plants anew. Differences of average precision are those of the same plantings, with 95%
intervals over images (``base.statistics``: the jackknife without each image, and the spread of
plantings), each by itself.
"""

from __future__ import annotations

import argparse
import csv
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml
from bench_select import run
from pycocotools import mask as coco_mask

from segtrack.base.errors import SegtrackError, SettingsError
from segtrack.base.statistics import Estimate, Interval, compare
from segtrack.curation import KINDS, Facts, facts_of, pooled, suspicions
from segtrack.dataset import Dataset, annotations_of, images_of, read_pixels
from segtrack.evaluation import ImageBatch, image_batches
from segtrack.model import Predictions
from segtrack.pipeline import Runner
from segtrack.report import bar_chart, contact_sheet, save_figure, table_csv, table_text

SPLITS = ("train", "val", "test")
SMALLEST = 0.001  # of the image's area: a label that gets an error
LARGEST = 0.8  # of the image's width or height: likewise, so that there is room for errors
PLANTED = {
    "drop": "overlooked",
    "shift": "badly_located",
    "deform": "badly_located",
    "outline": "badly_located",
    "swap": "swapped",
    "add": "spurious",
    "duplicate": "duplicate",
}
METHODS = ("suspect", "boxes alone", "cleanlab", "cleanlab, low")
ANY = "any"  # one list of all objects, by the most suspect kind of each
Polygon = np.ndarray  # (n, 2), shares of the image
Row = tuple[int, Polygon]  # class and outline


@dataclass(frozen=True)
class Study:
    """One data set.

    Attributes:
        base: settings of the data set whose labels are taken as right.
        judges: settings of what judges it, by name.
        planted: further settings of the data set with errors.
    """

    base: tuple[str, ...]
    judges: Mapping[str, tuple[str, ...]]
    planted: tuple[str, ...] = ()


_ROAD = (
    "{person: [person, rider], car: [car], bus: [bus], truck: [truck], bicycle: [bicycle], "
    "motorcycle: [motorcycle]}"
)


def studies(data: Path) -> dict[str, Study]:
    start = f"model.weights={data}/weights/yolov8n-seg.pt"
    small, large = ((f"trainer.imgsz={size}", f"model.imgsz={size}") for size in (320, 640))
    tuned = ("suspect.folds=2", "trainer.lr0=0.0003", "trainer.freeze=10")
    streets = ("dataset.train=80", "dataset.val=10", "dataset.test=10", "dataset.pool=0")
    return {
        "simulator": Study(
            ("dataset=traffic_sim", "dataset.seed=41000", "dataset.video_seconds=0.8", *streets),
            {
                "folds": ("model.weights=shipped", "trainer.epochs=1", *tuned, *small),
                "untrained": ("model.weights=shipped", "suspect.folds=0", *small),
            },
        ),
        # COCO's weights learnt these images, with the right labels.
        "coco128": Study(
            ("dataset=yolo", f"dataset.path={data}/images/coco128-seg"),
            {
                "folds": (start, "trainer.epochs=2", *tuned, *small),
                "untrained": (start, "suspect.folds=0", *small),
            },
        ),
        "coco100": Study(
            ("dataset=yolo", f"dataset.path={data}/images/coco100-val"),
            {"untrained": (start, "suspect.folds=0", *large)},
        ),
        "cityscapes": Study(
            (
                "dataset=yolo",
                f"dataset.path={data}/images/cityscapes640",
                f"dataset.classes={_ROAD}",
            ),
            {
                "folds": (start, "trainer.epochs=2", *tuned, *small),
                "untrained": (start, "suspect.folds=0", *small),
                "untrained, 640 px": (start, "suspect.folds=0", *large),
            },
            ("dataset.group_by='_([a-z]+)_'",),  # the city
        ),
    }


@dataclass(frozen=True)
class Error:
    """A planted one: in which file (its stem), the wrong label, and what it was (or None)."""

    planted: str
    stem: str
    label: Row | None
    before: Row | None


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    data = Path(os.environ.get("SEGTRACK_DATA", "../shared/data")).absolute()
    known = studies(data)
    parser.add_argument("data", metavar="DATA", nargs="*", default=list(known))
    parser.add_argument("--rate", type=float, default=0.04, help="of each kind")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of plantings")
    parser.add_argument("--work", type=Path, default=Path("outputs/label_errors"))
    parser.add_argument("--out", type=Path, default=Path("experiments/label_errors"))
    parser.add_argument("--low", type=float, default=0.3, help="cleanlab's thresholds, once more")
    parser.add_argument("--set", nargs="*", default=[], help="more settings of every run")
    options = parser.parse_args()
    try:
        for name in options.data:
            data_name, _, judge = name.partition(":")
            if data_name not in known or (judge and judge not in known[data_name].judges):
                there = (f"{one}:{each}" for one in known for each in known[one].judges)
                raise SettingsError(f"{name}: there are {', '.join(there)}")
            study(data_name, known[data_name], judge, options)
    except SegtrackError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def study(name: str, one: Study, only: str, options: argparse.Namespace) -> None:
    """Plant, run, score and write the tables and the figure of one data set."""
    right = run(["stages=[prepare]", *one.base, *options.set]).get("prepare", {}).value
    judged: dict[str, list[Scored]] = {judge: [] for judge in one.judges if only in ("", judge)}
    gallery: Path | None = None
    for seed in options.seeds:
        folder = (options.work / f"{name}_{options.rate:g}_{seed}").absolute()
        errors = plant(right, folder, options.rate, seed)
        for judge, found in judged.items():
            words = ["stages=[prepare,suspect]", "dataset=yolo", f"dataset.path={folder}"]
            words += ["trainer=quick", *one.planted, *one.judges[judge], *options.set]
            runner = run(words)
            dataset: Dataset = runner.get("prepare", {}).value
            folds = runner.get("folds", {}).value
            every = [{"fold": fold} for fold in range(folds.count)]
            predictions = [runner.get("fold_predict", of).value for of in every]
            found.append(scored(dataset, predictions, errors, runner, options.low))
            gallery = gallery or runner.get("suspect", {}).folder / "gallery"
    tables = {judge: table(found) for judge, found in judged.items()}
    if {"folds", "untrained"} <= judged.keys():
        _against(tables["folds"], judged)
    rows = [{"judge": judge, **row} for judge, found in tables.items() for row in found]
    images = [
        {"judge": judge, **row} for judge, found in judged.items() for row in _image_table(found)
    ]
    print(f"\n{name}\n{table_text(rows, 3)}\n{table_text(images, 3)}", flush=True)
    options.out.mkdir(parents=True, exist_ok=True)
    if name == "simulator" and gallery:  # the others' pictures are not ours to pass on
        _picture(gallery, options.out / f"{name}.jpg")
    (options.out / f"{name}.images.csv").write_text(table_csv(images), encoding="utf-8")
    save_figure(_figure(name, tables), options.out / f"{name}.png", rows)
    _together(options.out)


def _together(folder: Path) -> None:
    """The rows of all data sets that were scored in one file, ``scores.csv``."""
    found: list[dict[str, Any]] = []
    for name in studies(Path()):
        if (folder / f"{name}.csv").is_file():
            with (folder / f"{name}.csv").open(newline="") as file:
                for row in csv.DictReader(file):
                    found.append({"data": name, **{k: _number(v) for k, v in row.items()}})
    (folder / "scores.csv").write_text(table_csv(found), encoding="utf-8")


def _number(text: str) -> str | float:
    try:
        return float(text)
    except ValueError:
        return text


def _figure(name: str, tables: Mapping[str, Sequence[dict[str, Any]]]) -> Any:
    """AP by kind: ours by each judge, the others by the first of them."""
    first = next(iter(tables))
    series = {f"suspect, {judge}": (judge, METHODS[0]) for judge in tables}
    series |= {method: (first, method) for method in ("boxes alone", "cleanlab, low")}
    bars = {
        label: [float(row[f"AP {method}"]) for row in tables[judge]]
        for label, (judge, method) in series.items()
    }
    ends = {
        label: [(row[f"AP {method} low"], row[f"AP {method} high"]) for row in tables[judge]]
        for label, (judge, method) in series.items()
    }
    labels = [f"{row['kind'].replace('_', ' ')}\n({row['planted']:.0f})" for row in tables[first]]
    return bar_chart(
        f"{name}: planted label errors found",
        "kind of error (how many were planted); 95% intervals over images",
        "average precision",
        labels,
        bars,
        ends,
    )


def _picture(gallery: Path, target: Path) -> None:
    """The worst objects on one sheet of moderate size."""
    files = sorted(path for path in gallery.iterdir() if path.name != "sheet.jpg")
    pictures = [picture for path in files if (picture := read_pixels(path)) is not None]
    coded = cv2.imencode(".jpg", contact_sheet(pictures, 2, 560), [cv2.IMWRITE_JPEG_QUALITY, 80])
    target.write_bytes(coded[1].tobytes())


# Planting


def plant(
    dataset: Dataset, folder: Path, rate: float, seed: int, splits: Sequence[str] = SPLITS
) -> list[Error]:
    """Write the data set with errors as a YOLO folder; the same call writes the same."""
    rng = np.random.default_rng(seed)
    shutil.rmtree(folder, ignore_errors=True)
    tree = dataset.yolo_yaml.parent
    labels: dict[tuple[str, str], list[Row]] = {}
    for split in splits:
        for kind in ("images", "labels"):
            (folder / kind / split).mkdir(parents=True)
        for image in sorted((tree / "images" / split).iterdir()):
            (folder / "images" / split / image.name).symlink_to(image.resolve())
            rows = _read(tree / "labels" / split / f"{image.stem}.txt")
            labels[split, image.stem] = rows
    errors = _errors(labels, rate, rng)
    for (split, stem), rows in labels.items():
        text = "".join(
            f"{class_id} " + " ".join(f"{v:.6f}" for v in outline.reshape(-1).tolist()) + "\n"
            for class_id, outline in rows
        )
        (folder / "labels" / split / f"{stem}.txt").write_text(text)
    described: dict[str, Any] = {
        split: f"images/{split}" for split in splits if any(s == split for s, _ in labels)
    }
    described["names"] = dict(enumerate(dataset.names))
    (folder / "data.yaml").write_text(yaml.safe_dump(described, sort_keys=False))
    return errors


def _errors(
    labels: dict[tuple[str, str], list[Row]], rate: float, rng: np.random.Generator
) -> list[Error]:
    """Change ``labels`` in place."""
    places = [
        (key, i)
        for key, rows in labels.items()
        for i, (_, outline) in enumerate(rows)
        if _area(outline) >= SMALLEST and np.ptp(outline, axis=0).max() < LARGEST
    ]
    classes = np.array([labels[key][i][0] for key, i in places])
    drawn = rng.permutation(len(places))
    count = round(rate * len(places))
    third = count // 3
    parts = {"shift": third, "deform": third, "outline": count - 2 * third}
    errors: list[Error] = []
    gone: list[tuple[tuple[str, str], int]] = []
    added: list[tuple[tuple[str, str], Row]] = []
    used = 0
    for planted in PLANTED:
        for _ in range(parts.get(planted, count)):
            key, i = places[drawn[used]]
            used += 1
            before = labels[key][i]
            label: Row | None = None
            if planted == "drop":
                gone.append((key, i))
            elif planted == "add":
                while label is None:  # until there is an image with room for it
                    key = list(labels)[int(rng.integers(len(labels)))]
                    label = _elsewhere(before, labels[key], rng)
                added.append((key, label))
                errors.append(Error(planted, key[1], label, None))
                continue
            elif planted == "duplicate":
                label = before[0], _jittered(before[1], rng)
                added.append((key, label))
            else:
                label = _spoilt(planted, before, classes, rng)
                labels[key][i] = label
            errors.append(Error(planted, key[1], label, before))
    for key, i in sorted(gone, key=lambda one: -one[1]):
        del labels[key][i]
    for key, label in added:
        labels[key].append(label)
    return errors


def _spoilt(planted: str, before: Row, classes: np.ndarray, rng: np.random.Generator) -> Row:
    class_id, outline = before
    if planted == "swap":
        others = classes[classes != class_id]
        return int(rng.choice(others)), outline
    size, middle = np.ptp(outline, axis=0), (outline.max(0) + outline.min(0)) / 2
    if planted == "shift":
        inwards = np.where(middle > 0.5, -1.0, 1.0)  # so that the image's border cuts nothing off
        moved = outline + inwards * rng.uniform(0.25, 0.5, 2) * size * rng.permutation([1.0, 0.4])
        return class_id, np.clip(moved, 0, 1)
    if planted == "outline":
        ends = {int(pick(outline[:, axis])) for axis in (0, 1) for pick in (np.argmin, np.argmax)}
        left = outline[sorted(ends)]
        return class_id, left if len(left) > 2 else np.vstack([left, left.mean(0) + 0.2 * size])
    if rng.uniform() < 0.5:
        return class_id, np.clip(middle + 1.6 * (outline - middle), 0, 1)
    axis = int(size[1] > size[0])  # across the longer side
    half = outline.copy()
    keep = np.minimum if rng.uniform() < 0.5 else np.maximum
    half[:, axis] = keep(half[:, axis], middle[axis])
    return class_id, half


def _jittered(outline: Polygon, rng: np.random.Generator) -> Polygon:
    size = np.ptp(outline, axis=0)
    moved = outline + rng.choice([-1.0, 1.0], 2) * rng.uniform(0.02, 0.06, 2) * size
    return np.asarray(np.clip(moved + rng.normal(0, 0.01, outline.shape) * size, 0, 1))


def _elsewhere(row: Row, there: Sequence[Row], rng: np.random.Generator) -> Row | None:
    """The label where it touches no box of ``there``; None where no such place is found."""
    class_id, outline = row
    size = np.ptp(outline, axis=0)
    boxes = np.array([[*o.min(0), *o.max(0)] for _, o in there]).reshape(-1, 4)
    for _ in range(200):
        corner = rng.uniform(0, np.maximum(1 - size, 1e-6))
        wide = np.minimum(boxes[:, 2], corner[0] + size[0]) - np.maximum(boxes[:, 0], corner[0])
        high = np.minimum(boxes[:, 3], corner[1] + size[1]) - np.maximum(boxes[:, 1], corner[1])
        if not ((wide > 0) & (high > 0)).any():
            return class_id, outline - outline.min(0) + corner
    return None


def _read(path: Path) -> list[Row]:
    rows = [line.split() for line in path.read_text().splitlines()]
    return [(int(row[0]), np.array(row[1:], float).reshape(-1, 2)) for row in rows]


def _area(outline: Polygon) -> float:
    x, y = outline.T
    return abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2


# Scoring


@dataclass(frozen=True)
class Truth:
    """What was planted, by position.

    Attributes:
        planted: of each label, the kind of its error (``KINDS``) or "".
        partner: of the right label of a planted duplicate, the position of the wrong one, else -1.
        dropped: of each prediction, which of the dropped objects it shows (IoU .5), -1 for none.
        drops: of each dropped object the id of its image.
        image: of each image, whether anything in it is wrong.
    """

    planted: np.ndarray
    partner: np.ndarray
    dropped: np.ndarray
    drops: np.ndarray
    image: np.ndarray


@dataclass(frozen=True)
class Ranking:
    """Candidates for errors of one kind, and the errors.

    Attributes:
        value: (N,), the most suspect highest.
        right: (N,), which error a candidate finds, -1 for none.
        owner: (N,), position of its image. errors: (E,), positions of the errors' images.
        images: how many there are.
    """

    value: np.ndarray
    right: np.ndarray
    owner: np.ndarray
    errors: np.ndarray
    images: int

    def ap(self) -> float:
        return average_precision(self.value, self.right, len(self.errors))

    def ap_without(self) -> np.ndarray:
        """(images,), with each image left out."""
        listed = self.value > 0  # what is not suspect at all is not found
        value, right, owner = (one[listed] for one in (self.value, self.right, self.owner))
        total = len(self.errors) - np.bincount(self.errors, minlength=self.images)
        return np.array(
            [
                average_precision(value[owner != i], right[owner != i], int(total[i]))
                for i in range(self.images)
            ]
        )


@dataclass(frozen=True)
class Scored:
    """One planting as one judge sees it: rankings by kind and method, and a row for each ranking of
    the images."""

    rankings: dict[str, dict[str, Ranking]]
    images: list[dict[str, Any]]


def scored(
    dataset: Dataset,
    predictions: Sequence[Predictions],
    errors: Sequence[Error],
    runner: Runner,
    low: float,
) -> Scored:
    """Rank by each method."""
    floor = runner.settings.suspect.conf_floor
    masks = facts_of(_batches(dataset, predictions, floor))
    boxes = facts_of(_boxed(_batches(dataset, predictions, floor)))
    truth = _truth(dataset, masks, errors)
    found = {
        "suspect": suspicions(masks).by_kind,
        "boxes alone": suspicions(boxes).by_kind,
        "cleanlab": _cleanlab(masks, len(dataset.names), None),
        "cleanlab, low": _cleanlab(masks, len(dataset.names), low),
    }
    rankings = {
        kind: {method: _ranking(kind, by_kind, masks, truth) for method, by_kind in found.items()}
        for kind in (*KINDS, ANY)
    }
    return Scored(rankings, _image_rows(masks, found, truth))


def _ranking(kind: str, by_kind: Mapping[str, np.ndarray], facts: Facts, truth: Truth) -> Ranking:
    right, owners = _right(kind, facts, truth)
    of_label, of_prediction = facts.labelled.image_id, facts.predicted.image_id
    if kind == ANY:
        value = np.concatenate([_worst(by_kind), by_kind["overlooked"]])
        owner = np.concatenate([of_label, of_prediction])
    elif kind == "overlooked":
        value, owner = by_kind[kind], of_prediction
    else:
        left = (truth.planted == "") | (right >= 0)
        value, owner, right = by_kind[kind][left], of_label[left], right[left]
    place = np.sort(facts.image_id)
    at, errors = np.searchsorted(place, owner), np.searchsorted(place, owners)
    return Ranking(value, right, at, errors, len(place))


def table(found: Sequence[Scored]) -> list[dict[str, Any]]:
    """A row for each kind: means over plantings, and differences with intervals over images."""
    rows = []
    for kind in (*KINDS, ANY):
        by_method = {method: [one.rankings[kind][method] for one in found] for method in METHODS}
        first = by_method[METHODS[0]]
        planted = float(np.mean([len(one.errors) for one in first]))
        candidates = float(np.mean([len(one.value) for one in first]))
        row: dict[str, Any] = {"kind": kind, "plantings": len(found), "planted": planted}
        row |= {"candidates": candidates, "chance": planted / max(candidates, 1)}
        estimates = {method: _estimate(rankings) for method, rankings in by_method.items()}
        nothing = _less(estimates[METHODS[0]], estimates[METHODS[0]])
        for method, rankings in by_method.items():
            row |= _ends(f"AP {method}", compare(nothing, estimates[method]))
            for k, at in (("20", 20), ("k", None)):
                values = [
                    precision_at(one.value, one.right, at or len(one.errors)) for one in rankings
                ]
                row[f"P@{k} {method}"] = float(np.mean(values))
        for method in METHODS[1:]:
            gap = compare(nothing, _less(estimates[METHODS[0]], estimates[method]))
            row |= _ends(f"suspect - {method}", gap)
        rows.append(row)
    return rows


def _against(rows: list[dict[str, Any]], judged: Mapping[str, Sequence[Scored]]) -> None:
    """Adds to the rows of the folds how they differ from weights that nothing was taught."""
    for row in rows:
        both = (
            _estimate([one.rankings[row["kind"]]["suspect"] for one in judged[judge]])
            for judge in ("folds", "untrained")
        )
        gap = _less(*both)
        row |= _ends("folds - untrained", compare(_less(gap, gap), gap))


def _estimate(rankings: Sequence[Ranking]) -> Estimate:
    """Of one method, plantings as seeds and images as units."""
    images = rankings[0].images
    size = np.sum([np.bincount(one.errors, minlength=images) for one in rankings], 0)
    whole = np.array([one.ap() for one in rankings])
    without = np.array([one.ap_without() for one in rankings])
    unknown = np.full_like(without, np.nan)
    names = tuple(map(str, range(images)))
    return Estimate(names, size.astype(float), whole, without, unknown)


def _less(a: Estimate, b: Estimate) -> Estimate:
    """The difference of two that were scored on the same plantings."""
    return replace(a, whole=a.whole - b.whole, without=a.without - b.without)


def _ends(name: str, gap: Interval) -> dict[str, float]:
    return {name: gap.difference, f"{name} low": gap.low, f"{name} high": gap.high}


def _image_table(found: Sequence[Scored]) -> list[dict[str, Any]]:
    """Means over plantings."""
    rows = []
    for each in zip(*(one.images for one in found), strict=True):
        numbers = {key: float(np.mean([row[key] for row in each])) for key in list(each[0])[1:]}
        rows.append({"images by": each[0]["images by"], "plantings": len(each), **numbers})
    return rows


def _image_rows(
    facts: Facts, found: dict[str, dict[str, np.ndarray]], truth: Truth
) -> list[dict[str, Any]]:
    """How well images with any error are ranked, by the pooled worst of their objects."""
    place = {one: i for i, one in enumerate(facts.image_id.tolist())}
    of_label = np.array([place[i] for i in facts.labelled.image_id.tolist()], np.int64)
    of_prediction = np.array([place[i] for i in facts.predicted.image_id.tolist()], np.int64)
    rows = []
    for method, by_kind in found.items():
        every = np.concatenate([_worst(by_kind), by_kind["overlooked"]])
        listed = every >= 0.05
        owner = np.concatenate([of_label, of_prediction])[listed]
        score = pooled(every[listed], owner, len(place))
        positive = np.where(truth.image, np.arange(len(place)), -1)
        count = int(truth.image.sum())
        rows.append(
            {
                "images by": method,
                "images": len(place),
                "with an error": count,
                "AP": average_precision(score, positive, count),
                "P@20": precision_at(score, positive, 20),
            }
        )
    return rows


def _worst(by_kind: Mapping[str, np.ndarray]) -> np.ndarray:
    """Of each label, whatever the kind."""
    return np.asarray(np.max([by_kind[kind] for kind in KINDS[1:]], axis=0))


def _right(kind: str, facts: Facts, truth: Truth) -> tuple[np.ndarray, np.ndarray]:
    """Of each candidate which planted error it finds, -1 for none; of each error its image's id."""
    if kind == "overlooked":
        return truth.dropped, truth.drops
    wrong = truth.planted != "" if kind == ANY else truth.planted == kind
    right = np.where(wrong, np.arange(len(wrong)), -1)
    if kind in ("duplicate", ANY):  # the one label of two or the other
        right = np.where(truth.partner >= 0, truth.partner, right)
    owners = facts.labelled.image_id[wrong]
    if kind != ANY:
        return right, owners
    dropped = np.where(truth.dropped >= 0, len(right) + truth.dropped, -1)
    return np.concatenate([right, dropped]), np.concatenate([owners, truth.drops])


def average_precision(value: np.ndarray, right: np.ndarray, total: int) -> float:
    """Mean over all planted errors of the precision down to where each was found first.

    Args:
        value: (N,), the most suspect highest.
        right: (N,), which error a candidate finds, -1 for none. total: how many there are.
    """
    if not total or not len(value):
        return 0.0 if total else float("nan")
    order = np.argsort(-value, kind="stable")
    first = np.zeros(len(order), bool)
    hits, at = np.unique(right[order], return_index=True)
    first[at[hits >= 0]] = True
    again = (right[order] >= 0) & ~first  # neither a find nor a false alarm
    found, seen = np.cumsum(first), np.cumsum(~again)
    last = np.append(np.flatnonzero(np.diff(value[order])), len(order) - 1)  # of equal values
    step = np.diff(found[last], prepend=0)
    known = value[order][last] > 0  # what is not suspect at all is not found
    return float((step * found[last] / np.maximum(seen[last], 1))[known].sum() / total)


def precision_at(value: np.ndarray, right: np.ndarray, k: int) -> float:
    """Share of the first ``k`` that find an error; of equal values at its end, as on average."""
    if not k or not len(value):
        return float("nan")
    k = min(k, len(value))
    edge = -np.sort(-value)[k - 1]
    sure, tied = value > edge, value == edge
    hits = float((right[sure] >= 0).sum())
    return (hits + (k - int(sure.sum())) * float((right[tied] >= 0).mean())) / k


def _batches(
    dataset: Dataset, predictions: Sequence[Predictions], floor: float
) -> Iterator[ImageBatch]:
    rows = [
        {"id": r.image_id, "file_name": r.file_name, "width": r.width, "height": r.height}
        for r in images_of(dataset, SPLITS)
    ]
    truth = annotations_of(dataset, SPLITS)
    frames = sorted((f for one in predictions for f in one.frames()), key=lambda f: f.frame)
    return image_batches(rows, truth, frames, floor, 10_000)


def _boxed(batches: Iterator[ImageBatch]) -> Iterator[ImageBatch]:
    """The same with masks that are boxes, those of the masks."""
    for batch in batches:
        size = {row["id"]: (row["height"], row["width"]) for row in batch.images}
        truth = [
            {
                **row,
                "segmentation": _rectangle(
                    coco_mask.toBbox(row["segmentation"]), size[row["image_id"]]
                ),
            }
            for row in batch.truth
        ]
        detections = []
        for one in batch.detections:
            xywh = one.bbox_xyxy.astype(float)
            xywh[:, 2:] -= xywh[:, :2]
            rle = [_rectangle(box, size[one.frame])["counts"] for box in xywh]
            detections.append(replace(one, rle=rle))
        yield replace(batch, truth=truth, detections=detections)


def _rectangle(xywh: np.ndarray, size: tuple[int, int]) -> dict[str, Any]:
    x, y, w, h = (float(v) for v in xywh)
    ring = [x, y, x + w, y, x + w, y + h, x, y + h]
    return dict(coco_mask.merge(coco_mask.frPyObjects([ring], *size)))


def _truth(dataset: Dataset, facts: Facts, errors: Sequence[Error]) -> Truth:
    rows = list(images_of(dataset, SPLITS))
    ids = {Path(row.file_name).stem: row for row in rows}
    labelled, predicted = facts.labelled, facts.predicted
    planted = np.full(len(labelled), "", object)
    partner = np.full(len(labelled), -1, np.int64)
    dropped = np.full(len(predicted), -1, np.int64)
    wrong: set[int] = set()
    drops: list[int] = []
    for error in errors:
        row = ids[error.stem]
        size = (row.height, row.width)
        kind = PLANTED[error.planted]
        wrong.add(row.image_id)
        if error.label is None:
            assert error.before is not None
            target = _mask_of(error.before[1], size)
            here = np.flatnonzero(predicted.image_id == row.image_id)
            masks = [{"size": size, "counts": predicted.rle[i]} for i in here.tolist()]
            iou = coco_mask.iou(masks, [target], [0])[:, 0] if masks else np.zeros(0)
            dropped[here[iou >= 0.5]] = len(drops)
            drops.append(row.image_id)
            continue
        at = _position(labelled, row.image_id, error.label, size)
        if at is None:  # cleaning took it away, such as a half that is too small
            continue
        planted[at] = kind
        if kind == "duplicate" and error.before is not None:
            twin = _position(labelled, row.image_id, error.before, size, but=at)
            if twin is not None:
                partner[twin] = at
    image = np.array([one in wrong for one in facts.image_id.tolist()])
    return Truth(planted, partner, dropped, np.array(drops, np.int64), image)


def _position(
    labelled: Any, image_id: int, label: Row, size: tuple[int, int], but: int = -1
) -> int | None:
    """Which label this is: of its class, with its box to 1.5 px."""
    scale = np.array([size[1], size[0]])
    box = np.concatenate([label[1].min(0) * scale, label[1].max(0) * scale])
    here = (labelled.image_id == image_id) & (labelled.class_id == label[0])
    here &= np.arange(len(labelled)) != but
    found = np.flatnonzero(here)
    gaps = np.abs(labelled.bbox_xyxy[found] - box).max(1) if len(found) else np.zeros(0)
    return int(found[gaps.argmin()]) if len(gaps) and gaps.min() <= 1.5 else None


def _mask_of(outline: Polygon, size: tuple[int, int]) -> dict[str, Any]:
    ring = (outline * [size[1], size[0]]).reshape(-1).tolist()
    return dict(coco_mask.merge(coco_mask.frPyObjects([ring], *size)))


def _cleanlab(facts: Facts, classes: int, threshold: float | None) -> dict[str, np.ndarray]:
    """cleanlab's scores as suspicions, by kind, of the same labels and predictions."""
    try:
        from cleanlab.object_detection import rank
    except ImportError as error:
        raise SettingsError("cleanlab is not installed: pip install 'segtrack[peers]'") from error
    labelled, predicted = facts.labelled, facts.predicted
    rows = np.concatenate([predicted.bbox_xyxy, predicted.score[:, None]], 1)
    labels, predictions, order = [], [], []
    for image in facts.image_id.tolist():
        mine = labelled.image_id == image
        labels.append({"bboxes": labelled.bbox_xyxy[mine], "labels": labelled.class_id[mine]})
        here = np.flatnonzero(predicted.image_id == image)
        by_class = [here[predicted.class_id[here] == k] for k in range(classes)]
        predictions.append([rows[one] for one in by_class])
        order += [one for part in by_class for one in part.tolist()]
    known = {"labels": labels, "predictions": predictions}
    high = {} if threshold is None else {"high_probability_threshold": threshold}
    low = {} if threshold is None else {"low_probability_threshold": threshold}
    overlooked = np.concatenate(rank.compute_overlooked_box_scores(**known, **high))
    badloc = np.concatenate(rank.compute_badloc_box_scores(**known, **low))
    swap = np.concatenate(rank.compute_swap_box_scores(**known, **high))
    again = np.zeros(len(predicted))
    again[order] = 1 - np.where(np.isnan(overlooked), 1.0, overlooked)
    other = 1 - np.minimum(badloc, swap)
    return {
        "overlooked": again,
        "badly_located": 1 - badloc,
        "swapped": 1 - swap,
        "spurious": other,
        "duplicate": other,
    }


if __name__ == "__main__":
    sys.exit(main())
