"""What tracking is compared on: sequences, and the scores without each of them.

Every score here is a function of a sum of counts, so that leaving a sequence out is a subtraction
(``segtrack.base.statistics`` says what follows from it).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from segtrack.base.errors import DataError, some
from segtrack.base.statistics import Estimate
from segtrack.dataset import footage
from segtrack.scoring.combine import combined, detection_averaged
from segtrack.scoring.counts import UNBOUNDED, field, summary
from segtrack.scoring.occlusion import kept_shares, occlusions
from segtrack.scoring.score import BOX, SequenceScores

METRICS = ("HOTA", "MOTA", "IDF1")


@dataclass(frozen=True)
class Units:
    """The sequences that one cell or run was scored on.

    Attributes:
        names: U names, ascending.
        counts: float64 (U, D).
        truth: U digests of their ground truth, empty where it is not known.
    """

    names: tuple[str, ...]
    counts: np.ndarray
    truth: tuple[str, ...] = ()

    @property
    def objects(self) -> np.ndarray:
        """float64 (U,): ground-truth objects, once a frame."""
        total: np.ndarray = field(self.counts, "CLR_TP") + field(self.counts, "CLR_FN")
        return total


def units(
    scores: Mapping[str, SequenceScores], kind: str = BOX, sequences: Sequence[str] | None = None
) -> Units:
    """The sequences of one cell; those of the same footage are one (``dataset.footage``).

    MOT17 has each of its scenes three times, once for each detector. Counts are summed over the
    classes that any sequence has ground truth of, as the headline scores are
    (``combine.detection_averaged``).

    Args:
        scores: by sequence.
        kind: "box" or "mask".
        sequences: only these, for example the tuning ones; None for all.

    Raises:
        DataError: a sequence is not among the scores, or nothing of this kind was scored.
    """
    names = sorted(scores if sequences is None else set(sequences))
    missing = [name for name in names if name not in scores]
    if missing:
        raise DataError(
            f"no scores of {', '.join(missing)}: the scores hold {', '.join(sorted(scores))}. "
            f"Score these sequences, or leave them out."
        )
    classes = [key for key in combined(scores.values()) if key[0] == kind]
    scored = [name for name in names if any(key in scores[name].counts for key in classes)]
    if not scored:
        raise DataError(
            f"no {kind} scores of {', '.join(names) or 'any sequence'}: the ground truth or the "
            f"trajectories hold none. Compare the other kind, or score with {kind} ground truth."
        )
    of = Counter(footage(name) for name in scored)
    sums: dict[str, np.ndarray] = {}
    truth: dict[str, list[str]] = {}
    for name in scored:
        counts = {key: values for key, values in scores[name].counts.items() if key in classes}
        unit = footage(name) if of[footage(name)] > 1 else name
        sums[unit] = sums.get(unit, 0) + detection_averaged(counts, kind)
        truth.setdefault(unit, []).append(scores[name].truth.get(kind, ""))
    order = tuple(sorted(sums))
    digests = (" ".join(truth[name]) if all(truth[name]) else "" for name in order)
    return Units(order, np.stack([sums[name] for name in order]), tuple(digests))


def estimates(
    cell: Units | Sequence[Units], metrics: Sequence[str] = METRICS
) -> dict[str, Estimate]:
    """Scores of all sequences, without each, and of each, 0..1.

    Args:
        cell: of one run, or of runs that differ in the seed alone, on the same sequences.
        metrics: fractions in ``counts.summary``.
    """
    seeds = [cell] if isinstance(cell, Units) else list(cell)
    counts = np.stack([one.counts for one in seeds])
    total, size = counts.sum(axis=1), seeds[0].objects
    whole, without = summary(total), summary(total[:, None] - counts)
    alone = summary(counts, alone=True)

    def judged(values: np.ndarray, objects: np.ndarray) -> np.ndarray:
        """NaN where there is no ground truth that the score could be about."""
        return np.where(objects > 0, values, np.nan)

    return {
        metric: Estimate(
            seeds[0].names,
            size,
            judged(whole[metric], size.sum()),
            judged(without[metric], size.sum() - size),
            judged(alone[metric], size),
            math.inf if metric in UNBOUNDED else 1.0,
        )
        for metric in metrics
    }


def kept_estimates(cell: Units) -> dict[str, Estimate]:
    """Shares of occlusions after which identities were kept, 0..1, as ``kept_shares`` names them.

    A sequence weighs what it has of such occlusions, and is no unit where it has none.
    """
    total = cell.counts.sum(axis=0)
    of = [kept_shares(counts) for counts in (total, total - cell.counts, cell.counts)]
    found = {}
    for name, size in occlusions(cell.counts).items():
        whole, without, alone = (np.atleast_1d(one[name]) for one in of)
        has = size > 0
        names = tuple(np.array(cell.names)[has].tolist())
        found[name] = Estimate(names, size[has], whole, without[None, has], alone[None, has], 1.0)
    return found


def check_paired(a: Units, b: Units, names: tuple[str, str]) -> None:
    """Refuse to compare what was not measured on the same units.

    Args:
        names: of the two, for the message.

    Raises:
        DataError: the sequences or the ground truth within them differ; says where.
    """
    who = f"{names[0]} and {names[1]}"
    mend = "Compare runs on the same sequences with the same ground truth."
    if a.names != b.names:
        own = [(names[0], set(a.names) - set(b.names)), (names[1], set(b.names) - set(a.names))]
        parts = [f"only {name} has {some(sorted(only), 5)}" for name, only in own if only]
        raise DataError(f"{who} were not scored on the same sequences: {'; '.join(parts)}. {mend}")
    frames = field(a.counts, "Frames"), field(b.counts, "Frames")
    for what, (one, other) in (
        ("frames", frames),
        ("ground-truth objects", (a.objects, b.objects)),
    ):
        for i in np.flatnonzero(one != other)[:1]:
            raise DataError(
                f"{who} were not scored on the same ground truth: {a.names[i]} has {one[i]:.0f} "
                f"{what} in the one and {other[i]:.0f} in the other. {mend}"
            )
    for name, mine, theirs in zip(a.names, a.truth, b.truth, strict=False):
        if mine and theirs and mine != theirs:
            raise DataError(
                f"{who} were not scored on the same ground truth: {name} has as many objects in "
                f"both, and others in the one than in the other. {mend}"
            )
