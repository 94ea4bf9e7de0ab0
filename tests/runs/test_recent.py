"""All runs, a page at a time."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from segtrack import journal as journals
from segtrack.base.errors import SettingsError
from segtrack.runs import Recent, recent
from segtrack.runs.listing import PAGE
from segtrack.settings import MlflowSettings
from tests.journal.made import MadeRun, empty_mlflow, fill

SWEEP, BROKEN, GOING = "a" * 32, "b" * 32, "c" * 32


def cell(sweep: str, minute: int, status: str = "FINISHED") -> MadeRun:
    tags = {"mlflow.parentRunId": sweep, "command": "segtrack -m seed=1"}
    return MadeRun("cell", minute, status, tags, id=f"{sweep[:2]}{minute:030x}")


def sweep(name: str, run_id: str, minute: int, status: str, cells: int) -> MadeRun:
    tags = {journals.SWEEP_KEYS: '["seed"]', "command": f"segtrack -m seed=1 {name}"}
    return MadeRun(name, minute, status, tags, {"cells": str(cells)}, id=run_id)


def plain(number: int) -> MadeRun:
    tags = {
        "command": f"segtrack seed={number}" + (" video=\"a % 'b'.mp4\"" if number == 3 else ""),
        "choice.tracker": "botsort" if number % 40 == 0 else "bytetrack",
        "output": f"/somewhere/outputs/{number:03}",
    }
    metrics = {"track/hota": 0.5} if number % 2 else {}
    metrics |= {"track/hota": math.nan} if number == 100 else {}
    status = "KILLED" if number == 7 else "FINISHED"
    params = {"seed": str(number), "video": "c.mp4"}
    return MadeRun(f"Run {number}", number, status, tags, params, metrics)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path) -> MlflowSettings:
    """120 runs, each a minute after the one before, and three sweeps behind them."""
    settings = empty_mlflow(tmp_path_factory.mktemp("recent"), mlflow_template)
    fill(
        settings,
        [
            *(plain(number) for number in range(120)),
            sweep("whole", SWEEP, 200, "FINISHED", 60),
            *(cell(SWEEP, 201 + number) for number in range(60)),
            sweep("broken", BROKEN, 300, "KILLED", 9),
            *(cell(BROKEN, 301 + n, s) for n, s in enumerate(("FINISHED", "FAILED", "KILLED"))),
            sweep("going", GOING, 400, "RUNNING", 3),
            *(cell(GOING, 401 + n, s) for n, s in enumerate(("FINISHED", "RUNNING"))),
        ],
    )
    return settings


def pages(settings: MlflowSettings, **which: str) -> list[list[Recent]]:
    found: list[list[Recent]] = []
    after = ""
    while True:
        page, after = recent(settings, Path("none"), **which, after=after)
        found.append(page)
        if not after:
            return found


def names(page: list[Recent]) -> list[str]:
    return [one.run.name for one in page]


def numbers(settings: MlflowSettings, **which: str) -> list[int]:
    return [int(name[4:]) for page in pages(settings, **which) for name in names(page)]


def test_pages_newest_first_and_cells_in_their_sweep(settings: MlflowSettings) -> None:
    found = pages(settings)
    assert [len(page) for page in found] == [PAGE, PAGE, 23]
    everything = [name for page in found for name in names(page)]
    assert everything == ["going", "broken", "whole", *(f"Run {n}" for n in range(119, -1, -1))]
    assert [one.cells for one in found[0][:4]] == [
        {"FINISHED": 1, "RUNNING": 1, "": 1},
        {"FINISHED": 1, "FAILED": 1, "KILLED": 1, "": 6},
        {"FINISHED": 60},
        None,
    ]
    run = found[0][3].run
    assert (run.id, run.status, run.command) == (f"{119:032x}", "FINISHED", "segtrack seed=119")
    assert run.started and run.ended and (run.ended - run.started).total_seconds() == 60
    assert run.metrics == {"track/hota": 0.5} and run.params["seed"] == "119"


def test_the_first_page_is_one_query(
    settings: MlflowSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, _ = journals.connect(settings)
    asked: list[str] = []
    inner = client._client
    search = inner.search_runs

    def counted(*values: Any, **named: Any) -> Any:
        asked.append(values[1])
        return search(*values, **named)

    monkeypatch.setattr(inner, "search_runs", counted)
    recent(settings, Path("none"), text="")
    running = [query for query in asked if "segtrack.host" in query]
    cells = [query for query in asked if f"'{GOING}'" in query or f"'{BROKEN}'" in query]
    assert len(asked) - len(running) - len(cells) == 1 and len(cells) <= 2


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Run 11", [119, 118, 117, 116, 115, 114, 113, 112, 111, 110, 11]),
        ("RUN 7", [n for n in range(120) if "7" in str(n)]),
        ("seed=104", [104]),
        ("botsort", [0, 40, 80]),
        ("botsort run 40", [40]),
        ("outputs/033", [33]),
        ("video=c.mp4 seed=5", [5, *range(50, 60)]),
        ("a % 'b'.mp4", [3]),
        ("%", [3]),
        (f"{64:032x}", [64]),
        ("nothing of the kind", []),
        ("`'\" OR 1", []),
    ],
)
def test_words(settings: MlflowSettings, text: str, found: list[int]) -> None:
    seen = numbers(settings, text=text)
    assert seen == sorted(seen, reverse=True) and sorted(seen) == sorted(found)


def test_words_over_pages(settings: MlflowSettings) -> None:
    assert numbers(settings, text="bytetrack") == [n for n in range(119, -1, -1) if n % 40]


def test_a_sweep_is_found_by_its_words(settings: MlflowSettings) -> None:
    assert names(pages(settings, text="-m seed=1")[0]) == ["going", "broken", "whole"]


def test_by_status(settings: MlflowSettings) -> None:
    assert names(pages(settings, status="RUNNING")[0]) == ["going"]
    assert names(pages(settings, status="KILLED")[0]) == ["broken", "Run 7"]
    assert numbers(settings, status="KILLED", text="run") == [7]


def test_by_a_score_all_alike(settings: MlflowSettings) -> None:
    """60 runs have the same one, another has what is no number."""
    found = numbers(settings, by="track/hota")
    assert found == [n for n in range(119, -1, -1) if n % 2]


def test_best_first(tmp_path: Path, mlflow_template: Path) -> None:
    settings = empty_mlflow(tmp_path, mlflow_template)
    values = (0.1, -0.25, 1 / 3, 1e-5, 0.1)
    fill(settings, [MadeRun(str(n), n, metrics={"m": v}) for n, v in enumerate(values)])
    assert names(recent(settings, tmp_path, by="m")[0]) == ["2", "4", "0", "3", "1"]


def test_a_server_that_cannot_leave_out_cells(
    settings: MlflowSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow.exceptions import MlflowException

    client, _ = journals.connect(settings)
    search = client._client.search_runs

    def older(experiments: list[str], query: str, **named: Any) -> Any:
        if "NULL" in query:
            raise MlflowException("Invalid clause(s) in filter string")
        return search(experiments, query, **named)

    monkeypatch.setattr(client._client, "search_runs", older)
    assert [len(page) for page in pages(settings)] == [PAGE, PAGE, 23]


def test_no_database_and_no_place(settings: MlflowSettings, tmp_path: Path) -> None:
    nowhere = MlflowSettings(uri=f"sqlite:///{tmp_path / 'none' / 'mlflow.db'}")
    assert recent(nowhere, tmp_path) == ([], "")
    assert not (tmp_path / "none").exists()
    with pytest.raises(SettingsError, match="'x' is no place in the list"):
        recent(settings, tmp_path, after="x")
