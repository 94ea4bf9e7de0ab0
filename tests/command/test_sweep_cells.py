"""Cells of a sweep as settings, and the tables of them."""

import math
from types import SimpleNamespace
from typing import Any

import pytest

from segtrack.command.cells import knobs_after_choices
from segtrack.command.objective import PRUNED
from segtrack.command.sweep_cells import (
    apart,
    cell_rows,
    failures,
    noise_rows,
    settings_of,
    shown_rows,
    starts,
)
from segtrack.runs import headline, is_seed, varied


def cell(
    params: dict[str, str], metrics: dict[str, float] | None = None, status: str = "FINISHED"
) -> Any:
    info = SimpleNamespace(run_name="run", status=status, run_id="id")
    return SimpleNamespace(
        info=info, data=SimpleNamespace(params=params, metrics=metrics or {}, tags={})
    )


def grid(**scores: list[float]) -> list[Any]:
    """Cells of a=1,2 and seed=0,1,2, with scores in that order."""
    places = [(a, s) for a in "12" for s in "012"]
    return [
        cell({"t.a": a, "seed": s}, {name: values[i] for name, values in scores.items()})
        for i, (a, s) in enumerate(places)
    ]


@pytest.mark.parametrize(
    ("key", "expected"),
    [("seed", True), ("dataset.seed", True), ("labellerr.seed", True), ("tracker.seedy", False)],
)
def test_what_is_a_seed(key: str, expected: bool) -> None:
    assert is_seed(key) is expected


def test_cells_that_differ_in_a_seed_alone_are_one_setting() -> None:
    one, two = settings_of(grid(), ["t.a", "seed"])
    assert (one.name, one.params, len(one.runs)) == ("a=1", {"t.a": "1"}, 3)
    assert [run.data.params["seed"] for run in two.runs] == ["0", "1", "2"]
    assert one.is_default({"t.a": 1.0, "seed": 0}) and not two.is_default({"t.a": 1.0})
    (alone,) = settings_of(grid()[:3], ["seed"])
    assert (alone.name, alone.params) == ("", {})


@pytest.mark.parametrize(
    ("text", "value", "other"),
    [
        ("'[^_]*'", "[^_]*", "[^-]*"),
        ("[^_]*", "[^_]*", None),  # as it is recorded where a sweeper drew it
        ("*.mp4", "*.mp4", "*.mkv"),
        ("@x", "@x", "x"),
        ("a: b: c", "a: b: c", "a"),
        ("null", None, 0),
        ("1e-3", 0.001, 0.01),
        ("[a,b]", ["a", "b"], ["a"]),
        ("false", False, True),
        ("5", "5", "6"),
    ],
)
def test_what_is_the_default(text: str, value: Any, other: Any) -> None:
    (cells,) = settings_of([cell({"t.a": text, "seed": "1"})], ["t.a", "seed"])
    assert cells.is_default({"t.a": value, "seed": 0})
    assert not cells.is_default({"t.a": other, "seed": 0})
    assert not cells.is_default({})


def test_a_value_that_was_drawn_twice_is_one_cell() -> None:
    drawn = [cell({"t.a": a, "seed": "0"}) for a in ("1", "2", "1")]
    assert [len(cells.runs) for cells in settings_of(drawn, ["t.a", "seed"])] == [1, 1]


def test_keys_that_only_a_sweeper_knows_are_found() -> None:
    """An interval, or hydra.sweeper.params, is no list on the command line."""
    drawn = [{"seed": "0", "t.a": a, "t.b": "1"} for a in ("0.13", "0.57")]
    assert varied(drawn, []) == ["t.a"]
    assert varied(drawn, ["t.a"]) == ["t.a"]
    listed = [run.data.params for run in grid()]
    assert varied(listed, ["t.a", "seed"]) == ["t.a", "seed"]


def test_what_tests_stands_last_in_the_table_of_cells() -> None:
    metrics = dict.fromkeys(
        ("test/a", "track/test/a", "speed/a", "track/a", "track/tuning/a", "val/best/a", "lr/x"),
        1.0,
    )
    (row,) = cell_rows([cell({"t.a": "1"}, metrics)], ["t.a"])
    assert list(row) == [
        *("run", "status", "t.a", "val/best/a", "track/tuning/a", "track/a", "speed/a"),
        *("test/a", "track/test/a"),
    ]


