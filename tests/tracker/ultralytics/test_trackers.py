"""ultralytics' other trackers behind our door, each compared with itself fed directly."""

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from segtrack.base.errors import DataError, SettingsError
from segtrack.command.app import CONF
from segtrack.command.composition import compose_settings
from segtrack.model.predictions import FrameDetections, Predictions
from segtrack.settings import TracksSettings
from segtrack.tracker import TRACKERS, TrackedFrame, Tracks, associate, make_tracker
from segtrack.tracker.bytetrack import ByteTrackSettings
from segtrack.tracker.cascade import CascadeSettings
from segtrack.tracker.ultralytics import BotSortSettings, DeepOcSortSettings, GmcMethod
from segtrack.tracker.ultralytics.trackers import CLASSES, UltralyticsTracker, arguments
from tests.tracker.conftest import Reported, detections
from tests.tracker.peer import Boxes, mot_detections

NAMES = tuple(CLASSES)
Predict = Callable[..., Predictions]


@cache
def options(name: str, *words: str) -> CascadeSettings:
    """The group's own defaults, changed by overrides."""
    words = (f"tracker={name}", *(f"tracker.{w}" for w in words))
    chosen = compose_settings(CONF, words).tracker
    assert isinstance(chosen, CascadeSettings)
    return chosen


def blind(name: str, *words: str) -> CascadeSettings:
    """A tracker that does not look at the picture."""
    knows = name in ("botsort", "tracktrack")
    return options(name, *(["gmc_method=none"] if knows else []), *words)


def peer(chosen: CascadeSettings, fps: float = 30) -> Any:
    """ultralytics' tracker, to be fed directly."""
    from importlib import import_module

    import segtrack.model.ultralytics.library  # noqa: F401

    module, name = CLASSES[chosen.name]
    made = getattr(import_module(f"ultralytics.trackers.{module}"), name)
    return made(arguments(chosen, fps))


def walk(frame: int, *starts: float, score: float = 0.9) -> FrameDetections:
    """Objects of one class that walk to the right, 2 px per frame."""
    x = [(0, score, a + 2 * frame, 50, a + 2 * frame + 40, 130) for a in starts]
    return detections(frame, x)


def facts(seen: TrackedFrame) -> tuple[Any, ...]:
    return seen.track_id.tolist(), seen.det_index.tolist(), seen.bbox_xyxy.tolist()


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_of_ultralytics_is_there_with_its_default(name: str) -> None:
    from ultralytics.utils import ROOT

    import segtrack.model.ultralytics.library  # noqa: F401

    theirs = yaml.safe_load((ROOT / "cfg" / "trackers" / f"{name}.yaml").read_text("utf-8"))
    ours = vars(arguments(options(name), 30))
    assert {key: ours[key] for key in theirs} == theirs
    assert set(ours) - set(theirs) <= {"fuse_score"}  # every tracker of ours has it


def test_settings_under_the_names_of_ultralytics() -> None:
    chosen = options(
        "ocsort", "track_thresh=0.4", "low_thresh=0.2", "new_track_thresh=null", "delta_t=2"
    )
    assert vars(arguments(chosen, 15)) == {
        "tracker_type": "ocsort",
        "track_high_thresh": 0.4,
        "track_low_thresh": 0.2,
        "new_track_thresh": 0.5,
        "match_thresh": 0.8,
        "track_buffer": 15,
        "fuse_score": True,
        "delta_t": 2,
        "inertia": 0.2,
        "use_byte": False,
    }


@pytest.mark.parametrize(
    ("chosen", "looks"),
    [
        (ByteTrackSettings(), False),
        (BotSortSettings(), True),
        (BotSortSettings(gmc_method=GmcMethod.none), False),
        (BotSortSettings(gmc_method=GmcMethod.none, with_reid=True), True),
        (DeepOcSortSettings(), False),
        (DeepOcSortSettings(gmc_method=GmcMethod.ecc), True),
    ],
)
def test_who_looks_at_the_picture(chosen: CascadeSettings, looks: bool) -> None:
    assert TRACKERS.get(chosen.name).needs_frames(chosen) is looks


