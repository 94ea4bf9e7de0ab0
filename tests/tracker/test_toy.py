"""A tracker that lies outside of segtrack, found by the environment variable."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from segtrack.model import Predictions

from .conftest import detections

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import json, sys
from pathlib import Path
from segtrack.model import Predictions
from segtrack.settings import TracksSettings
from segtrack.tracker import TRACKERS, Tracks, associate
chosen = TRACKERS.get("toy").settings(reach=float(sys.argv[3]))
folder = Path(sys.argv[2])
report = lambda name, value, step=0: None
made, after = Predictions.load(Path(sys.argv[1])), TracksSettings(min_length=2)
associate(made, chosen, after, folder, report)
tracks = Tracks.load(folder)
rows = [[t.track_id, t.class_id, t.first_frame, t.frames_seen] for t in tracks.summary()]
print(json.dumps(rows))
print(json.dumps(tracks.info.tracker))
"""


def test_a_tracker_of_another_package(
    predictions: Callable[..., Predictions], tmp_path: Path
) -> None:
    """A car that drives 20 px per frame and a person who stands, from frame 2 on."""
    frames = []
    for t in range(6):
        rows = [(1, 0.9, 10 + 20 * t, 20, 50 + 20 * t, 40)]
        rows += [(0, 0.9, 300, 10, 320, 60)] * (t >= 2)
        frames.append(detections(t, rows))
    made = predictions(frames, 6)

    def tracked(reach: float) -> tuple[object, dict[str, object]]:
        folder = tmp_path / f"reach-{reach}"
        folder.mkdir()
        words = [sys.executable, "-c", PROGRAM, str(made.folder), str(folder), str(reach)]
        known = {
            **os.environ,
            "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}",
            "SEGTRACK_PLUGINS": "tests.plugins.toy_tracker",
        }
        done = subprocess.run(words, env=known, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        tracks, settings = (json.loads(line) for line in done.stdout.splitlines()[-2:])
        return tracks, settings

    tracks, settings = tracked(50)
    assert tracks == [[1, 1, 0, 6], [2, 0, 2, 4]]
    assert settings == {
        "name": "toy",
        "reach": 50.0,
        "min_length": 2,
        "min_area": 0.0,
        "max_aspect_ratio": None,
        "interpolate": 0,
        "disjoint_masks": False,
    }
    assert tracked(10)[0] == [[1, 0, 2, 4]]  # the car is a new one in every frame
