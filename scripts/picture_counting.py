"""Makes the picture of docs/counting.md: a frame of the annotated video of a simulated street.

    python scripts/picture_counting.py docs/counting.jpg             # a minute on two cores
    python scripts/picture_counting.py docs/counting.jpg --frame 60

The store and the run lie in a temporary folder.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from itertools import islice
from pathlib import Path

from PIL import Image

import segtrack
from segtrack.dataset import probe_video, read_frames

STREET = {"video_count": 1, "video_seconds": 8, "fps": 15, "shake": 0, "fog": 0, "light": "day"}
FEW = {"train": 2, "val": 1, "test": 1, "pool": 0}  # images, of which none is needed here
LINES = {"street": [100, 290, 600, 290]}
ZONES = {"crosswalk": [172, 220, 440, 220, 468, 252, 140, 252]}


def main() -> None:
    """Make the picture."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("path", type=Path, help="of the picture, JPEG")
    parser.add_argument("--frame", type=int, default=80)
    given = parser.parse_args()
    path = given.path.resolve()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        segtrack.track(
            dataset={**STREET, **FEW},
            model={"weights": "shipped"},
            counting={"lines": LINES, "zones": ZONES},
        )
        (video,) = Path(folder).glob("outputs/*/*/tracking/*/annotated.mp4")
        frame = next(islice(read_frames(probe_video(video)), given.frame, None))
        Image.fromarray(frame[..., ::-1]).save(path, quality=88, optimize=True)
        os.chdir(path.parent)


if __name__ == "__main__":
    main()
