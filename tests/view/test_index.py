"""All runs on the first page, and what a run's page asks for while it runs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from segtrack import journal as journals
from segtrack.base.metrics import Metric
from segtrack.runs import KeptRun, find
from segtrack.runs.places import Folder
from segtrack.settings import MlflowSettings
from segtrack.view import Library, live_pages, start_view
from segtrack.view import library as libraries
from tests.journal.made import MadeRun, empty_mlflow, fill
from tests.view.made import write_run

SWEEP, CELL, KILLED = "a" * 32, "b" * 32, "c" * 32


@dataclass(frozen=True)
class Index:
    settings: MlflowSettings
    address: str
    run: str

    def get(self, path: str) -> requests.Response:
        return requests.get(self.address + path, timeout=30)


@pytest.fixture
def index(
    tmp_path: Path, mlflow_template: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Index]:
    """60 runs, a sweep and a run that tracked, of which the last was named."""
    monkeypatch.setattr(libraries, "_AGAIN", 0)
    monkeypatch.setattr(libraries, "_REST", 0)
    settings = empty_mlflow(tmp_path, mlflow_template)
    tracked = {"stage.associate": "reused 1", "videos": "3", "stage.train": "reused 2"}
    cell = {"mlflow.parentRunId": SWEEP}
    error = {"error": "the process was killed"}
    fill(
        settings,
        [
            *(MadeRun(f"old {n}", n, metrics={"track/hota": n / 100}) for n in range(60)),
            MadeRun("<b>odd</b>", 70, tags=tracked, metrics={"track/hota": 0.61}),
            MadeRun("both", 80, "FAILED", {journals.SWEEP_KEYS: "[]"}, {"cells": "2"}, id=SWEEP),
            MadeRun("a cell", 81, tags=cell, id=CELL),
            MadeRun("gone", 90, "KILLED", error, {"stages": '["train"]'}, id=KILLED),
        ],
    )
    made = write_run(tmp_path / "made", truth=False)
    with journals.record(settings, "mine", {"stage.associate": "reused 1"}) as journal:
        journal.artifact(made / "tracking", "tracking")
        journal.artifact(made / "tracking.json")
        journal.metric(Metric("track/hota", 0.75, 0))
    library = Library(settings, find(settings, ["mine"], tmp_path / "s"), tmp_path / "s")
    with start_view(library) as view:
        yield Index(settings, view.address, journal.run_id)
    library.close()


def rows(page: str) -> list[tuple[str, str, str]]:
    """Name, state and what it is."""
    pattern = r'<th scope="row"><a [^>]*>(.*?)</a>.*?class="state \w+">(.*?)<.*?class="what">(.*?)<'
    return re.findall(pattern, page, re.DOTALL)


def test_the_first_page(index: Index) -> None:
    page = index.get("").text
    assert page.index('class="cards"') < page.index("All runs")
    found = rows(page)
    assert found[:5] == [
        ("mine", "finished", "tracked"),
        ("gone", "killed", ""),
        ("both", "failed", "sweep of 2 cells: 1 finished, 1 to come"),
        ("&lt;b&gt;odd&lt;/b&gt;", "finished", "tracked in 3 videos, trained"),
        ("old 59", "finished", ""),
    ]
    assert len(found) == 50 and f"sweeps/{SWEEP}/" in page and f"runs/{CELL}/" not in page
    assert page.count('type="checkbox"') == 2 and "the process was killed" in page
    assert '<td class="figure" data-name="track/hota">75.0</td>' in page
    assert "scores in percent" in page


def test_pages_orders_and_words(index: Index) -> None:
    page = index.get("").text
    (older,) = re.findall(r'rel="next" href="(.*?)"', page)
    second = index.get(older.replace("&amp;", "&")).text
    assert [name for name, _, _ in rows(second)] == [f"old {n}" for n in range(13, -1, -1)]
    assert "Newest" in second and 'rel="next"' not in second
    best = index.get("?by=track/hota").text
    assert [name for name, _, _ in rows(best)][:3] == ["mine", "&lt;b&gt;odd&lt;/b&gt;", "old 59"]
    assert 'aria-sort="descending" class="figure"><a href="?by=track%2Fhota">' in best
    assert [name for name, _, _ in rows(index.get("?text=ODD").text)] == ["&lt;b&gt;odd&lt;/b&gt;"]
    assert [name for name, _, _ in rows(index.get("rows?status=FAILED").text)] == ["both"]
    assert "No run fits" in index.get("?text=nothing+like+it").text
    for wrong in ("?by=error", "?status=x", "?after=x"):
        answer = index.get(wrong)
        assert (answer.status_code in (404, 422)) == (wrong != "?after=x")
    assert "is no place in the list" in index.get("?after=x").text


def test_no_runs_at_all(tmp_path: Path) -> None:
    settings = MlflowSettings(uri=f"sqlite:///{tmp_path / 'none' / 'mlflow.db'}")
    with start_view(Library(settings, [], tmp_path)) as view:
        page = requests.get(view.address, timeout=30).text
    assert "No run is recorded here yet" in page
    assert "segtrack 'stages=[track]' video=FILE.mp4" in page
    assert not (tmp_path / "none").exists()


def test_a_run_that_runs(index: Index, tmp_path: Path) -> None:
    log = tmp_path / "output" / "segtrack.log"
    log.parent.mkdir()
    with journals.record(index.settings, "new", {"output": str(log.parent)}) as journal:
        journal.params({"stages": ["train", "track"]})
        at = f"runs/{journal.run_id}/"

        def now(start: int = -1) -> dict[str, Any]:
            found: dict[str, Any] = index.get(f"{at}now?start={start}").json()
            return found

        first = now()
        assert (first["status"], first["running"], first["log"]) == ("running", True, None)
        assert "while it runs" in first["where"] and first["curves"] == ""
        log.write_text("2026-01-01 00:00:00 epoch 1/2  loss box 1.0\n")
        for name, value in (("train/box_loss", 1.5), ("val/box_loss", float("nan"))):
            journal.metric(Metric(name, value, 1))
        journal.flush()
        second = now()
        assert second["said"] == "epoch 1/2  loss box 1.0" and second["log"]["start"] == 0
        assert [(one["name"], one["state"]) for one in second["stages"]] == [
            ("train", "now"),
            ("track", "ahead"),
        ]
        charts = index.get(f"{at}curves").json()["charts"]
        lines = {"train": [[1, 1.5]], "val": [[1, None]]}
        assert charts == [{"name": "box_loss", "lines": lines}]
        journal.metric(Metric("train/box_loss", 1.25, 2))
        journal.tags({"stage.train": "built in 9.0 s 12"})
        journal.flush()
        with log.open("a") as file:
            file.write("2026-01-01 00:00:09 detect a 5 of 9 frames, 3.0 frames/s\n")
        third = now(second["log"]["end"])
        assert third["said"] == third["log"]["text"].strip()[20:]
        assert third["stages"][0] == {
            "name": "train", "state": "done", "text": "built in 9.0 s", "parts": [],
        }  # fmt: skip
        assert third["curves"] != second["curves"] != ""
        page = index.get(at).text
        assert "data-running" in page and "tracked in no video" not in page
        assert rows(index.get("rows").text)[0] == ("new", "running", "trained")
    ended = index.get(at).text
    assert "data-running" not in ended and not now()["running"]


def test_how_it_ended(index: Index) -> None:
    page = index.get(f"runs/{KILLED}/").text
    assert "Its process is gone" in page and "The same command goes on from there." in page
    found = index.get(f"runs/{KILLED}/now").json()
    assert [one["state"] for one in found["stages"]] == ["stopped"]
    assert found["where"] == "It kept no log."


def test_what_was_said_before_it_was_interrupted(tmp_path: Path) -> None:
    (tmp_path / "segtrack.log").write_text(
        "2026-01-01 00:00:00 epoch 1/9 3 of 9 batches\n2026-01-01 00:00:01 interrupted\n"
    )
    run = KeptRun("1" * 32, "run", Folder(tmp_path), "KILLED", tags={"output": str(tmp_path)})
    assert live_pages._now(run, -1)["said"] == "epoch 1/9 3 of 9 batches"


def test_a_cell_names_its_sweep(index: Index) -> None:
    page = index.get(f"runs/{CELL}/").text
    assert re.search(rf'href="[^"]*/sweeps/{SWEEP}/">both</a>', page)
