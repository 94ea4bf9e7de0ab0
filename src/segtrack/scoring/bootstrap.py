"""How sure a difference of scores is: a paired bootstrap over sequences, or over chunks of them.

Every score here is a function of a sum of counts, so that to draw units with replacement is to
weight their counts: one matrix product gives all resamples. All cells get the same draws (paired),
which takes out what the sequences have in common and leaves what the settings change
(``segtrack.base.statistics``). Chunks of one length as units are the non-overlapping block
bootstrap of Carlstein (1986, Annals of Statistics 14): neighbouring frames resemble each other,
chunks hardly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from segtrack.base.errors import DataError, some
from segtrack.base.statistics import Interval, Samples, draw_table
from segtrack.scoring.combine import combined, detection_averaged
from segtrack.scoring.counts import FIELDS, field, summary
from segtrack.scoring.score import BOX, SequenceScores

METRICS = ("HOTA", "MOTA", "IDF1")
FEW_SEQUENCES = 10
"""Below this many sequences chunks are the units: a percentile interval of less is far too short,
and seven sequences can be drawn in so few ways that its ends jump."""

Score = Callable[[np.ndarray], Mapping[str, np.ndarray]]
"""Counts (..., D) to scores (...), as ``counts.summary`` is."""


@dataclass(frozen=True)
class Units:
    """What is drawn with replacement, of one cell or run.

    Attributes:
        of: "sequences" or "chunks".
        names: U names, ascending: the sequence, with ``#`` and a number for a chunk of it.
        counts: float64 (U, D).
        whole: float64 (D,), the sum over WHOLE sequences. Scores are always those of ``whole``:
            cutting tracks raises association scores, so those of chunks are never shown.
    """

    of: str
    names: tuple[str, ...]
    counts: np.ndarray
    whole: np.ndarray


def units(
    scores: Mapping[str, SequenceScores], kind: str = BOX, sequences: Sequence[str] | None = None
) -> Units:
    """The units of one cell: sequences, or their chunks where there are less than ten sequences.

    Where no chunks were counted, few sequences are the units all the same. Counts are summed over
    the classes that any sequence has ground truth of, as the headline scores are
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

    def total(counts: Mapping[tuple[str, str], np.ndarray]) -> np.ndarray:
        return detection_averaged({key: counts[key] for key in classes if key in counts}, kind)

    sums = np.stack([total(scores[name].counts) for name in scored])
    chunks = [total(scores[name].chunks) for name in scored]
    if len(scored) >= FEW_SEQUENCES or not any(map(len, chunks)):
        return Units("sequences", tuple(scored), sums, sums.sum(axis=0))
    labels = [
        f"{name}#{i + 1:03d}"
        for name, parts in zip(scored, chunks, strict=True)
        for i in range(len(parts))
    ]
    return Units("chunks", tuple(labels), np.concatenate(chunks), sums.sum(axis=0))


def check_paired(a: Units, b: Units, names: tuple[str, str]) -> None:
    """Refuse to compare what was not measured on the same units.

    Args:
        names: of the two, for the message.

    Raises:
        DataError: the sequences, their chunks, or the ground truth within them differ; says where.
    """
    who = f"{names[0]} and {names[1]}"
    mend = "Compare runs on the same sequences with the same ground truth and chunk length."
    if a.names != b.names:
        own = [(names[0], set(a.names) - set(b.names)), (names[1], set(b.names) - set(a.names))]
        parts = [f"only {name} has {some(sorted(only), 5)}" for name, only in own if only]
        raise DataError(f"{who} were not scored on the same {a.of}: {'; '.join(parts)}. {mend}")
    if a.counts.shape[-1] != len(FIELDS):
        return
    frames = field(a.counts, "Frames"), field(b.counts, "Frames")
    objects = _objects(a.counts), _objects(b.counts)
    for what, (one, other) in (("frames", frames), ("ground-truth objects", objects)):
        for i in np.flatnonzero(one != other)[:1]:
            raise DataError(
                f"{who} were not scored on the same ground truth: {a.names[i]} has {one[i]:.0f} "
                f"{what} in the one and {other[i]:.0f} in the other. {mend}"
            )


def draw(
    cell: Units,
    metrics: Sequence[str] = METRICS,
    samples: int = 2000,
    seed: int = 0,
    score: Score = summary,
) -> Samples:
    """Scores of whole sequences, and of ``samples`` draws of units with replacement.

    Equal ``seed``, ``samples`` and U give the same draws whatever the counts are. With fewer than
    two units there is nothing to draw.
    """
    whole, once = score(cell.whole), score(cell.counts.sum(axis=0))
    drawn = {metric: np.empty(0) for metric in metrics}
    if len(cell.counts) > 1:
        drawn = resampled(cell.counts, metrics, samples, seed, score)
    return Samples(
        {metric: float(whole[metric]) for metric in metrics},
        {metric: np.append(float(once[metric]), drawn[metric]) for metric in metrics},
    )


def resampled(
    counts: np.ndarray,
    metrics: Sequence[str] = METRICS,
    samples: int = 2000,
    seed: int = 0,
    score: Score = summary,
) -> dict[str, np.ndarray]:
    """Scores of ``samples`` draws of units with replacement.

    Equal ``seed``, ``samples`` and U give the same draws whatever the counts are.

    Args:
        counts: float64 (U, D).

    Returns:
        Float (samples,) for each metric.
    """
    scores = score(draw_table(len(counts), samples, seed) @ counts)
    return {metric: np.asarray(scores[metric], float) for metric in metrics}


def paired_difference(
    a: Units,
    b: Units,
    metrics: Sequence[str] = METRICS,
    samples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
    score: Score = summary,
) -> dict[str, Interval]:
    """How much better b is than a: score of b minus score of a, with its interval.

    Args:
        a, b: the same units (``check_paired``).
        samples: draws.
        seed: of the draws.
        level: of the intervals, 0..1.
        score: counts to scores.
    """
    one, other = (draw(cell, metrics, samples, seed, score) for cell in (a, b))
    return {metric: one.to(other, metric, level) for metric in metrics}


def _objects(counts: np.ndarray) -> np.ndarray:
    total: np.ndarray = field(counts, "CLR_TP") + field(counts, "CLR_FN")
    return total
