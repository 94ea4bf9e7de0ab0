"""A platform that stays up: where it listens is left in its folder, for runs and for people.

Whoever holds the lock of a folder serves it, so that what the file says of a platform whose process
was killed is believed by nobody. Port and token stay in the file for the next start: a page that is
open in a browser goes on working.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from labellerr_loopback.client import asked
from labellerr_loopback.control_token import page_address
from segtrack.base.atomic import whole_file
from segtrack.base.errors import DataError
from segtrack.base.saying import say

FILE = "address.json"
_LOCK = "in_use.lock"
_LOOK = 0.2  # s between two looks whether a folder is free


@dataclass(frozen=True)
class Kept:
    """A platform that another process keeps up, see ``Emulator``."""

    url: str
    token: str = field(repr=False)

    def page(self, project_id: str | None = None) -> str:
        """Where a person reviews, in a browser."""
        return page_address(self.url, self.token, project_id)


def kept(folder: Path) -> Kept | None:
    """The platform of a folder that another process keeps up; None where none is.

    What answers at an address proves itself before anybody trusts it: another program may have got
    the port since.
    """
    there = _read(folder)
    if not there.get("up") or there["host"] != platform.node() or not (folder / _LOCK).exists():
        return None
    lock = FileLock(folder / _LOCK)
    try:
        with lock.acquire(timeout=0):
            return None  # its process was killed
    except Timeout:
        pass
    found = Kept(str(there["url"]), str(there["token"]))
    try:
        about = asked("GET", f"{found.url}/_emulator/about", found.token)
    except DataError:
        return None
    return found if about.get("id") == there.get("id") else None


@contextlib.contextmanager
def alone(folder: Path, until: Callable[[], object] = lambda: None) -> Iterator[bool]:
    """Hold the lock of a folder; says so and waits where another process has it.

    Args:
        until: asked while waiting; what is true ends the wait, without the lock.

    Yields:
        Whether the lock is held.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / _LOCK)
    held = _acquired(lock)
    if not held and not until():
        say(f"emulator   waiting for another process that uses {folder}")
        while not (held := _acquired(lock)) and not until():
            time.sleep(_LOOK)
    try:
        if held and _read(folder).get("up"):
            _write(folder, {**_read(folder), "up": False})  # left by a killed process
        yield held
    finally:
        if held:
            lock.release()


def remembered(folder: Path) -> tuple[int, str | None]:
    """Port and token of the platform that was kept up here last; 0 and None where none was."""
    there = _read(folder)
    port = str(there.get("url", "")).rpartition(":")[2]
    token = there.get("token")
    return int(port) if port.isdecimal() else 0, str(token) if token else None


@contextlib.contextmanager
def left(folder: Path, url: str, token: str, identity: str) -> Iterator[Kept]:
    """Leave the address of a platform, which this process serves, for ``kept``."""
    # A store may be shared by machines, each of which has a loopback of its own.
    facts = {"url": url, "token": token, "id": identity, "host": platform.node()}
    _write(folder, {**facts, "up": True})
    try:
        yield Kept(url, token)
    finally:
        _write(folder, {**facts, "up": False})


def _acquired(lock: FileLock) -> bool:
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    return True


def _read(folder: Path) -> dict[str, Any]:
    """What the file says; nothing where it is not there, damaged, or others may write it."""
    try:
        found = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    usable = isinstance(found, dict) and {"url", "token", "id", "host"} <= found.keys()
    return found if usable else {}


def _write(folder: Path, facts: dict[str, Any]) -> None:
    with whole_file(folder / FILE) as partial:
        partial.touch(mode=0o600)
        if os.name == "posix":
            partial.chmod(0o600)
        partial.write_text(json.dumps(facts), encoding="utf-8")
