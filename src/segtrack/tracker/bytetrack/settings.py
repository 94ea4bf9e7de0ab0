"""ByteTrack's knobs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from segtrack.settings import knob
from segtrack.tracker.cascade import CascadeSettings

# What is compared to match detections with tracks; made by a call, since "+" is in a name.
Association = Enum("Association", {"box": "box", "mask": "mask", "box+mask": "box+mask"})


@dataclass
class ByteTrackSettings(CascadeSettings):
    """ByteTrack (Zhang et al., ECCV 2022) with the names and defaults of its paper."""

    name: str = "bytetrack"
    association: Association = knob(
        Association.box,
        "what is compared: box | mask (IoU of masks, moved by the predicted motion) | box+mask "
        "(their mean)",
    )
    camera_motion: bool = knob(
        False, "move predictions with the camera (sparse optical flow); for moving cameras"
    )
