"""Searches by Hydra's plugin for Optuna, on tracks of brought detections: a third of a second each.

`make test-hydra-1.4` and `make test-hydra-1.3` run them with the plugins; elsewhere they are
skipped.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from packaging.version import Version

from tests.integration.conftest import TINY, Outcome, Project
from tests.integration.test_sweep import _sequences

try:
    OPTUNA = Version(version("optuna"))
    version("hydra-optuna-sweeper")
except PackageNotFoundError:
    pytest.skip("needs Hydra's plugin for Optuna: make test-hydra-1.4", allow_module_level=True)
kept = pytest.mark.skipif(Version("4") > OPTUNA, reason="needs Hydra 1.4: make test-hydra-1.4")
Run = Callable[..., Outcome]
INTERVAL = "tracker.track_thresh=interval(0.2,0.8)"


def search(folder: Path, *words: str, trials: int = 6, sweeper: str = "tpe") -> list[str]:
    """Words of a search over three tuning sequences, measured on three others."""
    where = _sequences(folder, tuning="ABC", test="DEF")
    own = (f"hydra/sweeper={sweeper}", f"hydra.sweeper.n_trials={trials}", "stages=[track]")
    return ["-m", *where, *own, "objective=track/hota", *words]


def found(project: Project, run: Any, name: str = "search.json") -> Any:
    root = project.folder / "mlruns" / "artifacts" / "segtrack" / run.info.run_id / "artifacts"
    text = (root / name).read_text()
    return json.loads(text) if name.endswith(".json") else text


def drawn(runs: list[Any], key: str = "tracker.track_thresh") -> list[float]:
    return [float(run.data.params[key]) for run in runs]


def test_an_interval_ends_in_a_table_and_a_claim(here: Run, project: Project) -> None:
    words = search(project.folder, INTERVAL, sweeper="optuna", trials=9)
    outcome = here(*words, "hydra.sweeper.n_jobs=1")
    assert outcome.code == 0, outcome.err
    assert "[I " not in outcome.err and "eprecat" not in outcome.err
    parent, *children = project.runs()
    assert parent.info.run_name == "sweep track_thresh" and parent.info.status == "FINISHED"
    assert json.loads(parent.data.tags["sweep.keys"]) == ["tracker.track_thresh"]
    values = drawn(children)
    assert len(values) == 9 and all(0.2 <= value <= 0.8 for value in values)
    made = found(project, parent)
    assert made["states"] == {"finished": 9} and made["objectives"] == ["track/tuning/hota"]
    best = max(run.data.metrics["track/tuning/hota"] for run in children)
    assert made["best"][0]["track/tuning/hota"] == f"{best:.4g}"
    shares = {"track/tuning/hota": {"tracker.track_thresh": 1.0}}
    assert made["importance"] == (shares if Version("4") <= OPTUNA else {})
    title = "9 trials of Optuna's TPESampler (9 finished), by track/tuning/hota"
    note = parent.data.tags["mlflow.note.content"]
    assert title in outcome.out and note.startswith(title)
    assert ("Importance of knobs" in note) is bool(made["importance"])
    assert "chosen by 3 tuning sequences, measured on 3 test sequences" in note
    names = [run.info.run_name for run in children]
    assert all(len(name) <= len("yolov8n-seg track_thresh=0.1234") for name in names), names
    assert here("report", parent.info.run_id, "--to", "md").code == 0
    (report,) = (project.folder / "outputs" / "reports").glob("*/report.md")
    assert title in report.read_text() and "What cannot be claimed" in report.read_text()


def test_a_search_needs_an_objective(here: Run, project: Project) -> None:
    outcome = here(*search(project.folder, INTERVAL), "objective=null")
    assert outcome.code == 2 and "objective=null: a sweeper that draws" in outcome.err
    wrong = here(*search(project.folder, "tracker.track_thresh=interval(0.2,1.8)"))
    assert wrong.code == 2 and "track_thresh=1.8: must lie in 0 to 1" in wrong.err
    assert project.runs() == [] and not (project.folder / ".segtrack").exists()


def test_a_value_that_is_not_allowed_ends_its_trial_alone(here: Run, project: Project) -> None:
    # Each of them is allowed beside the other's default, but not the two together.
    both = ("tracker.low_thresh=0.06,0.1", "model.conf_floor=0.05,0.08")
    words = search(project.folder, *both, "hydra/sweeper/sampler=grid", sweeper="optuna")
    outcome = here(*words)
    parent, *children = project.runs()
    ended = {
        (
            run.data.params["tracker.low_thresh"],
            run.data.params["model.conf_floor"],
        ): run.info.status
        for run in children
    }
    assert ended.pop(("0.06", "0.08")) == "FAILED" and outcome.code == 1
    assert "model.conf_floor=0.08: must not lie above tracker.low_thresh=0.06" in outcome.err
    assert set(ended.values()) == {"FINISHED"} and parent.info.status == "FAILED"
    assert parent.info.run_name == "sweep low_thresh conf_floor"


@kept
def test_a_database_whose_address_the_environment_has(
    here: Run, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``STUDIES_SERVER``, such as ``postgresql+psycopg://...``, is used where it is given."""
    own = f"sqlite:///{project.folder / 'of the team.db'}?secret=hunter2hunter"
    monkeypatch.setenv("STUDIES", os.environ.get("STUDIES_SERVER", own))
    study = ("hydra.sweeper.storage=${oc.env:STUDIES}", f"hydra.sweeper.study_name={uuid4()}")
    assert here(*search(project.folder, INTERVAL, *study, trials=2)).code == 0
    outcome = here(*search(project.folder, INTERVAL, *study, trials=4))
    assert outcome.code == 0 and "going on with a search that has 2 trials" in outcome.out
    _parent, *children = project.runs()
    assert len(children) == 4 and len(set(drawn(children))) == 4
    assert not (project.folder / ".segtrack" / "studies.db").exists()
    for file in (one for one in (project.folder / "outputs").rglob("*") if one.is_file()):
        assert b"hunter2" not in file.read_bytes(), file
    monkeypatch.delenv("STUDIES")
    refused = here(*search(project.folder, INTERVAL, *study))
    assert refused.code == 2 and "Environment variable 'STUDIES' not found" in refused.err


