"""Where ultralytics and converted networks are kept, how many cores there are, and OpenVINO.

Apart from ``library``, so that a network which another library computes is predicted with without
importing torch and ultralytics, which takes seconds.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import stat
import sys
import tempfile
import threading
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from segtrack.base.errors import StageError
from segtrack.base.processes import stop_if_asked

# What the user said, before the library sets one OpenMP thread.
USER_THREADS = os.environ.get("OMP_NUM_THREADS", "")


@cache
def folder() -> Path:
    """Where the library keeps settings and downloads: ``$SEGTRACK_HOME/ultralytics``, else in a
    folder of this user alone, since the library runs scripts that it writes there (DDP)."""
    if home := os.environ.get("SEGTRACK_HOME"):
        return Path(home).expanduser() / "ultralytics"
    user = os.getuid() if hasattr(os, "getuid") else "user"
    private = Path(tempfile.gettempdir()) / f"segtrack-{user}"
    with contextlib.suppress(OSError):
        private.mkdir(mode=0o700, exist_ok=True)
        facts = private.lstat()
        if stat.S_ISDIR(facts.st_mode) and facts.st_uid == user and not facts.st_mode & 0o077:
            return private / "ultralytics"
    return of_this_process() / "ultralytics"


def of_this_process() -> Path:
    """A new folder among temporary files, which goes when this process ends."""
    path = Path(tempfile.mkdtemp(prefix="segtrack-"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def kept() -> Path:
    """Where measurements of this machine and what checkpoints say of themselves are kept."""
    return folder().parent / "measured"


def cores() -> int:
    """CPU threads to use: all cores that this process may run on, or ``$OMP_NUM_THREADS``."""
    if USER_THREADS.isdigit() and int(USER_THREADS) > 0:
        return int(USER_THREADS)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def import_openvino() -> Any:
    """The library, which would report each conversion to its maker if it found its telemetry."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


def save_openvino(model: Any, path: Path) -> None:
    """Write a network of OpenVINO's as ``path``, an .xml file, with its numbers in a .bin beside.

    Raises:
        StageError: it cannot be written. OpenVINO does not say why, and removes what it wrote.
    """
    try:
        import_openvino().save_model(model, path, compress_to_fp16=False)
    except RuntimeError as error:
        stop_if_asked()
        left, why = shutil.disk_usage(path.parent).free / 1e6, " ".join(str(error).split())[:150]
        raise StageError(
            f"cannot write {path}, where {left:.0f} MB are free: OpenVINO says no more than "
            f"{why!r}. Free space or permissions, or choose another folder with store=FOLDER, or "
            "TMPDIR=FOLDER for temporary files"
        ) from error


def openvino_core() -> Any:
    """OpenVINO's one core of this process, which lasts as long.

    The plugin for CPUs gives the thread that loads it another stack for signals, and frees it when
    its core goes, in whatever thread: the next signal, a Ctrl-C, was a segmentation fault.

    OpenVINO fills its tables of types when one is first asked, and lets go of Python's lock in the
    midst of it: two threads that ask at once wait for each other for ever, deaf to Ctrl-C. So one
    has asked before there are several.
    """
    with _LOADING:
        return _core()


_LOADING = threading.Lock()


@cache
def _core() -> Any:
    openvino = import_openvino()
    openvino.Tensor(np.zeros(1, np.uint8)).element_type.to_dtype()
    core = openvino.Core()
    core.get_property("CPU", "FULL_DEVICE_NAME")  # loads it, before any other core does
    return core
