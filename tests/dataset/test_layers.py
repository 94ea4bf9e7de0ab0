"""Outlines that lie over one another lose what later ones cover."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco

from segtrack.base.errors import DataError
from segtrack.dataset import TrafficSimSettings, YoloSettings
from segtrack.dataset.labels import Annotation, labels_of
from segtrack.dataset.layers import Cut, cut
from tests.dataset.conftest import Prepare, YoloFolder
from trafficsim import SimulatorKnobs, render_still
from trafficsim.labels import label, outline
from trafficsim.raster import stamp_whole


def square(x: float, y: float, side: float, class_id: int = 0) -> Annotation:
    """Has five corners, since a rectangle of four is a box without an outline."""
    half = x + side / 2
    points = [(x, y), (half, y), (x + side, y), (x + side, y + side), (x, y + side)]
    return Annotation(class_id, [np.array(points, np.float64)], side * side)


def test_later_ones_are_in_front() -> None:
    """Ten by ten px: the second covers a quarter of the first, the third half of the second."""
    given = [square(0, 0, 10, 1), square(5, 5, 10, 2), square(5, 10, 10, 3), square(30, 2, 10)]
    labels, found = cut(labels_of(given), 64, 48)
    assert labels.class_id.tolist() == [1, 2, 3, 0]
    assert labels.visible.tolist() == [0.75, 0.5, 1, 1]
    assert labels.area.tolist() == [75, 50, 100, 100]
    assert labels.bbox_xywh.tolist() == [
        [0, 0, 10, 10], [5, 5, 10, 5], [5, 10, 10, 10], [30, 2, 10, 10]
    ]  # fmt: skip
    assert found == Cut(objects=4, cut=2, gone=0, overlaps=2, lower=2)
    masks = [coco.decode({"size": [48, 64], "counts": rle}) for rle in labels.rle[:2]]
    assert masks[0].sum() == 75 and not masks[0][5:10, 5:10].any()
    assert (masks[0] + masks[1]).max() == 1
    whole = labels.polygons()[2:]  # what nothing covers keeps its outline
    for rings, one in zip(whole, given[2:], strict=True):
        np.testing.assert_array_equal(rings[0], one.polygons[0])
    assert labels.rle[2:] == (b"", b"")


def test_an_object_in_two_parts_and_one_that_is_gone() -> None:
    given = [square(0, 0, 10, 1), square(20, 0, 4, 2), square(4, -2, 20, 3)]
    given[0] = replace(given[0], polygons=[*given[0].polygons, square(26, 0, 10).polygons[0]])
    labels, found = cut(labels_of(given), 64, 48)
    assert labels.class_id.tolist() == [1, 3]
    assert labels.visible.tolist() == [(40 + 100) / 200, 1]
    assert len(labels.polygons()[0]) == 2
    assert found == Cut(objects=3, cut=1, gone=1, overlaps=2, lower=2)


def test_the_order_may_say_nothing() -> None:
    """The later one reaches less far down: it is in front all the same, and that is counted."""
    _, found = cut(labels_of([square(0, 10, 10), square(5, 5, 10)]), 64, 48)
    assert (found.overlaps, found.lower) == (1, 0)


def test_crowds_and_boxes_are_as_they_were() -> None:
    box = Annotation(0, [np.array([(0, 0), (20, 0), (20, 20), (0, 20)], np.float64)], 400)
    crowd = replace(square(0, 0, 20), crowd=True)
    labels, found = cut(labels_of([square(0, 0, 10), box, crowd]), 64, 48)
    assert found == Cut(objects=1)
    assert labels.area.tolist() == [100, 400, 400]
    assert labels.visible[0] == 1 and np.isnan(labels.visible[1:]).all()


def test_a_data_set_of_layers(yolo: YoloFolder, run: Prepare) -> None:
    far = "0 0.25 0.25 0.4 0.25 0.5 0.25 0.5 0.75 0.25 0.75"
    near = "1 0.375 0.25 0.5 0.25 0.75 0.25 0.75 0.75 0.375 0.75"
    yolo.write_label(0, f"{far}\n{near}")
    plain = run(YoloSettings(path=str(yolo.root))).dataset
    done = run(YoloSettings(path=str(yolo.root), layered=True))
    assert (plain.visible_estimated, done.dataset.visible_estimated) == (False, True)
    splits = [split for split, count in plain.counts.items() if count]
    for dataset, expected in ((plain, {None}), (done.dataset, {None, 0.5, 1.0})):
        rows = [row for split in splits for row in dataset.iter_annotations(split)]
        assert {row["visible_fraction"] for row in rows} == expected
    (finding,) = [f for f in done.findings() if f["code"] == "layers"]
    assert "1 of 2 objects are cut where later ones cover them, 0 are" in finding["message"]
    assert "in 0% of 1 overlaps the later one reaches further down" in finding["message"]


def test_what_is_known_is_not_estimated(run: Prepare) -> None:
    with pytest.raises(DataError, match="say already how much of each object is visible"):
        run(TrafficSimSettings(train=1, val=0, test=0, pool=0, video_count=0, layered=True))


def test_the_estimate_is_at_most_too_high(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole outlines of the simulator's objects, from back to front: poles and trees hide as well,
    and so does the border, which the outlines do not tell."""
    drawn: list[tuple[int, Any, Any]] = []
    wholes: dict[int, Any] = {}

    def stamped(ids: Any, points: Any, counts: Any, number: int) -> Any:
        wholes[number] = np.zeros_like(ids)
        stamp_whole(wholes[number], points, counts, 1)
        return stamp_whole(ids, points, counts, number)

    def watched(ids: Any, number: int, *rest: Any) -> Any:
        instance = label(ids, number, *rest)
        if instance is not None:
            drawn.append((number, outline(wholes[number]), instance))
        return instance

    monkeypatch.setattr("trafficsim.render.stamp_whole", stamped)
    monkeypatch.setattr("trafficsim.render.label", watched)
    truth, estimate = [], []
    for index in range(3):
        drawn.clear()
        render_still(SimulatorKnobs(occlusion=0.9, density=1.0), 7, index)
        drawn.sort(key=lambda one: one[0])
        labels = [
            Annotation(i, [np.asarray(ring, float) for ring in rings], 1)
            for i, (_, rings, _) in enumerate(drawn)
        ]
        found, _ = cut(labels_of(labels), 640, 360)
        truth += [drawn[i][2].visible_fraction for i in found.class_id]
        estimate += found.visible.tolist()
    known, guessed = np.array(truth), np.array(estimate)
    assert len(known) > 20
    assert (guessed > known - 0.05).all()
    assert (known[guessed < 0.5] < 0.55).all() and (guessed < 0.5).sum() >= 2
    assert np.corrcoef(known, guessed)[0, 1] > 0.3