@pytest.mark.skipif(Version("4") <= OPTUNA, reason="of Hydra 1.3 alone")
def test_with_hydra_1_3_what_does_not_work_is_said(here: Run, project: Project) -> None:
    outcome = here(*search(project.folder, INTERVAL, trials=2))
    assert outcome.code == 0 and "with Hydra 1.3 trials are kept in memory alone" in outcome.out
    refused = here(*search(project.folder, INTERVAL, "hydra.sweeper.storage='sqlite:///a.db'"))
    assert refused.code == 2 and "cannot write it together with SQLAlchemy 2" in refused.err
    pruned = here("-m", *TINY, "hydra/sweeper=tpe", "trainer.lr0=interval(0.001,0.01)", "prune=1",
                  "objective=val/mask_map50", "model.weights=shipped")  # fmt: skip
    assert pruned.code == 2 and "prune=1: needs trials that are kept" in pruned.err


@kept
def test_the_defaults_come_first_and_the_search_goes_on(here: Run, project: Project) -> None:
    first = here(*search(project.folder, INTERVAL, trials=2))
    assert first.code == 0, first.err
    parent, *begun = project.runs()
    assert drawn(begun)[0] == 0.5 and "the default is track_thresh=0.5" in first.out
    more = here(*search(project.folder, INTERVAL, trials=5))
    assert more.code == 0 and "going on with a search that has 2 trials" in more.out, more.err
    again, *children = project.runs()
    assert again.info.run_id == parent.info.run_id and again.info.status == "FINISHED"
    assert [run.info.run_id for run in children[:2]] == [run.info.run_id for run in begun]
    assert len(set(drawn(children))) == len(children) == 5
    assert found(project, again)["states"] == {"finished": 5}
    done = here(*search(project.folder, INTERVAL, trials=5))
    assert done.code == 0 and "this search has its 5 trials" in done.out
    assert len(project.runs()) == 6
    other = here(*search(project.folder, "tracker.track_thresh=interval(0.6,0.8)", trials=1))
    assert "no trial has the defaults: tracker.track_thresh=0.5, the default, is not" in other.out


@kept
def test_after_a_kill_it_goes_on_and_makes_the_lost_trial_again(
    here: Run, project: Project
) -> None:
    words = search(project.folder, INTERVAL, trials=200)
    process = project.start(*words)
    end = time.monotonic() + 60
    while len([r for r in project.runs() if r.info.status == "FINISHED"]) < 3:
        assert time.monotonic() < end and process.poll() is None
        time.sleep(0.1)
    process.kill()
    process.communicate(timeout=30)
    (parent, *before) = project.runs()
    ended = [run for run in before if run.info.status == "FINISHED"]
    lost = [run for run in before if run.info.status == "RUNNING"]
    words[words.index("hydra.sweeper.n_trials=200")] = f"hydra.sweeper.n_trials={len(ended) + 2}"
    outcome = here(*words)
    assert outcome.code == 0, outcome.err
    assert f"going on with a search that has {len(ended)} trials: run {parent.info.run_id}" in (
        outcome.out
    )
    again, *children = project.runs()
    assert again.info.run_id == parent.info.run_id and again.info.status == "FINISHED"
    finished = [run for run in children if run.info.status == "FINISHED"]
    assert len(finished) == len(set(drawn(finished))) == len(ended) + 2
    for run in lost:
        assert project.client.get_run(run.info.run_id).info.status == "KILLED"
        assert drawn([run])[0] in drawn(finished)
    assert found(project, again)["states"] == {"finished": len(ended) + 2}


