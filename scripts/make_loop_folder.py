"""Lay out the folder of experiments/labellerr_loop from two YOLO data sets.

python scripts/make_loop_folder.py --raw COCO128 --labelled COCO100 --pool 60 --out loop

loop/raw/           the images of --raw, without their labels: what is to be annotated
loop/images/pool/   the first --pool images of --labelled, loop/images/test/ the others
loop/labels/        the labels of those two
loop/data.yaml      names the splits pool and test
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path


def main() -> int:
    """Exit code 0, or 2 with one line on bad input."""
    parser = argparse.ArgumentParser(description="Lay out the folder of the Labellerr loop.")
    parser.add_argument("--raw", required=True, type=Path, help="YOLO data set to be annotated")
    parser.add_argument("--labelled", required=True, type=Path, help="YOLO data set to be divided")
    parser.add_argument("--pool", type=int, default=60, help="images of it that are the pool")
    parser.add_argument("--out", required=True, type=Path, help="new folder")
    args = parser.parse_args()

    from segtrack.base.errors import SegtrackError

    try:
        print(json.dumps(lay_out(args.raw, args.labelled, args.pool, args.out)))
    except (SegtrackError, OSError) as error:
        print(f"make_loop_folder.py: {error}", file=sys.stderr)
        return 2
    return 0


def lay_out(raw: Path, labelled: Path, pool: int, out: Path) -> dict[str, int]:
    """Make the folder; returns the number of images of each part.

    Raises:
        FileExistsError: ``out`` is there. SegtrackError: one of the two is no YOLO data set.
    """
    from segtrack.dataset.listing import picture_files
    from segtrack.dataset.sources.yolo.config import read_config
    from segtrack.dataset.sources.yolo.reader import label_path

    def images(folder: Path) -> list[Path]:
        parts = {part for found in read_config(folder).splits.values() for part in found}
        return sorted({Path(entry.path) for part in parts for entry in picture_files(part)})

    names = read_config(labelled).names
    found = images(labelled)
    parts = {"raw": images(raw), "images/pool": found[:pool], "images/test": found[pool:]}
    out.mkdir(parents=True)
    for part, members in parts.items():
        (out / part).mkdir(parents=True)
        for image in members:
            shutil.copy2(image, out / part / image.name)
            label = Path(label_path(str(image)))
            if part != "raw" and label.is_file():
                target = Path(label_path(str(out.absolute() / part / image.name)))
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(label, target)
    lines = ["pool: images/pool", "test: images/test", "names:"]
    lines += [f"  {i}: {json.dumps(name)}" for i, name in enumerate(names)]
    (out / "data.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return {part: len(members) for part, members in parts.items()}


if __name__ == "__main__":
    raise SystemExit(main())
