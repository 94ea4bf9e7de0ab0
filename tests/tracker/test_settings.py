"""The groups ``tracker``, ``tracks`` and ``render`` as they are typed."""

import re
from pathlib import Path

import pytest

from segtrack.command.app import CONF
from segtrack.command.checking import check
from segtrack.command.composition import compose_settings
from segtrack.settings import knobs_of
from segtrack.tracker import TRACKERS

MOVED = {
    "tracker.render=true": "render.enabled",
    "tracker.trail=10": "render.trail",
    "tracker.min_length=3": "tracks.min_length",
    "tracker.min_area=100": "tracks.min_area",
    "tracker.max_aspect_ratio=1.6": "tracks.max_aspect_ratio",
    "tracker.interpolate=20": "tracks.interpolate",
    "tracker.disjoint_masks=true": "tracks.disjoint_masks",
}


@pytest.mark.parametrize("name", list(TRACKERS))
def test_every_tracker_composes_to_its_own_settings(name: str) -> None:
    assert check(CONF, [f"tracker={name}"]) == []
    chosen = compose_settings(CONF, [f"tracker={name}"]).tracker
    assert type(chosen) is TRACKERS.get(name).settings
    assert chosen == TRACKERS.get(name).settings()


@pytest.mark.parametrize("name", list(TRACKERS))
def test_every_knob_says_what_it_does(name: str) -> None:
    knobs = knobs_of(TRACKERS.get(name).settings)
    assert [knob.name for knob in knobs.values() if not knob.effect] == []


def test_settings_of_the_result_and_of_the_video() -> None:
    words = ["tracks.interpolate=20", "tracks.min_length=3", "render.enabled=true"]
    settings = compose_settings(CONF, words)
    assert (settings.tracks.interpolate, settings.tracks.min_length) == (20, 3)
    assert (settings.render.enabled, settings.render.trail) == (True, 30)
    (problem,) = check(CONF, ["tracks.min_length=0"])
    assert str(problem) == "tracks.min_length=0: must lie in 1 to 100000 frames"


@pytest.mark.parametrize(("word", "key"), MOVED.items())
def test_the_old_name_of_a_knob_names_the_new_one(word: str, key: str) -> None:
    told = f"{word.partition('=')[0]}=[^:]*: is now called {key}: type {key}=VALUE"
    for typed in (word, f"+{word}", f"++{word}"):
        (problem,) = check(CONF, [typed], sweep=False)
        assert re.search(told, str(problem)), problem
    problems = check(CONF, [f"{word},null"])  # a sweep: one for each of its values
    assert len(problems) == 2
    assert all(re.search(told, str(problem)) for problem in problems), problems


def test_an_experiment_with_old_names_is_told_the_new_one(tmp_path: Path) -> None:
    folder = tmp_path / "experiment"
    folder.mkdir()
    text = "# @package _global_\ntracker:\n  interpolate: 20\n"
    (folder / "old.yaml").write_text(text, encoding="utf-8")
    problems = [str(problem) for problem in check(CONF, ["experiment=old"], tmp_path)]
    assert len(problems) == 1, problems
    assert "tracks.interpolate" in problems[0], problems[0]


def test_a_reid_model_is_asked_for() -> None:
    (problem,) = check(CONF, ["tracker=botsort", "tracker.with_reid=true"])
    assert str(problem).startswith("tracker.model=auto: the detector's own features are not kept")
    (problem,) = check(CONF, ["tracker=botsort", "tracker.with_reid=true", "tracker.model=no.pt"])
    assert str(problem).startswith("tracker.model=no.pt: no such file")