@kept
def test_what_was_drawn_before_is_not_run_again(here: Run, project: Project) -> None:
    outcome = here(*search(project.folder, "tracker.track_thresh=0.3,0.5", trials=6))
    assert outcome.code == 0, outcome.err
    _, *children = project.runs()
    assert sorted(drawn(children)) == [0.3, 0.5]
    assert "is done: yolov8n-seg track_thresh=" in outcome.out


@kept
def test_several_objectives_have_a_front(here: Run, project: Project) -> None:
    both = "objective=[track/hota,track/idsw]"
    words = search(project.folder, INTERVAL, sweeper="nsgaii")
    words[words.index("objective=track/hota")] = both
    outcome = here(*words)
    assert outcome.code == 0, outcome.err
    parent, *children = project.runs()
    made = found(project, parent)
    assert made["objectives"] == ["track/tuning/hota", "track/tuning/idsw"] and made["best"]
    assert "those that no other beats in all objectives:" in outcome.out
    assert found(project, parent, "front.csv").startswith("tracker.track_thresh,")
    most = max(run.data.metrics["track/tuning/hota"] for run in children)
    assert f"{most:.4g}" in [row["track/tuning/hota"] for row in made["best"]]


@kept
def test_a_training_that_is_worse_than_others_ends_early(
    here: Run, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    from segtrack.command import pruning
    from segtrack.pipeline.stages import train

    def training(
        dataset: Any, network: Any, trainer: Any, seed: int, folder: Path, report: Any
    ) -> None:
        for epoch in (1, 2, 3):
            report("val/mask_map50", trainer.lr0 * epoch, epoch)
        raise AssertionError("as far as a trial comes that is not compared with any")

    monkeypatch.setattr(train.model, "train", training)
    monkeypatch.setattr(pruning, "_STARTED", 0)
    own = ("objective=val/mask_map50", "prune=2", "trainer.lr0=0.001,0.002")
    words = ["-m", *TINY, "hydra/sweeper=tpe", *own, "stages=[prepare,train]"]
    outcome = here(*words, "hydra.sweeper.n_trials=1")
    assert outcome.code == 1  # nothing to compare with: the training goes on to its end
    import optuna

    storage = f"sqlite:///{project.folder / '.segtrack' / 'studies.db'}"
    (name,) = optuna.get_all_study_names(storage)
    study = optuna.load_study(study_name=name, storage=storage)
    (space,) = (one.distributions for one in study.trials)
    study.add_trial(
        optuna.trial.create_trial(
            params={"trainer.lr0": next(iter(space.values())).choices[0]}, distributions=space,
            value=0.9, intermediate_values={1: 0.5, 2: 0.7, 3: 0.9},
        )
    )  # fmt: skip
    outcome = here(*words, "hydra.sweeper.n_trials=2")
    assert "pruned: ended after epoch 2: below the median of earlier trials" in outcome.out
    pruned = [run for run in project.runs() if "pruned" in run.data.tags]
    assert len(pruned) == 1 and pruned[0].data.tags["pruned"] == "2"
    assert pruned[0].info.status == "FINISHED" and "PRUNED" in outcome.out


@kept
def test_presets_of_what_to_search_compose(here: Run, project: Project) -> None:
    where = _sequences(project.folder, tuning="ABC", test="DEF")
    outcome = here("-m", *where, "+hparams_search=tracker", "stages=[track]",
                   "hydra.sweeper.n_trials=2")  # fmt: skip
    assert outcome.code == 0, outcome.err
    parent, first, second = project.runs()
    keys = ["track_thresh", "match_thresh", "low_thresh", "track_buffer"]
    assert json.loads(parent.data.tags["sweep.keys"]) == [f"tracker.{key}" for key in keys]
    assert [first.data.params[f"tracker.{key}"] for key in keys] == ["0.5", "0.8", "0.1", "30"]
    assert second.data.params["tracker.track_thresh"] != "0.5"
    refused = here("-m", "hparams_search=trainer", "dataset=none", "stages=[track]")
    assert refused.code == 2 and "prune=3: needs stage train" in refused.err
