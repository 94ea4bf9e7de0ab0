"""What ``video=`` chooses where a command leaves it open, and where it does not."""

from pathlib import Path

import pytest

from segtrack.command.app import CONF
from segtrack.command.choices import choices_text, video_choices, with_words
from segtrack.command.composition import compose_settings

TRACK = ("stages=[track]", "video=v.mp4", "model.weights=shipped")


@pytest.mark.parametrize(
    ("words", "dataset"),
    [
        ((), None),
        (("stages=[track]",), None),
        (TRACK, "none"),
        ((*TRACK, "dataset.classes=[car]", "dataset.det_class=car"), "none"),
        ((*TRACK, "tracker.track_thresh=0.3", "seed=3"), "none"),
        # a data set is named, or a knob that only the default one has
        ((*TRACK, "dataset=yolo", "dataset.path=somewhere"), None),
        ((*TRACK, "dataset=traffic_sim"), None),
        ((*TRACK, "dataset.density=0.3"), None),
        ((*TRACK, "experiment=bytetrack_mot17"), None),
        # it is used: for images, or since training gives the weights
        (("stages=[prepare,track]", *TRACK[1:]), None),
        (("video=v.mp4",), None),
        (TRACK[:2], None),
        ((*TRACK[:2], "model.weights=scratch"), None),
        # several values
        (("stages=[track]", "video=a.mp4,b.mp4", "model.weights=shipped"), "none"),
        (("stages=[track]", "video=null,b.mp4", "model.weights=shipped"), None),
        # what is wrong is said elsewhere
        ((*TRACK, "tracker=no"), None),
        (("video=(",), None),
    ],
)
def test_the_data_set_of_a_command(words: tuple[str, ...], dataset: str | None) -> None:
    assert video_choices(CONF, words).get("dataset") == dataset


@pytest.mark.parametrize(
    ("words", "tracker"),
    [
        ((), None),
        (TRACK, "bytetrack_video"),
        (("video=v.mp4",), "bytetrack_video"),
        ((*TRACK, "dataset=sequences", "dataset.path=somewhere"), "bytetrack_video"),
        ((*TRACK, "tracker.track_thresh=0.5"), "bytetrack_video"),
        ((*TRACK, "tracker=bytetrack"), None),
        ((*TRACK, "tracker=bytetrack,botsort"), None),
        # benchmarks, and data sets with ground truth
        (("stages=[track]", "dataset=sequences", "dataset.path=somewhere"), None),
        (("experiment=bytetrack_mot17",), None),
        (("stages=[prepare,track]",), None),
    ],
)
def test_the_thresholds_of_a_command(words: tuple[str, ...], tracker: str | None) -> None:
    assert video_choices(CONF, words).get("tracker") == tracker


def test_thresholds_that_are_typed_still_hold() -> None:
    paper = compose_settings(CONF, []).tracker
    words = [*TRACK, "tracker=bytetrack_video"]
    preset = compose_settings(CONF, words).tracker
    assert preset.name == paper.name == "bytetrack"
    changed = {k for k, v in vars(preset).items() if v != getattr(paper, k)}
    assert changed == {"track_thresh"}
    typed = [*words, f"tracker.track_thresh={paper.track_thresh}"]
    assert compose_settings(CONF, typed).tracker == paper


def test_nothing_of_the_simulator_is_composed_where_it_is_not_used() -> None:
    chosen = video_choices(CONF, TRACK)
    settings = compose_settings(CONF, [*TRACK, *(f"{k}={v}" for k, v in chosen.items())])
    assert settings.dataset.source == "none"
    assert not hasattr(settings.dataset, "density")


def test_a_configuration_of_a_further_folder_may_name_the_video(tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text(
        "# @package _global_\nstages: [track]\nvideo: v.mp4\nmodel: {weights: shipped}\n"
    )
    assert video_choices(CONF, ["experiment=mine"], tmp_path)["dataset"] == "none"


@pytest.mark.parametrize(
    ("words", "overrides", "whole"),
    [
        (["a=1", "b=2"], ["a=1", "b=2"], ["a=1", "x=y", "b=2"]),
        (["--cfg", "job", "a=1", "-m"], ["a=1"], ["--cfg", "job", "a=1", "x=y", "-m"]),
        (["-m"], [], ["-m", "x=y"]),
    ],
)
def test_the_words_stay_in_one_piece(
    words: list[str], overrides: list[str], whole: list[str]
) -> None:
    assert with_words(words, overrides, ["x=y"]) == whole
    assert with_words(words, overrides, []) == words


def test_one_line_says_it() -> None:
    text = choices_text({"dataset": "none"})
    assert text.startswith("video= chooses dataset=none (the classes are those of the weights")
