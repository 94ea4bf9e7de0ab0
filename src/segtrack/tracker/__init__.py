"""Association of detections to trajectories, their scores, and what is written of them."""

from segtrack.model.brought import read_detections
from segtrack.scoring.bootstrap import units
from segtrack.scoring.combine import metrics as score_metrics
from segtrack.scoring.score import SequenceScores, score_tracks
from segtrack.scoring.truth import Truth, build_truth
from segtrack.tracker.association import associate
from segtrack.tracker.camera_motion import camera_motion, load_motion
from segtrack.tracker.results import validate_results, write_results
from segtrack.tracker.trackers import TrackedFrame, Tracker, make_tracker
from segtrack.tracker.tracks import TrackRows, Tracks
from segtrack.tracker.ultralytics.trackers import needs_frames

__all__ = [
    "SequenceScores",
    "TrackRows",
    "TrackedFrame",
    "Tracker",
    "Tracks",
    "Truth",
    "associate",
    "build_truth",
    "camera_motion",
    "load_motion",
    "make_tracker",
    "needs_frames",
    "read_detections",
    "score_metrics",
    "score_tracks",
    "units",
    "validate_results",
    "write_results",
]
