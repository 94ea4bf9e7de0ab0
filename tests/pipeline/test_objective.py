"""A wrong ``objective`` is said before the work, not after."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

import segtrack
from segtrack.command.app import CONF
from segtrack.command.checking import check
from segtrack.command.composition import compose_settings
from segtrack.evaluation.measurement import measure
from segtrack.model.ultralytics.epochs import NAMES
from segtrack.pipeline.objective import (
    IMAGES,
    RECORDED,
    TRACKS,
    TUNED,
    objective_problems,
    objective_warnings,
)
from segtrack.scoring.combine import BOX_NAMES, MASK_NAMES, SHORT
from segtrack.settings import EvaluationSettings
from tests.evaluation.scenes import Detection, Object, hand_made, write_predictions

ALL = "stages=[prepare,train,evaluate,track]"


ROLES = ["dataset=sequences", "dataset.path=.", "dataset.tuning=[a]", "dataset.test=[b]"]
BOTH = ["stages=[track]", *ROLES]


def problems(objective: str, *words: str) -> list[str]:
    settings = compose_settings(CONF, words or [ALL])
    return [str(problem) for problem in objective_problems(replace(settings, objective=objective))]


@pytest.mark.parametrize(
    "objective",
    [
        *("val/mask_map75", "val/box_map50", "val/box_loss", "train/box_loss", "track/hota"),
        *("val/class/truck / van/mask_map50", "track/class/a//b/hota", "track/video/x.y/mota"),
        *(
            "track/tuning/hota",
            "track/class_averaged/idf1",
            "track/count/tracsk",
            "track/mask_hota",
        ),
        *("speed/predict_ms", "speed/test_predict_ms", "review/accepted", "builds/train"),
        *("val/best/mask_map50", "val/class/a/b/box_ar100", "val/hidden/people/mask_recall_p80"),
        *("val/visible/.10 to .50/mask_recall50_conf", "track/count/truck / van"),
        *("track/video/x/tracks", "track/video/x/count/car", "speed/video/x/score_ms"),
        *("detect/video/x/detections", "detect/val_detections", "propose/pool_masks"),
        *("track/live/frames", "review/class/car/precision", "push/pool/proposals"),
    ],
)
def test_names_that_can_be(objective: str) -> None:
    assert problems(objective) == []


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        ("val/box_map55", "did you mean val/box_map75 or val/box_map50?"),
        ("track/hotaa", "did you mean track/hota"),
        ("track/video/x/motta", "did you mean track/video/x/mota"),
        ("track/hota_", "did you mean track/hota"),
        ("track/tunning/hota", "did you mean track/tuning/hota?"),
        ("track/tuning/deta", "track/tuning/ has hota, mota, idf1, idsw, "),
        ("track/nonsense", "there is no such metric; track/ has hota, deta, assa, loca, mota, "),
        ("track/something_of_tomorrow", "there is no such metric; track/ has hota"),
        ("track/class/a//b/nonsense", "there is no such metric; track/class/ has hota, mota, "),
        ("track/xyz/qqqqqqq", "there are track/class_averaged/, track/live/, track/tuning/"),
        ("val/visible/.1/zzzz", "val/visible/ has mask_recall50, mask_recall50_conf"),
        ("track/tunning/zzzz", "there is no such metric; track/tuning/ has hota, mota, "),
        ("val/class/car", "there is no such metric; val/class/ has mask_map50_95, "),
        ("val/best/mask_map75", "did you mean val/best/mask_map50"),
        ("builds/tarin", "did you mean builds/train"),
        ("speed/nonsense", "there is no such metric; speed/ has predict_ms, "),
        ("train/nonsense", "train/ has box_loss, seg_loss, cls_loss, dfl_loss, lr"),
        ("HOTA", "did you mean track/hota?"),
        ("trck/hota", "did you mean track/hota?"),
        ("nonsense", "there is no such metric; metrics are named like track/hota"),
        ("track/", "there is no such metric"),
    ],
)
def test_misspelt_names(objective: str, message: str) -> None:
    (problem,) = problems(objective)
    assert problem.startswith(f"objective={objective}: ") and message in problem


def test_the_stage_that_makes_it_must_be_listed() -> None:
    assert problems("track/hota", "stages=[prepare]") == [
        "objective=track/hota: is made by track: add track to stages"
    ]
    assert "add evaluate" in problems("test/mask_map50", "stages=[prepare,train]")[0]
    assert problems("val/mask_map50", "stages=[prepare,train]") == []


def test_the_names_are_those_that_are_recorded() -> None:
    recorded = {name.partition("/")[2] for name in NAMES.values() if name.startswith("val/")}
    assert recorded == set(RECORDED["val"]["best"])
    trained = {name.partition("/")[2] for name in NAMES.values() if name.startswith("train/")}
    assert {*trained, "batch"} == set(RECORDED["train"][""])
    assert {*BOX_NAMES.values(), *MASK_NAMES.values()} <= set(TRACKS)
    assert {*(BOX_NAMES[name] for name in SHORT), *MASK_NAMES.values()} == set(TUNED)


@pytest.mark.parametrize(
    ("objective", "words", "instead"),
    [
        ("test/mask_map50_95", [ALL], "choose by val/mask_map50_95"),
        ("test/box_recall", [ALL], "choose by val/box_recall"),
        ("test/mask_map50_95", ["stages=[evaluate]"], None),  # nothing is trained or validated
        ("test/mask_map50_95", [ALL, "dataset.val=0"], None),
        ("test/mask_map75", [ALL], "choose by val/mask_map50_95"),  # what training records
        ("test/box_ar100", [ALL], "choose by val/box_map50_95"),
        ("test/mask_f1", [ALL], "choose by val/mask_map50_95"),
        ("test/class/car/box_map75", [ALL], "choose by val/box_map50_95"),
        ("test/visible/.10 to .50/mask_recall50", [ALL], "choose by val/mask_map50_95"),
        ("test/hidden/people/mask_recall_p80", [ALL], "choose by val/mask_map50_95"),
        ("test/class/car/mask_map50", [ALL, "dataset.val=0"], None),
        ("track/test/hota", BOTH, "test the choice; choose by track/tuning/hota"),
        ("track/test/class/car/hota", BOTH, "choose by track/tuning/hota"),
        ("track/video/b/mota", BOTH, "choose by track/tuning/mota"),
        ("track/class/car/idf1", BOTH, "of all sequences, .* choose by track/tuning/idf1"),
        ("track/class_averaged/deta", BOTH, "of all sequences, .* choose by track/tuning/hota"),
        ("track/deta", BOTH, "of all sequences, .* choose by track/tuning/hota"),
        *((f"track/{name}", BOTH, None) for name in ("hota", "tuning/idf1", "video/a/idf1")),
        ("track/tracks", BOTH, None),  # a count that needs no ground truth
        ("track/deta", [*BOTH, "dataset.test=[]"], None),
        ("track/test/hota", [*BOTH, "dataset.tuning=[]"], None),
        ("track/class/car/idf1", [*BOTH, "video=v.mp4"], None),  # videos have no roles
    ],
)
def test_what_tests_the_choice_does_not_choose(
    objective: str, words: list[str], instead: str | None
) -> None:
    found = problems(objective, *words)
    assert bool(found) == (instead is not None)
    if instead is not None:
        assert re.search(instead, found[0]) and found[0].startswith(f"objective={objective}: is of")


def test_where_nothing_else_can_choose_it_is_said() -> None:
    def said(objective: str) -> list[str]:
        settings = compose_settings(CONF, [ALL])
        return list(objective_warnings(replace(settings, objective=objective)))

    assert said("track/test/hota") == [
        "objective=track/test/hota: chooses by the data that tests it, so that nothing tests the "
        "choice; with dataset.tuning=[...] something would"
    ]
    assert "with a split val and training something would" in said("test/mask_map75")[0]
    assert said("track/hota") == said("val/mask_map50_95") == said("track/tuning/hota") == []


def test_all_that_the_source_reports_can_be_an_objective() -> None:
    groups = "|".join(RECORDED)
    call = re.compile(rf'\b(?:report|record|Metric)\(\s*f?"((?:{groups})/[^"]+)"')
    names = {
        name.replace("{kind}", "").replace("{group}", "").replace("{split}", "train")
        for path in Path(segtrack.__file__).parent.rglob("*.py")
        for name in call.findall(path.read_text(encoding="utf-8"))
    }
    known = sorted(name for name in names if "{" not in name.rpartition("/")[2])
    assert len(known) > 25 and "track/interpolated" in known and "speed/truth_ms" in known
    stages = ["stages=[prepare,train,evaluate,track,push,pull]"]
    assert [one for name in known for one in problems(name, *stages)] == []


def test_all_that_an_evaluation_reports_can_be_an_objective(tmp_path: Path) -> None:
    objects = [Object(0, 0, (10, 10, 20, 20)), Object(0, 1, (60, 60, 20, 20))]
    found = [Detection(0, 0, 0.9, (10, 10, 20, 20))]
    predictions = write_predictions(tmp_path, ("car", "person"), 1, found)
    dataset = hand_made(("car", "person"), 1, objects)
    names = measure(dataset, "val", predictions, EvaluationSettings(gallery=0)).metrics()
    assert len(names) > 30 and [one for name in names for one in problems(name)] == []
    assert {n.partition("/")[2] for n in names if n.count("/") == 1} == set(IMAGES)


def test_it_is_a_problem_of_the_settings() -> None:
    found = check(CONF, [ALL, "objective=val/box_map55"], sweep=False)
    assert [problem.key for problem in found] == ["objective"]
