"""Trying again: how often, after which pauses, and what is raised in the end."""

from collections.abc import Callable

import pytest

from segtrack.base import retry as module
from segtrack.base.retry import Again, retry


class Failure(Exception):
    pass


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    pauses: list[float] = []
    monkeypatch.setattr(module.time, "sleep", pauses.append)
    return pauses


def answers(*results: object) -> Callable[[int], object]:
    """The result for each number; an exception in its place is raised."""

    def attempt(number: int) -> object:
        result = results[number]
        if isinstance(result, Exception):
            raise result
        return result

    return attempt


def doubled(number: int) -> float:
    return float(2**number)


@pytest.mark.parametrize(
    ("results", "result", "pauses"),
    [
        (["a"], "a", []),
        ([None], None, []),  # any result counts, also an empty one
        ([Again(Failure("x")), "a"], "a", [1.0]),
        ([Again(Failure("x")), Again(Failure("x")), "a"], "a", [1.0, 2.0]),
        ([Again(Failure("x"), wait=7.5), Again(Failure("x"), wait=0.0), "a"], "a", [7.5, 0.0]),
    ],
)
def test_the_first_result_counts(
    results: list[object], result: object, pauses: list[float], slept: list[float]
) -> None:
    assert retry(answers(*results), 3, doubled) == result
    assert slept == pauses


def test_after_the_last_attempt_its_error_is_raised_without_a_pause(slept: list[float]) -> None:
    failures = [Again(Failure(str(i))) for i in range(3)]
    with pytest.raises(Failure, match="2"):
        retry(answers(*failures), 3, doubled)
    assert slept == [1.0, 2.0]


def test_what_an_attempt_raises_ends_it(slept: list[float]) -> None:
    with pytest.raises(Failure, match="final"):
        retry(answers(Again(Failure("x")), Failure("final"), "a"), 3, doubled)
    assert slept == [1.0]


def test_no_attempt_at_all_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="tries is 0"):
        retry(answers(), 0, doubled)
