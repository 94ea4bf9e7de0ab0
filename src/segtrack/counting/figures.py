"""What was counted over time, as figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from segtrack.base.names import shown
from segtrack.counting.count import CROSSINGS, OCCUPANCY, SPEEDS, load_totals
from segtrack.counting.lines import IN, OUT
from segtrack.report import INK, LINES, NEUTRAL, STYLE, read_table_csv, save_figure

MOST = 12  # panels of a figure: lines, zones
MINUTES = 180  # s, from which on time is shown in minutes
_WAYS = {IN: "-", OUT: "--"}

Rows = Sequence[Mapping[str, str]]


def write_figures(counted: Path, folder: Path) -> None:
    """``crossings.png``, ``occupancy.png`` and ``speeds.png``, each of a table beside it.

    Args:
        counted: of ``count_tracks``.
        folder: gets the figures, and those tables.
    """
    totals = load_totals(counted)
    for file, draw in ((CROSSINGS, _lines), (OCCUPANCY, _zones), (SPEEDS, _speeds)):
        if not (counted / file).is_file():
            continue
        rows = read_table_csv((counted / file).read_text(encoding="utf-8"))
        if rows:
            folder.mkdir(parents=True, exist_ok=True)
            save_figure(draw(totals, rows), (folder / file).with_suffix(".png"), rows)


def _lines(totals: Mapping[str, Any], rows: Rows) -> Figure:
    """Crossings so far, by class and direction; a panel for each line."""
    names = list(totals["lines"])[:MOST]
    figure, panels, clock = _panels(
        totals, [f"Crossings of {shown(n, 40)} so far" for n in names], "crossings"
    )
    for name, axes in zip(names, panels, strict=True):
        for i, kind in enumerate(totals["classes"]):
            for way, dash in _WAYS.items():
                own = [
                    float(row["time_s"])
                    for row in rows
                    if (row["line"], row["class_name"], row["direction"]) == (name, kind, way)
                ]
                if own:
                    x = [0.0, *own, totals["seconds"]]
                    y = [*range(len(own) + 1), len(own)]
                    axes.step(np.array(x) / clock, y, dash, where="post", lw=1.8, color=_colour(i))
    used = {row["class_name"] for row in rows}
    _legend(figure, totals["classes"], used, [Line2D([], [], color=INK, ls=dash, label=way)
                                              for way, dash in _WAYS.items()])  # fmt: skip
    return figure


def _zones(totals: Mapping[str, Any], rows: Rows) -> Figure:
    """How many are in a zone, by class; a panel for each zone."""
    names = list(totals["zones"])[:MOST]
    figure, panels, clock = _panels(totals, [f"In {shown(n, 40)}" for n in names], "objects")
    used = set()
    for name, axes in zip(names, panels, strict=True):
        for i, kind in enumerate(totals["classes"]):
            own = [row for row in rows if (row["zone"], row["class_name"]) == (name, kind)]
            y = [int(row["inside"]) for row in own]
            if any(y):
                used.add(kind)
                x = np.array([*(float(row["time_s"]) for row in own), totals["seconds"]])
                axes.step(x / clock, [*y, y[-1]], where="post", lw=1.8, color=_colour(i))
    _legend(figure, totals["classes"], used, [])
    return figure


def _speeds(totals: Mapping[str, Any], rows: Rows) -> Figure:
    """A dot for each track at its median speed, and the median and 85th percentile of a class."""
    kinds = [kind for kind in totals["classes"] if any(r["class_name"] == kind for r in rows)]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7.8, 1.6 + 0.75 * len(kinds)), layout="constrained")
        axes: Any = figure.add_subplot()
        for y, kind in enumerate(kinds):
            own = [row for row in rows if row["class_name"] == kind]
            x = np.array([float(row["median_kmh"]) for row in own])
            far = np.array([row["extrapolated"] == "True" for row in own])
            where = y + 0.22 * _spread(len(x))
            colour = _colour(totals["classes"].index(kind))
            axes.scatter(x[~far], where[~far], s=26, color=colour, alpha=0.75, lw=0)
            axes.scatter(x[far], where[far], s=26, facecolors="none", edgecolors=NEUTRAL)
            of = totals["speeds"][kind]
            for key, width in (("median_kmh", 2.4), ("p85_kmh", 1.2)):
                if of[key] is not None:
                    axes.vlines(of[key], y - 0.36, y + 0.36, color=INK, lw=width)
        axes.set_yticks(range(len(kinds)), [shown(kind, 30) for kind in kinds])
        axes.set_ylim(-0.6, len(kinds) - 0.4)
        axes.invert_yaxis()
        axes.set_xlim(0, 1.06 * max(1.0, *(float(row["median_kmh"]) for row in rows)))
        axes.grid(True, axis="x")
        axes.set_title("Median speed of each track")
        axes.set_xlabel("km/h (thick: median of the class, thin: 85th percentile; hollow: measured "
                        "outside of the four points)", fontsize=9)  # fmt: skip
        return figure


def _spread(count: int) -> np.ndarray:
    """Places between -1 and 1 that keep neighbours apart, the same each time."""
    return (np.arange(count) * 0.618034 % 1) * 2 - 1


def _label(name: str) -> str:
    """matplotlib leaves out of the legend what begins with an underscore."""
    return shown(f" {name}" if name.startswith("_") else name, 30)


def _colour(number: int) -> str:
    return LINES[number] if number < len(LINES) else NEUTRAL


def _panels(
    totals: Mapping[str, Any], titles: Sequence[str], what: str
) -> tuple[Figure, list[Any], float]:
    """A figure with a panel under the other over one axis of time, and the unit of that in s."""
    unit, clock = ("min", 60.0) if totals["seconds"] > MINUTES else ("s", 1.0)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8.4, 0.9 + 2.1 * len(titles)), layout="constrained")
        panels = list(np.ravel(figure.subplots(len(titles), 1, sharex=True)))
        for axes, title in zip(panels, titles, strict=True):
            axes.set_title(title)
            axes.set_ylabel(what)
            axes.grid(True)
            axes.yaxis.get_major_locator().set_params(integer=True)
            axes.set_xlim(0, max(totals["seconds"], 1e-3) / clock)
        panels[-1].set_xlabel(f"time, {unit}")
        return figure, panels, clock


def _legend(figure: Figure, classes: Sequence[str], used: set[str], more: Sequence[Line2D]) -> None:
    """Beside the panels, so that it covers nothing; what is of no panel is not in it."""
    with matplotlib.rc_context(STYLE):
        for axes in figure.axes:
            axes.set_ylim(bottom=0)
        handles = [
            Line2D([], [], color=_colour(i), lw=2.4, label=_label(kind))
            for i, kind in enumerate(classes)
            if kind in used
        ]
        if handles:
            figure.legend(handles=[*handles, *more], loc="outside right upper", fontsize=9)
