"""The groups ``tracker``, ``tracks`` and ``render`` as they are typed."""

import pytest

from segtrack.command.app import CONF
from segtrack.command.composition import check, compose_settings
from segtrack.settings import knobs_of
from segtrack.tracker import TRACKERS


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


def test_a_reid_model_is_asked_for() -> None:
    (problem,) = check(CONF, ["tracker=botsort", "tracker.with_reid=true"])
    assert str(problem).startswith("tracker.model=auto: the detector's own features are not kept")
    (problem,) = check(CONF, ["tracker=botsort", "tracker.with_reid=true", "tracker.model=no.pt"])
    assert str(problem).startswith("tracker.model=no.pt: no such file")
