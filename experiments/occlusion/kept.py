"""Identities kept after an occlusion, cell by cell, from what the cells of sweeps left behind.

    python experiments/occlusion/kept.py NAME CELL=FOLDER CELL=FOLDER ... [--mask]
    python experiments/occlusion/kept.py --figure NAME=TITLE NAME=TITLE ...

The first writes NAME.csv beside this file: a row for each cell and length of occlusions, with the
difference to the first cell. Intervals hold at 95% for all cells together: those of all lengths
("all", the endpoint), and of HOTA; those by length for all four lengths together too. Units are the
sequences that have such occlusions. Where few do, the flips of a family say less than a single
comparison must: no interval is narrower than that one's. The second draws the endpoint.
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from segtrack.base.families import compare_each
from segtrack.base.statistics import Estimate, Interval
from segtrack.report import INK, LINES, STYLE, table_csv, table_text
from segtrack.scoring import (
    BOX,
    GAPS,
    MASK,
    SequenceScores,
    check_paired,
    estimates,
    gap_rows,
    kept_estimates,
    units,
)

HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", nargs="?", help="of the table")
    parser.add_argument("cells", nargs="*", metavar="CELL=FOLDER", help="the reference first")
    parser.add_argument("--mask", action="store_true", help="of masks instead of boxes")
    parser.add_argument("--figure", nargs="+", metavar="NAME=TITLE", help="draw these tables")
    options = parser.parse_intermixed_args()
    if options.figure:
        titles = dict(one.split("=", 1) for one in options.figure)
        draw(titles).savefig(HERE / "kept.png", dpi=110)
        return
    if not options.cells:
        sys.exit("error: no cell; name them CELL=FOLDER, the reference first")
    cells = dict(one.split("=", 1) for one in options.cells)
    rows = table({name: Path(one) for name, one in cells.items()}, MASK if options.mask else BOX)
    (HERE / f"{options.name}.csv").write_text(table_csv(rows), encoding="utf-8")
    print(table_text(rows))


def table(cells: dict[str, Path], kind: str) -> list[dict[str, object]]:
    """A row per cell and length, shares in percent."""
    loaded = {
        name: units(
            {
                one.name: one
                for one in map(SequenceScores.load, sorted(folder.glob("tracking/*/scores")))
                if any(key[0] == kind for key in one.counts)
            },
            kind,
        )
        for name, folder in cells.items()
    }
    first = next(iter(loaded))
    for name, one in loaded.items():
        check_paired(loaded[first], one, (first, name))
    found = [kept_estimates(one) for one in loaded.values()]
    hota = [estimates(one, ("HOTA",)) for one in loaded.values()]
    levels = {"Kept": 0.95} | {f"Kept {gap}": 1 - 0.05 / len(GAPS) for gap in GAPS}
    gaps = {m: differences([each[m] for each in found], level) for m, level in levels.items()}
    gaps["HOTA"] = differences([each["HOTA"] for each in hota], 0.95)
    rows: list[dict[str, object]] = []
    for i, (name, one) in enumerate(loaded.items()):
        for row in gap_rows(one.counts.sum(axis=0)):
            gap, share = row.pop("gap"), row.pop("kept_share")
            metric = "Kept" if gap == "all" else f"Kept {gap}"
            rows.append(
                {"cell": name, "gap": gap, "sequences": len(found[0][metric].names), **row}
                | {"kept_%": None if share is None else 100 * share}
                | gaps[metric][i]
            )
        rows[-1] |= {"HOTA_%": 100 * hota[i]["HOTA"].score}
        rows[-1] |= {f"HOTA_{key}": value for key, value in gaps["HOTA"][i].items()}
    return rows


def differences(cells: list[Estimate], level: float) -> list[dict[str, object]]:
    """Of each cell to the first, in percentage points; of the first, nothing."""
    if not cells[0].names:
        return [{} for _ in cells]
    return [{}, *map(_row, compare_each([(cells[0], one) for one in cells[1:]], level))]


def _row(gap: Interval) -> dict[str, object]:
    said = {"difference": 100 * gap.difference}
    if np.isnan(gap.low):
        return {**said, "told": "no: one sequence"}
    told = "yes" if gap.told else "no"
    ends = {"low": 100 * gap.low, "high": 100 * gap.high}
    return {**said, **ends, "told": told, "other_way": gap.against}


def draw(titles: dict[str, str]) -> Figure:
    """A panel per table: differences to the reference of all lengths together."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(3.1 * len(titles) + 1.2, 3.6), layout="constrained")
        axes = figure.subplots(1, len(titles), sharex=True, squeeze=False)[0]
        for ax, (name, title) in zip(axes, titles.items(), strict=True):
            with (HERE / f"{name}.csv").open(encoding="utf-8", newline="") as file:
                rows = [row for row in csv.DictReader(file) if row["gap"] == "all"]
            ax.axvline(0, color=INK, lw=1)
            for y, row in enumerate(rows):
                colour = LINES[1] if row["told"] == "yes" else LINES[0]
                if row["low"]:
                    ends = [float(row["low"]), float(row["high"])]
                    ax.plot(ends, [y, y], color=colour, lw=1.8)
                ax.plot(float(row["difference"] or 0), y, "o", color=colour, ms=6)
            labels = [f"{row['cell']}  {float(row['kept_%']):.0f}%" for row in rows]
            ax.set_yticks(range(len(rows)), labels, fontsize=8)
            ax.set_ylim(len(rows) - 0.4, -0.6)
            count = f"{rows[0]['occlusions']} occlusions, {rows[0]['sequences']} sequences"
            ax.set_title(f"{title}\n{count}", fontsize=9)
            ax.grid(True, axis="x")
        figure.supxlabel(
            f"identities kept after an occlusion: difference to {rows[0]['cell']}, percentage "
            "points (95% together; orange: told apart)",
            fontsize=9,
        )
        return figure


if __name__ == "__main__":
    main()
