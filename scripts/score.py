"""Score any tracker's files against a benchmark's ground truth.

    python scripts/score.py --format mot17 --gt MOT17/train --tracks my_tracker/data
    python scripts/score.py --format kitti --gt kitti/training --tracks out --classes car --json

``--gt`` is the folder of the benchmark's own kit (see ``segtrack.scoring.kits``),
``--tracks`` has one text file per sequence. Fractions are in percent.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

FORMATS = ("mot15", "mot17", "mot20", "visdrone", "kitti", "kitti_mots", "mots")
COLUMNS = (
    *("HOTA", "DetA", "AssA", "LocA", "MOTA", "MOTP", "IDF1", "IDP", "IDR", "Recall"),
    *("Precision", "IDSW", "FP", "FN", "Frag", "MT", "PT", "ML"),
)
Table = dict[str, dict[str, Any]]


def main() -> int:
    """Exit code 0, or 2 with one line on bad input."""
    parser = argparse.ArgumentParser(description="Score a tracker's files.")
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
    args = parser.parse_args()

    from segtrack.base.errors import SegtrackError
    from segtrack.dataset import is_mot20
    from segtrack.scoring import score_kit

    classes = (
        [name for given in args.classes for name in given.split(",")] if args.classes else None
    )
    try:
        scores = score_kit(args.format, args.gt, args.tracks, classes)
    except SegtrackError as error:
        print(f"score.py: {error}", file=sys.stderr)
        return error.exit_code
    if args.format == "mot17" and (other := [name for name in scores if is_mot20(name)]):
        print(f"score.py: {', '.join(other)}: by MOT20's rules (class 6 excuses)", file=sys.stderr)
    result = document(scores)
    if args.json:
        print(json.dumps(result, indent=1))
    else:
        print_table(result["combined"], result["per_sequence"], "mots" in args.format)
        if args.occlusions:
            print_occlusions(result["combined"])
    return 0


def document(scores: dict) -> dict:  # type: ignore[type-arg]
    """The scores as plain values: ``combined`` by class, ``per_sequence`` by name and class."""
    from segtrack.scoring import has_objects, occlusion_tables, percent

    def table(counts: dict, alone: bool) -> Table:  # type: ignore[type-arg]
        return {
            name: _named(percent(values, alone), kind)
            | (occlusion_tables(values) if has_objects(values) else {})
            for (kind, name), values in counts.items()
        }

    keys = list(dict.fromkeys(key for one in scores.values() for key in one.counts))
    totals = {key: sum(one.counts[key] for one in scores.values()) for key in keys}
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
        print("  ".join(cells).rstrip())


def print_occlusions(combined: Table) -> None:
    """By class identities kept by length of the occlusion, and recall by visibility, 0 to 1."""
    from segtrack.report import table_text

    for name in ("occlusions", "visibility"):
        tables = ((of, table.get(name, ())) for of, table in combined.items())
        rows = [{"class": of, **row} for of, table in tables for row in table]
        text = f"{name}: n/a, the ground truth does not say how much of an object is seen"
        print("", table_text(rows) if rows else text, sep="\n")


def _text(value: float | None) -> str:
    if value is None:
        return "n/a"
    return str(value) if isinstance(value, int) else f"{value:.3f}"


if __name__ == "__main__":
    sys.exit(main())
