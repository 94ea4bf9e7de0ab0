"""Where compiled loops are kept, and what happens where they cannot be."""

from __future__ import annotations

import pytest
from numba.core import caching

from segtrack.base import compiled as module


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
