"""Annotations that are there twice, and polygons of which there are very many."""

from itertools import count

import numpy as np
import pytest

from segtrack.dataset import cleaning
from segtrack.dataset.cleaning import Placed, clean_polygon, without_copies
from segtrack.dataset.labels import Annotation

SQUARE = np.array([[0, 0], [4, 0], [4, 4], [0, 4]], np.float64)


def square(class_id: int = 0, shift: float = 0, **changes: object) -> Annotation:
    values = {"class_id": class_id, "polygons": [SQUARE + shift], "area": 16.0}
    return Annotation(**{**values, **changes})  # type: ignore[arg-type]


def test_the_first_of_equal_ones_stays() -> None:
    rows = [square(), square(1), square(), square(shift=1), square(area=3.0), square(1)]
    placed = [Placed(row, i, f"row {i}") for i, row in enumerate(rows, start=1)]
    kept, remarks = without_copies(placed)
    assert kept == [rows[0], rows[1], rows[3]]
    assert [(r.severity, r.code, r.line) for r in remarks] == [
        ("warning", "repeated_label", line) for line in (3, 5, 6)
    ]
    assert remarks[2].message == "row 6 has the class and shape of row 2; it is left out"


@pytest.mark.parametrize(
    ("other", "count"),
    [
        (square(polygons=[SQUARE, SQUARE + 9]), 2),  # a part more
        (square(crowd=True), 2),
        (square(rle=b"0"), 2),
        (square(polygons=[SQUARE * np.where(SQUARE == 0, -1.0, 1.0)]), 1),  # -0.0
        (square(polygons=[SQUARE + 1e-9]), 2),  # nearly the same is not the same
    ],
)
def test_what_is_the_same(other: Annotation, count: int) -> None:
    kept, remarks = without_copies([Placed(square(), 1, "a"), Placed(other, 2, "b")])
    assert (len(kept), len(remarks)) == (count, 2 - count)


@pytest.mark.parametrize("size", [(40.0, 30.0), (1.0, 1.0)])
def test_one_of_many_is_cleaned_as_one_of_few(
    monkeypatch: pytest.MonkeyPatch, size: tuple[float, float]
) -> None:
    """Points on a coarse grid repeat, touch, cross and lie on one line; some leave the image."""
    rng = np.random.default_rng(0)
    looked, plain = [], 0
    for _ in range(3000):
        points = rng.integers(0, 9, (rng.integers(1, 9), 2)) / 8 * size
        if rng.uniform() < 0.2:
            points += rng.normal(0, 0.3, points.shape)
        looked.append(points)
    for points in looked + [points[::-1] for points in looked[:50]]:
        given = points, size, 7, "polygon"
        monkeypatch.setattr(cleaning, "_seen", count())
        few = clean_polygon(*given)
        monkeypatch.setattr(cleaning, "_seen", count(cleaning._FEW + 1))
        many = clean_polygon(*given)
        assert (many.area, many.remarks) == (few.area, few.remarks)
        assert (many.polygon is None) == (few.polygon is None)
        if few.polygon is not None:
            np.testing.assert_array_equal(many.polygon, few.polygon)
        plain += many.polygon is points and not many.remarks
    assert 300 < plain < 2000
