"""Single values of COCO JSON."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segtrack.dataset.coco_values import flag, id_key, is_missing, number, whole, written_out

NAN = float("nan")


@pytest.mark.parametrize(
    ("value", "key"),
    [
        *((one, 1) for one in (1, 1.0, "1", " 1 ", "1.0", "1.")),
        *((zero, 0) for zero in (0, 0.0, "0", -0.0)),
        (-3, -3),
        ("-3", -3),
        ("01", "01"),  # may be another image than 1
        ("5f3a", "5f3a"),
        ("1e3", "1e3"),
        (10**25, "10000000000000000000000000"),
        ("10000000000000000000000000", "10000000000000000000000000"),
        *((none, None) for none in (None, "", " ", True, False, 1.5, NAN, [1], {"id": 1})),
        ("\ud800", "\\ud800"),
    ],
)
def test_id_key(value: Any, key: Any) -> None:
    assert id_key(value) == key
    assert type(id_key(value)) is type(key)


@given(st.integers(-(10**30), 10**30))
def test_equal_values_are_equal_ids(value: int) -> None:
    key = id_key(value)
    assert key == id_key(str(value)) == id_key(f"{value}.0")
    assert str(key) == str(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *((yes, True) for yes in (1, True, 1.0, "1", "true", "True", " YES ", "1.0")),
        *((no, False) for no in (0, False, 0.0, "0", "false", None, "", "no", "0.0")),
        *((unclear, None) for unclear in (2, "maybe", [1], NAN, -1)),
    ],
)
def test_flag(value: Any, expected: bool | None) -> None:
    assert flag(value) is expected


@pytest.mark.parametrize(
    ("value", "as_number", "as_whole"),
    [
        (3, 3.0, 3),
        (3.0, 3.0, 3),
        (" 3.5", 3.5, None),
        ("48", 48.0, 48),
        *((none, None, None) for none in (None, True, "x", NAN, float("inf"), "nan", [3], 10**400)),
    ],
)
def test_numbers(value: Any, as_number: float | None, as_whole: int | None) -> None:
    assert number(value) == as_number
    assert whole(value) == as_whole


def test_is_missing() -> None:
    empty: list[Any] = [None, [], [[]], [[], None], {}, "", " ", "[]", "null", NAN, [[None, ""]]]
    assert [value for value in empty if not is_missing(value)] == []
    there: list[Any] = [0, False, [0], [[NAN]], {"counts": []}, "x"]
    assert [value for value in there if is_missing(value)] == []


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[[1, 2]]", [[1, 2]]),
        ("[(1, 2), (3, 4)]", [[1, 2], [3, 4]]),
        ("{'counts': [1]}", {"counts": [1]}),
        ("1,2;3,4", [1, 2, 3, 4]),
        ("1 2 3", [1, 2, 3]),
        ("b'0\\\\1'", "0\\1"),
        ("[abc", "[abc"),
        ("bcd", "bcd"),
        ("17", "17"),
    ],
)
def test_written_out(text: str, value: Any) -> None:
    assert written_out(text) == value
