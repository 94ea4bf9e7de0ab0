"""Figures of what becomes of objects that are hidden, each with its numbers by class as CSV."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from segtrack.report import bar_chart, save_figure
from segtrack.scoring.combine import detection_averaged
from segtrack.scoring.occlusion import gap_rows, visibility_rows
from segtrack.scoring.score import Key

ALL = "all"


def occlusion_rows(counts: Mapping[Key, np.ndarray], kind: str) -> tuple[list[Any], list[Any]]:
    """``gap_rows`` and ``visibility_rows`` of each class of one kind, then of all together."""
    parts = {name: one for (of, name), one in counts.items() if of == kind}
    if len(parts) > 1:
        parts[ALL] = detection_averaged(counts, kind)
    gaps = [{"class": name, **row} for name, one in parts.items() for row in gap_rows(one)]
    seen = [{"class": name, **row} for name, one in parts.items() for row in visibility_rows(one)]
    return gaps, seen


def write_occlusion_figures(
    counts: Mapping[Key, np.ndarray], kind: str, ending: str, folder: Path
) -> None:
    """Write ``kept_after_occlusion`` and ``recall_by_visibility`` as .png and .csv.

    Without occlusions there is no figure of them, nor one of visibility where the ground truth does
    not say how much of an object is seen.

    Args:
        counts: (D,) by kind and class.
        kind: "box" or "mask".
        ending: of the files' names.
        folder: where they go.
    """
    gaps, seen = occlusion_rows(counts, kind)
    shown = [row for row in gaps if row["class"] == gaps[-1]["class"]]
    if any(row["occlusions"] for row in shown):
        figure = bar_chart(
            "Identities kept after an occlusion",
            "length in frames (number of occlusions)",
            "share of occlusions",
            [f"{row['gap']}\n({row['occlusions']:,})" for row in shown],
            {
                name: [
                    row[name] / row["occlusions"] if row["occlusions"] else np.nan for row in shown
                ]
                for name in ("kept", "switched", "lost")
            },
        )
        save_figure(figure, folder / f"kept_after_occlusion{ending}.png", gaps)
    shown = [row for row in seen if row["class"] == seen[-1]["class"]]
    if shown:
        bars = {
            "recall": "recall",
            "sizes matched": "size_matched",
        }
        figure = bar_chart(
            "Recall by how much of an object is seen, IoU .50",
            "visibility (number of objects); n/a: too few of a size",
            "share of objects",
            [
                f"{row['visibility'].removeprefix('visible ')}\n({row['objects']:,})"
                for row in shown
            ],
            {
                name: [np.nan if row[key] is None else row[key] for row in shown]
                for name, key in bars.items()
            },
        )
        save_figure(figure, folder / f"recall_by_visibility{ending}.png", seen)
