"""What a review says of a tracker, as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from segtrack.annotation.video_matching import TRACK_KINDS
from segtrack.report import NEUTRAL, STYLE

_COLOURS = dict(
    zip(TRACK_KINDS, ("#009E73", "#E69F00", "#CC79A7", "#56B4E9", "#D55E00", NEUTRAL), strict=True)
)
_SCORES = {"HOTA": "#0072B2", "MOTA": "#882255", "IDF1": "#117733"}


def figure_tracks(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Trajectories by what became of them, and scores of boxes and masks, by class.

    Args:
        rows: ``class``, the number of each kind, and in percent ``HOTA``, ``MOTA``, ``IDF1`` and
            ``mask HOTA`` and so on, None where there is nothing to score.
    """
    with matplotlib.rc_context(STYLE):
        height = 1.7 + 0.8 * len(rows)
        figure = Figure(figsize=(11.5, height), layout="constrained")
        counted, scored = figure.subplots(1, 2, width_ratios=(1.15, 1), sharey=True)
        place = np.arange(len(rows))[::-1]
        _count(counted, rows, place)
        _score(scored, rows, place)
        counted.set_yticks(place, [row["class"] for row in rows])
        return figure


def _count(axes: Any, rows: Sequence[Mapping[str, Any]], place: np.ndarray) -> None:
    left = np.zeros(len(rows))
    most = max((sum(row[kind] for kind in TRACK_KINDS) for row in rows), default=0) or 1
    for kind in TRACK_KINDS:
        width = np.array([row[kind] for row in rows], float)
        axes.barh(place, width, 0.66, left, color=_COLOURS[kind], label=kind)
        for x, y, value in zip(left + width / 2, place, width, strict=True):
            if value >= 0.03 * most:
                axes.text(x, y, f"{value:.0f}", ha="center", va="center", fontsize=8, color="black")
        left += width
    axes.set_title("Trajectories under review, by what became of them")
    axes.set_xlabel("trajectories")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(
        loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=3, fontsize=8, borderaxespad=0
    )


def _score(axes: Any, rows: Sequence[Mapping[str, Any]], place: np.ndarray) -> None:
    columns = [c for prefix in ("", "mask ") for n in _SCORES if (c := prefix + n) in rows[-1]]
    size = 0.84 / max(1, len(columns))
    lowest = 0.0
    for i, column in enumerate(columns):
        values = [row.get(column) for row in rows]
        known = np.array([np.nan if v is None else v for v in values], float)
        lowest = min(lowest, float(np.nanmin(known, initial=0.0)))
        at = place + 0.42 - size * (i + 0.5)
        masks = column.startswith("mask ")
        axes.barh(
            at,
            np.nan_to_num(known),
            0.9 * size,
            color=_SCORES[column.removeprefix("mask ")],
            alpha=0.55 if masks else 1.0,
            label=column,
        )
        for y, value in zip(at, values, strict=True):
            text = "n/a" if value is None else f"{value:.1f}"
            axes.text(max(value or 0, 0) + 1, y, text, va="center", fontsize=6.5)
    axes.set_title("The tracker against the review")
    axes.set_xlabel("percent")
    axes.set_xlim(max(lowest, -50.0), 112)
    axes.legend(
        loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=3, fontsize=8, borderaxespad=0
    )
