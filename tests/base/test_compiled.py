"""Where compiled loops are kept, what is said of it, and what happens where they cannot be."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from numba.core import caching

from segtrack.base import compiled as module
from segtrack.base.errors import StageError


def _twice(number: int) -> int:
    return 2 * number


def test_a_loop_is_compiled_where_it_cannot_be_kept(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(caching.CacheImpl, "_locator_classes", [])
    module._say_nothing_is_kept.cache_clear()
    assert module.compiled(_twice)(21) == 42
    assert module.compiled_fused(_twice)(4) == 8
    said = capsys.readouterr().err
    assert said.count("compiled loops cannot be kept") == 1
    assert "NUMBA_CACHE_DIR" in said


LOOPS = """
from segtrack.base.compiled import compiled

@compiled
def add(a, b):
    return a + b

@compiled
def many(a):
    return add(a, a)

def work(items):
    return [many(item) for item in items]
"""
MAIN = """
import sys
from segtrack.dataset.workers import map_chunks
from loops import work

if __name__ == "__main__":
    print(list(map_chunks(work, range(4), int(sys.argv[1]), 1)))
"""
SAID = "compiling loops that this installation has not used before"


@pytest.mark.parametrize("workers", [1, 2])
def test_that_loops_are_compiled_is_said_once(tmp_path: Path, workers: int) -> None:
    """By the process that people listen to, whichever compiles; not of loops that were kept."""
    (tmp_path / "loops.py").write_text(LOOPS)
    (tmp_path / "main.py").write_text(MAIN)
    heard = []
    for _ in range(2):
        command = [sys.executable, "main.py", str(workers)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
        assert done.stdout == "[0, 2, 4, 6]\n", done.stderr
        heard.append(done.stderr)
    assert heard[0].startswith(SAID) and heard[0].count("\n") == 1
    assert heard[1] == ""


def test_a_full_disk_is_named_before_a_loop_is_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "full_loops.py").write_text(LOOPS)
    import full_loops  # type: ignore[import-not-found]

    def full(dir: Path) -> Any:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(module, "TemporaryFile", full)
        with pytest.raises(StageError, match=r"__pycache__: compiled loops cannot .*No space left"):
            full_loops.many(1)
    assert full_loops.many(2) == 4
