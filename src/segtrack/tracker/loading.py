"""What associating and writing need, loaded before the first video: it takes as long as hundreds of
frames of one."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from segtrack.base.rle import encode_box
from segtrack.dataset import VideoSequence
from segtrack.model import FrameDetections, Predictions, PredictionsInfo, PredictionsWriter
from segtrack.settings import TrackerSettings, TracksSettings
from segtrack.tracker.association import associate
from segtrack.tracker.port import TRACKERS
from segtrack.tracker.results import RUN_KEYS, write_results
from segtrack.tracker.tracks import Tracks

SIDE, FRAMES = 32, 3


def load_compiled(settings: TrackerSettings, after: TracksSettings) -> None:
    """Track in a video of three frames, which loads compiled loops and libraries.

    Nothing of a tracker that looks at frames, of which there are none.
    """
    kind = TRACKERS.get(settings.name)
    if kind.needs_frames(settings) or kind.needs_motion(settings):
        return
    boxes = np.array([[2, 2, 18, 18], [10, 10, 30, 30]], np.float32)
    masks = [
        encode_box(np.ones((y2 - y1, x2 - x1), bool), SIDE, SIDE, (x1, y1))
        for x1, y1, x2, y2 in boxes.astype(int).tolist()
    ]
    info = PredictionsInfo(("",), FRAMES, SIDE, SIDE, 30.0)
    with TemporaryDirectory() as name:
        folder = Path(name)
        with PredictionsWriter(folder) as writer:
            for number in range(FRAMES):
                score, class_id = np.array([0.9, 0.8], np.float32), np.zeros(2, np.int16)
                writer.add(FrameDetections(number, class_id, score, boxes, list(masks)))
            writer.finish(info)
        associate(Predictions.load(folder), settings, after, folder, lambda *_: None)
        tracks = Tracks.load(folder)
        sequence = VideoSequence("", None, "", SIDE, SIDE, 30.0, FRAMES)
        run = dict.fromkeys(RUN_KEYS)
        write_results(tracks, sequence, info, tracks.info.tracker, run, folder)
