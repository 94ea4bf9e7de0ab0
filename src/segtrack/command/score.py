"""``segtrack score``: any tracker's files against a benchmark's ground truth.

    segtrack score --format mot17 --gt MOT17/train --tracks my_tracker/data
    segtrack score --format kitti --gt kitti/training --tracks out --classes car --json

``--gt`` is the folder of the benchmark's own kit (see ``segtrack.scoring.kits``),
``--tracks`` has one text file per sequence. Fractions are in percent.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from segtrack.base.saying import say
from segtrack.command.subcommands import Parser
from segtrack.dataset import is_mot20
from segtrack.scoring import SequenceScores, has_objects, occlusion_tables, percent, score_kit

FORMATS = ("mot15", "mot17", "mot20", "visdrone", "kitti", "kitti_mots", "mots")
COLUMNS = (
    *("HOTA", "DetA", "AssA", "LocA", "MOTA", "MOTP", "IDF1", "IDP", "IDR", "Recall"),
    *("Precision", "IDSW", "FP", "FN", "Frag", "MT", "PT", "ML"),
)
Table = dict[str, dict[str, Any]]


def main(words: Sequence[str]) -> int:
    """Score what ``words`` name and print it.

    Raises:
        SettingsError: an option cannot be used.
        DataError: a file cannot be read, or is not of this format.
    """
    usage = "--format FORMAT --gt FOLDER --tracks FOLDER [options]"
    parser = Parser("score", usage, __doc__)
    parser.add_argument("--format", required=True, choices=FORMATS, help="the benchmark")
    parser.add_argument("--gt", required=True, type=Path, help="folder of the ground truth")
    parser.add_argument("--tracks", required=True, type=Path, help="folder of the tracker's files")
    parser.add_argument("--classes", nargs="+", help="classes to score (default: all it judges)")
    parser.add_argument(
        "--occlusions",
        action="store_true",
        help="also print who is kept after occlusions, and recall by visibility (--json has both)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    args = parser.parse_args(list(words))
    classes = (
        [name for given in args.classes for name in given.split(",")] if args.classes else None
    )
    scores = score_kit(args.format, args.gt, args.tracks, classes)
    if args.format == "mot17" and (other := [name for name in scores if is_mot20(name)]):
        say(f"{', '.join(other)}: by MOT20's rules (class 6 excuses)", error=True)
    result = document(scores)
    if args.json:
        say(json.dumps(result, indent=1))
    else:
        print_table(result["combined"], result["per_sequence"], "mots" in args.format)
        if args.occlusions:
            print_occlusions(result["combined"])
    return 0


def document(scores: Mapping[str, SequenceScores]) -> dict[str, Any]:
    """The scores as plain values: ``combined`` by class, ``per_sequence`` by name and class."""

    def table(counts: Mapping[tuple[str, str], np.ndarray], alone: bool) -> Table:
        return {
            name: _named(percent(values, alone), kind)
            | (occlusion_tables(values) if has_objects(values) else {})
            for (kind, name), values in counts.items()
        }

    keys = list(dict.fromkeys(key for one in scores.values() for key in one.counts))
    totals = {key: np.sum([one.counts[key] for one in scores.values()], axis=0) for key in keys}
    per_sequence = {name: table(one.counts, alone=True) for name, one in scores.items()}
    return {"combined": table(totals, alone=False), "per_sequence": per_sequence}


def _named(values: dict[str, float | None], kind: str) -> dict[str, float | None]:
    """Of masks also under the MOTS benchmarks' names of what MOTA and sMOTA are there."""
    if kind == "box":
        return values
    return {**values, "MOTSA": values["MOTA"], "sMOTSA": values["sMOTA"]}


def print_table(combined: Table, per_sequence: dict[str, Table], masks: bool) -> None:
    """Aligned columns: a row per class and sequence, the combination last."""
    columns = [*COLUMNS, "sMOTSA"] if masks else list(COLUMNS)
    columns = ["MOTSA" if masks and name == "MOTA" else name for name in columns]
    rows = [["class", "sequence", *columns]]
    for name in combined:
        of_class = {sequence: table[name] for sequence, table in per_sequence.items()}
        for sequence, values in {**of_class, "COMBINED": combined[name]}.items():
            rows.append([name, sequence, *(_text(values[column]) for column in columns)])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        sized = enumerate(zip(row, widths, strict=True))
        cells = (cell.ljust(w) if i < 2 else cell.rjust(w) for i, (cell, w) in sized)
        say("  ".join(cells).rstrip())


def print_occlusions(combined: Table) -> None:
    """By class identities kept by length of the occlusion, and recall by visibility, 0 to 1."""
    from segtrack.report import table_text

    for name in ("occlusions", "visibility"):
        tables = ((of, table.get(name, ())) for of, table in combined.items())
        rows = [{"class": of, **row} for of, table in tables for row in table]
        text = f"{name}: n/a, the ground truth does not say how much of an object is seen"
        say("\n" + (table_text(rows) if rows else text))


def _text(value: float | None) -> str:
    if value is None:
        return "n/a"
    return str(value) if isinstance(value, int) else f"{value:.3f}"
