"""Folders that a run writes: whether they can be, and removing those that nothing came into."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from segtrack.base.atomic import try_making
from segtrack.base.errors import SettingsError


def require_writable(folder: Path, given: str, instead: str) -> None:
    """Try whether files can be made in ``folder``, or in the part of its path that is there.

    Args:
        given: how the folder was named. instead: what else to do; both for the message.

    Raises:
        SettingsError: they cannot.
    """
    there = folder.expanduser().absolute()
    require_utf8(there, given, instead)
    try:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            there.stat()  # says what else is wrong: a name too long, a loop of links
        while not there.exists() and there != there.parent:
            there = there.parent
        try_making(there)
    except OSError as error:
        why = "it is no folder" if error.errno == errno.ENOTDIR else error.strerror
        raise SettingsError(f"{given}: cannot write in {there} ({why}); {instead}") from error


def require_utf8(folder: Path, given: str, instead: str) -> None:
    """Refuse a path that Parquet, SQLite and MLflow cannot write down, before any work.

    Raises:
        SettingsError: it holds bytes that are no UTF-8; ``given`` and ``instead`` as above.
    """
    text = os.fsencode(folder.expanduser().absolute())
    try:
        text.decode("utf-8")
    except UnicodeDecodeError as error:
        shown = text.decode("utf-8", "backslashreplace")
        given = os.fsencode(given).decode("utf-8", "backslashreplace")
        raise SettingsError(f"{given}: {shown} is not written in UTF-8; {instead}") from error


def remove_unused(store: Path) -> None:
    """Remove what looking left of a store that was not there before, unless it holds results."""
    if not any((store / name).exists() for name in ("results", "partial", "locks")):
        shutil.rmtree(store, ignore_errors=True)


def remove_run(output: Path, above: bool = True) -> None:
    """Remove a run's folder in which is nothing but what Hydra put there.

    Args:
        above: the folder that it is in too, if nothing is left in that.
    """
    shutil.rmtree(output / ".hydra", ignore_errors=True)
    for log in output.glob("*.log"):
        log.unlink()
    with contextlib.suppress(OSError):  # it holds something else
        output.rmdir()
        if above:
            output.parent.rmdir()


def require_plain(folder: Path) -> None:
    """Refuse configurations of the user that Hydra would unfold without end, or cannot read.

    Raises:
        SettingsError: a file is no YAML, its aliases stand for megabytes, or it names code to run.
    """
    from segtrack.base.yaml_text import read_yaml

    for path in sorted(folder.rglob("*.yaml")):
        try:
            value = read_yaml(path).value
        except (OSError, ValueError) as error:
            problem = f"cannot be read as YAML ({error})"
            raise SettingsError(f"--config-dir: {path}: {problem}") from error
        own = path.relative_to(folder).parts[0] == "hydra"
        of_hydra = value if own else value.get("hydra") if isinstance(value, dict) else None
        if named := next(_code(of_hydra), None):
            problem = f"{named!r} names code to run, which a configuration from elsewhere may not"
            raise SettingsError(f"--config-dir: {path}: {problem}; remove it")


def _code(value: Any) -> Iterator[str]:
    """Keys under which Hydra and logging look for something to call."""
    for key, part in value.items() if isinstance(value, dict) else ():
        if key in ("_target_", "()", "class", "factory"):
            yield str(key)
        yield from _code(part)
    for part in value if isinstance(value, list) else ():
        yield from _code(part)
