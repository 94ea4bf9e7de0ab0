"""Facts of rectangles, which are their own boxes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from segtrack.curation import Facts, facts_of
from segtrack.evaluation import image_batches
from tests.evaluation.scenes import Detection, Object, hand_made, write_predictions

NAMES = ("car", "person", "bus")


def facts(
    folder: Path, images: int, objects: Sequence[Object], found: Sequence[Detection]
) -> Facts:
    """What predictions say of labels; ``annotation_id`` is the position in ``objects``."""
    coco = hand_made(NAMES, images, objects).coco("val")
    predictions = write_predictions(folder, NAMES, images, found)
    return facts_of(image_batches(coco, predictions.frames(), 0.01, 300))
