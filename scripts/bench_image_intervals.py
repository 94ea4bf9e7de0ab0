"""How often the 95% interval of a difference of two AP misses it, by how many images there are.

    python scripts/bench_image_intervals.py UNITS_A UNITS_B [--metric mask_map50_95] [--json]

UNITS are the ``evaluation/units.npz`` of two runs on the same images, as many as there are: these
are the world, whose difference is the true one. K of them are drawn with replacement, and the
interval is taken from those K alone; 5% of the draws may miss the truth. --bootstrap N also takes
percentile and BCa intervals (Efron and Tibshirani 1993, chapters 13 and 14) of N resamples each.
Widths are in percentage points. Draws without ground truth for the metric are left out; bias says
by how much the drawn differences are off on average: AP of few images is not that of many.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import norm  # type: ignore[import-untyped]

from segtrack.base.errors import DataError, SegtrackError
from segtrack.base.progress import progress
from segtrack.base.statistics import Estimate, compare
from segtrack.evaluation import METRICS, ImageUnits, check_paired, estimates

LEVEL = 0.95


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("a", metavar="UNITS_A", type=Path)
    parser.add_argument("b", metavar="UNITS_B", type=Path)
    parser.add_argument("--metric", action="append", help=f"default: {METRICS[0]}")
    parser.add_argument("--images", type=int, nargs="+", default=[10, 20, 50, 100])
    parser.add_argument("--draws", type=int, default=600)
    parser.add_argument("--bootstrap", type=int, default=0, help="resamples of each draw")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    try:
        a, b = ImageUnits.load(options.a), ImageUnits.load(options.b)
        check_paired(a, b, (str(options.a), str(options.b)))
        metrics = options.metric or [METRICS[0]]
        found = {
            str(k): {m: measured(a, b, m, k, options.draws, options.bootstrap) for m in metrics}
            for k in options.images
        }
    except SegtrackError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    if options.json:
        print(json.dumps(found))
        return 0
    for k, rows in found.items():
        for metric, row in rows.items():
            methods = "  ".join(
                f"{name} misses {100 * one['miss']:.1f}%, {one['width']:.1f} wide"
                for name, one in row["methods"].items()
            )
            print(f"{k} images  {metric}  bias {row['bias']:+.2f} of {row['true']:+.2f}  {methods}")
    return 0


def measured(
    a: ImageUnits, b: ImageUnits, metric: str, images: int, draws: int, resamples: int
) -> dict[str, Any]:
    """Misses (share) and mean width (points) of each method over draws of so many images."""
    true = score(b, metric) - score(a, metric)
    random = np.random.default_rng(images)
    ends: dict[str, list[tuple[float, float]]] = {}
    gaps = []
    for _ in progress(range(draws), f"{metric}, {images} images", draws, "draws"):
        chosen = random.integers(len(a.group), size=images)
        one, other = taken(a, chosen), taken(b, chosen)
        try:
            x, y = estimates(one, [metric])[metric], estimates(other, [metric])[metric]
        except DataError:
            continue
        gap = compare(x, y, LEVEL)
        gaps.append(gap.difference)
        ends.setdefault("jackknife-t", []).append((gap.low, gap.high))
        if resamples:
            values = np.array(list(resampled(one, other, metric, resamples, random)))
            for name, levels in (
                ("percentile", np.array([(1 - LEVEL) / 2, (1 + LEVEL) / 2])),
                ("BCa", corrected(x, y, values)),
            ):
                low, high = np.quantile(values, levels).tolist()
                ends.setdefault(name, []).append((low, high))
    methods = {}
    for name, rows in ends.items():
        low, high = np.array(rows).T
        known = ~np.isnan(low)
        miss = (low > true + 1e-12) | (high < true - 1e-12)
        methods[name] = {
            "miss": float(miss[known].mean()),
            "width": float(100 * (high - low)[known].mean()),
        }
    return {
        "draws": len(gaps),
        "true": 100 * true,
        "bias": 100 * (float(np.mean(gaps)) - true),
        "methods": methods,
    }


def score(units: ImageUnits, metric: str) -> float:
    """Of all images, taken as one unit."""
    return estimates(replace(units, group=np.full(len(units.group), "all")), [metric])[metric].score


def taken(units: ImageUnits, images: np.ndarray) -> ImageUnits:
    """The evaluation of these images, int (K,), each as often as it is there and a unit by itself.

    Where detections have equal scores, those of copies follow each other, as of other images.
    """
    order = np.argsort(units.image, kind="stable")
    begin = np.searchsorted(units.image[order], np.arange(len(units.group) + 1))
    parts = [order[begin[i] : begin[i + 1]] for i in images]
    cells = np.concatenate(parts)
    image = np.repeat(np.arange(len(images)), [len(part) for part in parts])
    by_class = np.lexsort((image, units.class_id[cells]))
    cells, image = cells[by_class], image[by_class]
    detections = {}
    for kind, found in units.detections.items():
        first = np.concatenate([[0], np.cumsum(found.count)[:-1]])
        count = found.count[cells]
        inside = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        place = np.repeat(first[cells], count) + inside
        detections[kind] = replace(
            found,
            count=count,
            score=found.score[place],
            right=found.right[place],
            ignored=found.ignored[place],
        )
    return replace(
        units,
        group=np.array([f"{i:06d}" for i in range(len(images))]),
        class_id=units.class_id[cells],
        image=image.astype(np.int32),
        objects=units.objects[cells],
        detections=detections,
    )


def resampled(
    a: ImageUnits, b: ImageUnits, metric: str, resamples: int, random: np.random.Generator
) -> Iterator[float]:
    """Differences of resamples of the drawn images; those without ground truth are left out."""
    for _ in range(resamples):
        again = random.integers(len(a.group), size=len(a.group))
        try:
            yield score(taken(b, again), metric) - score(taken(a, again), metric)
        except DataError:
            continue


def corrected(a: Estimate, b: Estimate, values: np.ndarray) -> np.ndarray:
    """The levels of the resamples' quantiles for a BCa interval, float (2,)."""
    gap = b.score - a.score
    below = (np.mean(values < gap) + np.mean(values <= gap)) / 2
    shift = norm.ppf(np.clip(below, 0.5 / len(values), 1 - 0.5 / len(values)))
    left = (b.without - a.without)[0]
    off = np.nanmean(left) - left
    squares = np.nansum(off**2)
    pull = np.nansum(off**3) / (6 * squares**1.5) if squares > 0 else 0.0
    z = shift + norm.ppf([(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    levels: np.ndarray = norm.cdf(shift + z / (1 - pull * z))
    return levels


if __name__ == "__main__":
    sys.exit(main())
