"""What decides the trajectories of one tracker, and not those of another."""

from dataclasses import replace
from pathlib import Path

import pytest

from segtrack.base.errors import DataError
from segtrack.command.app import CONF
from segtrack.command.composition import compose_settings
from segtrack.dataset import VideoSequence
from segtrack.pipeline import STAGES, Recipe, Result
from segtrack.settings import shaping
from segtrack.tracker import TRACKERS

FILM = VideoSequence("film", Path("film.mp4"), "abc", 640, 360, 30.0, 90)


class Asked:
    """In place of a run: the stages before this one have their results."""

    def __init__(self, *words: str) -> None:
        self.settings = compose_settings(CONF, words)

    def __call__(self, stage: str, sequence: VideoSequence) -> Result:
        kind = TRACKERS.get(self.settings.tracker.name)
        if stage == "motion" and not kind.needs_motion(self.settings.tracker):
            return Result(None)
        return Result(stage, f"key of {stage}")


def recipe(*words: str, sequence: VideoSequence = FILM) -> Recipe:
    found = STAGES.get("associate").make(Asked(*words), sequence=sequence)
    assert isinstance(found, Recipe)
    return found


def test_of_bytetrack_only_its_own_version_and_the_detections_count() -> None:
    found = recipe()
    assert found.settings == {"version": TRACKERS.get("bytetrack").version}
    assert found.libraries == ()
    assert found.inputs == {"predictions": "key of detect", "fps": 30.0}


def test_a_moving_camera_counts_where_it_is_followed() -> None:
    assert recipe("tracker.camera_motion=true").inputs["motion"] == "key of motion"


def test_of_a_tracker_that_looks_at_frames_these_and_their_libraries_count() -> None:
    found = recipe("tracker=botsort")
    assert found.libraries == ("ultralytics", "lap", "opencv-python", "torch")
    assert found.inputs["video"] == "abc"
    assert "video" not in recipe("tracker=botsort", "tracker.gmc_method=none").inputs


def test_a_reid_model_counts_by_its_content(tmp_path: Path) -> None:
    model = tmp_path / "reid.pt"
    words = ("tracker=botsort", "tracker.with_reid=true", f"tracker.model={model}")
    found = set()
    for content in (b"one", b"other"):
        model.write_bytes(content)
        found.add(recipe(*words).inputs["file 0"])
    assert len(found) == 2
    assert "file 0" not in recipe(*words[:1], words[2]).inputs


@pytest.mark.parametrize(
    ("words", "mend"),
    [
        (["tracker=tracktrack"], "tracker.gmc_method=none tracker.with_reid=false"),
        (["tracker.camera_motion=true"], "tracker.camera_motion=false"),
    ],
)
def test_frames_that_are_missing(words: list[str], mend: str) -> None:
    blind = replace(FILM, path=None, det=Path("det.txt"))
    with pytest.raises(DataError, match=rf"sequence film: tracker=\w+ looks at .* without: {mend}"):
        recipe(*words, sequence=blind)
    assert recipe("tracker=ocsort", sequence=blind).inputs["predictions"] == "key of detections"


def test_a_reid_model_on_a_gpu_is_not_the_one_on_a_cpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "reid.pt").write_bytes(b"one")
    words = ("tracker=botsort", "tracker.with_reid=true", f"tracker.model={tmp_path / 'reid.pt'}")
    found = []
    for there in (False, True):
        monkeypatch.setattr("torch.cuda.is_available", lambda there=there: there)
        monkeypatch.setattr("torch.cuda.device_count", lambda there=there: int(there))
        for device in ("auto", "cpu"):
            found.append(recipe(*words, f"device={device}").settings["compute"]["device"])
    assert found == ["cpu", "cpu", "cuda", "cpu"]
    assert recipe(*words, "device=0").settings["compute"] == {"device": "cuda"}
    assert "compute" not in recipe("tracker=botsort", "device=0").settings
    blind = recipe("tracker=bytetrack", "device=0")
    assert blind.settings == recipe("tracker=bytetrack").settings


def test_the_run_s_device_reaches_the_tracker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[object] = []
    monkeypatch.setattr("segtrack.tracker.associate", lambda *how: given.append(how[-1]))
    for device in ("auto", "cpu", "cuda"):
        build = recipe("tracker=ocsort", f"device={device}").build
        build(tmp_path, lambda *_: None)
    assert given == ["auto", "cpu", "cuda"]


def test_where_a_reid_model_lies_does_not_count(tmp_path: Path) -> None:
    settings = Asked("tracker=botsort", f"tracker.model={tmp_path / 'reid.pt'}").settings
    assert "model" not in shaping(settings.tracker)
