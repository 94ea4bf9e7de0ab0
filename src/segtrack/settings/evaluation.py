"""How masks are compared with labels."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from segtrack.settings.knobs import Group, Problem, knob


@dataclass
class EvaluationSettings(Group):
    """How predicted masks and boxes are compared with the labels (COCO, by pycocotools)."""

    conf_floor: float = knob(
        0.001,
        "detections from here on enter the curves; COCO's AP needs a low floor",
        low=0.0001,
        high=0.99,
        origin="ultralytics' own for validation",
    )
    max_det: int = knob(
        300,
        "detections per image and over all classes, as kept by the detector; AP counts 100 per "
        "class",
        unit="objects",
        low=1,
        high=10000,
        origin="ultralytics",
    )
    confusion_conf: float = knob(
        0.25,
        "score from which a detection counts in the confusion matrix, the gallery and the stage "
        "segment",
        low=0,
        high=1,
        origin="ultralytics' own for prediction",
    )
    confusion_iou: float = knob(
        0.5, "IoU from which a detection counts as the object", low=0.01, high=1
    )
    visible_bins: list[float] = knob(
        lambda: [0.0, 0.25, 0.5, 0.75, 1.0],
        "edges of the slices by visible fraction; rising, within 0 to 1, at least two",
    )
    gallery: int = knob(12, "worst images shown", unit="images", low=0, high=1000)

    def problems(self) -> Iterator[Problem]:
        """What is wrong between the knobs."""
        edges = self.visible_bins
        rising = all(a < b for a, b in itertools.pairwise(edges))
        if len(edges) < 2 or not rising or edges[0] < 0 or edges[-1] > 1:
            allowed = "must be rising edges within 0 to 1, at least two"
            yield Problem("evaluation.visible_bins", edges, allowed)
        if self.confusion_conf < self.conf_floor:
            allowed = f"must not lie below evaluation.conf_floor={self.conf_floor:g}"
            yield Problem("evaluation.confusion_conf", self.confusion_conf, allowed)
