"""Scores of several sequences together, and the names under which they are recorded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from segtrack.base.names import level
from segtrack.scoring.counts import COUNTED, class_averaged, has_objects, summary
from segtrack.scoring.occlusion import kept_shares
from segtrack.scoring.score import BOX, MASK, Key, SequenceScores

HEADLINE = (
    *("HOTA", "DetA", "AssA", "LocA", "MOTA", "MOTP", "IDF1", "IDP", "IDR"),
    *("IDSW", "FP", "FN", "Frag", "MT", "PT", "ML"),
)
SHORT = ("HOTA", "MOTA", "IDF1", "IDSW", "Kept")
BOX_NAMES = {name: name.lower() for name in HEADLINE} | {"Kept": "kept_after_occlusion"}
MASK_NAMES = {
    **{"HOTA": "mask_hota", "MOTA": "motsa", "sMOTA": "smotsa", "IDF1": "mask_idf1"},
    "Kept": "mask_kept_after_occlusion",
}
ROLES = ("tuning", "test")


def kind_of(scores: Iterable[SequenceScores]) -> str:
    """What to compare where nobody says it: boxes, but of masks alone masks."""
    kinds = {kind for one in scores for kind, _ in one.counts}
    return MASK if kinds == {MASK} else BOX


def combined(scores: Iterable[SequenceScores]) -> dict[Key, np.ndarray]:
    """Counts (D,) over all sequences by kind and class.

    A class that no sequence has ground truth of is left out, as nothing can be said of it (where
    that is so of every class, none is). In sequences without it the others' tracks still count as
    false positives.
    """
    sums: dict[Key, np.ndarray] = {}
    for one in scores:
        for key, counts in one.counts.items():
            sums[key] = sums[key] + counts if key in sums else counts.copy()
    result = {}
    for kind in (BOX, MASK):
        of_kind = {key: counts for key, counts in sums.items() if key[0] == kind}
        seen = {key: counts for key, counts in of_kind.items() if has_objects(counts)}
        result.update(seen or of_kind)
    return result


def detection_averaged(counts: Mapping[Key, np.ndarray], kind: str) -> np.ndarray:
    """Counts (D,) of all classes of one kind together: every detection weighs the same.

    Raises:
        KeyError: there is no class of this kind.
    """
    of_kind = [value for key, value in counts.items() if key[0] == kind]
    if not of_kind:
        raise KeyError(kind)
    total: np.ndarray = np.sum(of_kind, axis=0)
    return total


def score_metrics(
    scores: Mapping[str, SequenceScores], roles: Mapping[str, str | None]
) -> dict[str, float]:
    """What is recorded of a run, by metric name; fractions in 0..1, counts as counts.

    ``track/...`` is over all sequences and averaged over detections, so that it equals the class's
    own score where there is one class; ``track/class_averaged/...`` weighs classes the same;
    ``track/class/<name>/...``, ``track/video/<sequence>/...`` and, where the data set divides its
    sequences, ``track/tuning/...`` and ``track/test/...`` are parts of it. Scores of masks have
    ``mask_`` in their names, but for ``motsa`` and ``smotsa``. Where a part has no ground truth it
    has counts and no fractions, and ``kept_after_occlusion`` only where something was occluded.

    Args:
        scores: by sequence name, of those that have ground truth.
        roles: tuning, test or None by sequence name.
    """
    counts = combined(scores.values())
    result: dict[str, float] = {}
    for kind, names in ((BOX, BOX_NAMES), (MASK, MASK_NAMES)):
        keys = [key for key in counts if key[0] == kind]
        if not keys:
            continue
        short = {name: names[name] for name in SHORT if name in names} if kind == BOX else names
        whole = detection_averaged(counts, kind)
        _put(result, "track", _scores(whole), _sayable(names, whole))
        averaged = class_averaged(np.stack([counts[key] for key in keys]))
        _put(result, "track/class_averaged", averaged, _sayable(names, whole))
        for key in keys:
            said = _sayable(short, counts[key])
            _put(result, f"track/class/{level(key[1])}", _scores(counts[key]), said)
        for name, one in scores.items():
            total = _total([one], keys)
            if total is not None:
                said = _sayable(short, total)
                _put(result, f"track/video/{level(name)}", _scores(total, alone=True), said)
        for role in ROLES:
            total = _total([one for name, one in scores.items() if roles.get(name) == role], keys)
            if total is not None:
                _put(result, f"track/{role}", _scores(total), _sayable(short, total))
    return result


def _scores(counts: np.ndarray, alone: bool = False) -> dict[str, np.ndarray]:
    return {**summary(counts, alone), **kept_shares(counts)}


def _sayable(names: Mapping[str, str], counts: np.ndarray) -> Mapping[str, str]:
    """Without ground truth only counts can be said: nothing is a fraction of it."""
    if has_objects(counts):
        return names
    return {name: short for name, short in names.items() if name in COUNTED}


def _total(scores: Sequence[SequenceScores], keys: list[Key]) -> np.ndarray | None:
    parts = [one.counts[key] for one in scores for key in keys if key in one.counts]
    return np.sum(parts, axis=0) if parts else None


def _put(
    result: dict[str, float],
    prefix: str,
    values: Mapping[str, np.ndarray],
    names: Mapping[str, str],
) -> None:
    known = [name for name in names if not np.isnan(values.get(name, np.nan))]
    result.update({f"{prefix}/{names[name]}": float(values[name]) for name in known})
