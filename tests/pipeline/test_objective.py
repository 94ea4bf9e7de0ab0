"""A wrong ``objective`` is said before the work, not after."""

from dataclasses import replace

import pytest

from segtrack.command.app import CONF
from segtrack.command.composition import check, compose_settings
from segtrack.model.ultralytics.epochs import NAMES
from segtrack.pipeline.objective import IMAGES, TRACKS, objective_problems
from segtrack.scoring.combine import HEADLINE, MASK_NAMES

ALL = "stages=[prepare,train,evaluate,track]"


def problems(objective: str, stages: str = ALL) -> list[str]:
    settings = compose_settings(CONF, [stages])
    return [str(problem) for problem in objective_problems(replace(settings, objective=objective))]


@pytest.mark.parametrize(
    "objective",
    [
        *("test/mask_map50_95", "val/box_map50", "val/box_loss", "train/box_loss", "track/hota"),
        *("test/class/truck / van/mask_map50", "track/class/a//b/hota", "track/video/x.y/mota"),
        *(
            "track/tuning/hota",
            "track/class_averaged/idf1",
            "track/count/tracsk",
            "track/mask_hota",
        ),
        *("speed/predict_ms", "review/accepted", "builds/train", "track/something_of_tomorrow"),
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
    assert recorded <= set(IMAGES)
    assert {*map(str.lower, HEADLINE), *MASK_NAMES.values()} <= set(TRACKS)


def test_it_is_a_problem_of_the_settings() -> None:
    found = check(CONF, [ALL, "objective=val/box_map55"], sweep=False)
    assert [problem.key for problem in found] == ["objective"]
