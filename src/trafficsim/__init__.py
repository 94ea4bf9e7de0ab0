"""The embedded data set: a street that is drawn, with labels that are exact.

numpy, OpenCV and compiled loops; a seed gives the same pixels and labels.
"""

from trafficsim.frame import CLASS_NAMES, Frame, Instance, SimulatorKnobs
from trafficsim.render import render_still, render_video

__all__ = [
    "CLASS_NAMES",
    "Frame",
    "Instance",
    "SimulatorKnobs",
    "render_still",
    "render_video",
]
