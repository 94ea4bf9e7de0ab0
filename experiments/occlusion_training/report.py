"""Compare the arms: tables and figures of what is trained, with intervals over seeds and images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from design import DOMAINS, Training, make
from matplotlib.figure import Figure

from segtrack.base.families import compare_each
from segtrack.base.statistics import Estimate, Interval
from segtrack.evaluation import GROUPS, ImageUnits, estimates, hidden_recall, hidden_without
from segtrack.report import INK, LINES, STYLE, Row, save_figure, table_csv, table_text

ENDPOINT = "hidden"
METRICS = {
    "hidden": "hidden objects (10 to 50% visible) that are found: the endpoint",
    "hidden_people": "of these, people",
    "hidden_vehicles": "of these, vehicles",
    "clear": "objects in the open (90% visible or more) of the same sizes",
    "mask_map50_95": "mask mAP50-95",
}
"""Recalls at a precision of 80%; ``hidden`` and ``clear`` are means of people and vehicles."""


def report(done: Sequence[Training], folder: Path) -> None:
    """Write DOMAIN.csv, DOMAIN.arms.csv and DOMAIN.png to ``folder`` and print the tables.

    Only seeds that all arms of a domain have are compared.
    """
    for domain, of in DOMAINS.items():
        there = {(one.arm, one.seed): one for one in done if one.domain == domain}
        any_arm = sorted({seed for _, seed in there})
        seeds = [seed for seed in any_arm if all((arm, seed) in there for arm in of.arms)]
        if not seeds:
            print(f"{domain}: no seed has all arms yet")
            continue
        arms = {arm: measured([_evaluated(there[arm, seed]) for seed in seeds]) for arm in of.arms}
        gaps = {
            metric: compare_each([(arms[a][metric], arms[b][metric]) for a, b in of.pairs])
            for metric in METRICS
        }
        some = next(iter(arms.values()))[ENDPOINT]
        basis = f"{len(some.names)} test images, {len(seeds)} seeds"
        rows = _rows(of.pairs, gaps)
        print(f"\n{domain}: {basis}\n\n{table_text(_scores(arms))}\n\n{table_text(rows)}")
        save_figure(_figure(domain, basis, of.pairs, gaps), folder / f"{domain}.png", rows)
        save = folder / f"{domain}.arms.csv"
        save.write_text(table_csv(_scores(arms)), encoding="utf-8")


def _evaluated(training: Training) -> ImageUnits:
    """One trained network on the images of all its tests."""
    tests = DOMAINS[training.domain].tests
    for test in tests:
        if not training.units(test).is_file():
            make(training.evaluation(test), "evaluate", "units.npz", training.units(test))
    return pooled([ImageUnits.load(training.units(test)) for test in tests])


def measured(seeds: Sequence[ImageUnits]) -> dict[str, Estimate]:
    """``METRICS`` of one arm, from its seeds' evaluations.

    A unit is what images are grouped by (``dataset.group_by``), else an image.
    """
    names, image = np.unique(seeds[0].group, return_inverse=True)
    groups = list(GROUPS)
    whole = [[hidden_recall(one, group) for group in groups] for one in seeds]
    without = [[hidden_without(one, group, image) for group in groups] for one in seeds]
    hidden = np.array([[found.hidden for found in row] for row in whole])  # (S, G)
    clear = np.array([[found.clear for found in row] for row in whole])
    left = np.array(without)  # (S, G, 2, U)
    size = np.bincount(image[seeds[0].visible.image], minlength=len(names)).astype(float)

    def estimate(scores: np.ndarray, left_out: np.ndarray) -> Estimate:
        return Estimate(
            tuple(names.tolist()), size, scores, left_out, np.full(left_out.shape, np.nan), 1.0
        )

    return {
        "hidden": estimate(hidden.mean(axis=1), left[:, :, 0].mean(axis=1)),
        **{f"hidden_{of}": estimate(hidden[:, g], left[:, g, 0]) for g, of in enumerate(groups)},
        "clear": estimate(clear.mean(axis=1), left[:, :, 1].mean(axis=1)),
        **estimates(seeds, ["mask_map50_95"]),
    }


def pooled(parts: Sequence[ImageUnits]) -> ImageUnits:
    """Several evaluations as one of all their images."""
    if len(parts) == 1:
        return parts[0]
    before = np.cumsum([0, *(len(part.group) for part in parts)])

    def images(of: Any) -> np.ndarray:
        return np.concatenate([of(part) + n for part, n in zip(parts, before, strict=False)])

    class_id, image = np.concatenate([part.class_id for part in parts]), images(lambda p: p.image)
    order = np.lexsort((image, class_id))
    detections = {}
    for kind in parts[0].detections:
        every = [part.detections[kind] for part in parts]
        joined = {k: np.concatenate([vars(one)[k] for one in every]) for k in vars(every[0])}
        cell = np.repeat(np.argsort(order), joined["count"])  # of each detection, its new place
        place = np.argsort(cell, kind="stable")
        detections[kind] = type(every[0])(
            joined.pop("count")[order], **{k: values[place] for k, values in joined.items()}
        )
    visible = type(parts[0].visible).joined([part.visible for part in parts])
    return replace(
        parts[0],
        group=np.concatenate([np.char.add(f"{i}/", part.group) for i, part in enumerate(parts)]),
        class_id=class_id[order],
        image=image[order],
        objects=np.concatenate([part.objects for part in parts])[order],
        detections=detections,
        visible=replace(visible, image=images(lambda part: part.visible.image)),
    )


def _scores(arms: dict[str, dict[str, Estimate]]) -> list[Row]:
    """Mean and SD over seeds, percent."""
    return [
        {
            "arm": arm,
            **{
                metric: f"{100 * found[metric].score:.1f} ± {100 * found[metric].seed_sd:.1f}"
                for metric in METRICS
            },
        }
        for arm, found in arms.items()
    ]


def _rows(pairs: Sequence[tuple[str, str]], gaps: dict[str, tuple[Interval, ...]]) -> list[Row]:
    return [
        {
            "metric": metric,
            "arm": b,
            "to": a,
            "difference": round(100 * gap.difference, 2),
            "low": round(100 * gap.low, 2),
            "high": round(100 * gap.high, 2),
            "told": "yes" if gap.told else "no",
        }
        for metric in METRICS
        for (a, b), gap in zip(pairs, gaps[metric], strict=True)
    ]


def _figure(
    domain: str,
    basis: str,
    pairs: Sequence[tuple[str, str]],
    gaps: dict[str, tuple[Interval, ...]],
) -> Figure:
    """Dots with whiskers: a row for each pair, a column for each metric."""
    shown = ("hidden", "clear", "mask_map50_95")
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(11, 1.8 + 0.4 * len(pairs)), layout="constrained")
        axes = figure.subplots(1, len(shown), sharey=True)
        for column, metric in zip(axes, shown, strict=True):
            column.axvline(0, color=INK, lw=1)
            for y, gap in enumerate(gaps[metric]):
                colour = LINES[1] if gap.told else LINES[0]
                column.plot([100 * gap.low, 100 * gap.high], [y, y], color=colour, lw=2)
                column.plot(100 * gap.difference, y, "o", color=colour)
            column.set_title(metric)
            column.grid(visible=True, axis="x")
            column.set_xlabel("percentage points")
        axes[0].set_yticks(range(len(pairs)), [f"{b} - {a}" for a, b in pairs])
        axes[0].set_ylim(len(pairs) - 0.5, -0.5)
        figure.suptitle(
            f"{domain}: differences, 95% intervals that hold together ({basis}); "
            "orange: 0 lies outside",
            fontsize=10,
        )
    return figure