@pytest.mark.parametrize(
    ("metrics", "expected"),
    [
        (["val/best/mask_map50_95", "test/mask_map50_95"], ["val/best/mask_map50_95"]),
        (["test/mask_map50_95"], ["test/mask_map50_95"]),
        (["track/hota", "track/tuning/hota", "track/test/hota"], ["track/tuning/hota"]),
        (["track/hota", "track/tracks"], ["track/tracks", "track/hota"]),
        (
            ["test/mask_map50_95", "track/tuning/idf1", "track/idf1"],
            ["track/tuning/idf1", "test/mask_map50_95"],
        ),
    ],
)
def test_the_printed_table_shows_what_may_choose(metrics: list[str], expected: list[str]) -> None:
    assert headline([dict.fromkeys(metrics, 1.0)]) == expected


def test_mean_and_sd_over_seeds() -> None:
    scores = [0.1, 0.2, 0.3, 0.4, 0.4, 0.7]
    runs = grid(**{"val/best/mask_map50_95": scores, "test/mask_map50_95": [0.9] * 6})
    runs[5].info.status = "FAILED"
    rows = cell_rows(runs, ["t.a", "seed"])
    assert shown_rows(rows, ["t.a", "seed"]) == [
        {
            "t.a": "1",
            "n": 3,
            "val/best/mask_map50_95": pytest.approx(0.2),
            "val/best/mask_map50_95 std": pytest.approx(0.1),
        },
        {
            "t.a": "2",
            "n": 2,
            "val/best/mask_map50_95": pytest.approx(0.4),
            "val/best/mask_map50_95 std": 0.0,
        },
    ]
    assert shown_rows(rows[:1], ["t.a"]) == [
        {"status": "FINISHED", "t.a": "1", "val/best/mask_map50_95": 0.1}
    ]


def test_noise_has_no_best() -> None:
    rows = [{"track/hota": 0.5}, {"track/hota": 0.7}, {"track/hota": 0.6}, {"test/x": 1.0}]
    assert noise_rows(rows, ["track/hota", "test/x", "val/none"]) == [
        {
            "metric": "track/hota",
            "seeds": 3,
            "mean": pytest.approx(0.6),
            "SD": pytest.approx(0.1),
            "min": 0.5,
            "max": 0.7,
        },
        {"metric": "test/x", "seeds": 1, "mean": 1.0, "SD": None, "min": 1.0, "max": 1.0},
    ]
    assert not math.isnan(noise_rows(rows, ["test/x"])[0]["mean"])


def test_whether_settings_were_trained_apart() -> None:
    runs = grid()
    for run, key in zip(runs, "aabcde", strict=True):
        run.data.tags["stage.train"] = f"built in 3.0 s {key}"
    runs[3].data.tags["stage.train"] = "reused a"
    settings = settings_of(runs, ["t.a", "seed"])
    assert not apart(settings, "train")  # the first seeds' weights are the same
    runs[3].data.tags["stage.train"] = "built in 3.0 s c"
    assert apart(settings, "train") and not apart(settings, "evaluate")


def test_a_network_that_starts_from_scratch_is_told_from_pretrained_ones() -> None:
    n, s, failed = cell({}), cell({}), cell({})
    n.data.tags["model.pretrained"], s.data.tags["model.pretrained"] = "true", "false"
    assert [starts(one, [n, s, failed]) for one in (n, s, failed)] == [
        {"model.pretrained": "true"},
        {"model.pretrained": "false"},
        {"model.pretrained": ""},
    ]
    assert starts(n, [n, n, failed]) == {}


def test_knobs_of_options_that_are_swept_come_with_them() -> None:
    words = ["tracker=botsort,tracktrack", "tracker.gmc_method=none", "+tracker.x=[1, 2]"]
    words += ["tracker.match_thresh=0.7,0.8", "tracks.min_area=3", "seed=1,2", "~tracker.y"]
    assert knobs_after_choices(words) == {
        "tracker.gmc_method=none": "tracker.gmc_method=choice(none)",
        "+tracker.x=[1, 2]": "+tracker.x=choice([1, 2])",
    }
    assert knobs_after_choices(words[1:]) == {}


def test_why_cells_failed_is_a_line_for_each_reason() -> None:
    cells = [cell({"t.a": str(a)}, status="FAILED" if a else "FINISHED") for a in range(6)]
    for one in cells:
        one.data.tags["error"] = "no GPU 0\nand more"
    cells[-1].info.status, cells[-1].data.tags["error"] = "KILLED", "the process was killed"
    assert failures(cells, ["t.a"]) == [
        "FAILED  t.a=1, t.a=2, t.a=3 and 1 more: no GPU 0",
        "KILLED  t.a=5: the process was killed",
    ]
    cells[1].data.tags.clear()  # runs still, on another machine
    assert failures(cells[:2], ["t.a"]) == []
    cells[1].data.tags |= {PRUNED: "2", "error": "ended early"}
    assert failures(cells[:2], ["t.a"]) == []
