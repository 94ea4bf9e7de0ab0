"""Write a data set in every format of images, read each back, and compare object by object.

    python scripts/check_formats.py FOLDER [--masks] [--peer PYTHON ...] [--keep NEW_FOLDER]

With ``--masks`` outlines are first turned into the masks that they cover. ``--peer`` names the
Python of an environment in which datumaro, label-studio-sdk, labelme or supervisely is installed:
its own reader then reads what was written (``scripts/format_peers.py``), and class and box of every
object are compared. Exits with 1 where an object is missing or not what it was.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from segtrack.base import rle
from segtrack.convert import FORMATS, input_of, named
from segtrack.convert.fitting import Losses, fitted, rle_of
from segtrack.convert.images import image_material
from segtrack.convert.material import Material, Picture
from segtrack.convert.places import Out
from segtrack.dataset import SOURCES, Dataset, prepare
from segtrack.settings import SplitFractions

PEERS = Path(__file__).with_name("format_peers.py")
NO_READER = 3  # its exit code where none of the environment's programs reads a format
NEAR = 1.5  # px that a peer's box may differ: Supervisely cuts to whole pixels
Objects = dict[str, list[tuple[str, bytes]]]


def main() -> int:
    """Print what was found for each format."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--masks", action="store_true", help="turn outlines into masks first")
    parser.add_argument("--peer", type=Path, action="append", default=[])
    parser.add_argument("--keep", type=Path, help="a new folder for what is written")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        home = options.keep or Path(scratch)
        given = read(options.folder, home / "given")
        material = material_of(given, options.masks)
        before = objects(given, material)
        print(f"{options.folder}: {sum(map(len, before.values()))} objects")
        good = True
        for name in (name for name, form in FORMATS.items() if not form.tracks):
            losses = Losses()
            out = home / name
            out.mkdir()
            form = FORMATS[name]
            form.write(fitted(material, form.holds, losses), Out(out, False, "copy", losses))
            dataset = read(out, home / f"{name}-read", form.reads)
            good &= compare(name, before, objects(dataset, material_of(dataset, False)))
            for line in losses.lines(form.title):
                print(f"    {line}")
            for python in options.peer:
                good &= ask(python, name, out, dataset)
    return 0 if good else 1


def read(folder: Path, place: Path, source: str = "") -> Dataset:
    """A data set, prepared in ``place``."""
    found = named(folder, source) if source else input_of(folder, False)
    known = dict(word.partition("=")[::2] for word in found.words)
    settings: Any = SOURCES.get(known["dataset"]).settings(
        path=known["dataset.path"].strip('"'),
        splits=SplitFractions(train=1.0, val=0.0, test=0.0, pool=0.0),
    )
    place.mkdir(parents=True)
    prepare(settings, 0, place, lambda name, value, step=0: None, place.with_suffix(".cache"))
    return Dataset.load(place)


def material_of(dataset: Dataset, masks: bool) -> Material:
    """Its material, with masks in place of outlines where that is asked for."""

    def masked(picture: Picture) -> Picture:
        things = []
        for thing in picture.things:
            counts = thing.rle or rle_of(thing.polygons, picture.height, picture.width)
            x, y, u, v = rle.mask_box(rle.run_lengths(counts), picture.height)
            box = (float(x), float(y), float(u), float(v))
            things.append(replace(thing, rle=counts, polygons=(), bbox_xyxy=box))
        return picture.having(tuple(things))

    material = image_material(dataset)
    return material.mapped(masked) if masks else material


def objects(dataset: Dataset, material: Material) -> Objects:
    """By digest of the image class and RLE of every object but crowds, which few formats have."""
    rows = (row for row, _ in dataset.iter_labelled())
    return {
        row["sha256"].hex(): [
            (
                material.names[thing.class_id],
                thing.rle or rle_of(thing.polygons, picture.height, picture.width),
            )
            for thing in picture.things
            if not thing.crowd
        ]
        for row, picture in zip(rows, material.pictures(), strict=True)
    }


def compare(name: str, before: Objects, after: Objects) -> bool:
    """Print how near the objects of two data sets are, one by one; whether all are there."""
    found = [pair for key, ones in before.items() for pair in pairs(ones, after.get(key, []))]
    ious = np.array([iou for iou, _ in found])
    missing = int((ious == 0).sum())
    more = sum(map(len, after.values())) - (len(found) - missing)
    print(
        f"{name:12} {len(found)} objects: {missing} missing, {more} more, "
        f"{sum(same for _, same in found)} equal; IoU least {ious.min():.4f}, median "
        f"{np.median(ious):.4f}, {int((ious < 0.99).sum())} below .99"
    )
    return not missing and not more


def pairs(
    before: list[tuple[str, bytes]], after: list[tuple[str, bytes]]
) -> Iterator[tuple[float, bool]]:
    """For each object its IoU with the nearest of its class that is left, and whether it is it."""
    from pycocotools import mask as coco

    left = list(after)
    for label, counts in before:
        same = [one for one in left if one[0] == label]
        if not same:
            yield 0.0, False
            continue
        size = [1, int(rle.run_lengths(counts).sum())]  # whatever makes as many pixels
        masks = [{"size": size, "counts": one} for one in (counts, *(c for _, c in same))]
        ious = coco.iou(masks[:1], masks[1:], [0] * len(same))[0]
        best = same[int(np.argmax(ious))]
        left.remove(best)
        yield float(ious.max()), best[1] == counts


def ask(python: Path, name: str, folder: Path, dataset: Dataset) -> bool:
    """What another program reads in ``folder``, beside what segtrack reads."""
    words = [str(python), str(PEERS), name, str(folder)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode == NO_READER:
        return True
    if done.returncode:
        print(f"    {python}: {' '.join(done.stderr.strip().splitlines()[-1:])}")
        return False
    theirs = json.loads(done.stdout.splitlines()[-1])
    left: dict[tuple[str, str], list[list[float]]] = defaultdict(list)
    for stem, label, *box in theirs["objects"]:
        left[stem, label].append(box)
    count = far = 0
    for row, rows in dataset.iter_labelled():
        for one in rows:
            count += 1
            box = [one["x"], one["y"], one["x"] + one["w"], one["y"] + one["h"]]
            same = left[Path(row["file_name"]).stem, dataset.names[one["class_id"]]]
            near = min(same, key=lambda other: distance(box, other), default=None)
            if near is None or distance(box, near) > NEAR:
                far += 1
            else:
                same.remove(near)
    more = sum(map(len, left.values())) - far
    reader = theirs["reader"]
    print(f"    {reader} reads {len(theirs['objects'])} of {count} objects; {far} differ")
    return not far and not more


def distance(a: list[float], b: list[float]) -> float:
    """Of the corners of two boxes, px."""
    return max(abs(x - y) for x, y in zip(a, b, strict=True))


if __name__ == "__main__":
    sys.exit(main())
