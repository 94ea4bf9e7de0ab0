"""The tracker alone, and detections of other libraries."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import supervision
import torch
from pycocotools import mask as coco_mask
from ultralytics.engine.results import Results

import segtrack
from segtrack.model import FrameDetections, Predictions, PredictionsInfo
from segtrack.model.predictions import PredictionsWriter
from segtrack.settings import TracksSettings
from segtrack.tracker import Tracks, associate
from segtrack.tracker.bytetrack import Association, ByteTrackSettings

SIZE = (80, 120)
Frame = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def walk(seed: int = 0, frames: int = 30, objects: int = 6) -> list[Frame]:
    """Boxes that walk, vanish at times and are more or less certain; masks in them."""
    rng = np.random.default_rng(seed)
    place, speed = rng.uniform(5, 60, (objects, 2)), rng.uniform(-1.5, 1.5, (objects, 2))
    size = rng.uniform(8, 20, (objects, 2))
    made = []
    for _ in range(frames):
        place = np.clip(place + speed, 0, 60)
        seen = rng.uniform(size=objects) < 0.85
        box = np.concatenate([place, place + size], axis=1)[seen].astype(np.float32)
        score = rng.uniform(0.15, 1, seen.sum()).astype(np.float32)
        masks = np.zeros((len(box), *SIZE), bool)
        for mask, (x1, y1, x2, y2) in zip(masks, box.astype(int), strict=True):
            mask[y1:y2, x1:x2] = True
        order = np.argsort(-score, kind="stable")
        made.append((box[order], score[order], (np.flatnonzero(seen) % 2)[order], masks[order]))
    return made


def encoded(masks: np.ndarray) -> list[bytes]:
    return [bytes(coco_mask.encode(np.asfortranarray(m.astype(np.uint8)))["counts"]) for m in masks]


def pipeline(folder: Path, frames: list[Frame], settings: ByteTrackSettings) -> Tracks:
    """What the stage associate makes of the same detections."""
    with PredictionsWriter(folder) as writer:
        for t, (box, score, classes, masks) in enumerate(frames):
            writer.add(FrameDetections(t, classes.astype(np.int16), score, box, encoded(masks)))
        height, width = SIZE
        writer.finish(PredictionsInfo(("car", "person"), len(frames), width, height, 10.0))
    after = TracksSettings(min_length=1, min_area=0)
    associate(Predictions.load(folder), settings, after, folder, lambda *_: None)
    return Tracks.load(folder)


@pytest.mark.parametrize("association", ["box", "mask"])
def test_it_is_the_pipelines_association(tmp_path: Path, association: str) -> None:
    frames = walk()
    tracker = segtrack.ByteTrack(fps=10, track_thresh=0.4, association=association)
    alone = [tracker.update(box, score, classes, masks) for box, score, classes, masks in frames]
    settings = ByteTrackSettings(track_thresh=0.4, association=Association[association])
    rows = {frame.frame: frame for frame in pipeline(tmp_path, frames, settings).frames()}
    assert sum(map(len, alone)) > 60 and len({i for one in alone for i in one.track_id}) > 5
    for one in alone:
        if not len(one):
            assert one.frame not in rows
            continue
        theirs = rows[one.frame]
        np.testing.assert_array_equal(one.track_id, theirs.track_id)
        np.testing.assert_array_equal(one.boxes, theirs.bbox_xyxy)
        np.testing.assert_array_equal(one.tracker_boxes, theirs.tracker_bbox_xyxy)
        np.testing.assert_array_equal(one.scores, theirs.score)
        assert encoded(one.masks) == theirs.rle
        box, _, classes, masks = frames[one.frame]
        np.testing.assert_array_equal(one.boxes, box[one.detection])
        np.testing.assert_array_equal(one.classes, classes[one.detection])
        np.testing.assert_array_equal(one.masks, masks[one.detection])


def test_masks_in_every_form_are_the_same() -> None:
    frames = walk(1)
    ids = []
    for form in ("arrays", "list", "rle", "text"):
        tracker = segtrack.ByteTrack(fps=10, track_thresh=0.4, association="mask")
        rows = []
        for box, score, classes, masks in frames:
            given: Any = masks if form == "arrays" else list(masks)
            if form in ("rle", "text"):
                texts: list[Any] = encoded(masks)
                texts = [t.decode() for t in texts] if form == "text" else texts
                given = [{"size": list(SIZE), "counts": t} for t in texts]
            rows.append(tracker.update(box, score, classes, given).track_id.tolist())
        ids.append(rows)
    assert ids[0] == ids[1] == ids[2] == ids[3]


def test_frames_without_detections_and_without_classes() -> None:
    tracker = segtrack.ByteTrack()
    box = [[10, 10, 30, 40]]
    assert tracker.update(box, [0.9]).track_id.tolist() == [1]
    assert len(tracker.update([], [])) == 0
    found = tracker.update(box, [0.9])
    assert (found.track_id.tolist(), found.classes.tolist(), found.masks) == ([1], [0], None)
    assert (found.frame, len(found)) == (2, 1)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"track_tresh": 0.4}, "track_tresh=0.4: no such setting; did you mean track_thresh?"),
        ({"track_thresh": 2}, "track_thresh=2: must lie in 0 to 1"),
        ({"track_thresh": 2, "fuse": 1}, "fuse=1: no such setting"),
        ({"track_thresh": "much"}, "track_thresh=much: "),
        ({"low_thresh": 0.6}, "tracker.low_thresh=0.6: must lie below tracker.track_thresh=0.5"),
        ({"association": "boxes"}, "association=boxes: "),
        ({"name": "botsort"}, "name=botsort: no such setting"),
    ],
)
def test_wrong_settings(given: dict[str, Any], message: str) -> None:
    with pytest.raises(segtrack.SettingsError) as error:
        segtrack.ByteTrack(**given)
    assert message in str(error.value)


@pytest.mark.parametrize(
    "given",
    [
        ([[0, 0, 1]], [0.5]),
        ([[0, 0, 1, 1]], [0.5, 0.5]),
        ([[0, 0, 1, 1]], [0.5], [0, 1]),
        ([[0, 0, 1, 1]], [0.5], [0], np.zeros((2, 4, 4), bool)),
        ([[0, 0, 1, 1]], [0.5], [0.5]),
        ([[0, 0, 1, 1]], [0.5], [40_000]),
    ],
)
def test_what_does_not_fit(given: tuple[Any, ...]) -> None:
    with pytest.raises(segtrack.DataError):
        segtrack.ByteTrack(association="mask").update(*given)


@pytest.mark.parametrize(
    ("box", "score", "message"),
    [
        ((0, 0, 9, 9), 90, r"scores\[1\] is 90; scores are 0\.\.1"),
        ((0, 0, 9, 9), float("nan"), r"scores\[1\] is nan"),
        ((0, 0, 9, float("nan")), 0.9, r"boxes\[1\] is 0, 0, 9, nan"),
        ((50, 50, 20, 10), 0.9, r"boxes\[1\] is 50, 50, 20, 10; boxes are x1, y1, x2, y2"),
    ],
)
def test_what_would_vanish_is_refused(box: Any, score: float, message: str) -> None:
    tracker = segtrack.ByteTrack()
    with pytest.raises(segtrack.DataError, match=message):
        tracker.update([(0, 0, 9, 9), box], [1.0005, score])
    assert len(tracker.update([(0, 0, 9, 9), (3, 3, 3, 3)], [1.0005, 0.9])) == 1


def test_supervision_there_and_back() -> None:
    box, score, classes, masks = walk(2)[0]
    detections = supervision.Detections(box, masks, score, classes)
    tracker = segtrack.ByteTrack(track_thresh=0.3)
    found = tracker.update(**segtrack.from_supervision(detections))
    assert len(found) > 1
    theirs = segtrack.to_supervision(found)
    assert isinstance(theirs, supervision.Detections)
    np.testing.assert_array_equal(theirs.tracker_id, found.track_id)
    np.testing.assert_array_equal(theirs.xyxy, box[found.detection])
    np.testing.assert_array_equal(theirs.mask, masks[found.detection])
    np.testing.assert_array_equal(theirs.class_id, classes[found.detection])
    np.testing.assert_array_equal(theirs.confidence, score[found.detection])
    bare = segtrack.from_supervision(supervision.Detections(box))
    assert bare["scores"].tolist() == [1] * len(box) and bare["classes"] is None
    empty = tracker.update(**segtrack.from_supervision(supervision.Detections.empty()))
    assert len(segtrack.to_supervision(empty)) == 0


def test_ultralytics_there_and_back() -> None:
    box, score, classes, masks = walk(3)[0]
    image = np.zeros((*SIZE, 3), np.uint8)
    names = {0: "car", 1: "person"}
    rows = np.concatenate([box, score[:, None], classes[:, None]], axis=1).astype(np.float32)
    shown = torch.from_numpy(masks.astype(np.float32))
    result = Results(image, "", names, torch.from_numpy(rows), shown)
    given = segtrack.from_ultralytics(result)
    np.testing.assert_array_equal(given["boxes"], box)
    np.testing.assert_array_equal(given["classes"], classes)
    overlap = (given["masks"] & masks).sum((1, 2)) / (given["masks"] | masks).sum((1, 2))
    assert overlap.min() > 0.95  # an outline is drawn, not the mask itself
    found = segtrack.ByteTrack(track_thresh=0.3).update(**given)
    back = segtrack.to_ultralytics(found, image, names)
    assert back.boxes.id.tolist() == found.track_id.tolist()
    np.testing.assert_array_equal(back.boxes.xyxy.numpy(), box[found.detection])
    np.testing.assert_allclose(back.boxes.conf.numpy(), score[found.detection])
    assert back.masks.data.shape[1:] == SIZE
    assert back.plot().shape == image.shape
    nothing = Results(image, "", names, torch.zeros((0, 6)))
    empty = segtrack.ByteTrack().update(**segtrack.from_ultralytics(nothing))
    assert len(segtrack.to_ultralytics(empty, image, names).boxes) == 0


def test_boxes_without_masks_among_others_and_alone() -> None:
    """As ``update`` takes them: None where a box has none."""
    box, mask = [(0, 0, 9, 9), (20, 0, 29, 9)], np.zeros(SIZE, bool)
    mask[:9, :9] = True
    rle = {"size": SIZE, "counts": encoded(mask[None])[0]}
    image, tracker = np.zeros((*SIZE, 3), np.uint8), segtrack.ByteTrack()
    for given in ([rle, None], [mask, None]):
        found = tracker.update(box, [0.9, 0.9], masks=given)
        expected = np.stack([mask, np.zeros(SIZE, bool)])
        np.testing.assert_array_equal(segtrack.to_supervision(found).mask, expected)
        shown = segtrack.to_ultralytics(found, image, {0: "car"}).masks
        np.testing.assert_array_equal(shown.data.numpy(), expected)
    found = tracker.update(box, [0.9, 0.9], masks=[None, None])
    assert segtrack.to_supervision(found).mask is None
    assert segtrack.to_ultralytics(found, image, {0: "car"}).masks is None


def test_importing_is_fast() -> None:
    """``import segtrack`` loads nothing that computes, and the tracker alone no torch or Hydra."""
    code = """
import sys, segtrack
heavy = {"torch", "hydra", "mlflow", "pandas", "numpy", "matplotlib", "ultralytics", "cv2"}
print(sorted(heavy & set(sys.modules)))
segtrack.ByteTrack().update([[0, 0, 9, 9]], [0.9])
print(sorted({"torch", "hydra", "mlflow", "pandas", "matplotlib"} & set(sys.modules)))
"""
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "[]"]
