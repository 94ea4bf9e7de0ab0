"""Searches, as far as they need neither Optuna nor a run: what is drawn, chosen and refused."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from filelock import FileLock
from hydra.core.override_parser.overrides_parser import OverridesParser

from segtrack.base.errors import SegtrackError
from segtrack.base.names import short
from segtrack.command import objective, search, worker
from segtrack.command.app import CONF
from segtrack.command.cells import probes_of, sweep_problems
from segtrack.command.checking import check
from segtrack.command.composition import Swept, compose_settings, composing, swept
from segtrack.command.study import KEPT_FROM, optuna_version
from segtrack.command.sweep_cells import once, settings_of
from segtrack.command.sweep_search import Found, front, importance
from segtrack.command.sweeper import VERSION_BASE, Sweeper, sweeper_of
from segtrack.pipeline import minimised
from segtrack.settings import validate


def parsed(*words: str) -> list[Any]:
    return list(OverridesParser.create().parse_overrides(list(words)))


def run(values: list[float], params: dict[str, str], status: str = "FINISHED", **tags: str) -> Any:
    data = SimpleNamespace(
        params=params, metrics={}, tags={"objective": json.dumps(values), **tags}
    )
    return SimpleNamespace(data=data, info=SimpleNamespace(run_name="", run_id="", status=status))


def test_probes_take_each_value_and_both_ends_alone() -> None:
    words = ("seed=3", "tracker=bytetrack,ocsort", "a.b=interval(0.2,0.7)", "a.c=range(1,4)")
    probes = list(probes_of(parsed(*words)))
    assert probes[0].overrides == ("seed=3", "tracker=bytetrack")
    assert [cell.swept for cell in probes[1:]] == [
        *({"tracker": name} for name in ("bytetrack", "ocsort")),
        *({"a.b": value} for value in ("0.2", "0.7")),
        *({"a.c": value} for value in ("1", "2", "3")),
    ]
    assert probes[3].overrides == ("seed=3", "tracker=bytetrack", "a.b=0.2")


def test_hydras_own_sweeper_draws_nothing_and_may_have_parameters_of_its_own(
    tmp_path: Path,
) -> None:
    (tmp_path / "experiment").mkdir()
    for name, key in (("mine", "low_thresh"), ("wrong", "low_tresh")):
        text = f"{{seed: '1,2', tracker.{key}: '0.1,0.2'}}"
        (tmp_path / "experiment" / f"{name}.yaml").write_text(
            f"# @package _global_\nhydra: {{sweeper: {{params: {text}}}}}\n"
        )
    with composing(CONF, tmp_path):
        basic = sweeper_of(parsed("seed=1,2"))
        assert not basic.draws and not basic.is_optuna and basic.words == ()
        sweep = swept(["experiment=mine", "seed=3,4,5"])
    assert sweep.sweeper.words == ("tracker.low_thresh=0.1,0.2",) and not sweep.drawn
    assert len(sweep.cells) == 6
    assert sweep.cells[1].swept == {"seed": "3", "tracker.low_thresh": "0.2"}
    (first,) = check(CONF, ["experiment=wrong"], tmp_path)
    assert str(first).startswith("tracker.low_tresh=0.1: no such setting; did you mean tracker.l")


def test_a_plugin_that_is_not_installed_is_named() -> None:
    for word in ("hydra/sweeper=optuna", "hydra/launcher=submitit_slurm", "hydra/launcher=ray"):
        for problem in check(CONF, ["seed=1,2", word]):
            assert "it comes with pip install 'segtrack[" in str(problem)
    (wrong,) = check(CONF, ["seed=1,2", "hydra/sweeper=optima"])
    assert str(wrong).startswith("hydra/sweeper=optima: ") and "pip" not in str(wrong)
    for name in ("joblib", "submitit", "ray"):
        (wrong,) = check(CONF, ["seed=1,2", f"hydra/launcher={name}_cell"])
        assert str(wrong).endswith(f"; did you mean {name}_cells?") and "pip" not in str(wrong)


def test_what_a_sweeper_that_cannot_be_made_would_have_drawn_is_not_refused_as_well() -> None:
    drawn = "tracker.track_thresh=interval(0.3,0.5)"
    (wrong,) = check(CONF, [drawn, "hydra/sweeper=tpee"])
    assert str(wrong).startswith("hydra/sweeper=tpee: ")
    (wrong,) = check(CONF, [drawn])
    assert "is for a sweeper that draws values" in str(wrong)


def test_a_further_key_of_hydras_is_told_how_it_is_added() -> None:
    (wrong,) = check(CONF, ["hydra.job.env_set.A=1"])
    assert str(wrong).startswith("hydra.job.env_set.A=1: no such setting")
    assert str(wrong).endswith("; +hydra.job.env_set.A=VALUE adds it")
    assert check(CONF, ["+hydra.job.env_set.A=1"]) == []


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("a.b=interval(0.7,0.4)", "must begin below its end"),
        ("a.b=interval(1,1)", "must begin below its end"),
        ("a.b=tag(log,interval(0,1))", "must begin above 0"),
        ("a.b=tag(log,interval(0.1,1))", None),
        ("a.b=interval(-1,0)", None),
    ],
)
def test_an_interval_that_nothing_can_be_drawn_from(word: str, told: str | None) -> None:
    found = [str(problem) for problem in sweep_problems(parsed(word), draws=True)]
    assert found == [] if told is None else told in found[0]


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("a=tag(logg,interval(0.1,1))", "logg is no tag of a search; there is tag(log,"),
        ("a=tag(log,range(1,4))", "only an interval is drawn by its logarithm"),
        ("a=tag(log,choice(1,2))", "only an interval is drawn by its logarithm"),
        ("a=tag(log,interval(0.1,1))", None),
        ("a=1,2", None),
    ],
)
def test_a_tag_that_nothing_reads(word: str, told: str | None) -> None:
    sweeper = Sweeper("hydra_plugins.hydra_optuna_sweeper.OptunaSweeper", (), {"n_trials": 3})
    found = [str(problem) for problem in sweeper.problems(parsed(word))]
    assert found == [] if told is None else told in found[0]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["seed=intervall(0,3)"], "there is no intervall(...); did you mean interval(LOW,HIGH)"),
        (["seed=interval(3)"], "is written interval(LOW,HIGH), two numbers"),
        (["seed=interval(a,b)"], "is written interval(LOW,HIGH), two numbers"),
        (["seed=tag(log,intervl(1,2))"], "there is no intervl(...); did you mean interval("),
        (["seed=rnge(3)"], "there is no rnge(...); did you mean range("),
        (["seed=1,2", "seed=3,4"], "seed=3,4: is swept and given twice, before as seed=1,2"),
        (["seed=1,2", "seed=3"], "seed=3: is swept and given twice, before as seed=1,2"),
        (["seed=3", "+seed=1,2"], "seed=1,2: is swept and given twice, before as seed=3"),
        (["tracker.trak_thresh=0.3,0.4"], "tracker.trak_thresh=0.3: no such setting; did you"),
        (
            ["hydra.sweeper.params.seed=1,2"],
            "no such setting of Hydra; what is searched is typed b",
        ),
    ],
)
def test_a_slip_in_what_is_swept_is_one_problem(words: list[str], told: str) -> None:
    (problem,) = check(CONF, words)
    assert told in str(problem)


def test_a_mapping_may_be_swept() -> None:
    assert check(CONF, ["dataset.classes={a: [x]},{b: [y]}", "seed=1", "seed=2"]) == []


@pytest.mark.parametrize(
    ("settings", "words", "told"),
    [
        ({"n_trials": 0, "n_jobs": 0}, ["a=1,2"], ["hydra.sweeper.n_trials=0", "n_jobs=0"]),
        ({"n_trials": -2}, ["a=1,2"], ["n_trials=-2: must be a whole number from 1 on"]),
        ({"n_trials": 3, "n_jobs": 1}, ["a=interval(0,1)"], []),
        ({"n_trials": 3}, ["a=1"], ["hydra/sweeper=OptunaSweeper: has nothing to draw"]),
    ],
)
def test_a_sweeper_that_cannot_draw(
    settings: dict[str, Any], words: list[str], told: list[str]
) -> None:
    sweeper = Sweeper("hydra_plugins.hydra_optuna_sweeper.OptunaSweeper", (), settings)
    found = [str(problem) for problem in sweeper.problems(parsed(*words))]
    assert len(found) == len(told)
    assert all(part in line for line, part in zip(found, told, strict=True))
    assert Sweeper().problems(parsed(*words)) == []


@pytest.mark.skipif(not optuna_version().release[0], reason="pip install 'segtrack[optuna]'")
@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("hydra.sweeper.n_trials=abc", "n_trials=abc: must be a whole number"),
        ("hydra.sweeper.n_trails=2", "no such setting; did you mean hydra.sweeper.n_trials?"),
        ("tracker.trak_buffer=interval(1,9)", "no such setting; did you mean tracker.track_buff"),
        ("+hydra.sweeper.params.seed=range(1,3)", "what is searched is typed by itself: seed="),
    ],
)
def test_a_slip_in_a_sweepers_settings_is_the_only_problem(word: str, told: str) -> None:
    own = ["objective=track/hota", "seed=1,2", "tracker.track_thresh=interval(0.3,0.7)"]
    for words in ([word, "hydra/sweeper=tpe"], ["hydra/sweeper=tpe", word]):
        (problem,) = check(CONF, [*own, *words])
        assert told in str(problem)


def test_nothing_is_said_of_a_version_base_that_hydra_knows_no_more() -> None:
    import hydra

    old = hydra.__version__.startswith("1.3")
    assert ({"version_base": "1.3"} if old else {}) == VERSION_BASE


def test_an_objective_is_a_name_or_several() -> None:
    settings = compose_settings(CONF, ["objective=[track/hota,track/idsw]"])
    assert settings.objectives == ["track/hota", "track/idsw"]
    assert validate(settings) == []
    metrics = {"track/hota": 0.4, "track/tuning/hota": 0.5, "track/idsw": 3.0}
    values = objective.objective_values(settings, metrics, [])
    assert objective.for_hydra(settings, values) == [0.5, 3.0]
    one = replace(settings, objective="track/idsw")
    assert objective.for_hydra(one, objective.objective_values(one, metrics, [])) == 3.0
    assert objective.for_hydra(replace(settings, objective=None), []) is None
    with pytest.raises(SegtrackError, match="objective=track/hot: this run made no metric"):
        objective.objective_values(replace(settings, objective="track/hot"), metrics, [])
    wrong = [str(problem) for problem in check(CONF, ["objective=[track/hota,track/hoto]"])]
    assert wrong == ["objective=track/hoto: there is no such metric; did you mean track/hota?"]
    (twice,) = check(CONF, ["objective=[track/hota,track/hota]"])
    assert str(twice) == "objective=[track/hota,track/hota]: names one of them twice"
    assert objective.read(objective.kept([0.5, 3.0])) == [0.5, 3.0]
    assert objective.read({}) == objective.read(objective.kept([float("nan")])) == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *(("track/hota", False), ("val/mask_map50_95", False), ("speed/live_fps", False)),
        *(("track/idsw", True), ("val/box_loss", True), ("speed/predict_ms", True)),
        ("track/class/car/idsw", True),
    ],
)
def test_which_way_is_better(name: str, expected: bool) -> None:
    assert minimised(name) is expected


def test_ending_trainings_needs_one_score_of_every_epoch() -> None:
    for words in (["objective=track/hota"], ["objective=[val/mask_map50,val/box_map50]"]):
        (problem,) = check(CONF, ["prune=2", *words])
        assert str(problem).startswith("prune=2: needs stage train and one objective that each")
    assert check(CONF, ["prune=2", "objective=val/mask_map50"]) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *(("0.5", "0.5"), ("0.5384271961", "0.5384"), ("1.2345678901e-05", "1.235e-05")),
        *(("12", "12"), ("0.123456", "0.123456"), ("1.12345678.mp4", "1.12345678.mp4")),
    ],
)
def test_drawn_numbers_are_short_in_names(text: str, expected: str) -> None:
    assert short(text) == expected


def test_names_stay_distinct_where_short_numbers_are_the_same() -> None:
    near = [run([], {"t.a": "0.51234567891"}), run([], {"t.a": "0.51234567892"})]
    assert [one.name for one in settings_of(near, ["t.a"])] == [
        "a=0.51234567891",
        "a=0.51234567892",
    ]
    far = [run([], {"t.a": "0.51234567891"}), run([], {"t.a": "0.61234567891"})]
    assert [one.name for one in settings_of(far, ["t.a"])] == ["a=0.5123", "a=0.6123"]


def test_of_several_attempts_at_a_cell_the_finished_one_counts() -> None:
    killed = run([], {}, "KILLED", **{"config.hash": "a"})
    done = run([1.0], {}, **{"config.hash": "a"})
    failed = [run([], {}, "FAILED", **{"config.hash": "b"}) for _ in range(2)]
    other = run([2.0], {}, **{"config.hash": "c"})
    assert once([killed, *failed, done, other]) == [done, failed[1], other]


def test_the_front_has_what_no_other_beats() -> None:
    runs = [run(v, {}) for v in ([0.5, 3.0], [0.6, 5.0], [0.4, 4.0], [0.6, 5.0], [0.7, 9.0])]
    assert front(runs, [False, True]) == [runs[0], runs[1], runs[4]]
    one = [run([v], {}) for v in (0.5, 0.7, 0.7)]
    assert front(one, [False]) == [one[1]] and front(one, [True]) == [one[0]]
    assert front([], [False]) == []


def test_knobs_that_matter_have_the_larger_share() -> None:
    if optuna_version() < KEPT_FROM:
        pytest.skip("needs Optuna 4: make test-hydra-1.4")
    drawn = parsed("t.a=interval(0,1)", "t.b=x,y", "t.c=5,6")
    runs = [
        run([i / 20 + 0.01 * (i % 2)], {"t.a": str(i / 20), "t.b": "xy"[i % 2], "t.c": "5"})
        for i in range(20)
    ]
    shares = importance(runs, ["t.a", "t.b", "t.c"], drawn)
    assert list(shares) == ["t.a", "t.b"] and sum(shares.values()) == pytest.approx(1)
    assert shares["t.a"] > 0.9
    assert importance(runs[:7], ["t.a", "t.b", "t.c"], drawn) == {}
    assert importance([run([1.0], one.data.params) for one in runs], ["t.a"], drawn) == {}


def test_what_was_found_comes_back_from_its_file() -> None:
    found = Found(
        "Optuna's TPESampler", "s", ["track/hota"], {"finished": 9, "pruned": 1},
        [{"t.a": "0.5", "track/hota": "0.61"}], {"track/hota": {"t.a": 0.75, "t.b": 0.25}},
    )  # fmt: skip
    assert Found.read(found.json()) == found
    title = "10 trials of Optuna's TPESampler (9 finished, 1 pruned), by track/hota"
    assert found.title == title
    assert found.importance_rows()[1] == {"knob": "t.b", "track/hota": 0.25}


@pytest.mark.parametrize(
    ("sampler", "name"),
    [
        ("hydra_plugins.x.create_nsgaii_sampler", "Optuna's NSGAIISampler"),
        ("optuna.samplers.TPESampler", "Optuna's TPESampler"),
    ],
)
def test_a_search_is_called_by_its_sampler(sampler: str, name: str) -> None:
    settings = {"sampler": {"_target_": sampler}}
    sweeper = Sweeper("hydra_plugins.hydra_optuna_sweeper.OptunaSweeper", (), settings)
    assert search._name(Swept(sweeper, [])) == name


def test_each_worker_has_a_gpu_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "_held", [])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6,7")
    with FileLock(tmp_path / "4.lock"):
        worker.take_gpu(5, locks=tmp_path)
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "6"
        worker.take_gpu(6, locks=tmp_path)  # of its next cell
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "6"
        monkeypatch.setattr(worker, "_held", [])
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
        with FileLock(tmp_path / "0.lock"), FileLock(tmp_path / "1.lock"):
            worker.take_gpu(5, 2, tmp_path)  # more workers than GPUs: in turn
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "1" and not worker._held
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    worker.take_gpu(0, locks=tmp_path)  # a scheduler's
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "3"


@pytest.mark.skipif(not optuna_version().release[0], reason="pip install 'segtrack[optuna]'")
@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("hydra.sweeper.sampler.seed=-5", "hydra.sweeper: cannot be made with these settings: "),
        ("+hydra.sweeper.foo=3", "hydra.sweeper: cannot be made with these settings: "),
        ("hydra.sweeper.max_failure_rate=5", "hydra.sweeper: cannot be made with these setting"),
        ("hydra.sweeper.direction=minimize", "of objective=track/hota it is maximize, which"),
        ("hydra.sweeper.direction=sideways", "hydra.sweeper.direction=sideways: of objective="),
    ],
)
def test_a_sweeper_that_hydra_could_not_make(word: str, told: str) -> None:
    """Otherwise a parent run would be there without a single cell."""
    own = ["objective=track/hota", "tracker.track_thresh=interval(0.3,0.7)", "hydra/sweeper=tpe"]
    with composing(CONF, None):
        sweep = swept([*own, word])
    first = compose_settings(CONF, ["objective=track/hota"])
    with pytest.raises(SegtrackError) as refused:
        search.Search(sweep, first, [*own, word])
    assert str(refused.value).startswith(told) or told in str(refused.value)
