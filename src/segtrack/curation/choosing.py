"""Which of many images to take: by what is in doubt in them, and by how unlike others they are.

Nothing here knows files or networks: images are positions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segtrack.base.progress import progress

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_BLOCK = 1024  # images whose distances to all others are in memory at once


@dataclass(frozen=True)
class Chosen:
    """What was chosen, in turn, so that the first n are what a choice of n would have been.

    Attributes:
        order: int64 (k,), positions.
        distance: float64 (N,), of each that was chosen to the nearest that was labelled or chosen
            before; of the others to the nearest labelled or chosen one. inf where there is none;
            NaN where nobody asked.
    """

    order: Ints
    distance: Floats


def in_doubt(score: Floats, owner: Ints, count: int) -> Floats:
    """How many of each image's predictions are wrong, if their scores are probabilities.

    A prediction of score s stands for an object or for none: whoever calls it the likelier of the
    two errs with probability min(s, 1 - s), which is half of the margin uncertainty 1 - |2 s - 1|.
    The sum over the image's predictions is the expected number of such errors (Brust, Kaeding and
    Denzler 2019, "Active learning for deep object detection", sum margins in this way).

    Args:
        score: float64 (P,), 0..1. owner: int64 (P,), image of each, 0 to ``count - 1``.

    Returns:
        float64 (count,), predictions; 0 for an image without any.
    """
    return np.bincount(owner, np.minimum(score, 1 - score), count).astype(np.float64)


def least_per_group(group: Ints, count: int) -> int:
    """How many of one group it takes at least, so that ``count`` can be taken of all.

    Args:
        group: int64 (N,), of each image, from 0.

    Returns:
        The smallest limit; that of the largest group where there are no ``count`` images.
    """
    sizes = np.bincount(group)
    low, high = 1, max(int(sizes.max(initial=1)), 1)
    while low < high:
        middle = (low + high) // 2
        if np.minimum(sizes, middle).sum() >= count:
            high = middle
        else:
            low = middle + 1
    return low


def shortlist(value: Floats, group: Ints, count: int, limit: int, among: int = 1) -> Ints:
    """The ``among * count`` images of the largest values, ``among * limit`` of one group at most.

    So at least ``count`` of them can be taken with ``limit`` of one group, if that can be at all.

    Args:
        value: float64 (N,). group: int64 (N,), from 0.

    Returns:
        Positions, the largest value first; of equal ones the first.
    """
    order = np.argsort(-value, kind="stable")
    by_group = order[np.argsort(group[order], kind="stable")]
    sizes = np.bincount(group)
    place = np.empty(len(value), np.int64)  # of each image within its group
    place[by_group] = np.arange(len(value)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return np.asarray(order[place[order] < among * limit][: among * count])


def k_center(
    features: Floats,
    covered: Floats,
    candidates: Ints,
    value: Floats,
    group: Ints,
    count: int,
    limit: int,
) -> Chosen:
    """Take, again and again, the candidate that is farthest from all that is covered.

    The greedy k-center of Sener and Savarese (2018, "Active learning for convolutional neural
    networks: a core-set approach", algorithm 1), which leaves no image farther from the nearest
    covered one than twice what the best choice would. Where nothing is covered yet the candidate of
    the largest value is the first; it also goes before others that are as far.

    Args:
        features: float64 (N, D), of all images. covered: float64 (M, D), of labelled ones.
        candidates: int64 (C,), positions that may be taken.
        value: float64 (N,). group: int64 (N,), from 0; ``limit`` of one are taken at most.
    """
    distance = nearest(features, covered)
    order: list[int] = []
    taken = np.zeros_like(np.bincount(group))
    # Best value first, so that the first of the farthest is the one to take.
    left = candidates[np.argsort(-value[candidates], kind="stable")]
    now = distance.copy()
    for _ in progress(range(count), "choose images", count, "images"):
        if not len(left):
            break
        i = int(left[int(np.argmax(now[left]))])
        order.append(i)
        distance[i] = now[i]
        taken[group[i]] += 1
        left = left[(left != i) & (taken[group[left]] < limit)]
        now = np.minimum(now, np.sqrt(((features - features[i]) ** 2).sum(1)))
    chosen = np.array(order, np.int64)
    others = np.full(len(features), True)
    others[chosen] = False
    distance[others] = now[others]
    return Chosen(chosen, distance)


def nearest(features: Floats, covered: Floats) -> Floats:
    """Distance of each image to the nearest covered one, float64 (N,); inf where none is."""
    found = np.full(len(features), np.inf)
    if not len(covered):
        return found
    squares = (covered**2).sum(1)
    for start in range(0, len(features), _BLOCK):
        part = features[start : start + _BLOCK]
        gaps = (part**2).sum(1)[:, None] + squares - 2 * (part @ covered.T)
        found[start : start + _BLOCK] = np.sqrt(np.maximum(gaps.min(1), 0))
    return found


def standardized(*parts: Floats) -> list[Floats]:
    """The features on one scale: each with mean 0 and SD 1 over all images, over root D.

    Two images that have nothing in common are then root 2 apart. Features that never change, as of
    channels that are off, count for nothing.

    Args:
        parts: float64 (n, D) each.
    """
    every = np.concatenate(parts)
    mean, spread = every.mean(0), every.std(0)
    alive = spread > 1e-9 * np.maximum(np.abs(mean), 1e-9)
    scale = np.where(alive, 1 / np.where(alive, spread, 1), 0) / np.sqrt(max(int(alive.sum()), 1))
    return [(part - mean) * scale for part in parts]
