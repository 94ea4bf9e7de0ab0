"""Work in processes: the order, a process that dies, an error inside."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from segtrack.base.errors import DataError, StageError
from segtrack.dataset.workers import map_chunks, worker_count


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


def in_joblib() -> set[int]:
    return set(map_chunks(pids, range(4), workers=2, chunk=1))


def test_it_works_in_a_worker_of_joblib() -> None:
    """As a cell of hydra/launcher=joblib_cells is one, whose way to start processes is its own."""
    joblib = pytest.importorskip("joblib")
    (found, _) = joblib.Parallel(n_jobs=2)(joblib.delayed(in_joblib)() for _ in range(2))
    assert found and os.getpid() not in found


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


SCRIPT = r"""
import os, time
from segtrack.dataset.workers import map_chunks

def slow(items):
    os.write(1, f"{os.getpid()}\n".encode())
    time.sleep(60)
    return items

if __name__ == "__main__":
    list(map_chunks(slow, range(2), workers=2, chunk=1))
"""


def test_workers_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        workers = [int(parent.stdout.readline()) for _ in range(2)]
        parent.kill()
        assert parent.wait() == -9
    deadline = time.monotonic() + 30
    while any(_alive(pid) for pid in workers):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"
