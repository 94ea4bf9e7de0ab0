"""What a review says of a model: tables of outcomes, acceptance over confidence, a gallery."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from segtrack.annotation.matching import KINDS, Shape
from segtrack.base.bands import BANDS, band_of
from segtrack.base.shares import share_interval
from segtrack.dataset import read_pixels
from segtrack.report import LINES, NEUTRAL, STYLE

HIT_IOU = 0.5  # a corrected prediction below this did not find the object
RIGHT = 0.95  # share of accepted predictions from which nobody needs to look
ALL = "all"
_BINS = 10
_TILE = 560  # px


@dataclass(frozen=True)
class Outcomes:
    """N objects under review.

    Attributes:
        names: class names by class id.
        class_id: int (N,). kind: int (N,), position in ``matching.KINDS``.
        score: float (N,), NaN for what was added.
        iou: float (N,), mask IoU of prediction and label, NaN where there is one of them only.
        before, after: float (N,), mask IoU of prediction and label with a known truth where they
            were corrected; NaN elsewhere.
        image: int (N,), position of the object's image.
    """

    names: tuple[str, ...]
    class_id: NDArray[np.int64]
    kind: NDArray[np.int64]
    score: NDArray[np.float64]
    iou: NDArray[np.float64]
    before: NDArray[np.float64]
    after: NDArray[np.float64]
    image: NDArray[np.int64]


class AutoAccept(NamedTuple):
    """What accepting everything from a score on would have come to.

    Attributes:
        score: lowest at which at least ``RIGHT`` of the predictions were accepted as they were.
        predictions: from there on. share: of them that were accepted.
        low, high: 95 % interval of the share (``share_interval``).
    """

    score: float
    predictions: int
    share: float
    low: float
    high: float


def outcome_rows(found: Outcomes) -> list[dict[str, Any]]:
    """A row per class and confidence band, ``all`` of each at the end.

    Columns: ``class``, ``band``, ``sent``, the number of each kind, ``accepted_share``,
    ``iou_corrected`` (mean IoU of corrected predictions with their labels), ``truth_before`` and
    ``truth_after`` (mean IoU with a known truth of what was corrected), ``precision`` and
    ``recall`` of the model at IoU 0.5. What was added has no confidence: it counts in ``all``.
    """
    bands = np.array(["" if math.isnan(s) else band_of(s) for s in found.score.tolist()], object)
    rows = []
    for name in (*found.names, ALL):
        of_class = np.ones(len(bands), bool)
        if name != ALL:
            of_class = found.class_id == found.names.index(name)
        for band in (*BANDS, ALL):
            chosen = of_class & ((bands == band) if band != ALL else True)
            rows.append({"class": name, "band": band, **_row(found, chosen, band == ALL)})
    return rows


def _row(found: Outcomes, chosen: NDArray[np.bool_], whole: bool) -> dict[str, Any]:
    counts = {str(k): int((chosen & (found.kind == i)).sum()) for i, k in enumerate(KINDS)}
    sent = counts["accepted"] + counts["corrected"] + counts["deleted"]
    hits = int((chosen & (np.nan_to_num(found.iou) >= HIT_IOU)).sum())
    labels = counts["accepted"] + counts["corrected"] + counts["added"]
    corrected = chosen & (found.kind == KINDS.index("corrected"))
    return {
        "sent": sent,
        **counts,
        "added": counts["added"] if whole else None,
        "accepted_share": counts["accepted"] / sent if sent else None,
        "iou_corrected": _mean(found.iou[corrected]),
        "truth_before": _mean(found.before[corrected]),
        "truth_after": _mean(found.after[corrected]),
        "precision": hits / sent if sent else None,
        "recall": hits / labels if whole and labels else None,
    }


def acceptance_rows(
    score: NDArray[np.float64], right: NDArray[np.bool_], image: NDArray[np.int64]
) -> list[dict[str, Any]]:
    """Share of accepted predictions by confidence, with its 95 % interval, in ten bins.

    Args:
        score: float (N,), 0..1. right: bool (N,), accepted as they were. image: int (N,).
    """
    rows = []
    index = np.minimum((score * _BINS).astype(int), _BINS - 1)
    for i in range(_BINS):
        count, hits = int((index == i).sum()), int(right[index == i].sum())
        low, high = share_interval(right[index == i], image[index == i])
        row = {"from": i / _BINS, "to": (i + 1) / _BINS, "predictions": count, "accepted": hits}
        share = hits / count if count else None
        mean = float(score[index == i].mean()) if count else None
        rows.append(
            {
                **row,
                "mean_score": mean,
                "share": share,
                "low": low if count else None,
                "high": high if count else None,
            }
        )
    return rows


def auto_accept(
    score: NDArray[np.float64],
    right: NDArray[np.bool_],
    image: NDArray[np.int64],
    least: float = RIGHT,
) -> AutoAccept | None:
    """The lowest score from which on at least ``least`` were accepted; None where there is none.

    Args:
        score: float (N,). right: bool (N,), accepted as they were. image: int (N,).
    """
    if not len(score):
        return None
    order = np.argsort(-score, kind="stable")
    ordered, hits = score[order], np.cumsum(right[order])
    count = np.arange(1, len(ordered) + 1)
    ends = np.append(ordered[1:] != ordered[:-1], True)  # equal scores are accepted together
    good = np.flatnonzero(ends & (hits >= least * count))
    if not len(good):
        return None
    last = int(good[-1])
    from_there = order[: last + 1]
    low, high = share_interval(right[from_there], image[from_there])
    return AutoAccept(float(ordered[last]), last + 1, float(hits[last] / (last + 1)), low, high)


def statement(found: AutoAccept | None, predictions: int, least: float = RIGHT) -> str:
    """What ``auto_accept`` found among so many predictions, in words."""
    if not predictions:
        return "No predictions were reviewed."
    if found is None:
        return (
            "No score is safe for accepting predictions unseen: whatever the threshold, fewer than "
            f"{least:.0%} of the predictions from it on (of {predictions:,} in all) were accepted "
            "as they were."
        )
    hits = round(found.share * found.predictions)
    facts = (
        f"of the {found.predictions:,} (of {predictions:,}) scored {least_score(found):.3f} or "
        f"more, {hits:,} were accepted as they were ({found.share:.1%}, 95% interval "
        f"{found.low:.1%} to {found.high:.1%})"
    )
    if found.low >= least:
        return f"Predictions may be accepted unseen from that score on: {facts}."
    return f"No score is safe yet for accepting predictions unseen: {facts}; too few to tell."


def least_score(found: AutoAccept) -> float:
    """Its score as it is shown, rounded down: what is shown is among what was counted."""
    return math.floor(found.score * 1000) / 1000


def figure_acceptance(rows: Sequence[dict[str, Any]], found: AutoAccept | None) -> Figure:
    """Acceptance over confidence, one bar per bin of ``acceptance_rows`` with its interval."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7.8, 4.8), layout="constrained")
        axes: Any = figure.add_subplot()
        axes.set_title("Predictions that reviewers accepted as they were")
        axes.plot((0, 1), (0, 1), color=NEUTRAL, lw=1, ls="--", label="as sure as it says")
        full = [row for row in rows if row["share"] is not None]
        middle = [(row["from"] + row["to"]) / 2 for row in full]
        share = np.array([row["share"] for row in full], float)
        axes.bar(middle, share, 0.92 / _BINS, color=LINES[0], alpha=0.75, label="accepted")
        if full:
            spread = [
                [row["share"] - row["low"] for row in full],
                [row["high"] - row["share"] for row in full],
            ]
            style = {"ecolor": "#333333", "elinewidth": 1, "capsize": 3}
            axes.errorbar(middle, share, np.maximum(spread, 0), fmt="none", **style)
        for row, x in zip(full, middle, strict=True):
            # Beside the interval.
            axes.text(x - 0.008, 0.012, row["predictions"], ha="right", va="bottom", fontsize=8)
        axes.axhline(RIGHT, color=LINES[2], lw=1, label=f"{RIGHT:.0%}")
        if found is not None:
            label = f"{RIGHT:.0%} from {least_score(found):.3f} on"
            axes.axvline(found.score, color=LINES[1], lw=1.4, label=label)
        words = textwrap.fill(statement(found, sum(row["predictions"] for row in rows)), 84)
        axes.set_xlabel(f"confidence; number of predictions at the foot of the bars\n{words}")
        axes.set_ylabel("share accepted, 95% interval")
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1.05)
        axes.grid(True)
        axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.02), borderaxespad=0, fontsize=9)
        return figure


