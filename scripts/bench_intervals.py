"""How often the intervals of differences are wrong, in worlds where the truth is known.

    python scripts/bench_intervals.py [--worlds 600] [--json]
    python scripts/bench_intervals.py --kitti DIR [--draws 600] [--pairs A:B C:D] [--json]

Everything goes the product's own way: counts of sequences, estimates, comparison.

Made worlds: sequences of 6 to 11 chunks of 50 frames; b is better than a by 1 point of MOTA, the
difference has an SD of 2 points between chunks and of 0, .5, 1 or 2 points between sequences. A
miss is an interval that does not hold the 1 point. Then 9 and 20 cells that are equal: the share of
worlds in which a sweep says any difference at all, between any cells in HOTA, MOTA or IDF1; last
how often a cell that is better by 1 point, in all three, is told from the default: alone by MOTA,
among 20 cells by any of the three, and by MOTA. The old intervals stand beside: percentiles of a
bootstrap over chunks, or over sequences from 10 on.

With --kitti: DIR has gt/label_02/*.txt, a seqmap in gt (all label files without one) and
trackers/NAME/data/*.txt, all in KITTI's tracking layout. Cars are scored by KITTI's rules, each
tracker and sequence once. Then 4, 7 and 20 of the sequences with cars are drawn with replacement;
the truth of a pair of trackers is the difference over all. Pairs are trackers on the same detector:
those whose names begin alike, up to the first - or _ (YOLO-SORT and YOLO-OC-SORT); --pairs names
others. Where no two names do, all pairs are taken. A tracker that lacks a sequence, or whose files
cannot be read, is left out, with a line. --json prints only

    {"4": {"HOTA": {"miss": .., "width": ..}, "MOTA": .., "IDF1": ..}, "7": .., "20": ..}

miss: share of intervals without the truth, 0 to 1, over all draws and pairs; width: mean width of
the intervals in points (percent). A draw of one sequence only, over and over, has no interval: it
misses nothing and has no width. Exit code 2 where the data cannot be used.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from segtrack.base.errors import DataError, SegtrackError, SettingsError
from segtrack.base.progress import progress
from segtrack.base.statistics import Interval, compare
from segtrack.report import APART, Basis, Comparison, Setting, compare_settings, table_text
from segtrack.scoring import (
    ALPHAS,
    METRICS,
    PLAIN_FIELDS,
    Units,
    estimates,
    score_kit,
    summary,
)

DRAWN = (4, 7, 20)  # sequences
SPREADS = (0.0, 0.5, 1.0, 2.0)  # SD between sequences, points
CHUNK_SD, TRUE = 2.0, 1.0  # points
OBJECTS = 500  # of a chunk: 10 a frame
LIKE = 0.8  # of the noise is common to HOTA, MOTA and IDF1
CELLS = (9, 20)
Rows = list[dict[str, Any]]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kitti", type=Path, metavar="DIR", help="real trackers instead of worlds")
    parser.add_argument("--pairs", nargs="+", metavar="A:B", help="trackers to compare")
    parser.add_argument("--draws", type=int, default=600, help="of sequences (default 600)")
    parser.add_argument("--worlds", type=int, default=600, help="of each kind (default 600)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    if min(options.draws, options.worlds) < 1:
        parser.error("--draws and --worlds: 1 or more")
    random = np.random.default_rng(options.seed)
    try:
        if options.kitti is not None:
            rows = real(options.kitti, options.pairs, options.draws, random)
            found: dict[str, Any] = {}
            for row in rows:
                of = {"miss": row["miss"], "width": row["width"]}
                found.setdefault(str(row["sequences"]), {})[row["metric"]] = of
            tables = {"KITTI, cars": rows}
        else:
            tables = made(options.worlds, random)
            found = tables
    except SegtrackError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    if options.json:
        print(json.dumps(found))
    else:
        for title, rows in tables.items():
            print(f"\n{title}:\n{table_text(rows, digits=3)}")
    return 0


# Real trackers


def real(folder: Path, asked: list[str] | None, draws: int, random: np.random.Generator) -> Rows:
    """A row for each number of sequences and metric."""
    counts = scored(folder)
    pairs = paired(sorted(counts), asked)
    print(
        f"{len(pairs)} pairs of trackers: {', '.join(f'{a}:{b}' for a, b in pairs)}",
        file=sys.stderr,
    )
    tables = {name: counts[name] for name in {name for pair in pairs for name in pair}}
    truth = {name: summary(table.sum(axis=0)) for name, table in tables.items()}
    sequences = len(next(iter(tables.values())))
    rows: Rows = []
    for number in DRAWN:
        kept: dict[str, list[tuple[bool, float, bool, float]]] = {m: [] for m in METRICS}
        for _ in progress(range(draws), f"draws of {number}", draws, "draws"):
            drawn = random.integers(0, sequences, number)
            names = tuple(f"{i}#{place}" for place, i in enumerate(drawn.tolist()))
            cells = {n: estimates(Units(names, table[drawn])) for n, table in tables.items()}
            again = random.multinomial(number, np.full(number, 1 / number), 200)
            old = {n: summary(again @ table[drawn]) for n, table in tables.items()}
            for (a, b), metric in itertools.product(pairs, METRICS):
                right = float(truth[b][metric] - truth[a][metric])
                gap = compare(cells[a][metric], cells[b][metric])
                before = percentiles(old[b][metric] - old[a][metric])
                kept[metric].append((*_judged(gap, right), *_judged(before, right)))
        for metric, values in kept.items():
            miss, width, old_miss, old_width = np.array(values, float).T
            known = width[~np.isnan(width)]
            rows.append(
                {
                    "sequences": number,
                    "metric": metric,
                    "miss": float(miss.mean()),
                    "width": float(known.mean()) if len(known) else None,
                    "median width": float(np.median(known)) if len(known) else None,
                    "percentile miss": float(old_miss.mean()),
                    "percentile width": float(old_width.mean()),
                }
            )
    return rows


def scored(folder: Path) -> dict[str, np.ndarray]:
    """Counts (U, D) of the sequences with cars, by tracker.

    Raises:
        DataError: there is no ground truth, or less than two trackers can be read.
    """
    labels, trackers = folder / "gt" / "label_02", folder / "trackers"
    for needed in (labels, trackers):
        if not needed.is_dir():
            raise DataError(f"{needed}: no such folder; DIR has gt/label_02 and trackers/NAME/data")
    found: dict[str, np.ndarray] = {}
    with tempfile.TemporaryDirectory() as scratch:
        kit = Path(scratch)
        (kit / "label_02").symlink_to(labels.resolve())
        maps = [*sorted((folder / "gt").glob("*seqmap*")), *sorted(folder.glob("*seqmap*"))]
        for i, path in enumerate(path for path in maps if path.is_file()):
            (kit / f"evaluate_tracking.seqmap.{i}").symlink_to(path.resolve())
        for tracker in sorted(path for path in trackers.iterdir() if path.is_dir()):
            data = tracker / "data" if (tracker / "data").is_dir() else tracker
            try:
                scores = score_kit("kitti", kit, data, ["car"])
            except DataError as error:
                said = str(error).replace(scratch, str(folder / "gt"))
                print(f"{tracker.name} is left out: {said}", file=sys.stderr)
                continue
            units = Units(
                tuple(scores), np.stack([one.counts["box", "car"] for one in scores.values()])
            )
            found[tracker.name] = units.counts[units.objects > 0]
    sequences = len(next(iter(found.values()), ()))
    if len(found) < 2 or sequences < 2:
        raise DataError(
            f"{folder}: nothing to compare: {len(found)} trackers that can be read, and "
            f"{sequences} sequences with cars; two of each are the least"
        )
    return found


def paired(names: list[str], asked: list[str] | None) -> list[tuple[str, str]]:
    """Pairs of trackers.

    Raises:
        SettingsError: a pair that was asked for is not there.
    """
    if asked is None:
        every = list(itertools.combinations(names, 2))
        return [(a, b) for a, b in every if _stem(a) == _stem(b)] or every
    pairs = []
    for text in asked:
        a, _, b = text.partition(":")
        if a not in names or b not in names or a == b:
            raise SettingsError(f"--pairs {text}: two of {', '.join(names)}, as A:B")
        pairs.append((a, b))
    return pairs


def _stem(name: str) -> str:
    return re.split("[-_]", name)[0].lower()


# Made worlds


def made(worlds: int, random: np.random.Generator) -> dict[str, Rows]:
    """Rows by title."""
    missed: Rows = []
    for number, spread in itertools.product(DRAWN, SPREADS):
        values = []
        text = f"{number} sequences, spread {spread:g}"
        for _ in progress(range(worlds), text, worlds, "worlds"):
            made_up = World.of(random, number, 2, spread, better=TRUE)
            a, b = (estimates(made_up.units(i), ["MOTA"])["MOTA"] for i in (0, 1))
            before = percentiles(made_up.drawn(random))
            values.append((*_judged(compare(a, b), 0.01), *_judged(before, 0.01)))
        miss, width, old_miss, old_width = np.array(values, float).T
        missed.append(
            {
                "sequences": number,
                "spread": spread,
                "miss": float(miss.mean()),
                "half width": float(width.mean()) / 2,
                "old miss": float(old_miss.mean()),
                "old half width": float(old_width.mean()) / 2,
            }
        )
    equal: Rows = []
    for sizes, cells, spread in itertools.product((*DRAWN, "4 + 3"), CELLS, (0.0, 1.0)):
        said = []
        text = f"{sizes} sequences, {cells} equal cells"
        for _ in progress(range(worlds), text, worlds, "worlds"):
            said.append(_says(_sweep(random, str(sizes), cells, spread)))
        share = float(np.mean(said))
        equal.append(
            {"sequences": sizes, "cells": cells, "spread": spread, "says a difference": share}
        )
    found: dict[str, list[bool]] = {}
    for _ in progress(range(worlds), "power", worlds, "worlds"):
        sweep = _sweep(random, "20", 20, 1.0, better=TRUE)
        reference, better = (sweep.settings[i].measured["MOTA"] for i in (0, 1))
        told = {metric: row[1].told for metric, row in sweep.family.differences.items()}
        found.setdefault("alone", []).append(compare(reference, better).told)
        found.setdefault("among 20 cells", []).append(any(told.values()))
        found.setdefault("among 20 by MOTA", []).append(told["MOTA"])
    power: Rows = [{name: float(np.mean(values)) for name, values in found.items()}]
    return {
        "Difference of 1 point of MOTA, misses of the 95% interval": missed,
        "Equal cells, share of worlds in which anything is said": equal,
        "Difference of 1 point at spread 1, 20 sequences, share of worlds where it is found": power,
    }


@dataclass(frozen=True)
class World:
    """Counts float64 (cells, chunks, D), and the chunk that each sequence begins with."""

    counts: np.ndarray
    begins: np.ndarray

    @staticmethod
    def of(
        random: np.random.Generator, sequences: int, cells: int, spread: float, better: float = 0.0
    ) -> World:
        """The second cell is better, in every metric."""
        sizes = random.integers(6, 12, sequences)
        base = np.repeat(random.normal(0.6, 0.05, (3, sequences)), sizes, axis=1)
        rates = []
        for cell in range(cells):
            # Of a cell, so that a difference of two has the SD.
            own = spread * np.repeat(_alike(random, sequences), sizes, axis=1)
            noise = (own + CHUNK_SD * _alike(random, int(sizes.sum()))) / 2**0.5
            rates.append(base + (noise + (better if cell == 1 else 0.0)) / 100)
        begins = np.cumsum([0, *sizes[:-1]])
        return World(np.stack([_counts(*rate) for rate in rates]), begins)

    def units(self, cell: int) -> Units:
        sums = np.add.reduceat(self.counts[cell], self.begins)
        return Units(tuple(f"{i:02d}" for i in range(len(sums))), sums)

    def drawn(self, random: np.random.Generator) -> np.ndarray:
        """MOTA of the second cell minus that of the first, of 400 draws as they were once made: of
        chunks where there are less than ten sequences."""
        few = len(self.begins) < 10
        a, b = (self.counts[i] if few else self.units(i).counts for i in (0, 1))
        times = random.multinomial(len(a), np.full(len(a), 1 / len(a)), 400)
        difference: np.ndarray = summary(times @ b)["MOTA"] - summary(times @ a)["MOTA"]
        return difference


def _alike(random: np.random.Generator, number: int) -> np.ndarray:
    """Noise of three metrics, float (3, number), SD 1."""
    common, own = random.normal(size=(1, number)), random.normal(size=(3, number))
    noise: np.ndarray = np.sqrt(LIKE) * common + np.sqrt(1 - LIKE) * own
    return noise


def _counts(mota: np.ndarray, hota: np.ndarray, idf1: np.ndarray) -> np.ndarray:
    """Counts (chunks, D) with such scores (chunks,): shares of the objects are found, and of the
    ids kept."""
    found, same = np.round(OBJECTS * mota), np.round(OBJECTS * idf1)
    together = OBJECTS * hota**2  # AssA times found objects: HOTA is the root of DetA AssA
    parts = (found, OBJECTS - found, 0 * found, together, together, together, found)
    plain = dict.fromkeys(PLAIN_FIELDS, 0 * found)
    plain |= {"CLR_TP": found, "CLR_FN": OBJECTS - found, "Frames": 0 * found + 50}
    plain |= {"IDTP": same, "IDFN": OBJECTS - same, "IDFP": OBJECTS - same}
    hota_parts = np.repeat(np.stack(parts), len(ALPHAS), axis=0)
    return np.concatenate([hota_parts, np.stack([plain[name] for name in PLAIN_FIELDS])]).T


def _sweep(
    random: np.random.Generator, number: str, cells: int, spread: float, better: float = 0.0
) -> Comparison:
    """A sweep's settings compared; the first is the default. ``4 + 3``: tuning and test."""
    sizes = [int(part) for part in number.split("+")]
    worlds = [World.of(random, n, cells, spread, better) for n in sizes]
    settings = []
    for i in range(cells):
        found = [estimates(one.units(i)) for one in worlds]
        choice = {m: one.score for m, one in found[0].items()} if found[1:] else None
        settings.append(Setting(str(i), {}, found[-1], choice, i == 0))
    return compare_settings(settings, Basis("sequences", "tuning sequences" * bool(found[1:])))


def _says(sweep: Comparison) -> bool:
    """Whether any difference is stated."""
    gaps = [*sweep.claims.values()]
    if not sweep.tested:
        gaps += itertools.chain(*sweep.family.differences.values())
    places = itertools.chain(*sweep.places.values())
    return any(gap.told for gap in gaps) or any(place in APART for place in places)


# The old intervals


def percentiles(draws: np.ndarray) -> Interval:
    """The percentile interval of drawn differences."""
    low, high = np.quantile(draws, [0.025, 0.975])
    return Interval(float(draws.mean()), float(low), float(high))


def _judged(gap: Interval, right: float) -> tuple[bool, float]:
    """Whether it misses, and its width in points; one without ends does not, and has none."""
    missed = right < gap.low - 1e-12 or right > gap.high + 1e-12
    return missed, 100 * (gap.high - gap.low)


if __name__ == "__main__":
    sys.exit(main())
