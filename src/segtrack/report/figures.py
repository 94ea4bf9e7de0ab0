"""Figures in one style, each saved as a PNG with the numbers behind it as CSV beside it.

matplotlib's object interface is used, never pyplot: no global state, no window, safe in threads.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from segtrack.base.names import shown
from segtrack.report.tables import Row, table_csv

DPI = 150
INK, GRID, NEUTRAL = "#222222", "#D9D9D9", "#9A9A9A"
LINES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#882255", "#999933")
"""Colours of lines and bars: those of ``overlay.PALETTE`` that are dark enough on white."""
STYLE = {
    "font.size": 10,
    "axes.titlesize": 11.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.edgecolor": "#808080",
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "text.parse_math": False,  # class names may hold a dollar sign
}


def save_figure(figure: Figure, path: Path, rows: Sequence[Row]) -> None:
    """Write ``path`` (a .png) and the numbers that it shows as .csv beside it."""
    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        # Names in a script that no font at hand has are boxes here and text in the table beside.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(path, dpi=DPI, facecolor="white")
    path.with_suffix(".csv").write_text(table_csv(rows), encoding="utf-8")


def line_chart(
    title: str,
    x_label: str,
    y_label: str,
    x: np.ndarray,
    lines: Mapping[str, np.ndarray],
    main: tuple[str, np.ndarray] | None = None,
) -> Figure:
    """Lines over one x axis, both axes from 0 to 1, with the legend beside the plot.

    Args:
        title: headline.
        x_label, y_label: what the axes show.
        x: float (P,).
        lines: name to float (P,), the most important first: where there are more of them than
            colours, the others are thin, grey and have one common entry in the legend. NaN leaves
            a gap.
        main: name and values of a line that stands out.
    """
    with matplotlib.rc_context(STYLE):
        figure, axes = _axes(title, x_label, y_label, (7.8, 4.8))
        if main is not None:
            axes.plot(x, main[1], color="#111111", lw=2.6, label=main[0], zorder=4)
        named = len(lines) if len(lines) <= len(LINES) else len(LINES) - 2
        for i, (name, values) in enumerate(lines.items()):
            if i < named:
                axes.plot(x, values, color=LINES[i], lw=1.4, label=_label(name), zorder=3)
            else:
                rest = f"{len(lines) - named} others" if i == named else None
                axes.plot(x, values, color=NEUTRAL, lw=0.6, alpha=0.4, label=rest)
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1.02)
        _legend(axes)
        return figure


def bar_chart(
    title: str,
    x_label: str,
    y_label: str,
    groups: Sequence[str],
    bars: Mapping[str, Sequence[float]],
    intervals: Mapping[str, Sequence[tuple[float, float]]] | None = None,
) -> Figure:
    """Groups of bars with their values on top, y axis from 0 to 1; NaN is marked "n/a".

    Args:
        title: headline.
        x_label, y_label: what the axes show.
        groups: text under each group of bars.
        bars: name of a series to one value per group.
        intervals: of the same series, the ends of an interval per value; NaN where there is none.
    """
    with matplotlib.rc_context(STYLE):
        wide = max(1.2, 0.4 * len(bars)) * len(groups)  # so that values on bars do not touch
        figure, axes = _axes(title, x_label, y_label, (max(5.6, 2.2 + wide), 4.4))
        width = 0.78 / max(1, len(bars))
        for i, (name, values) in enumerate(bars.items()):
            x = np.arange(len(groups)) + (i - (len(bars) - 1) / 2) * width
            height = np.asarray(values, float)
            axes.bar(x, np.nan_to_num(height), width * 0.92, color=LINES[i], label=name)
            ends = np.asarray((intervals or {}).get(name, np.full((len(x), 2), np.nan)), float)
            axes.vlines(x, *ends.T, color="0.25", linewidth=1)
            for where, value, high in zip(x, height, ends[:, 1], strict=True):
                text = "n/a" if np.isnan(value) else f"{value:.2f}"
                place = float(np.nanmax([0.0, value, high]))
                axes.text(where, place + 0.012, text, ha="center", va="bottom", fontsize=8)
        axes.set_xticks(range(len(groups)), groups)
        axes.set_ylim(0, 1.08)
        axes.set_yticks(np.arange(0, 1.01, 0.2))
        axes.grid(False, axis="x")
        axes.tick_params(axis="x", length=0)
        if len(bars) > 1:
            _legend(axes)
        return figure


def scatter_chart(
    title: str, x_label: str, y_label: str, points: Mapping[str, np.ndarray]
) -> Figure:
    """Points of several kinds, both axes from 0, with the legend beside the plot.

    Args:
        title: headline.
        x_label, y_label: what the axes show.
        points: name of a kind to float (n, 2), x and y; the most important kind last. The first of
            several is grey.
    """
    with matplotlib.rc_context(STYLE):
        figure, axes = _axes(title, x_label, y_label, (7.8, 4.8))
        for i, (name, xy) in enumerate(points.items()):
            quiet = i == 0 and len(points) > 1
            colour = NEUTRAL if quiet else LINES[(i - (len(points) > 1)) % len(LINES)]
            x, y = np.asarray(xy, float).reshape(-1, 2).T
            style = {"s": 14, "alpha": 0.55} if quiet else {"s": 30, "edgecolors": "white"}
            axes.scatter(x, y, color=colour, label=_label(name), lw=0.5, zorder=3 + i, **style)
        axes.set_xlim(0, None)
        axes.set_ylim(0, None)
        _legend(axes)
        return figure


def matrix_chart(
    title: str,
    x_label: str,
    y_label: str,
    names: tuple[Sequence[str], Sequence[str]],
    counts: np.ndarray,
    share: np.ndarray,
    share_label: str,
) -> Figure:
    """A matrix of counts whose shade is a share; the last row and column stand apart.

    Args:
        title: headline.
        x_label, y_label: what columns and rows are.
        names: of the rows and of the columns.
        counts: int (R, C), written into the cells where they have room.
        share: float (R, C), 0..1, the shade; NaN stays white.
        share_label: what the shade means.
    """
    rows, columns = counts.shape
    across, down = ([shown(name, 40) for name in some] for some in (names[1], names[0]))
    roomy = columns <= 30
    cell = 0.62 if columns <= 12 else 0.42 if roomy else 0.17
    size = (max(5.2, 2.9 + cell * columns), max(4.0, 2.0 + cell * 0.85 * rows))
    with matplotlib.rc_context(STYLE):
        figure, axes = _axes(title, x_label, y_label, size)
        axes.grid(False)
        image = axes.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        font = 9 if columns <= 12 else 7.5 if roomy else 5.5
        axes.set_xticks(range(columns), across, rotation=90 if columns > 6 else 0, fontsize=font)
        axes.set_yticks(range(rows), down, fontsize=font)
        axes.tick_params(length=0)
        axes.axhline(rows - 1.5, color="#808080", lw=1)
        axes.axvline(columns - 1.5, color="#808080", lw=1)
        for row, column in np.argwhere(counts > 0) if roomy else ():
            dark = np.nan_to_num(share[row, column]) > 0.55
            axes.text(
                float(column),
                float(row),
                str(counts[row, column]),
                ha="center",
                va="center",
                fontsize=font,
                color="white" if dark else INK,
            )
        bar = figure.colorbar(image, ax=axes, fraction=0.04, pad=0.02)
        bar.set_label(share_label)
        bar.outline.set_visible(False)
        return figure


def _label(name: str) -> str:
    """For the legend, out of which matplotlib leaves what begins with an underscore."""
    return shown(f" {name}" if name.startswith("_") else name, 40)


def _legend(axes: Axes) -> None:
    """Beside the plot, so that it covers no line."""
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.02), borderaxespad=0, fontsize=9)


def _axes(title: str, x_label: str, y_label: str, size: tuple[float, float]) -> tuple[Figure, Axes]:
    figure = Figure(figsize=size, layout="constrained")
    axes: Any = figure.add_subplot()
    axes.set_title(title)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.grid(True)
    return figure, axes
