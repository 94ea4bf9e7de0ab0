"""Names that others wrote never lead out of the training tree."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segtrack.dataset.yolo_tree import tree_name

ODD = [
    *("../../up.jpg", "/etc/passwd", "..", ".", "", "a/../../b.png", "C:\\x.jpg", "x" * 300),
    "a\nb\0",
]


def check(name: str) -> None:
    made = tree_name(7, name, ".jpg")
    assert made.startswith("0000007_") and made.endswith(".jpg") and len(made) < 100
    assert (Path("/tree") / made).resolve().parent == Path("/tree")
    assert not set(made) & set('/\\:\n\0"')


@pytest.mark.parametrize("name", ODD)
def test_odd_names(name: str) -> None:
    check(name)


@given(st.text())
def test_any_name(name: str) -> None:
    check(name)


@given(st.lists(st.text(), min_size=2, max_size=2, unique=True))
def test_two_names_are_two_files(names: list[str]) -> None:
    assert tree_name(1, names[0], ".jpg") != tree_name(2, names[1], ".jpg")
