"""A process that a launcher started for cells of a sweep, beside others on the same machine."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from filelock import FileLock, Timeout

_VISIBLE = "CUDA_VISIBLE_DEVICES"
_home = 0  # the process that runs the command
_held: list[FileLock] = []  # of the GPU that this process has, until it ends


def at_home() -> None:
    """This process runs the command itself."""
    global _home
    _home = os.getpid()


def is_worker() -> bool:
    """Whether this process runs cells for a command in another one."""
    return _home != os.getpid()


def take_gpu(number: int, count: int | None = None, locks: Path | None = None) -> None:
    """Let this process see one GPU alone, where it sees several: the first that no other worker
    has, else, where there are more workers than GPUs, the one whose turn it is.

    What a scheduler has given to a process (Slurm, Ray) is one already. To be called before
    anything computes on a GPU; the process keeps it for all of its cells.

    Args:
        number: of the cell. count: of GPUs on this machine; default: as the driver says.
        locks: folder that the workers of this machine share.
    """
    if _held:
        return
    seen = os.environ.get(_VISIBLE)
    if seen is None:
        gpus = [str(i) for i in range(_count() if count is None else count)]
    else:
        gpus = [one for one in seen.split(",") if one.strip()]
    if len(gpus) < 2:
        return
    folder = locks or Path(tempfile.gettempdir()) / f"segtrack-gpus-{_user()}"
    folder.mkdir(parents=True, exist_ok=True)
    for gpu in gpus:
        lock = FileLock(folder / f"{gpu.replace('/', '_')}.lock", timeout=0)
        try:
            lock.acquire()
        except Timeout:
            continue
        _held.append(lock)
        os.environ[_VISIBLE] = gpu
        return
    os.environ[_VISIBLE] = gpus[number % len(gpus)]


def _count() -> int:
    """Asked without torch, whose first look at a GPU would fix what it sees."""
    try:
        return len(list(Path("/proc/driver/nvidia/gpus").iterdir()))
    except OSError:
        return 0


def _user() -> str:
    return str(os.getuid()) if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
