"""What a run says of that which is neither wrong input nor a bug."""

from __future__ import annotations

from pathlib import Path

import pytest

from segtrack.base.errors import StageError
from segtrack.command.app import CONF
from segtrack.command.composition import compose_settings
from segtrack.command.job import _files


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("Unable to allocate 4 GiB"),
        RuntimeError("CUDA out of memory. Tried to allocate 4 GiB\nmore"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 8 bytes"),
        RuntimeError("Cannot allocate memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`"),
        RuntimeError("GET was unable to find an engine to execute this computation"),
    ],
)
def test_memory_that_is_not_there_is_one_line(error: Exception, tmp_path: Path) -> None:
    with pytest.raises(StageError) as told, _files(compose_settings(CONF, []), tmp_path):
        raise error
    text = str(told.value)
    assert text.startswith(f"not enough memory ({str(error).splitlines()[0]}). Give smaller")
    assert "\n" not in text


def test_another_error_stays_a_bug(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="shape"), _files(compose_settings(CONF, []), tmp_path):
        raise RuntimeError("shape mismatch")
