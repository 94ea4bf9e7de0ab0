"""What a run says of that which is neither wrong input nor a bug."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest

from segtrack import journal as journals
from segtrack.base.errors import StageError
from segtrack.command.app import CONF, main
from segtrack.command.composition import compose_settings
from segtrack.command.job import _files
from segtrack.settings import MlflowSettings


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


def test_a_full_disk_at_the_first_record_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """MLflow writes what it keeps to a folder of temporary files first, which may be full."""

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/tmp/x/config.yaml")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(journals.Journal, "text", full)
    assert main(["stages=[prepare]", "dataset.train=2", "mlflow.run_name=full"]) == 1
    told = "cannot write or read /tmp/x/config.yaml: No space left on device"
    err = capsys.readouterr().err
    assert f"error: {told}" in err and "Traceback" not in err
    settings = MlflowSettings(uri=f"sqlite:///{tmp_path}/mlruns/mlflow.db")
    client, experiment = journals.connect(settings)
    (run,) = client.search_runs([experiment])
    assert (run.info.status, run.data.tags["error"]) == ("FAILED", told)
