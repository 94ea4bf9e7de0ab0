"""Labels that are only boxes get masks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pycocotools import mask as coco

from segtrack.base import rle
from segtrack.dataset import Dataset, Segmenting, YoloSettings, prepare
from segtrack.dataset.box_masks import rectangles
from segtrack.dataset.labels import Annotation, labels_of
from tests.dataset.conftest import SQUARE, YoloFolder

BOX = "1 0.5 0.5 0.5 0.5"  # 32 x 24 px in the middle of 64 x 48
TRIANGLE = "0 0.1 0.1 0.5 0.1 0.1 0.5"


def polygon(*points: tuple[float, float], box: tuple[float, ...] | None = None) -> Annotation:
    return Annotation(0, [np.array(points, np.float64)], 1.0, box)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (polygon((1, 2), (5, 2), (5, 9), (1, 9)), True),
        (polygon((5, 9), (1, 9), (1, 2), (5, 2)), True),
        (polygon((1, 2), (5, 2), (5, 9), (1, 8)), False),
        (polygon((1, 2), (5, 9), (5, 2), (1, 9)), True),  # crossed, but the same corners
        (polygon((1, 2), (5, 2), (5, 9)), False),
        (polygon((1, 2), (3, 2), (5, 2), (5, 9), (1, 9)), False),
        (polygon((1, 2), (5, 2), (5, 9), (1, 9), box=(1, 2, 8, 7)), False),
        (replace(polygon((1, 2), (5, 2), (5, 9), (1, 9)), crowd=True), False),
    ],
)
def test_what_is_only_a_box(annotation: Annotation, expected: bool) -> None:
    assert rectangles(labels_of([annotation])).tolist() == [expected]


class Halves:
    """Finds the left half of every box; of narrow ones nothing."""

    def __init__(self) -> None:
        self.calls: list[NDArray[np.float64]] = []

    def __call__(
        self, path: Path, width: int, height: int, boxes: NDArray[np.float64]
    ) -> list[bytes | None]:
        assert path.is_file() and (width, height) == (64, 48)
        self.calls.append(boxes)
        found: list[bytes | None] = []
        for x1, y1, x2, y2 in boxes.astype(int).tolist():
            half = np.ones((y2 - y1, (x2 - x1) // 2), bool)
            found.append(rle.encode_box(half, height, width, (x1, y1)) if x2 - x1 > 8 else None)
        return found


@pytest.fixture
def boxes(tmp_path: Path) -> YoloFolder:
    data = YoloFolder(tmp_path / "data")
    for i in range(12):
        data.write_label(i, TRIANGLE)
    data.write_label(0, f"{TRIANGLE}\n{BOX}\n1 0.1 0.5 0.1 0.5")  # the second box is 6 px wide
    data.write_label(1, SQUARE)
    return data


def run(data: YoloFolder, folder: Path, cache: Path, segmenting: Segmenting | None) -> Dataset:
    folder.mkdir()
    settings = YoloSettings(path=str(data.root), workers=1)
    prepare(settings, 0, folder, lambda *_: None, cache, segmenting)
    return Dataset.load(folder)


def test_boxes_get_masks_and_keep_their_box(boxes: YoloFolder, tmp_path: Path) -> None:
    halves = Halves()
    data = run(boxes, tmp_path / "a", tmp_path / "cache", Segmenting(halves, "one"))
    rows = {
        image.file_name: [
            a for a in data.iter_annotations(split) if a["image_id"] == image.image_id
        ]
        for split in ("train", "val", "test")
        for image in data.iter_images(split)
    }
    triangle, wide, narrow = rows["images/00.jpg"]
    assert triangle["area"] == pytest.approx(0.08 * 64 * 48)
    assert wide["bbox"] == pytest.approx([16, 12, 32, 24])
    assert wide["area"] == 16 * 24
    pixels = coco.decode(wide["segmentation"])
    assert pixels[12:36, 16:32].all() and pixels.sum() == 16 * 24
    assert narrow["bbox"] == pytest.approx([3.2, 12, 6.4, 24])
    assert narrow["area"] == pytest.approx(6.4 * 24)
    (square,) = rows["images/01.jpg"]  # drawn as a polygon, but nothing else than its box
    assert square["area"] == 16 * 24
    assert [call.tolist() for call in halves.calls] == [
        [[16, 12, 48, 36], pytest.approx([3.2, 12, 9.6, 36])],
        [[16, 12, 48, 36]],
    ]
    (said,) = [line for line in data.warnings if line.startswith("box_masks")]
    assert "2 objects that are only boxes got masks" in said
    assert "1 keep their rectangle" in said
    assert not any(line.startswith("box_only") for line in data.warnings)


def test_masks_are_made_once(boxes: YoloFolder, tmp_path: Path) -> None:
    halves, cache = Halves(), tmp_path / "cache"
    first = run(boxes, tmp_path / "a", cache, Segmenting(halves, "one"))
    again = run(boxes, tmp_path / "b", cache, Segmenting(halves, "one"))
    assert len(halves.calls) == 2 and again.fingerprint == first.fingerprint
    run(boxes, tmp_path / "c", cache, Segmenting(halves, "another"))
    assert len(halves.calls) == 4
    boxes.write_label(0, BOX)
    run(boxes, tmp_path / "d", cache, Segmenting(halves, "one"))
    assert len(halves.calls) == 5
    without = run(boxes, tmp_path / "e", cache, None)
    assert len(halves.calls) == 5 and without.fingerprint != first.fingerprint