@pytest.mark.parametrize("name", NAMES)
def test_equal_to_ultralytics_fed_directly(name: str, shared_data: Path) -> None:
    """120 frames of MOT17-09 (pedestrians): the same objects in the same boxes, ids up to
    renaming; each points at its own detection."""
    chosen = blind(name, "class_aware=false")
    tracker, reference = make_tracker(chosen, 30), peer(chosen)
    renamed: dict[int, int] = {}
    objects = 0
    for frame in mot_detections(shared_data / "mot/MOT17-val-half/MOT17-09-FRCNN")[:120]:
        theirs = reference.update(Boxes.of(frame)).reshape(-1, 8)
        theirs = theirs[np.argsort(theirs[:, 7])]
        ours = tracker.update(frame)
        order = np.argsort(ours.det_index)
        assert ours.det_index[order].tolist() == theirs[:, 7].astype(int).tolist()
        for i, track_id in zip(theirs[:, 4].tolist(), ours.track_id[order].tolist(), strict=True):
            assert renamed.setdefault(i, track_id) == track_id
        np.testing.assert_allclose(ours.bbox_xyxy[order], theirs[:, :4], atol=1e-3)
        np.testing.assert_array_equal(ours.score[order], theirs[:, 5])
        np.testing.assert_array_equal(ours.score, frame.score[ours.det_index])
        objects += len(ours)
    assert len(set(renamed.values())) == len(renamed)
    assert objects > 500
    assert len(renamed) > 10


@pytest.mark.parametrize("name", NAMES)
def test_trackers_that_live_at_once_share_nothing(name: str) -> None:
    """Two videos, one after the other in both orders and frame by frame in turn."""
    first = [walk(t, 10, 200) for t in range(8)]
    second = [walk(t, 100) for t in range(8)]
    make = lambda: make_tracker(blind(name), 30)  # noqa: E731
    alone = [
        [facts(tracker.update(f)) for f in film] for film in (first, second) for tracker in [make()]
    ]
    back = [
        [facts(tracker.update(f)) for f in film] for film in (second, first) for tracker in [make()]
    ]
    assert back == alone[::-1]
    a, b = make(), make()
    in_turn = [(facts(a.update(f)), facts(b.update(g))) for f, g in zip(first, second, strict=True)]
    assert in_turn == list(zip(*alone, strict=True))
    assert alone[0][-1][0] == [1, 2]
    assert alone[1][-1][0] == [1]


@pytest.mark.parametrize("name", NAMES)
def test_classes_do_not_meet_unless_asked(name: str) -> None:
    """An object that turns into another class; one class that comes late."""

    def ids(class_aware: bool) -> set[int]:
        tracker = make_tracker(blind(name, f"class_aware={str(class_aware).lower()}"), 30)
        seen: set[int] = set()
        for t in range(20):
            frame = detections(t, [(int(t >= 10), 0.9, 100, 50, 140, 110)])
            seen.update(tracker.update(frame).track_id.tolist())
        return seen

    assert ids(False) == {1}
    assert ids(True) == {1, 2}


@pytest.mark.parametrize("name", NAMES)
def test_a_class_that_comes_late_is_not_trusted_at_once(name: str) -> None:
    tracker = make_tracker(blind(name), 30)
    person, car = (0, 0.9, 10, 10, 30, 60), (1, 0.9, 100, 10, 140, 40)
    seen = [
        tracker.update(detections(t, [person] if t < 4 else [person, car])).track_id.tolist()
        for t in range(8)
    ]
    assert seen[0] == [1]  # the video's first frame
    assert seen[4] == [1]
    assert seen[7] == [1, 2]


@pytest.mark.parametrize("name", NAMES)
def test_broken_detections_and_empty_frames(name: str) -> None:
    rows = [
        (0, np.nan, 10, 10, 30, 60),
        (0, 0.9, np.nan, 10, 30, 60),
        (0, 0.9, 10, 10, np.inf, 60),
        (0, 0.9, 10, 10, 10, 60),  # no width
        (0, 0.9, 30, 60, 10, 10),  # inside out
        (0, 1.5, 50, 50, 70, 90),  # counts as 1
        (0, -0.5, 80, 50, 99, 90),
    ]
    tracker = make_tracker(blind(name), 30)
    assert len(tracker.update(detections(0, []))) == 0
    for t in range(1, 5):
        seen = tracker.update(detections(t, rows))
    assert seen.det_index.tolist() == [5]
    assert seen.score.tolist() == [1.0]
    assert len(tracker.update(detections(5, []))) == 0
    assert [a.dtype for a in (seen.track_id, seen.det_index, seen.bbox_xyxy, seen.class_id)] == [
        np.int64,
        np.int64,
        np.float32,
        np.int16,
    ]


