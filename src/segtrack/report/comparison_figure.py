"""The figure of a comparison: every setting's difference with its interval."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from segtrack.base.statistics import FEW, Interval
from segtrack.report.comparison import LIKE, Comparison
from segtrack.report.figures import INK, LINES, NEUTRAL, STYLE

REACH = 3  # times the largest difference; longer intervals are cut
DRAWN = 40  # settings that the figure has room for
BEST, TIED, TOLD = LINES[1], LINES[0], NEUTRAL
QUIET = "#666666"
_MARK: dict[str, Any] = {"ls": "none", "color": QUIET, "markerfacecolor": "white"}


def figure_differences(comparison: Comparison, metric: str) -> Figure:
    """Dots with whiskers: each setting's difference to the reference, the chosen one on top.

    Whiskers hold together over all settings. Where others chose than what is measured, the chosen
    setting has its own interval too, as a wide bar, and small hollow dots stand for what chose. Of
    few units each has a tick. Of more than 40 settings the 40 best are drawn, the reference among
    them.
    """
    shown = _shown(comparison, metric)
    colours = {i: _colour(comparison, metric, i) for i in shown}
    pitch = 0.42 if len(shown) <= 12 else 0.28
    with matplotlib.rc_context(STYLE):
        letters = max(len(_short(comparison.settings[i].name)) for i in shown)
        size = (7.4 + 0.075 * letters, 2.6 + pitch * len(shown))
        figure = Figure(figsize=size, layout="constrained")
        some = "" if len(shown) == len(comparison.settings) else f", the {len(shown)} best drawn"
        head = f"{metric} against {comparison.reference_name}\n{comparison.title}{some}"
        figure.suptitle(head, x=0.01, ha="left", fontsize=11, fontweight="bold")
        axes: Any = figure.add_subplot()
        axes.set_title(" ", pad=6)  # room for the head of the scores
        axes.axvline(0, color=INK, lw=1, zorder=1)
        for y, i in enumerate(shown):
            gap = comparison.family.differences[metric][i]
            _whisker(axes, y, gap, colours[i], 1.8)
            if i == comparison.best[metric] and comparison.single(metric):
                _whisker(axes, y, comparison.claims[metric], colours[i], 5.5)
            if gap.counted < FEW and i != comparison.reference:
                _marks(axes, y, gap.each, "|")
            if comparison.tested:
                own, other = (
                    comparison.settings[k].chosen_by(metric) for k in (i, comparison.reference)
                )
                _marks(axes, y, [own - other], "o")
        gaps = [comparison.family.differences[metric][i] for i in shown]
        _limit(axes, gaps, [colours[i] for i in shown])
        _names(axes, comparison, metric, shown)
        axes.set_ylim(len(shown) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0, pad=9)
        axes.grid(True, axis="x")
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(f"difference of {metric}, percentage points")
        figure.legend(
            handles=_legend(comparison, metric, set(colours.values())),
            loc="outside lower center",
            ncols=2,
            fontsize=9,
        )
        return figure


def figure_gaps(rows: Sequence[Mapping[str, Any]], claim: str, level: float) -> Figure:
    """The difference of two runs in each metric, with its interval.

    Args:
        rows: ``metric``, ``difference``, ``low`` and ``high`` in percentage points (None where
            there is no interval), ``told``.
        claim: what can be said, for the title.
        level: of the intervals, 0..1.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7.4, 1.7 + 0.42 * len(rows)), layout="constrained")
        title = textwrap.fill(claim, 78)
        figure.suptitle(title, x=0.01, ha="left", fontsize=10, fontweight="bold")
        axes: Any = figure.add_subplot()
        axes.axvline(0, color=INK, lw=1, zorder=1)
        for y, row in enumerate(rows):
            colour = TOLD if row["told"] else TIED
            if row["low"] is not None and row["high"] is not None:
                axes.plot([row["low"], row["high"]], [y, y], color=colour, lw=1.8, zorder=2)
            axes.plot(row["difference"], y, "o", color=colour, zorder=3)
        axes.set_yticks(range(len(rows)), [str(row["metric"]) for row in rows])
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.grid(True, axis="x")
        axes.set_xlabel(f"B - A, percentage points; {level:.0%} intervals")
    return figure


def _shown(comparison: Comparison, metric: str) -> list[int]:
    """Settings from the chosen one to the worst as they were measured, without a score last."""
    scores = [setting.measured[metric].score for setting in comparison.settings]
    best = comparison.best[metric]

    def rank(i: int) -> tuple[bool, float, int]:
        return i != best, math.inf if math.isnan(scores[i]) else -scores[i], i

    order = sorted(range(len(scores)), key=rank)
    if comparison.reference in order[DRAWN:]:
        return [*order[: DRAWN - 1], comparison.reference]
    return order[:DRAWN]


