"""The loop over the loopback platform as a user types it: push, review, pull, retrain."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from labellerr_loopback import Credentials, Delays, start_emulator
from tests.dataset.conftest import YoloFolder, write_image
from tests.integration.conftest import TINY, Outcome, Project
from tests.integration.loopback import annotate

REMEMBERS = True
PLANTED = {
    "LABELLERR_API_KEY": "key-f00dfeed-77",
    "LABELLERR_API_SECRET": "secret-0badcafe-77",
    "LABELLERR_CLIENT_ID": "client-4711-77",
}
WORDS = [*TINY, "dataset.pool=4", "model.imgsz=192", "model.weights=shipped"]
SMALL = ["trainer=smoke", "trainer.imgsz=64", "model.imgsz=64", "evaluation.gallery=1"]
LOOP = [*WORDS, "stages=[prepare,push,review,pull]"]


@pytest.fixture(scope="module")
def loop(
    tmp_path_factory: pytest.TempPathFactory, new_project: Callable[[Path], Project]
) -> tuple[Project, Outcome]:
    project = new_project(tmp_path_factory.mktemp("labelling"))
    before = {name: os.environ.get(name) for name in PLANTED}
    os.environ.update(PLANTED)
    try:
        return project, project.run(*LOOP)
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


@pytest.fixture(autouse=True)
def _planted(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in PLANTED.items():
        monkeypatch.setenv(name, value)


def test_predictions_go_out_and_reviewed_labels_come_back(loop: tuple[Project, Outcome]) -> None:
    project, outcome = loop
    assert outcome.code == 0, outcome.err
    (run,) = project.runs()
    metrics = run.data.metrics
    assert metrics["push/files"] == metrics["push/sent"] == 6 + 3 + 4
    assert metrics["review/sent_images"] == metrics["review/images"] == 4
    handled = [metrics[f"review/{kind}"] for kind in ("accepted", "corrected", "deleted")]
    assert sum(handled) == metrics["review/sent_objects"] > 0
    assert metrics["builds/predict"] == 1
    assert "annotator  4 images simulated" in outcome.out
    artifacts = project.artifacts(run)
    assert {"push/push.json", "review/review.json", "review/version.json"} <= artifacts
    assert {"review/outcomes.csv", "review/acceptance.png"} <= artifacts
    pushed = json.loads(next(project.folder.glob("outputs/*/*/push.json")).read_text())
    assert run.data.tags["labellerr.project"] == pushed["project_id"]
    assert run.data.tags["labellerr.test_project"] != pushed["project_id"]


def test_the_test_split_is_never_sent(loop: tuple[Project, Outcome]) -> None:
    project, _ = loop
    folder = project.folder / ".segtrack" / "labellerr" / "emulator"
    state = b"".join(p.read_bytes() for p in folder.glob("state.db*"))
    for split, sent in (("train", True), ("val", True), ("pool", True), ("test", False)):
        assert (f"sim_{split}_00000-".encode() in state) is sent


def test_credentials_are_nowhere(loop: tuple[Project, Outcome]) -> None:
    project, outcome = loop
    texts = [outcome.out.encode(), outcome.err.encode()]
    files = [p for p in project.folder.rglob("*") if p.is_file()]
    assert {"mlflow.db", "config.yaml", "state.db", "ledger.db", "pushed.db", "review.json"} <= {
        p.name for p in files
    }
    texts += [p.read_bytes() for p in files]
    for secret in PLANTED.values():
        assert not any(secret.encode() in text for text in texts)


def test_again_nothing_is_created_twice_and_the_review_is_the_same(
    loop: tuple[Project, Outcome], here: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    project, _ = loop
    monkeypatch.chdir(project.folder)
    planned = here(*LOOP, "plan=true").out.splitlines()
    assert [line.split()[:2] for line in planned] == [
        ["start", "given"],
        ["prepare", "hit"],
        ["push", "platform"],
        ["predict", "hit"],
        ["review", "platform"],
        ["pull", "platform"],
    ]
    outcome = here(*LOOP)
    assert outcome.code == 0, outcome.err
    first, second = project.runs()[0], project.runs()[-1]
    assert second.data.metrics["push/sent"] == 0
    for tag in ("labellerr.project", "labellerr.test_project", "dataset.next_version"):
        assert second.data.tags[tag] == first.data.tags[tag]
    same = {k: v for k, v in first.data.metrics.items() if k.startswith("review/")}
    assert same == {k: v for k, v in second.data.metrics.items() if k.startswith("review/")}
    assert "simulated" not in outcome.out  # what was reviewed is left alone


def test_the_next_version_trains_on_what_was_reviewed(
    loop: tuple[Project, Outcome], here: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    project, _ = loop
    monkeypatch.chdir(project.folder)
    outcome = here("dataset=reviewed", "stages=[prepare,train,evaluate]", *SMALL)
    assert outcome.code == 0, outcome.err
    run = project.runs()[-1]
    metrics = run.data.metrics
    assert run.data.tags["weights.start"] == "shipped"  # as its parent, dataset=traffic_sim
    assert metrics["data/images/train"] == 6 + 4
    assert metrics["data/images/pool"] == 0
    assert "test/mask_map50_95" in metrics
    facts = [
        json.loads(p.read_text())
        for p in project.folder.glob(".segtrack/results/prepare/*/dataset.json")
    ]
    assert len(facts) == 2
    assert facts[0]["splits"]["test"] == facts[1]["splits"]["test"]
    assert facts[0]["splits"]["val"] == facts[1]["splits"]["val"]
    assert facts[0]["splits"]["train"] != facts[1]["splits"]["train"]
    # What is wrong is said before any work.
    missing = here("dataset=reviewed", "stages=[prepare]", "store=elsewhere")
    assert missing.code == 2 and "no reviewed version is in the store" in missing.err


def test_what_a_run_pulled_is_converted(
    loop: tuple[Project, Outcome], here: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    project, _ = loop
    monkeypatch.chdir(project.folder)
    run = project.runs()[0]
    folder = os.path.relpath(run.data.tags["output"], project.folder)
    for number, word in enumerate((run.info.run_id, folder)):
        done = here("convert", word, f"{number}.json", "--to", "coco")
        assert done.code == 0, done.err
    found = [json.loads((project.folder / f"{number}.json").read_text()) for number in (0, 1)]
    assert found[0] == found[1] and len(found[0]["images"]) == 6 + 3 + 3 + 4
    assert here(*WORDS, "stages=[prepare]", "mlflow.run_name=bare").code == 0
    done = here("convert", "bare", "2.json", "--to", "coco")
    assert done.code == 2 and "bare: the run tracked in no video and pulled no labels" in done.err


def test_the_models_own_masks_are_proposals(
    loop: tuple[Project, Outcome], here: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    project, _ = loop
    monkeypatch.chdir(project.folder)
    words = [*WORDS, "stages=[push]", "labellerr.assist=model", "labellerr.name=assisted"]
    outcome = here(*words)
    assert outcome.code == 0, outcome.err
    metrics = project.runs()[-1].data.metrics
    assert metrics["push/pool/proposals"] == project.runs()[0].data.metrics["review/sent_objects"]
    assert metrics["push/train/proposals"] > 0
    again = here(*words)
    assert again.code == 0 and "have proposals already: left as they are" in again.out
    assert project.runs()[-1].data.metrics["push/pool/proposals"] == 0


def test_finished_labels_become_a_data_set(
    loop: tuple[Project, Outcome], here: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    project, _ = loop
    monkeypatch.chdir(project.folder)
    project_id = project.runs()[0].data.tags["labellerr.project"]
    (images,) = project.folder.glob(".segtrack/results/prepare/*/images/train")
    words = [*SMALL, "dataset=labellerr", f"dataset.project_id={project_id}"]
    words += ["dataset.splits={train: 0.5, val: 0.5, test: 0, pool: 0}"]
    words += [f'dataset.path="{images}"', "stages=[prepare,train,evaluate]"]
    assert "the export of" in here(*words, "plan=true").out
    square = [[20.0, 30.0], [120.0, 30.0], [120.0, 110.0], [20.0, 110.0]]
    with start_emulator(
        project.folder / ".segtrack" / "labellerr" / "emulator",
        credentials=Credentials(*PLANTED.values()),
        delays=Delays(0, 0, 0),
    ) as emulator:
        names = [f"sim_train_{i:05d}.jpg" for i in range(4)] + ["sim_val_00000.jpg"]
        annotate(emulator.url, project_id, {name: [square] for name in names})
        outcome = here(*words, f"labellerr.url={emulator.url}")
    assert outcome.code == 0, outcome.err
    run = project.runs()[-1]
    metrics, tags = run.data.metrics, run.data.tags
    counts = {split: metrics[f"data/images/{split}"] for split in ("train", "val", "test", "pool")}
    assert counts == {"train": 2, "val": 2, "test": 0, "pool": 2}
    assert tags["labellerr.project"] == project_id and len(tags["labellerr.export"]) == 32
    assert "labels     5 images, 5 labels" in outcome.out
    texts = [p.read_text() for p in project.folder.glob(".segtrack/results/prepare/*/checks.txt")]
    assert any("sim_val_00000-" in text and "is labelled, but not in" in text for text in texts)
    # A stage that does not list prepare takes the export that was kept.
    planned = here(*words, "stages=[evaluate]", "plan=true").out.splitlines()
    assert next(line.split()[:2] for line in planned) == ["prepare", "hit"]


def test_raw_images_become_a_project_in_one_command(
    project: Project, here: Callable[..., Outcome]
) -> None:
    for i in range(3):
        write_image(project.folder / "photos" / f"{i}.jpg", i)
    words = ["dataset=images", "dataset.path=photos", "dataset.classes=[person,car]"]
    outcome = here("stages=[push]", *words)
    assert outcome.code == 0, outcome.err
    pushed = json.loads(next(project.folder.glob("outputs/*/*/push.json")).read_text())
    assert (pushed["files"], pushed["sent"]) == (3, 3)
    assert f"project segtrack photos: {pushed['project_id']}, 3 files, 3 sent now" in outcome.out
    again = here("stages=[push]", *words)
    assert f"{pushed['project_id']}, 3 files, 0 sent now" in again.out


def test_a_pull_for_other_pictures_ends_before_anybody_is_simulated(
    project: Project, here: Callable[..., Outcome]
) -> None:
    """The labels of these would be taken for those of the pictures that were sent."""
    folder = YoloFolder(project.folder / "data", count=3)
    folder.write_yaml("pool: images\nnames: [car, person]\n")
    words = ["dataset=yolo", "dataset.path=data", "model.weights=shipped", "model.imgsz=64"]
    outcome = here("stages=[prepare,review]", *words)
    assert outcome.code == 0, outcome.err
    write_image(folder.image(1), 77)
    outcome = here("stages=[prepare,pull]", *words)
    assert outcome.code == 2
    assert "1 of the 3 images under review are other pictures" in outcome.err
    assert "01.jpg" in outcome.err and "simulated" not in outcome.out
    state = project.folder / ".segtrack" / "labellerr" / "emulator" / "state.db"
    with closing(sqlite3.connect(state)) as db:
        assert db.execute("SELECT DISTINCT status FROM project_files").fetchall() == [("None",)]
    assert not list(project.folder.glob(".segtrack/reviewed/*"))


def test_missing_credentials_end_a_run_before_it_begins(
    project: Project, here: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in PLANTED:
        monkeypatch.delenv(name)
    outcome = here(*TINY, "labellerr=cloud", "stages=[prepare,push]")
    assert outcome.code == 2
    for name in PLANTED:
        assert name in outcome.err
    assert project.runs() == [] and project.results() == []


@pytest.mark.parametrize("stage", ["review", "pull"])
def test_an_empty_pool_is_an_error_that_names_both_ways_out(
    project: Project, here: Callable[..., Outcome], stage: str
) -> None:
    """Before anything is sent: push stands before it in the same command."""
    for i in range(3):
        write_image(project.folder / "photos" / f"{i}.jpg", i)
    words = ["dataset=yolo", "dataset.path=data", "model.weights=shipped"]
    YoloFolder(project.folder / "data", count=3).write_yaml("train: images\nnames: [car, person]\n")
    outcome = here(f"stages=[prepare,push,{stage}]", *words)
    assert outcome.code == 2
    assert f"stage {stage}: no images: the data set's pool split is empty" in outcome.err
    assert "further pictures into data" in outcome.err and "dataset.splits.pool=0.2" in outcome.err
    assert "sent" not in outcome.out
    assert not list(project.folder.glob(".segtrack/labellerr/*"))  # no ledger, no platform
    (run,) = project.runs()
    assert run.info.status == "FAILED"


def test_an_empty_pool_is_no_error_where_nobody_asked_for_a_review(
    project: Project, here: Callable[..., Outcome]
) -> None:
    """The stages of a command that names none do what the data set can do."""
    outcome = here(*TINY, "dataset.video_count=0", "model.weights=shipped")
    assert outcome.code == 0, outcome.err
    assert outcome.out.count("no images: the data set's pool split is empty") == 2


def test_a_pull_without_a_review_says_so(project: Project, here: Callable[..., Outcome]) -> None:
    outcome = here(*TINY, "dataset.pool=1", "stages=[prepare,pull]")
    assert outcome.code == 2
    assert "stage pull: nothing of data set" in outcome.err and "add review" in outcome.err