class Pair(NamedTuple):
    """An image with its objects before and after the review."""

    path: Path
    title: str
    sent: Sequence[Shape]
    labels: Sequence[Shape]


def write_gallery(
    pairs: Iterable[Pair],
    names: Sequence[str],
    path: Path,
    sides: tuple[str, str] = ("model", "review"),
) -> int:
    """A sheet of objects before (left) beside after (right); nothing where none is readable.

    Args:
        sides: what they are called.

    Returns:
        Images on the sheet; those that cannot be read are left out.
    """
    import cv2

    from segtrack.report import caption, contact_sheet, overlay

    tiles = []
    for pair in pairs:
        read = read_pixels(pair.path)
        if read is None:
            continue
        image: NDArray[Any] = read
        scale = min(1.0, 2 * _TILE / image.shape[1])
        if scale < 1:
            image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        for shapes, side in zip((pair.sent, pair.labels), sides, strict=True):
            drawn = overlay(
                image,
                [[shape.polygon * scale] for shape in shapes],
                [names.index(shape.class_name) for shape in shapes],
                [_label(shape) for shape in shapes],
            )
            size = max(12, round(drawn.shape[1] / 40))
            tiles.append(caption(drawn, f"{side}: {pair.title}", size))
    if tiles:
        cv2.imwrite(str(path), contact_sheet(tiles, 2, _TILE), [cv2.IMWRITE_JPEG_QUALITY, 90])
    return len(tiles) // 2


def _label(shape: Shape) -> str:
    return shape.class_name if shape.score is None else f"{shape.class_name} {shape.score:.2f}"


def _mean(values: NDArray[np.float64]) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None
