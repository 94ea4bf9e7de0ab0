"""Checkpoints of ultralytics: what they say about themselves, and where they are published."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import socket
import threading
from pathlib import Path
from typing import Any

from segtrack.base.errors import DataError
from segtrack.base.files import file_digest
from segtrack.model.port import Weights

DOWNLOAD_HOST = ("github.com", 443)
PROBE_SECONDS = 2.0


def read_weights(path: Path, origin: str, note: str = "", trust: bool = False) -> Weights:
    """Read what the checkpoint at ``path`` says about itself.

    Args:
        trust: unpickle it in full, whatever code it holds.

    Raises:
        DataError: it is unreadable, asks for code, is no YOLO checkpoint, or one without masks.
    """
    try:
        stat = path.stat()
        if stat.st_size == 0:
            raise EOFError("the file is empty")
        stamp = (stat.st_size, stat.st_mtime_ns, stat.st_ino)
        task, names, imgsz, sha256 = _read(path.absolute(), stamp, trust)
    except Exception as error:  # a pickle that is none fails in any way
        raise DataError(f"model.weights={path}: {refusal(error)}") from error
    if task != "segment":
        raise DataError(
            f"model.weights={path}: weights for task {task!r}, which predict no masks; give "
            "those of a -seg model, such as yolov8n-seg.pt"
        )
    return Weights(path, sha256, origin, names, imgsz, note)


@functools.lru_cache(maxsize=64)  # each cell of a sweep asks for the same ones
def _read(
    path: Path, stamp: tuple[int, int, int], trust: bool
) -> tuple[str, tuple[str, ...], int, str]:
    """Task, class names, size of the input and digest of a file, which ``stamp`` tells again."""
    from segtrack.model.ultralytics import library

    with library.trusting(trust):
        model, _ = library.load_checkpoint(path)
    task = str(model.task)[:20]
    names, imgsz = ((), 0) if task != "segment" else _facts(model)
    return task, names, imgsz, file_digest(path)


def refusal(error: Exception) -> str:
    """Why a checkpoint cannot be used, in one line, and what to do."""
    from segtrack.model.ultralytics.unpickle import Refused

    text = " ".join(str(error).split())[:300] or type(error).__name__
    if isinstance(error, Refused):
        return (
            f"refused: {text}. Give a .pt file that ultralytics saved or, if you trust whoever "
            "made this one, let it run its code with model.trust=true"
        )
    return f"not an ultralytics YOLO checkpoint ({text}); give a .pt file that ultralytics saved"


def _facts(model: Any) -> tuple[tuple[str, ...], int]:
    """Names of its classes and the size of its input, of a network that can be used."""
    import torch

    imgsz = model.args["imgsz"]
    imgsz = max(imgsz) if isinstance(imgsz, list | tuple) else int(imgsz)
    if not 32 <= imgsz <= 8192:
        raise ValueError(f"imgsz={imgsz} px")
    names = _class_names(model.names)
    if len(names) != model.model[-1].nc:
        raise ValueError(f"{len(names)} names for {model.model[-1].nc} classes")
    numbers = (one for one in model.state_dict().values() if one.is_floating_point())
    if not all(bool(torch.isfinite(one.sum())) for one in numbers):  # in a tenth of the time
        raise ValueError("some of its numbers are NaN or infinite")
    return names, imgsz


def download_weights(file_name: str) -> tuple[Path | None, str]:
    """The library's own download, kept in its folder; where there is none, the reason."""
    from segtrack.model.ultralytics import library

    target = library.folder() / "weights" / file_name
    if target.is_file():
        return target, ""
    if library.forbidden_network():
        return None, "YOLO_OFFLINE forbids a download"
    if not _reachable(DOWNLOAD_HOST, PROBE_SECONDS):
        return None, f"{DOWNLOAD_HOST[0]} does not answer, so there is nothing to download"
    try:
        library.download(file_name, target)
    except Exception as error:  # of the network, of the server, or of a name it does not have
        return None, f"the download failed ({str(error).splitlines()[0]})"
    return target, ""


def untrained(name: str, note: str) -> Weights:
    """The network of that name before any training.

    Raises:
        DataError: ultralytics knows no such network.
    """
    from segtrack.model.ultralytics import library

    config = library.architecture(name)
    config.pop("yaml_file", None)
    text = json.dumps([name, config], sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Weights(Path(f"{name}.yaml"), digest, "scratch", (), 640, note)


def _reachable(address: tuple[str, int], seconds: float) -> bool:
    """Whether ``address`` accepts a connection; looking up its name counts into the time too."""
    answers: list[bool] = []

    def probe() -> None:
        with contextlib.suppress(OSError):
            socket.create_connection(address, seconds).close()
            answers.append(True)

    thread = threading.Thread(target=probe, daemon=True)
    thread.start()
    thread.join(seconds)
    return bool(answers)


def _class_names(names: dict[int, str] | list[str]) -> tuple[str, ...]:
    if isinstance(names, dict):
        return tuple(str(names[i]) for i in range(len(names)))
    return tuple(map(str, names))
