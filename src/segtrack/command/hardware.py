"""What the system says of its cores, memory, disks and cards; nothing where it says nothing."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")
_ANSWER = 3.0  # s that the driver may take


def cpu_share(root: Path = _CGROUP) -> float | None:
    """Cores' worth of time that the control group allows; None where it sets no limit."""
    if text := _read(root / "cpu.max"):  # version 2
        quota, _, period = text.partition(" ")
        return None if quota == "max" else int(quota) / int(period or 100_000)
    quota, period = _read(root / "cpu/cpu.cfs_quota_us"), _read(root / "cpu/cpu.cfs_period_us")
    return int(quota) / int(period) if quota and period and int(quota) > 0 else None


def memory_bytes() -> int | None:
    """Of the machine."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None


def memory_limit(root: Path = _CGROUP) -> int | None:
    """Of the control group; None where it sets none."""
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        text = _read(root / name)
        if text.isdigit() and int(text) < 2**60:  # version 1 writes the largest number for none
            return int(text)
    return None


def cpu_flags(path: Path = Path("/proc/cpuinfo")) -> set[str]:
    """What the CPU says it can, by Linux' names; empty elsewhere."""
    match = re.search(r"^(?:flags|Features)\s*:(.*)$", _read(path), re.MULTILINE)
    return set(match.group(1).split()) if match else set()


def driver_list() -> list[str] | None:
    """Cards with memory, driver, and MIG's slices; None without a driver's tool."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return None
    query = ["--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    cards = [
        "{}, {}, driver {}".format(*map(str.strip, line.split(",")))
        for line in _output([tool, *query])
        if line.count(",") == 2
    ]
    lines = (line.strip() for line in _output([tool, "-L"]))
    slices = [line.partition(" Device")[0].strip() for line in lines if line.startswith("MIG")]
    return cards + ([", ".join(slices)] if slices else [])


def free_bytes(folder: Path) -> int:
    """Of its disk, that this user may use."""
    there = folder.absolute()
    while not there.exists():
        there = there.parent
    return shutil.disk_usage(there).free


def _output(command: list[str]) -> list[str]:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_ANSWER, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return done.stdout.splitlines()


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""
