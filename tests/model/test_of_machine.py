"""A machine that lacks memory or room says nothing about a file: none is called broken for that."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from segtrack.base.errors import DataError, StageError
from segtrack.model import Weights
from segtrack.model.sam import segmenter
from segtrack.model.sam import weights as sam
from segtrack.model.sam.weights import SamWeights, read_sam
from segtrack.model.training import reading
from segtrack.model.ultralytics import exported, library
from segtrack.model.ultralytics import weights as yolo

LACKS = (
    MemoryError("Unable to allocate 4 GiB"),
    RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB"),
    OSError(errno.EMFILE, "Too many open files", "best.pt"),
)


def _stopped(path: Path, error: Exception) -> None:
    with reading(path, path.parent, str):
        raise error


def _fails(error: Exception) -> Callable[..., Any]:
    def work(*_: Any, **__: Any) -> Any:
        raise error

    return work


@pytest.mark.parametrize("error", LACKS, ids=lambda error: type(error).__name__)
def test_a_checkpoint_is_not_called_broken(
    error: Exception, tiny_weights: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tiny_weights.path
    monkeypatch.setattr(yolo, "_read", _fails(error))
    monkeypatch.setattr(exported, "_onnx", _fails(error))
    monkeypatch.setattr(exported, "require", lambda *_: None)
    for read in (
        lambda: yolo.read_weights(path, "path"),
        lambda: exported.read_exported(Path("network.onnx")),
        lambda: _stopped(path, error),  # "Remove FOLDER to train from the beginning"
    ):
        with pytest.raises(type(error)) as found:
            read()
        assert found.value is error


def test_a_checkpoint_that_is_none_still_is(tmp_path: Path) -> None:
    for error in (RuntimeError("invalid magic number"), PermissionError(errno.EACCES, "denied")):
        with pytest.raises(DataError, match=r"of a training that was stopped.*to train from the"):
            _stopped(tmp_path / "last.pt", error)


def test_sam_is_not_called_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory, card = LACKS[:2]
    monkeypatch.setattr(sam, "_parameters", _fails(memory))
    with pytest.raises(MemoryError):
        read_sam(tmp_path / "sam_b.pt", "path")
    monkeypatch.setattr(segmenter, "sam_predictor", _fails(card))
    weights = SamWeights(tmp_path / "sam_b.pt", "ab", "path", "sam_b")
    with pytest.raises(RuntimeError, match=r"^CUDA out of memory"):
        segmenter.Segmenter(weights, "cpu")
    monkeypatch.setattr(segmenter, "sam_predictor", _fails(RuntimeError("size mismatch")))
    with pytest.raises(DataError, match="do not fit that network"):
        segmenter.Segmenter(weights, "cpu")


def test_a_full_disk_does_not_choose_other_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that are published cannot be kept; auto would go on with others, or with none."""
    monkeypatch.setattr(yolo, "folder", lambda: tmp_path)
    monkeypatch.setattr(yolo, "_reachable", lambda _: True)
    monkeypatch.setattr(library, "forbidden_network", lambda: False)
    full = ConnectionError("Download failure. [Errno 28] No space left on device")
    monkeypatch.setattr(library, "download", _fails(full))
    with pytest.raises(StageError, match=r"yolov8n-seg\.pt: cannot be downloaded .*No space left"):
        yolo.download_weights("yolov8n-seg.pt")
    monkeypatch.setattr(library, "download", _fails(OSError("HTTP Error 503")))
    assert yolo.download_weights("yolov8n-seg.pt") == (None, "the download failed (HTTP Error 503)")
