"""A short round of ``scripts/soak.py``, and that it sees what it is to see."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.forked import Running
from tests.integration.conftest import LOADED, ROOT
from tests.scripts import load_script

SCRIPT = ROOT / "scripts" / "soak.py"


# A session of its own, with its output where it is told, as the script starts its commands.
APART = """
import os, runpy, sys
os.setsid()
for number in (1, 2):
    os.dup2(os.open(sys.argv.pop(1), os.O_WRONLY | os.O_APPEND), number)
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_kills_at_random_moments_lose_nothing(
    soak: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Its commands are forks: what is killed in all of them is what they do, not their imports."""

    def start(project: Any, name: str, out: Any, err: Any) -> Running:
        files = [str(file.name) for file in (out, err)]
        env = {k: v for k, v in os.environ.items() if not k.startswith("LABELLERR_")}
        env["PYTHONPATH"] = str(ROOT / "src")
        python, *command = soak.COMMANDS[name]
        return LOADED.start([python, "-c", APART, *files, *command], project.folder, env)

    # It kills within the seconds that an undisturbed command took: not with that process's start.
    LOADED.run([sys.executable, "-c", ""], tmp_path)
    monkeypatch.setattr(soak, "_start", start)
    # Of this seed it kills in the middle of that time: where a busy machine becomes idle, too.
    words = ["--rounds", "1", "--seed", "26", "--commands", "prepare", "--undisturbed", "1"]
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *words, "--folder", str(tmp_path)])
    code = soak.main()
    out = capsys.readouterr().out
    print(out)
    assert code == 0, out
    assert "project-1: as if undisturbed (prepare)" in out
    compared = re.search(r"compared: (\d+) metrics, (\d+) files", out)
    assert compared is not None and int(compared[2]) > 5
    kills = re.search(r"(\d+) kills in 1 rounds", out)
    assert kills is not None and int(kills[1]) >= 1
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def soak() -> ModuleType:
    return load_script("soak")


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