def _colour(comparison: Comparison, metric: str, i: int) -> str:
    if i == comparison.best[metric]:
        return BEST
    if i == comparison.reference:
        return INK
    return TIED if comparison.places[metric][i] == LIKE else TOLD


def _legend(comparison: Comparison, metric: str, used: set[str]) -> list[Line2D]:
    top, apart = ("chosen", "told from it") if comparison.tested else ("best", "below it")
    size, units = f"{100 * comparison.level:g}% interval", comparison.basis.units
    where = f", on {units}" if comparison.tested else ""
    kinds = [(BEST, top), (TIED, LIKE), (TOLD, apart)]
    dots = [_dot(colour, name + where) for colour, name in kinds if colour in used]
    whiskers = (
        "all settings and metrics together" if len(comparison.settings) > 2 else "all metrics"
    )
    if comparison.intervals:
        dots.append(Line2D([], [], color=QUIET, lw=1.8, label=f"{size}, {whiskers}"))
    if comparison.single(metric):
        dots.append(Line2D([], [], color=BEST, lw=5.5, alpha=0.45, label=f"{size} of {top} alone"))
    if comparison.few:
        dots.append(Line2D([], [], **_MARK, marker="|", ms=9, label=f"single {units}"))
    if comparison.tested:
        label = f"on {comparison.basis.chosen}, which chose"
        dots.append(Line2D([], [], **_MARK, marker="o", ms=4.5, label=label))
    return dots


def _names(axes: Any, comparison: Comparison, metric: str, shown: list[int]) -> None:
    """The settings' names on the left, their scores on the right."""
    marked = [
        _short(comparison.settings[i].name) + (" (reference)" * (i == comparison.reference))
        for i in shown
    ]
    axes.set_yticks(range(len(shown)), marked, fontsize=9)
    right = axes.get_yaxis_transform()
    for y, i in enumerate(shown):
        if i in (comparison.best[metric], comparison.reference):
            axes.get_yticklabels()[y].set_fontweight("bold")
        setting = comparison.settings[i]
        text = f"{100 * setting.measured[metric].score:.2f}"
        if comparison.tested:
            text += f" / {100 * setting.chosen_by(metric):.2f}"
        axes.text(1.025, y, text, transform=right, va="center", fontsize=9)
    head = f"{metric} %" + (f", test / {comparison.basis.choice}" if comparison.tested else "")
    axes.text(1.025, -0.6, head, transform=right, va="bottom", fontsize=9, color=QUIET)


def _whisker(axes: Any, y: float, gap: Interval, colour: str, width: float) -> None:
    ends, faint = [100 * gap.low, 100 * gap.high], 0.45 if width > 2 else 1
    axes.plot(ends, [y, y], color=colour, lw=width, alpha=faint, solid_capstyle="butt", zorder=2)
    dot = _dot(colour, None)
    dot.set_data([100 * gap.difference], [y])
    axes.add_line(dot)
    axes.update_datalim([(100 * gap.difference, y)])


def _limit(axes: Any, gaps: Sequence[Interval], colours: Sequence[str]) -> None:
    """Keep differences to be seen where intervals of few units are far longer: cut those, with an
    arrow at the edge."""
    dots = [x for line in axes.lines if line.get_marker() in ("o", "|") for x in line.get_xdata()]
    edge = REACH * max(abs(x) for x in dots)
    ends = [100 * end for gap in gaps for end in (gap.low, gap.high) if math.isfinite(end)]
    if edge == 0 or not ends or max(map(abs, ends)) <= edge:
        return
    axes.set_xlim(-edge, edge)
    for y, (gap, colour) in enumerate(zip(gaps, colours, strict=True)):
        for end, marker in ((gap.low, "<"), (gap.high, ">")):
            if abs(100 * end) > edge:
                x = math.copysign(edge, end)
                axes.plot([x], [y], marker=marker, color=colour, ms=7, clip_on=False, zorder=4)


def _marks(axes: Any, y: float, differences: Sequence[float], marker: str) -> None:
    """Differences without intervals."""
    known = [100 * one for one in differences if math.isfinite(one)]
    size = 9 if marker == "|" else 4.5
    axes.plot(known, [y] * len(known), **_MARK, marker=marker, ms=size, zorder=3)


def _dot(colour: str, label: str | None) -> Line2D:
    return Line2D([], [], marker="o", ls="none", ms=6.5, color=colour, zorder=4, label=label)


def _short(text: str, most: int = 60) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
