"""What the page of a sweep is told."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import requests

from segtrack.base.errors import DataError
from segtrack.report import Outcome
from segtrack.report.outcome import Claim, Scored
from segtrack.runs import KeptRun, KeptSweep, planned
from segtrack.runs.places import Folder
from segtrack.settings import MlflowSettings
from segtrack.view import Library, start_view
from segtrack.view.links import mlflow_link
from segtrack.view.sweeps import sweep_document

FINISHED, RUNNING, FAILED = "FINISHED", "RUNNING", "FAILED"


def cell(
    number: int,
    params: dict[str, str],
    metrics: dict[str, float] | None = None,
    status: str = FINISHED,
    place: Path = Path("none"),
) -> KeptRun:
    tags = {"error": "no space"} if status == FAILED else {}
    return KeptRun(
        f"{number:032x}",
        f"cell {number}",
        Folder(place),
        status,
        params=params,
        metrics=metrics or {},
        tags=tags,
        experiment="7",
    )


def sweep(
    cells: list[KeptRun], keys: list[str], status: str = FINISHED, place: Path = Path("none")
) -> KeptSweep:
    parent = cell(999, {"cells": "6", "swept": json.dumps(keys)}, status=status, place=place)
    assert parent.id is not None
    return KeptSweep(parent.id, "sweep", status, tuple(keys), parent, tuple(cells))


def six() -> list[KeptRun]:
    """Two settings of three seeds, of which one has failed and one runs."""
    scores = [0.50, 0.52, 0.54, 0.60, 0.64, 0.99]
    states = [FINISHED] * 4 + [FINISHED, FAILED]
    values = [(a, s) for a in ("1", "20") for s in "012"]
    return [
        cell(i, {"t.a": a, "seed": s, "t.same": "5"}, {"track/hota": score}, state)
        for i, ((a, s), score, state) in enumerate(zip(values, scores, states, strict=True))
    ]


def test_seeds_are_no_settings() -> None:
    found = sweep_document(sweep(six(), ["t.a", "seed"], RUNNING))
    assert (found["status"], found["running"], found["planned"]) == ("running", True, 6)
    assert found["counts"] == {"finished": 5, "failed": 1}
    (axis,) = found["axes"]
    assert axis == {
        "name": "t.a",
        "label": "a",
        "kind": "linear",
        "low": 1,
        "high": 20,
        "ticks": [(1, "1"), (20, "20")],
        "missing": None,
    }
    assert found["seeds"] == ["seed"] and found["scores"] == ["track/hota"]
    one, two = found["settings"]
    assert (one["name"], one["values"], one["cells"]) == ("a=1", [1], [0, 1, 2])
    # Of .50, .52, .54 the mean is .52 and the SD .02; of .60, .64 it is .62, and .04 / root 2.
    assert one["scores"] == [{"mean": pytest.approx(52), "sd": pytest.approx(2), "n": 3}]
    root = pytest.approx(4 / math.sqrt(2))
    assert two["scores"] == [{"mean": pytest.approx(62), "sd": root, "n": 2}]
    last = found["cells"][5]
    assert (last["seed"], last["scores"], last["error"]) == ("seed=2", [None], "no space")
    assert found["claims"] == []


def test_a_cell_that_has_only_begun() -> None:
    cells = [cell(1, {"t.a": "1"}), cell(2, {"t.a": "2"}, {"track/hota": 0.3}, RUNNING)]
    found = sweep_document(sweep([*cells, cell(3, {}, status=RUNNING)], ["t.a"], RUNNING))
    assert [one["name"] for one in found["settings"]] == ["a=1", "a=2"]
    assert found["counts"] == {"finished": 1, "running": 2}
    assert found["scores"] == []  # what runs may have scored a part of its data
    none = sweep_document(sweep([], ["t.a"], RUNNING))
    assert (none["settings"], none["axes"], none["cells"]) == ([], [], [])


@pytest.mark.parametrize(
    ("values", "kind", "missing", "where"),
    [
        (["0.001", "0.01", "0.1"], "log", None, [0.001, 0.01, 0.1]),
        (["64", "128", "640"], "linear", None, [64, 128, 640]),
        (["0", "1000"], "linear", None, [0, 1000]),
        (["0.5", "null", "0.7"], "linear", "null", [0.5, None, 0.7]),
        (["0.5", None, "0.7"], "linear", "not set", [0.5, None, 0.7]),
        (["0.5", None, "null"], "words", "not set", ["0.5", None, "null"]),
        (["yolov8n", "yolov8s"], "words", None, ["yolov8n", "yolov8s"]),
        (["1", "true"], "words", None, ["1", "true"]),
    ],
)
def test_axes(values: list[str | None], kind: str, missing: str | None, where: list[Any]) -> None:
    cells = [
        cell(i, {"other": "1"} | ({"t.a": value} if value is not None else {}))
        for i, value in enumerate(values)
    ]
    found = sweep_document(sweep(cells, ["t.a"]))
    assert [(a["kind"], a["missing"]) for a in found["axes"]] == [(kind, missing)]
    assert [one["values"][0] for one in found["settings"]] == where
    assert [one["texts"][0] for one in found["settings"]] == [v or "not set" for v in values]


@pytest.mark.parametrize(
    ("params", "command", "expected"),
    [
        ({"cells": "6"}, "run.py -m a=1,2", 6),
        ({"cells": "1"}, "run.py -m hydra/sweeper=optuna a=interval(0,1)", None),
        ({"cells": "0"}, "", None),  # of fewer than there are
        ({}, "", None),
    ],
)
def test_how_many_there_will_be(params: dict[str, str], command: str, expected: int | None) -> None:
    parent = KeptRun("f" * 32, "", Folder(Path()), params=params, tags={"command": command})
    one = cell(1, {"a": "1"})
    assert planned(KeptSweep("f" * 32, "", RUNNING, ("a",), parent, (one,))) == expected


def claims(choice: str = "") -> Outcome:
    """Of four settings: the chosen one, one like it, one below and the reference, below too."""
    rows = {
        "a=1": Scored(50, 1, 50, None, None, None, False, "below it"),
        "a=2": Scored(60, 1, 60, 10, 8, 12, True, "chosen" if choice else "best"),
        "a=3": Scored(59, None, 59, 9, -1, 19, False, "cannot be told from it"),
        "a=4": Scored(40, 1, 40, -10, -12, -8, True, "below it"),
    }
    claim = Claim("a=2", 1, 10, 8, 12, True, "a=2 is better than the default")
    return Outcome(
        "4 settings, measured on 7 sequences", "a=1", "the default is a=1", ("a note",), choice,
        0.95, {"HOTA": claim}, {name: {"HOTA": row} for name, row in rows.items()},
    )  # fmt: skip


def four(score: str) -> list[KeptRun]:
    return [cell(i, {"t.a": str(i)}, {score: 0.5}) for i in (1, 2, 3, 4)]


def test_groups_are_those_of_the_claims(tmp_path: Path) -> None:
    (tmp_path / "claims.json").write_text(claims().json())
    lost = cell(5, {"t.a": "5"}, status=FAILED)
    found = sweep_document(sweep([*four("track/hota"), lost], ["t.a"], place=tmp_path))
    (claim,) = found["claims"]
    assert (claim["metric"], claim["score"], claim["level"]) == ("HOTA", "track/hota", 95)
    assert claim["groups"] == [
        {
            "kind": "like",
            "title": "Best: a=2, and 1 other that cannot be told from it",
            "settings": [1, 2],
        },
        {"kind": "below", "title": "Below it, and told from it", "settings": [0, 3]},
        {
            "kind": "none",
            "title": "Not compared: no cell has finished with scores",
            "settings": [4],
        },
    ]
    assert claim["rows"][0] == [50, 1, None, None, None, False]
    assert claim["rows"][1] == [60, 1, 10, 8, 12, True] and claim["rows"][4] is None
    running = sweep(four("track/hota"), ["t.a"], RUNNING, tmp_path)
    assert sweep_document(running)["claims"] == []


def test_what_others_chose(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "claims.json").write_text(claims("val").json())
    found = sweep_document(sweep(four("track/hota"), ["t.a"], place=tmp_path))
    (claim,) = found["claims"]
    assert claim["score"] is None  # no cell has val/best/hota
    assert claim["groups"][0]["title"].startswith("Chosen by val: a=2, and 1 other")
    (tmp_path / "images" / "claims.json").rename(tmp_path / "claims.json")
    (claim,) = sweep_document(
        sweep(four("track/tuning/hota"), ["t.a"], place=tmp_path)
    )["claims"]  # fmt: skip
    assert claim["score"] == "track/tuning/hota"


def test_claims_of_early_versions_and_damaged_ones(tmp_path: Path) -> None:
    whole = json.loads(claims().json())
    for row in whole["settings"].values():
        del row["HOTA"]["place"]
    (tmp_path / "claims.json").write_text(json.dumps(whole))
    found = sweep(four("track/hota"), ["t.a"], place=tmp_path)
    assert sweep_document(found)["claims"][0]["groups"] == []
    (tmp_path / "claims.json").write_text("{")
    with pytest.raises(DataError, match=r"claims\.json: not readable as the claims of a sweep"):
        sweep_document(found)


@pytest.mark.parametrize(
    ("uri", "address", "title"),
    [
        ("sqlite:///mlruns/mlflow.db", "http://127.0.0.1:5000", "while make ui runs"),
        ("sqlite:////x/a.db", "http://127.0.0.1:5000", "while mlflow ui on its database runs"),
        ("https://tracks.org/", "https://tracks.org", "on its MLflow server"),
    ],
)
def test_links_to_mlflow(uri: str, address: str, title: str) -> None:
    run = cell(1, {})
    link = mlflow_link(MlflowSettings(uri=uri), run)
    assert link is not None and title in link.title and run.id is not None
    assert link.to(run.id) == f"{address}/#/experiments/7/runs/{run.id}"
    assert mlflow_link(MlflowSettings(uri=uri), KeptRun(None, "x", Folder(Path()))) is None


def test_the_pages(tmp_path: Path) -> None:
    made = sweep(six(), ["t.a", "seed"])
    settings = MlflowSettings(uri=f"sqlite:///{tmp_path / 'none.db'}")
    with start_view(Library(settings, [made, made.cells[0]], tmp_path)) as view:
        at = f"{view.address}sweeps/{made.id}/"
        assert f"sweeps/{made.id}/" in requests.get(view.address, timeout=30).text
        page = requests.get(at, timeout=30).text
        found = requests.get(f"{at}cells", timeout=30).json()
        run = requests.get(f"{view.address}runs/{made.cells[0].id}/", timeout=30).text
        wrong = requests.get(f"{view.address}sweeps/{made.cells[0].id}/cells", timeout=30)
        none = requests.get(f"{view.address}runs/{made.id}/", timeout=30)
    assert f"http://127.0.0.1:5000/#/experiments/7/runs/{made.id}" in page
    assert f"http://127.0.0.1:5000/#/experiments/7/runs/{made.cells[0].id}" in run
    assert len(found["cells"]) == 6 and (wrong.status_code, none.status_code) == (404, 404)
