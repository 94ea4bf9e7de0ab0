"""AP of images drawn with replacement, the same draws for two runs.

Images are drawn and not objects, since the objects of an image share its light, weather and street.
AP is no function of sums over images, unlike the scores of tracking: each draw goes through the
detections again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from segtrack.base.errors import DataError, SettingsError
from segtrack.base.names import level
from segtrack.base.progress import progress
from segtrack.base.statistics import Samples, draw_each
from segtrack.evaluation.matching import KINDS, Kind
from segtrack.evaluation.ranking import IOU_COUNT, Ranking
from segtrack.evaluation.units import ImageUnits

METRICS = tuple(f"{kind}_{figure}" for kind in KINDS for figure in ("map50_95", "map50"))
"""What can be compared; of one class with ``class/<name>/`` before it, as the runs record it."""


def check_paired(a: ImageUnits, b: ImageUnits, names: tuple[str, str]) -> None:
    """Refuse to compare what was not measured on the same images with the same labels.

    Args:
        names: of the two, for the message.

    Raises:
        DataError: the splits' fingerprints differ.
    """
    if a.fingerprint == b.fingerprint:
        return
    each = [
        f"{name} on the split {units.split} with fingerprint {units.fingerprint[:16]} "
        f"({len(units.rank)} images, {int(units.objects.sum())} objects)"
        for name, units in zip(names, (a, b), strict=True)
    ]
    raise DataError(
        f"the runs were not evaluated on the same images with the same labels and classes: "
        f"{', '.join(each)}. Fingerprints of splits are in data/dataset.json of a run; compare "
        f"runs whose fingerprints are equal, such as those of a data set and of its reviewed "
        f"versions."
    )


def drawn_scores(
    a: ImageUnits, b: ImageUnits, metrics: Sequence[str], samples: int = 2000, seed: int = 0
) -> tuple[Samples, Samples]:
    """Scores of a and of b, 0..1, whole and on the same draws.

    Args:
        a, b: of the same images (``check_paired``).
        metrics: of ``METRICS``.
        samples: draws; each holds as many images as there are.
        seed: of the draws.

    Returns:
        Of each; nothing is drawn where there is but one image. NaN where a draw has no ground
        truth that the score could be about.

    Raises:
        SettingsError: there is no such metric.
        DataError: no image has ground truth that the score could be about.
    """
    figures = [_figure(metric, a.names) for metric in metrics]
    for metric, figure in zip(metrics, figures, strict=True):
        if not a.objects[(a.class_id == figure.class_id) | (figure.class_id is None)].any():
            raise DataError(f"{metric}: the split {a.split} has no objects that it could be about")
    kinds = sorted({figure.kind for figure in figures})
    both = [{kind: Ranking.of(units, kind) for kind in kinds} for units in (a, b)]
    drawn = np.empty((2, len(metrics), 1 + (samples if len(a.rank) > 1 else 0)))
    images = len(a.rank)
    once = [np.ones(images, np.int64)]
    each = chain(once, draw_each(images, drawn.shape[2] - 1, seed))
    draws = progress(each, "draws", drawn.shape[2])
    for i, copies in enumerate(draws):
        for run, rankings in enumerate(both):
            found = {kind: one.average_precision(copies) for kind, one in rankings.items()}
            drawn[run, :, i] = [figure.of(found[figure.kind]) for figure in figures]
    one, other = (
        Samples(
            dict(zip(metrics, values[:, 0].tolist(), strict=True)),
            dict(zip(metrics, values, strict=True)),
        )
        for values in drawn
    )
    return one, other


@dataclass(frozen=True)
class _Figure:
    """What a metric is the mean of. ``class_id``: None for all classes with ground truth."""

    kind: Kind
    class_id: int | None
    ious: slice

    def of(self, precision: np.ndarray) -> float:
        if self.class_id is not None:
            return float(precision[self.class_id, self.ious].mean())
        known = precision[~np.isnan(precision[:, 0]), self.ious]
        return float(known.mean()) if known.size else float("nan")


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
