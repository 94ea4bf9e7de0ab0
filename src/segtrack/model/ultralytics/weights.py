"""Checkpoints of ultralytics: what they say about themselves, and where they are published."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from segtrack.base.atomic import write_whole
from segtrack.base.errors import DataError, StageError, of_machine
from segtrack.base.files import digest, file_digest, not_saved
from segtrack.base.reachable import reachable as _reachable
from segtrack.model.hosts import DOWNLOAD_HOSTS
from segtrack.model.port import Weights
from segtrack.model.ultralytics.home import folder, kept
from segtrack.model.ultralytics.settings import END2END, NAMES

DOWNLOAD_HOST = DOWNLOAD_HOSTS["YOLO"]
CHECKED = 3  # higher where more is refused: what was read before is read again


def read_weights(
    path: Path, origin: str, note: str = "", trust: bool = False, end2end: bool = False
) -> Weights:
    """Read what the checkpoint at ``path`` says about itself.

    Args:
        trust: unpickle it in full, whatever code it holds.
        end2end: its end-to-end head is wanted.

    Raises:
        DataError: it is unreadable, asks for code, is no YOLO checkpoint, or one without masks or
            the head that is wanted.
    """
    try:
        stat = path.stat()
        if stat.st_size == 0:
            raise EOFError("the file is empty")
        if not trust and (why := not_saved(path)):  # torch reads older forms too
            raise ValueError(why)
        stamp = (stat.st_size, stat.st_mtime_ns, stat.st_ino)
        task, names, imgsz, both, made, sha256 = _read(path.absolute(), stamp, trust)
    except Exception as error:  # a pickle that is none fails in any way
        if of_machine(error):
            raise
        raise DataError(f"model.weights={path}: {refusal(error)}") from error
    if task != "segment":
        raise DataError(
            f"model.weights={path}: weights for task {task!r}, which predict no masks; give "
            "those of a -seg model, such as yolov8n-seg.pt"
        )
    if end2end and not both:
        raise no_end2end(path.name)
    return Weights(path, sha256, origin, names, imgsz, note, made)


def read_export(
    path: Path, origin: str, note: str, end2end: bool, imgsz: int | None = None
) -> Weights:
    """Read what the exported network at ``path`` says about itself.

    Args:
        end2end, imgsz: the head and the size of the input that are wanted.

    Raises:
        DataError: it cannot be used, or has another head or size than is wanted.
        SettingsError: what reads it is not installed.
    """
    from segtrack.model.ultralytics.exported import read_exported

    found = read_exported(path)
    if found.end2end != end2end:
        head = str(found.end2end).lower()
        raise DataError(f"model.weights={path}: exported with model.end2end={head}; give that too")
    if found.size and imgsz not in (None, found.imgsz):
        height, width = found.size
        raise DataError(
            f"model.weights={path}: takes images of {width}x{height} px alone, not "
            f"model.imgsz={imgsz}; leave that out, or export it again with dynamic=True"
        )
    digests = [file_digest(file) for file in found.files]
    sha256 = digests[0] if len(digests) == 1 else digest(digests)
    made = str(found.facts.get("model", ""))
    return Weights(path, sha256, origin, found.names, found.imgsz, note, made)


def no_end2end(name: str) -> DataError:
    """The end-to-end head of a network, which it does not have."""
    return DataError(
        f"model.end2end=true: {name} has no end-to-end head, as {END2END} have; leave "
        "model.end2end=false"
    )


@functools.lru_cache(maxsize=64)  # each cell of a sweep asks for the same ones
def _read(
    path: Path, stamp: tuple[int, int, int], trust: bool
) -> tuple[str, tuple[str, ...], int, bool, str, str]:
    """Task, class names, size of the input, whether there is an end-to-end head, name of the
    network, and digest of a file, which ``stamp`` tells again.

    What a file of that digest once said is kept: reading it takes torch and ultralytics, whose
    import is most of the start of a short prediction by another library.
    """
    sha256 = file_digest(path)
    file = kept() / f"{sha256}-{version('ultralytics')}-{CHECKED}.json"
    with contextlib.suppress(OSError, ValueError):
        if not trust:
            task, names, imgsz, both, made = json.loads(file.read_text(encoding="utf-8"))
            return task, tuple(names), imgsz, both, made, sha256
    from segtrack.model.ultralytics import library

    with library.trusting(trust):
        model, _ = library.load_checkpoint(path)
    task = str(model.task)[:20]
    names, imgsz = ((), 0) if task != "segment" else _facts(model)
    both = getattr(model.model[-1], "one2one_cv2", None) is not None
    written = getattr(model, "yaml", {}).get("yaml_file")  # the name of a network, as a rule
    made = Path(str(written)).stem
    made = made if made in NAMES else ""
    if task == "segment" and not trust:
        from segtrack.model.ultralytics.computable import require_computable

        require_computable(model)
    with contextlib.suppress(OSError):
        if not trust:
            file.parent.mkdir(parents=True, exist_ok=True)
            write_whole(file, json.dumps([task, names, imgsz, both, made]))
    return task, names, imgsz, both, made, sha256


def refusal(error: Exception) -> str:
    """Why a checkpoint cannot be used, in one line, and what to do."""
    from segtrack.model.ultralytics.computable import Uncomputable
    from segtrack.model.ultralytics.unpickle import Refused

    text = " ".join(str(error).split())[:300] or type(error).__name__
    if isinstance(error, Refused):
        return (
            f"refused: {text}. Give a .pt file that ultralytics saved or, if you trust whoever "
            "made this one, let it run its code with model.trust=true"
        )
    if isinstance(error, Uncomputable):
        return f"its network cannot be computed ({text}); give a .pt file that ultralytics saved"
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

    target = folder() / "weights" / file_name
    if target.is_file():
        return target, ""
    if library.forbidden_network():
        return None, "YOLO_OFFLINE forbids a download"
    if not _reachable(DOWNLOAD_HOST):
        return None, f"{DOWNLOAD_HOST[0]} does not answer, so there is nothing to download"
    try:
        library.download(file_name, target)
    except Exception as error:  # of the network, of the server, or of a name it does not have
        if of_machine(error):  # others would be trained from, or none
            raise StageError(
                f"{target}: cannot be downloaded ({str(error).splitlines()[0]}); free space there, "
                "or give weights: model.weights=FILE"
            ) from error
        return None, f"the download failed ({str(error).splitlines()[0]})"
    return target, ""


def untrained(name: str, note: str, end2end: bool = False) -> Weights:
    """The network of that name before any training.

    Raises:
        DataError: ultralytics knows no such network, or it lacks the head that is wanted.
    """
    from segtrack.model.ultralytics import library

    config = library.architecture(name)
    if end2end and not config.get("end2end"):
        raise no_end2end(name)
    config.pop("yaml_file", None)
    text = json.dumps([name, config], sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Weights(Path(f"{name}.yaml"), digest, "scratch", (), 640, note)


def _class_names(names: dict[int, str] | list[str]) -> tuple[str, ...]:
    if isinstance(names, dict):
        return tuple(str(names[i]) for i in range(len(names)))
    return tuple(map(str, names))
