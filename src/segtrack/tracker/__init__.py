"""Association of detections to trajectories, and what is written of them."""

from segtrack.tracker.association import associate
from segtrack.tracker.results import validate_results, write_results
from segtrack.tracker.trackers import TrackedFrame, Tracker, make_tracker
from segtrack.tracker.tracks import TrackRows, Tracks

__all__ = [
    "TrackRows",
    "TrackedFrame",
    "Tracker",
    "Tracks",
    "associate",
    "make_tracker",
    "validate_results",
    "write_results",
]
