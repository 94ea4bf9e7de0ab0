"""The arrays that carry the labels of one image."""

import numpy as np

from segtrack.dataset.labels import EMPTY, Annotation, Labels, labels_of, packed_class_ids

TRIANGLE = np.array([[0.0, 0.0], [0.5, 0.0], [0.5, 0.5]])
SQUARE = np.array([[0.1, 0.2], [0.3, 0.2], [0.3, 0.6], [0.1, 0.6]])


def example() -> Labels:
    return labels_of(
        [
            Annotation(2, [TRIANGLE, SQUARE], 0.205, visible=0.5),
            Annotation(0, [SQUARE], 0.08, crowd=True, rle=b"abc"),
            Annotation(1, [], 7.0, bbox_xywh=(1.0, 2.0, 3.0, 4.0)),
        ]
    )


def test_box_is_that_of_all_polygons() -> None:
    assert example().bbox_xywh.tolist() == [
        [0.0, 0.0, 0.5, 0.6],
        [0.1, 0.2, 0.3 - 0.1, 0.6 - 0.2],
        [1.0, 2.0, 3.0, 4.0],
    ]


def test_packing_keeps_everything() -> None:
    labels = example()
    back = Labels.unpack(labels.pack())
    assert back.raw() == labels.raw()
    assert [[p.tolist() for p in parts] for parts in back.polygons()] == [
        [TRIANGLE.tolist(), SQUARE.tolist()],
        [SQUARE.tolist()],
        [],
    ]
    assert back.rle == (b"", b"abc", b"")
    assert back.crowd.tolist() == [False, True, False]
    assert np.isnan(back.visible).tolist() == [False, True, True]
    assert packed_class_ids(labels.pack()).tolist() == [2, 0, 1]
    assert len(Labels.unpack(EMPTY.pack())) == 0


def test_take_keeps_polygons_with_their_annotation() -> None:
    taken = example().take(np.array([False, True, True]), np.array([9, 5, 6], np.int32))
    assert taken.class_id.tolist() == [5, 6]
    assert [[p.tolist() for p in parts] for parts in taken.polygons()] == [[SQUARE.tolist()], []]
    assert taken.rle == (b"abc", b"")
    assert len(example().take(np.zeros(3, bool), np.zeros(3, np.int32))) == 0


def test_scaled_to_pixels() -> None:
    scaled = labels_of([Annotation(0, [TRIANGLE], 0.125)]).scaled(200, 100)
    assert scaled.points.tolist() == [[0, 0], [100, 0], [100, 50]]
    assert scaled.bbox_xywh.tolist() == [[0, 0, 100, 50]]
    assert scaled.area.tolist() == [2500]
