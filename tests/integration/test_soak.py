"""A short round of ``scripts/soak.py``, and that it sees what it is to see."""

from __future__ import annotations

import importlib.util
import json
import re
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from types import ModuleType

import pytest

from tests.integration.conftest import ROOT

SCRIPT = ROOT / "scripts" / "soak.py"


def test_kills_at_random_moments_lose_nothing(tmp_path: Path) -> None:
    words = ["--rounds", "1", "--seed", "1", "--commands", "prepare", "--undisturbed", "1"]
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *words, "--folder", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "project-1: as if undisturbed (prepare)" in done.stdout
    compared = re.search(r"compared: (\d+) metrics, (\d+) files", done.stdout)
    assert compared is not None and int(compared[2]) > 5
    kills = re.search(r"(\d+) kills in 1 rounds", done.stdout)
    assert kills is not None and int(kills[1]) >= 1
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def soak() -> ModuleType:
    spec = importlib.util.spec_from_file_location("soak", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["soak"] = module
    spec.loader.exec_module(module)
    return module


def test_it_sees_a_damaged_database_and_a_damaged_result(soak: ModuleType, tmp_path: Path) -> None:
    judge = soak.Soak(tmp_path, 0, ["prepare"])
    project = soak.Project(tmp_path)
    judge._whole(project)
    project.database.parent.mkdir()
    with closing(sqlite3.connect(project.database)) as db, db:
        db.execute("CREATE TABLE experiments (x)")
    with pytest.raises(sqlite3.OperationalError, match="latest_metrics"):
        judge._whole(project)
    project.database.unlink()
    result = project.store / "results" / "prepare" / "key"
    result.mkdir(parents=True)
    (result / "stage.json").write_text(json.dumps({"name": "prepare"}))
    with pytest.raises(soak.Violation, match="prepare/key"):
        judge._whole(project)


@pytest.mark.parametrize(
    ("code", "out", "err", "seen"),
    [
        (130, "run a\n", "{line}\n", None),
        (0, "run a\n", "", None),
        (1, "run a\n", "error: training failed\n", "exit 1"),
        (130, "run a\n", "Traceback (most recent call last)\n{line}\n", "traceback"),
        (130, "run a\n", "{line}\n{line}\n", "not there once"),
        (130, "run a\n", "{line}\n", "RUNNING"),
    ],
)
def test_it_sees_an_end_that_is_none(
    soak: ModuleType, tmp_path: Path, code: int, out: str, err: str, seen: str | None
) -> None:
    judge, project = soak.Soak(tmp_path, 0, ["prepare"]), soak.Project(tmp_path)
    if seen == "RUNNING":
        project.database.parent.mkdir()
        with closing(sqlite3.connect(project.database)) as db, db:
            db.execute("CREATE TABLE runs (run_uuid, status, start_time)")
            db.execute("CREATE TABLE experiments (x)")
            db.execute("CREATE TABLE latest_metrics (x)")
            db.execute("INSERT INTO runs VALUES ('a', 'RUNNING', 1)")
    text = err.format(line=soak.INTERRUPTED)
    killed = soak.Killed(code, out, text, 5.0, [(signal.SIGTERM, 4.0)])
    if seen is None:
        judge._look(project, killed, polite=True)
        return
    with pytest.raises(soak.Violation, match=seen):
        judge._look(project, killed, polite=True)
