"""Work in processes: the order, a process that dies, an error inside."""

import os
from collections.abc import Iterator

import pytest

from segtrack.dataset.workers import map_chunks, worker_count
from segtrack.errors import DataError, StageError


def doubled(items: list[int]) -> list[int]:
    return [2 * item for item in items]


def pids(items: list[int]) -> list[int]:
    return [os.getpid()] * len(items)


def dying(items: list[int]) -> list[int]:
    os._exit(9)


def failing(items: list[int]) -> list[int]:
    raise DataError("bad item")


def test_order_is_kept_and_work_is_spread() -> None:
    assert list(map_chunks(doubled, range(100), workers=2, chunk=7)) == list(range(0, 200, 2))
    assert os.getpid() not in set(map_chunks(pids, range(10), workers=1 + 1, chunk=1))


def test_little_work_stays_in_this_process() -> None:
    found = set(map_chunks(pids, range(10), workers=4, chunk=3, alone_below=11))
    assert found == {os.getpid()}


def test_items_are_drawn_as_needed() -> None:
    drawn = 0

    def items() -> Iterator[int]:
        nonlocal drawn
        for i in range(1000):
            drawn += 1
            yield i

    results = map_chunks(doubled, items(), workers=1, chunk=10)
    assert [next(results) for _ in range(5)] == [0, 2, 4, 6, 8]
    assert drawn <= 20


def test_a_process_that_dies_says_what_to_do() -> None:
    with pytest.raises(StageError, match=r"worker process died.*dataset\.workers=1"):
        list(map_chunks(dying, range(10), workers=2, chunk=1))


def test_an_error_in_a_process_comes_through() -> None:
    with pytest.raises(DataError, match="bad item"):
        list(map_chunks(failing, range(10), workers=2, chunk=1))


def test_worker_count() -> None:
    assert worker_count(3) == 3
    assert worker_count(0) == len(os.sched_getaffinity(0))
