"""Work beside the caller's: order, bounds, errors in their turn, nothing left running."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from segtrack.base.ahead import Behind, read_ahead


def test_items_come_in_order_and_few_are_made_before_they_are_wanted() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for number in range(20):
            made.append(number)
            yield number

    seen = []
    for number in read_ahead(items(), 3):
        assert len(made) <= number + 1 + 3
        seen.append(number)
    assert seen == list(range(20))


def test_an_error_comes_after_what_was_good() -> None:
    def items() -> Iterator[int]:
        yield from (1, 2)
        raise ValueError("third")

    seen: list[int] = []
    with pytest.raises(ValueError, match="third"):
        seen.extend(read_ahead(items()))
    assert seen == [1, 2]


def test_a_reader_that_is_left_ends_its_thread() -> None:
    before = threading.active_count()
    reading = read_ahead(iter(range(100)))
    assert next(reading) == 0
    assert threading.active_count() == before + 1
    reading.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


def test_calls_are_made_in_order_and_all_of_them() -> None:
    done: list[int] = []
    with Behind(2) as behind:
        for number in range(50):
            behind.do(done.append, number)
            assert number + 1 - len(done) <= 3  # two wait, one is worked on
    assert done == list(range(50))


@pytest.mark.parametrize("then", [0, 10])
def test_the_error_of_a_call_is_raised(then: int) -> None:
    """By the end where nothing follows, else by a later call; what waited is not begun."""
    begun: list[int] = []

    def call(number: int) -> None:
        begun.append(number)
        if number == 0:
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"), Behind(2) as behind:
        for number in range(1 + then):
            behind.do(call, number)
    assert begun[0] == 0 and len(begun) <= 4


def test_an_error_of_the_caller_is_not_hidden() -> None:
    def fails() -> None:
        raise OSError("second")

    with pytest.raises(KeyError, match="first"), Behind() as behind:
        behind.do(fails)
        raise KeyError("first")
