"""Annotate a project of the loopback platform with the labels of a YOLO data set, as people would.

    python scripts/annotate.py --url http://127.0.0.1:8100 --project ID --labels FOLDER

``--labels`` is a folder with ``data.yaml`` that has every image of the project, by the same content
and file names. (``segtrack labellerr annotate`` needs no address and takes any data set.) What is
pre-annotated already is accepted, corrected or deleted; what is not is drawn. All files end with
the status ``accepted``.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labellerr_loopback.annotator import Truth


def main() -> int:
    """Exit code 0, or 2 with one line on bad input."""
    parser = argparse.ArgumentParser(description="Annotate a project of the loopback platform.")
    parser.add_argument("--url", required=True, help="of python -m labellerr_loopback")
    parser.add_argument("--project", required=True, help="id, as stages=[push] printed it")
    parser.add_argument("--labels", required=True, type=Path, help="folder with data.yaml")
    parser.add_argument("--classes", help="comma-separated; others are not drawn (default: all)")
    parser.add_argument("--shift", type=float, default=0.0, help="px; error of every point set")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    from labellerr_loopback.annotator import Rates, annotate
    from segtrack.base.errors import SegtrackError

    try:
        truth = read_truth(args.labels, args.classes.split(",") if args.classes else None)
        done = annotate(args.url, args.project, truth, Rates(shift=args.shift), args.seed)
    except SegtrackError as error:
        print(f"annotate.py: {error}", file=sys.stderr)
        return error.exit_code
    print(json.dumps({"files": done.files, **done.counts()}))
    return 0


def read_truth(folder: Path, classes: list[str] | None) -> Truth:
    """Class names with polygons of every image of a YOLO data set, by the platform's file name.

    Raises:
        SegtrackError: the data set cannot be used.
    """
    from segtrack.annotation.labellerr.loopback import truth_of
    from segtrack.dataset import Dataset, YoloSettings, prepare

    with tempfile.TemporaryDirectory() as scratch:
        prepared = Path(scratch) / "prepared"
        prepared.mkdir()
        settings = YoloSettings(path=str(folder), classes=classes, workers=1)
        prepare(settings, 0, prepared, lambda name, value, step=0: None, Path(scratch) / "cache")
        dataset = Dataset.load(prepared)
        splits = [split for split, count in dataset.counts.items() if count]
        return {name: found for split in splits for name, found in truth_of(dataset, split).items()}


if __name__ == "__main__":
    raise SystemExit(main())
