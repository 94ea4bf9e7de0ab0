"""Figures of tracking scores: over localisation thresholds, and of every video.

Scores are in 0..1, as they are recorded; ``figures.save`` writes a figure with its rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from segtrack.base.names import shown as shown_name
from segtrack.report import INK, LINES, STYLE, Row, line_chart
from segtrack.scoring import (
    ALPHAS,
    BOX,
    COUNTED,
    ROLES,
    SequenceScores,
    combined,
    detection_averaged,
    has_objects,
    per_alpha,
    summary,
)

CURVES = ("DetA", "AssA", "LocA")
SCORES = ("HOTA", "MOTA", "IDF1")
COLUMNS = (
    *("HOTA", "DetA", "AssA", "LocA", "MOTA", "MOTP", "sMOTA", "IDF1", "IDP", "IDR"),
    *("IDSW", "FP", "FN", "Frag", "MT", "PT", "ML"),
)
ALL = "all"
COMBINED = "combined"  # in place of a role: the row stands for several videos


def curve_rows(counts: np.ndarray) -> list[dict[str, float]]:
    """A row per localisation threshold with the HOTA family there.

    Args:
        counts: float64 (D,).
    """
    curves = per_alpha(counts)
    return [
        {"alpha": round(float(alpha), 6), **{k: float(v[i]) for k, v in curves.items()}}
        for i, alpha in enumerate(ALPHAS)
    ]


def figure_curves(rows: Sequence[Row], title: str = "HOTA over localisation thresholds") -> Figure:
    """HOTA with what it is made of, DetA and AssA, and LocA, over the thresholds.

    The scores themselves are the means of their curves (Luiten et al. 2020), which the legend has.
    Where nothing matches, LocA is 1 by definition: there it counts, but is not drawn.

    Args:
        rows: of ``curve_rows``.
    """
    values = {name: np.array([row[name] for row in rows]) for name in ("HOTA", *CURVES)}
    matched = values["DetA"] > 0
    lines = {
        f"{name}, mean {values[name].mean():.3f}": np.where(
            matched | (name != "LocA"), values[name], np.nan
        )
        for name in CURVES
    }
    main = f"HOTA, mean {values['HOTA'].mean():.3f}", values["HOTA"]
    alphas = np.array([row["alpha"] for row in rows])
    return line_chart(title, "localisation threshold α (IoU)", "score", alphas, lines, main)


def video_rows(
    scores: Mapping[str, SequenceScores], roles: Mapping[str, str | None], kind: str = BOX
) -> list[dict[str, Any]]:
    """The scores of each video, of the tuning and the test ones together, and of all.

    Args:
        scores: by sequence.
        roles: tuning, test or None by sequence name.
        kind: "box" or "mask".

    Returns:
        Rows with ``video``, ``role`` ("combined" for several videos) and ``COLUMNS``, averaged over
        detections; none where nothing of this kind was scored.
    """
    classes = [key for key in combined(scores.values()) if key[0] == kind]
    totals = {
        name: detection_averaged({k: one.counts[k] for k in classes if k in one.counts}, kind)
        for name, one in scores.items()
        if any(key in one.counts for key in classes)
    }
    if not totals:
        return []
    parts = {role: [n for n in totals if roles.get(n) == role] for role in ROLES} | {
        ALL: list(totals)
    }
    rows = [_scores(name, roles.get(name), total, True) for name, total in totals.items()]
    for name, members in parts.items():
        if members:
            total = np.sum([totals[member] for member in members], axis=0)
            rows.append(_scores(name, COMBINED, total, False))
    return rows


def figure_videos(
    rows: Sequence[Row],
    scores: Sequence[str] = SCORES,
    title: str = "Scores of each video",
) -> Figure:
    """A line per video with a dot for each score, and the videos taken together below.

    Args:
        rows: ``video`` and every score of ``scores``, 0..1 (MOTA may be below 0: down to -1 it is
            drawn, further it is only written); a score that is missing or NaN has no dot. Rows
            whose ``role`` is combined are drawn apart; any other role is named.
    """
    single = [row for row in rows if row.get("role") != COMBINED]
    ordered = single + [row for row in rows if row.get("role") == COMBINED]
    numbers = [_number(row.get(name)) for row in ordered for name in scores]
    table = np.array(numbers, float).reshape(len(ordered), len(scores))
    shown = np.maximum(table, -1.0)
    left = min(0.0, float(np.nanmin(shown, initial=0.0)) - 0.04)
    letters = max((len(_label(row)) for row in ordered), default=8)
    size = (5.6 + 0.075 * letters + 0.65 * len(scores), 1.3 + 0.33 * max(2, len(ordered)))
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=size, layout="constrained")
        axes: Any = figure.add_subplot()
        y = np.arange(len(ordered))
        spread = np.where(np.isfinite(shown), shown, np.nan)
        for i, values in enumerate(spread):
            if np.isfinite(values).any():
                ends = [np.nanmin(values), np.nanmax(values)]
                axes.plot(ends, [i, i], color="#C4C4C4", lw=2.2, zorder=1, solid_capstyle="round")
        for k, name in enumerate(scores):
            axes.plot(shown[:, k], y, "o", ms=7, color=LINES[k], ls="none", label=name, zorder=3)
            texts = ["n/a" if np.isnan(value) else f"{value:.3f}" for value in table[:, k]]
            _column(axes, 46 * (k + 1), f"● {name}", LINES[k], texts)
        axes.set_yticks(y, [_label(row) for row in ordered], fontsize=9)
        if 0 < len(single) < len(ordered):
            axes.axhline(len(single) - 0.5, color="#808080", lw=1)
            for tick in axes.get_yticklabels()[len(single) :]:
                tick.set_fontweight("bold")
        axes.set_xlim(left, 1.02)
        axes.set_ylim(max(len(ordered), 1) - 0.5, -0.5)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.grid(True, axis="x")
        axes.set_xlabel("score")
        axes.set_title(title)
        return figure


def _column(axes: Any, points: float, head: str, colour: str, texts: Sequence[str]) -> None:
    """Texts right of the axes, one per row; they end so many points from its edge."""
    for y, text in ((-0.6, head), *enumerate(texts)):
        axes.annotate(
            text,
            (1, y),
            (points, 0),
            xycoords=axes.get_yaxis_transform(),
            textcoords="offset points",
            ha="right",
            va="bottom" if text == head else "center",
            color=colour if text == head else INK,
            fontsize=9,
            annotation_clip=False,
        )


def _scores(video: str, role: str | None, counts: np.ndarray, alone: bool) -> dict[str, Any]:
    values = summary(counts, alone)
    row: dict[str, Any] = {"video": video, "role": role or ""}
    judged = has_objects(counts)  # without ground truth nothing is a fraction of it
    for name in COLUMNS:
        share = float(values[name]) if judged else float("nan")
        row[name] = int(values[name]) if name in COUNTED else share
    return row


def _label(row: Row) -> str:
    role, video = row.get("role"), shown_name(str(row["video"]))
    return f"{video} ({role})" if role in ROLES else video


def _number(value: Any) -> float:
    return float("nan") if value is None or value == "" else float(value)
