"""The secret of the control endpoints: who may annotate, set statuses and ask for faults.

Made anew at every start. Whoever runs the emulator finds it by the port, in a file that nobody else
can read, so that scripts of the same user need no more than the address; another user of the
machine and a page in a browser, which both reach the port, do not have it.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

from segtrack.base.atomic import whole_file
from segtrack.base.errors import SettingsError

HEADER = "X-Emulator-Token"
REVIEW = "/review/"  # pages for people; the token comes next in their addresses


@contextlib.contextmanager
def left_for_scripts(port: int, token: str) -> Iterator[None]:
    """The token in the file that ``token_header`` looks into, as long as the block runs.

    Raises:
        SettingsError: the file cannot be made, or its folder is another user's.
    """
    path = _path(port)
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        _require_own(path.parent)
        with whole_file(path) as partial:
            partial.touch(mode=0o600)
            partial.write_text(token)
    except OSError as error:
        raise SettingsError(
            f"{path}: the token of the emulator's control endpoints cannot be kept there "
            f"({error.strerror or error}). Remove that, or set TMPDIR to a folder of your own."
        ) from error
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def token_header(url: str) -> dict[str, str]:
    """What a call to the control endpoints of a running emulator needs; empty where it is unknown.

    Args:
        url: of the emulator, ``http://127.0.0.1:PORT``, or any address below it.
    """
    try:
        return {HEADER: _path(urlsplit(url).port or 80).read_text()}
    except (OSError, ValueError):
        return {}


def page_address(url: str, token: str, project_id: str | None = None) -> str:
    """Where a person reviews in a browser: all projects, or one; whoever has it may.

    The token is in the path: a browser would send a cookie to every port of this machine.
    """
    home = f"{url}{REVIEW}{token}/"
    return home if project_id is None else f"{home}projects/{quote(project_id, safe='')}/"


def page_at(url: str, project_id: str | None = None) -> str | None:
    """``page_address`` of an emulator of this user that listens there; None of any other."""
    token = token_header(url).get(HEADER)
    return page_address(url.rstrip("/"), token, project_id) if token else None


def _path(port: int) -> Path:
    user = os.getuid() if hasattr(os, "getuid") else "user"  # Windows: the folder is the user's
    return Path(tempfile.gettempdir()) / f"labellerr-loopback-{user}" / f"{port}.token"


def _require_own(folder: Path) -> None:
    """Of this user alone: a folder that somebody put there before would give the token away."""
    found = folder.lstat()
    if not hasattr(os, "getuid"):
        return
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise PermissionError(1, "the folder belongs to somebody else")
    folder.chmod(0o700)
