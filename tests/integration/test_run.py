"""The whole loop as a user types it, once, and everything it leaves looked at."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from segtrack.evaluation import METRICS, estimates
from segtrack.evaluation.units import ImageUnits
from segtrack.runs import KeptRun, find
from segtrack.settings import MlflowSettings
from tests.integration.conftest import TINY, Outcome, Project

LOOP = [*TINY, "model.weights=shipped"]
IMAGES = ("prepare", "train", "predict", "evaluate")
STAGES = (*IMAGES, "detect", "associate", "truth", "score", "render")


@pytest.fixture(scope="module")
def loop(
    tmp_path_factory: pytest.TempPathFactory, new_project: Callable[[Path], Project]
) -> tuple[Project, Outcome]:
    project = new_project(tmp_path_factory.mktemp("loop") / "a project, with spaces [ü]")
    return project, project.fresh(*LOOP)


def test_it_ends_well_and_says_where_things_are(loop: tuple[Project, Outcome]) -> None:
    project, outcome = loop
    assert outcome.code == 0, outcome.err
    assert "test/mask_map50_95" in outcome.out
    assert "annotated video  outputs/" in outcome.out
    assert "make ui" in outcome.out
    assert [result.split("/")[0] for result in project.results()] == sorted(STAGES)


def test_one_run_with_every_kind_of_record(loop: tuple[Project, Outcome]) -> None:
    project, _ = loop
    (run,) = project.runs()
    assert run.info.status == "FINISHED"
    metrics = run.data.metrics
    for name in (
        "train/box_loss",
        "train/seg_loss",
        "train/lr",
        "val/mask_map50_95",
        "test/mask_map50_95",
        "test/mask_map50",
        "test/box_map50_95",
        "test/box_map50",
        "track/tracks",
        "track/objects",
        "track/hota",
        "track/mota",
        "track/idf1",
        "track/mask_hota",
        "track/smotsa",
        "track/video/sim-0/hota",
    ):
        assert name in metrics, sorted(metrics)
    assert any(name.startswith("test/class/car/") for name in metrics)
    for stage in STAGES:
        assert metrics[f"builds/{stage}"] == 1
    history = project.client.get_metric_history(run.info.run_id, "train/box_loss")
    assert [m.step for m in history] == [1]
    assert run.data.params["trainer.epochs"] == "1"
    stages = '["prepare", "train", "evaluate", "track", "review", "pull"]'
    assert run.data.params["stages"] == stages
    tags = run.data.tags
    assert tags["choice.model"] == "yolov8n-seg"
    assert tags["weights.start"] == "shipped"
    assert len(tags["dataset.fingerprint"]) == 64
    assert len(tags["weights.sha256"]) == 64
    assert tags["config.hash"] and "trainer=smoke" in tags["command"]
    (used,) = run.inputs.dataset_inputs
    assert used.dataset.name == "traffic_sim"


def test_the_artifacts_are_there(loop: tuple[Project, Outcome]) -> None:
    project, _ = loop
    (run,) = project.runs()
    artifacts = project.artifacts(run)
    for name in (
        "config.yaml",
        "overrides.txt",
        "environment.txt",
        "data/checks.txt",
        "data/contact_sheet.jpg",
        "weights/best.pt",
        "train/results.csv",
    ):
        assert name in artifacts, sorted(artifacts)
    video = {name.split("/", 2)[2] for name in artifacts if name.startswith("tracking/")}
    assert {"results.json", "annotated.mp4", "mot.txt", "mots.txt"} <= video
    figures = {name for name in artifacts if name.startswith("evaluation/")}
    assert sum(name.endswith(".png") for name in figures) >= 6
    assert sum(name.endswith(".csv") for name in figures) >= 6


def test_the_evaluated_images_can_be_compared(loop: tuple[Project, Outcome]) -> None:
    """They have the AP that the run reports, and are known by the fingerprint of their split."""
    project, _ = loop
    (run,) = project.runs()
    root = project.folder / "mlruns" / "artifacts" / "segtrack" / run.info.run_id / "artifacts"
    units = ImageUnits.load(root / "evaluation" / "units.npz")
    prepared = json.loads((root / "data" / "dataset.json").read_text())
    assert (units.split, units.fingerprint) == ("test", prepared["splits"]["test"])
    assert len(units.group) == prepared["counts"]["test"]
    scores = estimates(units, METRICS)
    reported = [run.data.metrics[f"test/{metric}"] for metric in METRICS]
    assert [scores[metric].score for metric in METRICS] == pytest.approx(reported, abs=1e-9)


def test_all_that_it_kept_is_read_back(loop: tuple[Project, Outcome], tmp_path: Path) -> None:
    project, _ = loop
    (run,) = project.runs()
    where = MlflowSettings(uri=f"sqlite:///{project.folder / 'mlruns' / 'mlflow.db'}")
    (output,) = project.folder.glob("outputs/*/*")
    for words in ([], [str(output)]):
        (kept,) = find(where, words, tmp_path)
        assert isinstance(kept, KeptRun) and kept.id == run.info.run_id
    assert kept.config["tracker.track_thresh"] == 0.5
    assert kept.history("train/box_loss") == [(1, kept.metrics["train/box_loss"])]
    assert kept.weights is not None and kept.weights.name == "best.pt"
    (video,) = kept.videos
    assert (video.name, video.head["frame_count"]) == ("sim-0", 8)
    assert video.source is not None and video.source.suffix == ".mp4" and video.annotated
    assert video.tracks is not None
    objects = json.loads(video.results.read_text())["objects"]
    assert sum(len(frame) for frame in video.tracks.frames()) == len(objects)
    assert video.truth is not None and video.truth.boxes is not None and video.truth.masks
    assert video.scores is not None and ("box", "car") in video.scores.counts
    matches = video.matches["box", "car"]
    car = {name: number for number, name in video.truth.boxes.names}["car"]
    judged = video.truth.boxes.judged & (video.truth.boxes.class_id == car)
    assert (~matches.false).sum() == judged.sum() > 0
    evaluation = kept.evaluation
    assert evaluation is not None and evaluation.dataset is not None
    assert evaluation.metrics["test/mask_map50"] == kept.metrics["test/mask_map50"]
    assert evaluation.units is not None and evaluation.units.split == "test"
    assert evaluation.predictions is not None
    known = {image.image_id for image in evaluation.dataset.iter_images("test")}
    assert {frame.frame for frame in evaluation.predictions.frames()} <= known
    assert [row["class"] for row in evaluation.per_class][:4] == list(evaluation.dataset.names)


def test_results_json_follows_its_schema_and_names_its_run(loop: tuple[Project, Outcome]) -> None:
    from segtrack.tracker import validate_results

    project, _ = loop
    (run,) = project.runs()
    (path,) = project.folder.glob("outputs/*/*/tracking/*/results.json")
    validate_results(path)
    document = json.loads(path.read_text())
    assert document["schema_version"] == "2.0"
    assert document["run"]["mlflow_run_id"] == run.info.run_id
    assert document["video"]["frame_count"] == 8
    assert (document["video"]["width"], document["video"]["height"]) == (192, 128)
    assert document["model"]["weights_sha256"] == run.data.tags["weights.sha256"]
    assert document["tracker"]["track_thresh"] == 0.5
    assert list(document["model"]["classes"].values()) == ["person", "car", "truck", "bus"]


def test_the_same_command_again_builds_nothing_and_logs_the_same(
    loop: tuple[Project, Outcome],
) -> None:
    project, _ = loop
    first = project.runs()[0]
    planned = project.run(*LOOP, "plan=true")
    said = dict(line.split()[:2] for line in planned.out.splitlines())
    given = {"start": "given", "weights": "given"}
    last = {"track": "hit", "review": "platform", "pull": "platform"}
    assert said == {**dict.fromkeys(STAGES, "hit"), **given, **last}, planned.out
    again = project.run(*LOOP)
    assert again.code == 0, again.err
    second = project.runs()[1]
    builds = {k: v for k, v in second.data.metrics.items() if k.startswith("builds/")}
    assert set(builds.values()) == {0.0}
    same = {k: v for k, v in first.data.metrics.items() if not k.startswith("builds/")}
    assert same == {k: v for k, v in second.data.metrics.items() if not k.startswith("builds/")}
    history = project.client.get_metric_history(second.info.run_id, "train/box_loss")
    assert [m.step for m in history] == [1]


def test_another_threshold_is_planned_as_one_association(loop: tuple[Project, Outcome]) -> None:
    project, _ = loop
    planned = project.run(*LOOP, "tracker.track_thresh=0.4", "plan=true").out.splitlines()
    said = dict(line.split(maxsplit=1) for line in planned)
    built = [name for name, text in said.items() if text.startswith("build")]
    after = {name for name, text in said.items() if text.startswith("after associate")}
    assert built == ["associate"] and after == {"track"}
    assert "settings.tracker.track_thresh: 0.5 -> 0.4" in said["associate"]
    assert said["start"].split() == ["given", "yolov8n-seg", "shipped", said["start"].split()[-1]]
    assert said["weights"].split()[:3] == ["given", "yolov8n-seg", "trained"]


def test_a_stage_alone_takes_the_rest_from_the_store(loop: tuple[Project, Outcome]) -> None:
    project, _ = loop
    outcome = project.run(*TINY, "stages=[track]", "tracker.track_thresh=0.3")
    assert outcome.code == 0, outcome.err
    metrics = project.runs()[-1].data.metrics
    builds = {k: v for k, v in metrics.items() if k.startswith("builds/")}
    assert builds == {
        "builds/prepare": 0,
        "builds/train": 0,
        "builds/detect": 0,
        "builds/associate": 1,
        "builds/truth": 0,
        "builds/score": 1,
        "builds/render": 1,
    }


def test_weights_of_a_run_are_used_by_another(loop: tuple[Project, Outcome]) -> None:
    project, _ = loop
    source = project.runs()[0]
    words = [*TINY, "stages=[prepare,evaluate]", f"model.weights=run:{source.info.run_id}"]
    outcome = project.run(*words)
    assert outcome.code == 0, outcome.err
    last = project.runs()[-1]
    assert last.data.tags["weights.origin"] == f"run:{source.info.run_id}"
    assert last.data.metrics["test/mask_map50"] == source.data.metrics["test/mask_map50"]
