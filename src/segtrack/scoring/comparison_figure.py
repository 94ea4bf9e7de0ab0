"""The figure of a comparison: every cell's difference with its interval."""

from __future__ import annotations

import math
from typing import Any

import matplotlib
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from segtrack.base.statistics import Interval
from segtrack.report import INK, LINES, NEUTRAL, STYLE
from segtrack.scoring.comparison import Comparison

DRAWN = 40  # cells that the figure has room for
BEST, TIED, BELOW = LINES[1], LINES[0], NEUTRAL
QUIET = "#666666"


def figure_differences(comparison: Comparison, metric: str = "HOTA") -> Figure:
    """Dots with whiskers: each cell's difference to the reference, the best cell on top.

    Colours tell the best cell, those that cannot be told from it, and the rest. On the test
    sequences, where there are such, each cell has a second, hollow dot. Of more than 40 cells the
    40 best are drawn, the reference among them.
    """
    gaps, tests = comparison.differences[metric], comparison.test_differences
    best, tied = comparison.best[metric], comparison.tied[metric]
    shown = _shown(comparison, metric)
    pitch = 0.42 if len(shown) <= 12 else 0.27 if tests is None else 0.36
    shift = 0.0 if tests is None else 0.17
    with matplotlib.rc_context(STYLE):
        letters = max(len(_short(comparison.cells[i].name)) for i in shown)
        size = (6.8 + 0.075 * letters, 2.0 + pitch * len(shown))
        figure = Figure(figsize=size, layout="constrained")
        axes: Any = figure.add_subplot()
        axes.axvline(0, color=INK, lw=1, zorder=1)
        for y, i in enumerate(shown):
            colour = BEST if i == best else TIED if tied[i] else BELOW
            _whisker(axes, y - shift, gaps[i], colour, solid=True)
            if tests is not None:
                _whisker(axes, y + shift, tests[metric][i], colour, solid=False)
        _names(axes, comparison, metric, shown)
        axes.set_ylim(len(shown) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0)
        axes.grid(True, axis="x")
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(
            f"difference of {metric} to the reference, percentage points "
            f"({100 * comparison.level:g}% interval)\n{comparison.basis}"
        )
        some = "" if len(shown) == len(gaps) else f", {len(shown)} of {len(gaps)} cells"
        axes.set_title(f"{metric} of each cell against the reference{some}", pad=12)
        kinds = [(BEST, "best"), (TIED, "cannot be told from the best"), (BELOW, "below the best")]
        used = [BEST if i == best else TIED if tied[i] else BELOW for i in shown]
        dots = [_dot(colour, name, True) for colour, name in kinds if colour in used]
        if tests is not None:
            dots.append(_dot(QUIET, "on the test sequences", False))
        figure.legend(handles=dots, loc="outside lower center", ncols=4, fontsize=9)
        return figure


def _shown(comparison: Comparison, metric: str) -> list[int]:
    """Cells from the best to the worst, those without a score last."""
    scores, best = comparison.scores[metric], comparison.best[metric]

    def rank(i: int) -> tuple[bool, float, int]:
        return i != best, math.inf if math.isnan(scores[i]) else -scores[i], i

    order = sorted(range(len(scores)), key=rank)
    if comparison.reference in order[DRAWN:]:
        return [*order[: DRAWN - 1], comparison.reference]
    return order[:DRAWN]


def _names(axes: Any, comparison: Comparison, metric: str, shown: list[int]) -> None:
    """The cells' names on the left, their scores on the right."""
    best, reference = comparison.best[metric], comparison.reference
    names = [_short(comparison.cells[i].name) for i in shown]
    marked = [
        f"{name} (reference)" if i == reference else name
        for i, name in zip(shown, names, strict=True)
    ]
    axes.set_yticks(range(len(shown)), marked, fontsize=9)
    right = axes.get_yaxis_transform()
    for y, i in enumerate(shown):
        if i in (best, reference):
            axes.get_yticklabels()[y].set_fontweight("bold")
        text = f"{100 * comparison.scores[metric][i]:.2f}"
        if comparison.test_scores is not None:
            text += f" / {100 * comparison.test_scores[metric][i]:.2f}"
        axes.text(1.015, y, text, transform=right, va="center", fontsize=9)
    head = f"{metric} %" if comparison.test_scores is None else f"{metric} %, tuning / test"
    axes.text(1.015, -0.6, head, transform=right, va="bottom", fontsize=9, color=QUIET)


def _whisker(axes: Any, y: float, gap: Interval, colour: str, solid: bool) -> None:
    ends = [100 * gap.low, 100 * gap.high]
    axes.plot(ends, [y, y], color=colour, lw=1.8 if solid else 1.1, solid_capstyle="round")
    dot = _dot(colour, None, solid)
    dot.set_data([100 * gap.difference], [y])
    axes.add_line(dot)
    axes.update_datalim([(100 * gap.difference, y)])


def _dot(colour: str, label: str | None, solid: bool) -> Line2D:
    return Line2D(
        [],
        [],
        marker="o",
        ls="none",
        ms=6.5 if solid else 5,
        color=colour,
        markerfacecolor=colour if solid else "white",
        zorder=3,
        label=label,
    )


def _short(text: str, most: int = 60) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
