"""What two networks agree on, counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from segtrack.evaluation import agreement
from segtrack.model import FrameDetections

SIZE = (40, 60)
IMAGES = [(3, 10, 10), (7, *SIZE), (8, 10, 10)]


def box_mask(x1: int, y1: int, x2: int, y2: int) -> bytes:
    mask = np.zeros(SIZE, np.uint8, order="F")
    mask[y1:y2, x1:x2] = 1
    return bytes(coco_mask.encode(mask)["counts"])


class Frames:
    """Predictions of image 7; of others there are none."""

    def __init__(self, *rows: tuple[int, float, tuple[int, int, int, int]]) -> None:
        ids, scores, boxes = zip(*rows, strict=True) if rows else ((), (), ())
        self._frame = FrameDetections(
            7,
            np.array(ids, np.int16),
            np.array(scores, np.float32),
            np.array(boxes, np.float32).reshape(-1, 4),
            [box_mask(*box) for box in boxes],
        )

    def frames(self):  # type: ignore[no-untyped-def]
        if len(self._frame):
            yield self._frame


def test_pairs_are_of_one_class_and_the_best_overlap() -> None:
    one = Frames(
        (0, 0.9, (0, 0, 20, 10)),  # has two that overlap: the nearer one counts
        (1, 0.8, (30, 0, 50, 10)),  # lies there, as another class
        (0, 0.6, (0, 20, 20, 30)),  # lies there, two px to the right
        (0, 0.2, (40, 20, 50, 30)),  # below the score that is asked for
    )
    other = Frames(
        (0, 0.85, (0, 0, 20, 9)),
        (0, 0.80, (0, 0, 20, 10)),
        (0, 0.80, (30, 0, 50, 10)),
        (0, 0.10, (2, 20, 22, 30)),
    )
    found = agreement(one, other, IMAGES, 0.25)  # type: ignore[arg-type]
    assert (found.found, found.missing) == (3, 1)
    assert found.mask_iou.tolist() == [1.0, 18 / 22]
    assert found.box_px.tolist() == [0, 2]
    assert found.score == pytest.approx([0.1, 0.5])
    values = found.metrics()
    assert values["mask_iou_median"] == (1 + 18 / 22) / 2
    assert (values["mask_iou_min"], values["box_px_max"]) == (18 / 22, 2)


def test_nothing_to_compare() -> None:
    found = agreement(Frames(), Frames(), IMAGES, 0.25)  # type: ignore[arg-type]
    assert found.metrics() == {"detections": 0, "missing": 0}
    found = agreement(Frames((0, 0.9, (0, 0, 9, 9))), Frames(), IMAGES, 0.25)  # type: ignore[arg-type]
    assert found.metrics() == {"detections": 1, "missing": 1}
