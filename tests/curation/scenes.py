"""Facts of rectangles, which are their own boxes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from segtrack.curation import Facts, facts_of
from tests.evaluation.scenes import Detection, Object, batches, hand_made, write_predictions

NAMES = ("car", "person", "bus")


def facts(
    folder: Path, images: int, objects: Sequence[Object], found: Sequence[Detection]
) -> Facts:
    """What predictions say of labels; ``annotation_id`` is the position in ``objects``."""
    dataset = hand_made(NAMES, images, objects)
    predictions = write_predictions(folder, NAMES, images, found)
    return facts_of(batches(dataset, predictions, 0.01))