@hypothesis_settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_detections_does_not_matter(name: str, data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 5))
    seed = data.draw(st.integers(0, 99))
    rng = np.random.default_rng(seed)
    start, speed = rng.uniform(0, 300, (count, 2)), rng.uniform(-4, 4, (count, 2))
    score = rng.choice([0.3, 0.8, 0.9], (10, count))
    one, other = make_tracker(blind(name), 30), make_tracker(blind(name), 30)
    for t in range(10):
        low = start + t * speed
        rows = [(0, s, x, y, x + 40, y + 90) for s, (x, y) in zip(score[t], low, strict=True)]
        frame = detections(t, rows)
        order = np.array(data.draw(st.permutations(range(count))))
        a, b = one.update(frame), other.update(frame.take(order))
        assert a.track_id.tolist() == b.track_id.tolist()
        assert a.det_index.tolist() == order[b.det_index].tolist()
        np.testing.assert_array_equal(a.bbox_xyxy, b.bbox_xyxy)


def scenery(seed: int) -> np.ndarray:
    """A picture with coarse and fine structure."""
    import cv2

    rng = np.random.default_rng(seed)
    layers = [
        cv2.resize(rng.integers(0, 256, (n, 2 * n, 3)).astype(np.float32), (600, 400))
        for n in (5, 12, 60)
    ]
    return np.clip(np.mean(layers, axis=0), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("method", ["none", "sparseOptFlow", "orb", "sift", "ecc"])
def test_a_camera_that_turns_away(method: str) -> None:
    """The picture jumps by a box's width in frame 5: only who looks keeps the object's id. With
    classes apart, both classes follow the same motion although one was not there before."""
    picture = scenery(0)
    tracker = make_tracker(options("botsort", f"gmc_method={method}", "match_thresh=0.5"), 30)
    ids = []
    for t in range(8):
        jump = 24 if t >= 5 else 0
        image = np.ascontiguousarray(picture[20:320, 20 + jump : 420 + jump])
        x = 200 - jump
        rows = [(0, 0.9, x, 100, x + 30, 170), (1, 0.9, x + 80, 100, x + 110, 170)]
        ids.append(tracker.update(detections(t, rows), image).track_id.tolist())
    assert ids[:5] == [[1, 2]] * 5
    assert ids[5:] == ([[1, 2]] * 3 if method != "none" else [[], [3, 4], [3, 4]])


@pytest.mark.parametrize("name", ["botsort", "tracktrack"])
def test_a_cut(name: str, predictions: Predict, report: Reported, tmp_path: Path) -> None:
    """Frames from another scene, and objects at other places: nothing goes on across the cut."""
    frames = [walk(t, 10, 200) if t < 6 else walk(t, 400) for t in range(12)]
    films = scenery(1), scenery(2)
    images = [films[t >= 6] for t in range(12)]
    made = predictions(frames, 12, width=600, height=400)
    associate(made, options(name), TracksSettings(), tmp_path, report, frames=iter(images))
    tracks = Tracks.load(tmp_path).summary()
    assert [(track.last_frame < 6) for track in tracks] == [True, True, False]
    assert tracks[2].first_frame >= 6
    assert report["track/objects"] > 12


def test_a_picture_that_is_missing() -> None:
    tracker = make_tracker(options("botsort"), 30)
    with pytest.raises(DataError, match=r"tracker=botsort: frame 0 .*gmc_method=none"):
        tracker.update(walk(0, 10))


def test_pictures_of_another_video(predictions: Predict, report: Reported, tmp_path: Path) -> None:
    made = predictions([walk(t, 10) for t in range(3)], 3, width=64, height=48)
    black = np.zeros((48, 64, 3), np.uint8)
    with pytest.raises(DataError, match="ends after 2 frames, but its predictions have 3"):
        associate(
            made, options("botsort"), TracksSettings(), tmp_path, report, frames=iter([black] * 2)
        )
    with pytest.raises(DataError, match=r"frame 0 is 48x64 pixels, .* 64x48"):
        turned = np.zeros((64, 48, 3), np.uint8)
        associate(
            made, options("botsort"), TracksSettings(), tmp_path, report, frames=iter([turned] * 3)
        )
    associate(
        made, options("botsort"), TracksSettings(), tmp_path, report, frames=iter([black] * 9)
    )


def test_appearance(shared_data: Path) -> None:
    """Any YOLO checkpoint gives features of the boxes' contents; one model serves all classes."""
    weights = shared_data / "weights" / "yolov8n-seg.pt"
    words = ["gmc_method=none", "with_reid=true", f"model={weights}", "class_aware=true"]
    tracker = make_tracker(options("botsort", *words), 30)
    assert isinstance(tracker, UltralyticsTracker)
    image = scenery(3)
    for t in range(3):
        rows = [(c, 0.9, 100 + 200 * c, 50, 140 + 200 * c, 130) for c in range(2)]
        assert tracker.update(detections(t, rows), image).track_id.tolist() == [1, 2]
    person, car = (inner.tracked_stracks[0] for inner in tracker._trackers.values())
    assert person.smooth_feat.shape == car.smooth_feat.shape
    assert float(person.smooth_feat @ person.smooth_feat) == pytest.approx(1)
    assert float(person.smooth_feat @ car.smooth_feat) < 0.999
    with pytest.raises(DataError, match=r"with_reid=false"):
        tracker.update(detections(3, []))


@pytest.mark.parametrize(
    ("device", "there", "place"),
    [("auto", 0, "cpu"), ("auto", 2, "cuda:0"), ("cpu", 2, "cpu"), ("cuda:1", 2, "cuda:1")],
)
def test_the_reid_model_is_where_the_run_computes(
    device: str, there: int, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library by itself takes a GPU wherever there is one."""
    given: list[object] = []
    monkeypatch.setattr("torch.cuda.is_available", lambda: there > 0)
    monkeypatch.setattr("torch.cuda.device_count", lambda: there)
    monkeypatch.setattr(
        "ultralytics.trackers.utils.reid.build_encoder",
        lambda wanted, model, where: given.append((wanted, Path(model).name, where)),
    )
    (tmp_path / "reid.onnx").touch()
    for name in ("botsort", "deepocsort", "tracktrack"):
        seeing = options(name, "with_reid=true", f"model={tmp_path / 'reid.onnx'}")
        make_tracker(seeing, 30, device=device)
        assert TRACKERS.get(name).computes(seeing, device) == {"device": place.partition(":")[0]}
    assert given == [(True, "reid.onnx", place)] * 3
    make_tracker(options("botsort"), 30, device="cuda:7")  # computes with no network
    with pytest.raises(SettingsError, match=r"device=cuda:7: there is no GPU 7"):
        make_tracker(seeing, 30, device="cuda:7")


def test_a_file_that_is_no_reid_model(tmp_path: Path) -> None:
    path = tmp_path / "reid.pt"
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(SettingsError, match=r"tracker\.model=.*reid\.pt: not usable"):
        make_tracker(options("botsort", "with_reid=true", f"model={path}"), 30)


def test_a_reid_model_runs_no_code(tmp_path: Path) -> None:
    import torch

    class Evil:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'ran'}",)

    path = tmp_path / "reid.pt"
    torch.save({"model": Evil()}, path)
    with pytest.raises(SettingsError, match=r"it asks for posix\.system.*nothing was executed"):
        make_tracker(options("botsort", "with_reid=true", f"model={path}"), 30)
    assert not (tmp_path / "ran").exists()
    for name in ("reid.torchscript", "reid.engine", "reid"):  # they may hold code
        (tmp_path / name).touch()
        settings = options("botsort", "with_reid=true", f"model={tmp_path / name}")
        (problem,) = settings.problems()
        assert ".onnx" in problem.allowed


def test_only_a_namespace_is_handed_over() -> None:
    assert isinstance(arguments(options("tracktrack"), 30), SimpleNamespace)
