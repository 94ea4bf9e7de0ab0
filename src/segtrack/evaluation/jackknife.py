"""AP of a run with each source group of images left out: what a comparison of two runs is made of.

Groups and not objects, since what is in one image, or in images of one street, shares its light,
weather and crowd. AP is no function of sums over images, unlike the scores of tracking, but leaving
one out is (``ranking``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from segtrack.base.errors import DataError, SettingsError
from segtrack.base.names import level
from segtrack.base.statistics import Estimate
from segtrack.evaluation.matching import KINDS, Kind
from segtrack.evaluation.ranking import IOU_COUNT, Precisions, precisions
from segtrack.evaluation.units import ImageUnits

METRICS = tuple(f"{kind}_{figure}" for kind in KINDS for figure in ("map50_95", "map50"))
"""What can be compared; of one class with ``class/<name>/`` before it, as the runs record it."""
MOST, LEAST = 5000, 500
"""Of more groups than the first that many random blocks are the units: the work grows with the
number of units times that of images. From 20,000 images on the blocks get fewer, down to the
second, so that it stays the same up to 200,000; the standard error of 500 is good to 3%."""
_STEADY = 20_000  # images


def check_paired(a: ImageUnits, b: ImageUnits, names: tuple[str, str]) -> None:
    """Refuse to compare what was not measured on the same images with the same labels.

    Args:
        names: of the two, for the message.

    Raises:
        DataError: the splits' fingerprints differ, or the groups that images belong to.
    """
    if a.fingerprint != b.fingerprint:
        each = [
            f"{name} on the split {units.split} with fingerprint {units.fingerprint[:16]} "
            f"({len(units.group)} images, {int(units.objects.sum())} objects)"
            for name, units in zip(names, (a, b), strict=True)
        ]
        raise DataError(
            f"the runs were not evaluated on the same images with the same labels and classes: "
            f"{', '.join(each)}. Fingerprints of splits are in data/dataset.json of a run; compare "
            f"runs whose fingerprints are equal, such as those of a data set and of its reviewed "
            f"versions."
        )
    if not np.array_equal(np.sort(a.group), np.sort(b.group)):
        counts = [len(np.unique(units.group)) for units in (a, b)]
        raise DataError(
            f"the runs' images belong to other groups: {names[0]} has {counts[0]}, {names[1]} "
            f"{counts[1]}. Evaluate both with the same dataset.group_by."
        )


def estimates(
    units: ImageUnits | Sequence[ImageUnits], metrics: Sequence[str] = METRICS[:1]
) -> dict[str, Estimate]:
    """Scores, 0..1, of all images, without each group of them, and of each group alone.

    Of very many groups, or images, the units are random blocks of them, the same for every run on
    these images.

    Args:
        units: of one run, or of runs that differ in the seed alone, on the same images.
        metrics: of ``METRICS``.

    Raises:
        SettingsError: there is no such metric.
        DataError: no image has ground truth that the score could be about.
    """
    seeds = [units] if isinstance(units, ImageUnits) else list(units)
    first = seeds[0]
    figures = [_figure(metric, first.names) for metric in metrics]
    for metric, figure in zip(metrics, figures, strict=True):
        if not first.objects[(first.class_id == figure.class_id) | (figure.class_id is None)].any():
            raise DataError(
                f"{metric}: the split {first.split} has no objects that it could be about"
            )
    names = np.unique(first.group)
    block = np.arange(len(names))
    blocks = blocks_of(len(names), len(first.group))
    if blocks < len(names):
        block = np.random.default_rng(0).permutation(block) % blocks
        names = np.arange(blocks).astype(str)
    found: list[dict[Kind, Precisions]] = []
    for one in seeds:
        unit = block[np.unique(one.group, return_inverse=True)[1]]
        found.append({kind: precisions(one, kind, unit) for kind in {f.kind for f in figures}})
    return {
        metric: figure.estimate([each[figure.kind] for each in found], tuple(names.tolist()))
        for metric, figure in zip(metrics, figures, strict=True)
    }


def blocks_of(groups: int, images: int) -> int:
    """How many units are made of so many groups of images."""
    return min(groups, MOST, max(LEAST, MOST * _STEADY // max(images, 1)))


def unit_name(units: ImageUnits) -> str:
    """What is left out at a time, as a plural."""
    groups = len(np.unique(units.group))
    if blocks_of(groups, len(units.group)) < groups:
        return "blocks of images"
    return "images" if groups == len(units.group) else "groups of images"


@dataclass(frozen=True)
class _Figure:
    """What a metric is the mean of. ``class_id``: None for all classes with ground truth."""

    kind: Kind
    class_id: int | None
    ious: slice

    def estimate(self, seeds: Sequence[Precisions], names: tuple[str, ...]) -> Estimate:
        """Means over the classes that have ground truth in what is averaged."""
        whole, without, alone = zip(*(self._scores(one, len(names)) for one in seeds), strict=True)
        mine = self._of(seeds[0].class_id)
        size = np.bincount(seeds[0].unit[mine], seeds[0].objects[mine], len(names))
        return Estimate(names, size, np.array(whole), np.stack(without), np.stack(alone), 1.0)

    def _scores(self, found: Precisions, units: int) -> tuple[float, np.ndarray, np.ndarray]:
        """Of all units, float (units,) without each, float (units,) of each alone."""
        whole, without, alone = (
            ap[:, self.ious].mean(axis=1) for ap in (found.whole, found.without, found.alone)
        )
        used = ~np.isnan(whole) & self._of(np.arange(len(whole)))
        total, count = whole[used].sum(), used.sum()
        mine = used[found.class_id]
        unit, before = found.unit[mine], whole[found.class_id[mine]]
        without, alone = without[mine], alone[mine]

        def by_unit(values: np.ndarray) -> np.ndarray:
            return np.bincount(unit, values, units)

        gone, judged = np.isnan(without), ~np.isnan(alone)
        left = total + by_unit(np.where(gone, 0, without) - before)
        remaining, there = count - by_unit(gone), by_unit(judged)
        return (
            float(total / count),
            np.divide(left, remaining, np.full(units, np.nan), where=remaining > 0),
            np.divide(
                by_unit(np.nan_to_num(alone)), there, np.full(units, np.nan), where=there > 0
            ),
        )

    def _of(self, class_id: np.ndarray) -> np.ndarray:
        return np.full(len(class_id), True) if self.class_id is None else class_id == self.class_id


def _figure(metric: str, names: Sequence[str]) -> _Figure:
    typed = {f"class/{name}/": k for k, name in enumerate(names)}
    recorded = {f"class/{level(name)}/": k for k, name in enumerate(names)}
    places = {"": None} | recorded | typed
    prefix, _, figure = metric.rpartition("/")
    prefix += "/" if prefix else ""
    if prefix not in places or figure not in METRICS:
        raise SettingsError(
            f"{metric}: there is no such score of images; choose from {', '.join(METRICS)}, or one "
            f"of these with class/NAME/ before it, where NAME is {', '.join(names)}"
        )
    kind: Kind = "mask" if figure.startswith("mask") else "box"
    return _Figure(kind, places[prefix], slice(1 if figure.endswith("map50") else IOU_COUNT))
