"""What costs integration tests seconds and is not what they are about.

Figures are blank pictures, a database is not synced with its disk, and a stage that an earlier test
has built of the very same inputs is filled with what that one left. To the run it is a build like
any other: it says and reports the same, is counted, and is written into the run's own store, which
begins empty.
"""

from __future__ import annotations

import functools
import io
import json
import os
import shutil
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from matplotlib.figure import Figure
from mlflow.store.db import utils
from numba.core.dispatcher import Dispatcher

from segtrack.base import saying
from segtrack.base.metrics import FILE, Report, read_metrics
from segtrack.store import StageCall
from segtrack.store import store as stores

REMEMBERED = "PYTEST_REMEMBERED"
"""Variable with the folder of what tests have built; without it each build is made."""
_SAID = "said.json"


def install(patch: pytest.MonkeyPatch | None = None, drawn: bool = False) -> None:
    """From here on, for as long as ``patch`` lasts; ``drawn``: figures are."""
    patch = patch or pytest.MonkeyPatch()
    run = stores.Store._run

    def remembering(self: Any, call: StageCall, build: Any, *more: Any, **named: Any) -> Any:
        if root := os.environ.get(REMEMBERED):
            build = _remembering(Path(root, call.name, call.key), build)
        return run(self, call, build, *more, **named)

    patch.setattr(stores.Store, "_run", remembering)
    if not drawn:
        blank_figures(patch)
    # MLflow reads its 70 migrations each time that it opens a database; here once.
    newest = functools.cache(utils._get_latest_schema_revision)
    newest()
    patch.setattr(utils, "_get_latest_schema_revision", newest)
    if not sqlalchemy.event.contains(sqlalchemy.Engine, "connect", _unsynced):
        sqlalchemy.event.listen(sqlalchemy.Engine, "connect", _unsynced)


def load_compiled() -> None:
    """In a process that forks: load the loops that are compiled, as each of its forks would."""
    for name in [name for name in sys.modules if name.startswith("segtrack.")]:
        for loop in vars(sys.modules[name]).values():
            if isinstance(loop, Dispatcher):
                for key in loop._cache._cache_file._load_index():
                    if key == loop._cache._index_key(key[0], loop.targetctx.codegen()):
                        loop.compile(key[0])


def _unsynced(connection: Any, _: Any) -> None:
    """A killed process loses nothing by it, only a machine that goes off."""
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous = OFF")


def blank_figures(patch: pytest.MonkeyPatch) -> None:
    """Figures that are made and not drawn; their numbers lie beside them."""
    savefig = Figure.savefig

    @functools.cache
    def blank() -> bytes:
        picture = io.BytesIO()
        savefig(Figure((2, 1)), picture, format="png", dpi=30)
        return picture.getvalue()

    def save(self: Figure, path: Any, **options: Any) -> None:
        if isinstance(path, Path) and path.suffix == ".png":
            path.write_bytes(blank())
        else:
            savefig(self, path, **options)

    patch.setattr(Figure, "savefig", save)


def _remembering(kept: Path, build: stores.Build) -> Callable[[Path, Report], None]:
    def remember(folder: Path, report: Report) -> None:
        if any(folder.iterdir()):  # of an attempt that was killed
            build(folder, report)
        elif kept.is_dir():
            for text, error in json.loads((kept / _SAID).read_text()):
                saying.say(text, error=error)
            for metric in read_metrics(kept):
                report(*metric)
            shutil.copytree(
                kept,
                folder,
                symlinks=True,
                ignore=shutil.ignore_patterns(FILE, _SAID),
                dirs_exist_ok=True,
            )
        else:
            said: list[tuple[str, bool]] = []

            def heard(text: str, *, file: Any, flush: bool) -> None:
                said.append((text, file is sys.stderr))
                print(text, file=file, flush=flush)

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(saying, "print", heard, raising=False)
                build(folder, report)
            _keep(folder, kept, said)

    return remember


def _keep(folder: Path, kept: Path, said: list[tuple[str, bool]]) -> None:
    """What lies outside of the result's own folder is another test's."""
    if any(path.is_symlink() and _leaves(path, folder) for path in folder.rglob("*")):
        return
    new = kept.with_name(f"{kept.name}-{os.getpid()}")
    shutil.copytree(folder, new, symlinks=True)
    (new / _SAID).write_text(json.dumps(said))
    try:
        new.rename(kept)
    except OSError:  # another worker was faster
        shutil.rmtree(new)


def _leaves(link: Path, folder: Path) -> bool:
    return link.readlink().is_absolute() or not link.resolve().is_relative_to(folder.resolve())
