"""Labels that can be read: in the frame, apart from each other, short in a crowd."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from segtrack.report.labels import Label, place_labels

FRAME = (400, 300)


def text_size(text: str) -> tuple[int, int]:
    return 8 * len(text), 12


def place(boxes: list[tuple[float, float, float, float]]) -> dict[int, Label]:
    texts = [(f"#{i} car 0.87", f"#{i}") for i in range(len(boxes))]
    return {a.row: a for a in place_labels(np.array(boxes), texts, text_size, FRAME)}


def test_above_the_box() -> None:
    assert place([(100, 100, 200, 150)])[0] == Label(0, "#0 car 0.87", 100, 88, 88, 12)


def test_inside_where_the_frame_ends_above() -> None:
    assert place([(100, 0, 200, 50)])[0] == Label(0, "#0 car 0.87", 100, 0, 88, 12)


def test_moved_into_the_frame_at_the_right() -> None:
    assert place([(380, 100, 400, 150)])[0] == Label(0, "#0 car 0.87", 312, 88, 88, 12)


def test_neighbours_do_not_cover_each_other() -> None:
    """The second one's place above its box is taken by the first, larger one."""
    placed = place([(100, 100, 200, 160), (150, 100, 250, 150)])
    assert (placed[0].x, placed[0].y) == (100, 88)
    assert (placed[1].x, placed[1].y) == (162, 88) or placed[1].x >= 188 or placed[1].y >= 100
    assert not overlap(placed[0], placed[1])


def test_short_text_on_small_objects_in_a_crowd() -> None:
    """Long texts would lie on the neighbours; an object on its own has room for it."""
    crowd = [
        (100 + 30 * i, 100 + 20 * j, 120 + 30 * i, 115 + 20 * j) for i in range(5) for j in range(5)
    ]
    placed = place([*crowd, (20, 250, 40, 260)])
    assert placed[25].text == "#25 car 0.87"
    assert placed[12].text == "#12"


def overlap(a: Label, b: Label) -> bool:
    return (
        a.x < b.x + b.width
        and b.x < a.x + a.width
        and a.y < b.y + b.height
        and b.y < a.y + a.height
    )


sides = st.tuples(
    st.integers(0, 380), st.integers(0, 280), st.integers(1, 200), st.integers(1, 200)
)


@settings(max_examples=60, deadline=None)
@given(st.lists(sides, max_size=25))
def test_every_object_has_a_label_in_the_frame(boxes: list[tuple[int, int, int, int]]) -> None:
    corners = [(x, y, min(x + w, 400), min(y + h, 300)) for x, y, w, h in boxes]
    placed = place(corners)
    assert sorted(placed) == list(range(len(boxes)))
    for label in placed.values():
        assert label.x >= 0
        assert label.y >= 0
        assert label.x + label.width <= 400
        assert label.y + label.height <= 300
    if len(boxes) <= 2:
        assert not any(
            overlap(a, b) for a in placed.values() for b in placed.values() if a is not b
        )
