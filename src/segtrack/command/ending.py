"""What is said at the end of a run: its scores, its files, and where to go on."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from segtrack.base.saying import say
from segtrack.command.subcommands import SUBCOMMANDS
from segtrack.journal import Journal
from segtrack.settings import MlflowMode, MlflowSettings, override_words

_MOST = 3  # files of a kind that are named; a benchmark has dozens
_LOCAL = "sqlite:///mlruns/mlflow.db"  # what `make ui` serves
_WORDS = {"view": "page", "report": "report"}
"""By word of the command that shows a run what it is called here."""


def say_scores(metrics: dict[str, float]) -> None:
    """The main scores of a run, and what was counted, as a table."""
    from segtrack.report import table_text

    wanted = (
        *("mask_map50_95", "mask_map50", "box_map50_95", "box_map50"),
        *("hota", "mota", "idf1", "mask_hota", "motsa", "smotsa"),
    )
    groups = ("test/", "val/", "track/")
    rows: list[dict[str, Any]] = [
        {"metric": name, "value": f"{value:.3f}"}
        for name, value in metrics.items()
        if name.startswith(groups) and name.count("/") == 1 and name.split("/")[1] in wanted
    ]
    counts = [
        {"metric": name, "value": f"{value:.0f}"}
        for name, value in metrics.items()
        if name == "track/tracks" or (name.startswith("track/count/") and value)
    ]
    if rows or counts:
        say("\n" + table_text(rows + counts))


def say_files(files: Sequence[tuple[str, Path]], output: Path) -> None:
    """Name what a run made for people: what each file is, and where; and the run's folder."""
    for title in dict.fromkeys(title for title, _ in files):
        paths = [path for one, path in files if one == title]
        for path in paths[:_MOST]:
            _line(title, str(_near(path)))
        if (rest := len(paths) - _MOST) > 0:
            _line("", f"and {rest} more below {_near(output)}")
    _line("run folder", str(_near(output)))


def reading(word: str, run: str, settings: MlflowSettings) -> str:
    """The command of that word on a run, with what it needs to find it from here."""
    words = ["segtrack", word, run]
    if settings.mode is MlflowMode.server:
        words.append("mlflow=server")
        known = os.environ.get("MLFLOW_TRACKING_URI", "") == settings.uri
    else:
        known = settings.uri == _LOCAL
    if not known:
        plain = re.fullmatch(r"[\w:/.@ -]+", settings.uri)  # as Hydra's grammar reads it unquoted
        given = [f"mlflow.uri={settings.uri}"]
        words += given if plain else override_words({"mlflow.uri": settings.uri})
    return shlex.join(words)


def say_where(journal: Journal, settings: MlflowSettings) -> None:
    """Name the run's page in MLflow, and the commands that show the run."""
    serve = f"mlflow ui --backend-store-uri {settings.uri}"
    if settings.uri == _LOCAL and (Path("Makefile").is_file() and Path("src/run.py").is_file()):
        serve = "make ui"
    if page := journal.page():
        _line("MLflow", page)
    if not settings.uri.startswith(("http://", "https://")):
        _line("", f"which is there while this runs: {serve}")
    for word, title in _WORDS.items():
        if word in SUBCOMMANDS:
            _line(title, reading(word, journal.run_id, settings))


def _line(title: str, text: str) -> None:
    say(f"{title:16} {text}")


def _near(path: Path) -> Path:
    try:
        return path.resolve().relative_to(Path.cwd())
    except ValueError:
        return path
