"""Prediction equals ultralytics', maps classes by name, and stays a stream."""

import gc
import os
import types
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from pycocotools import mask as coco_mask

from segtrack.base.errors import DataError
from segtrack.base.frame_times import TimesRead
from segtrack.dataset.sequences import VideoSequence
from segtrack.model import (
    Network,
    Predictions,
    Request,
    Weights,
    lacking_classes,
    predict_images,
    predict_video,
)
from segtrack.model.ultralytics.settings import YoloSegSettings
from tests.model.conftest import make_tiny_weights

SETTINGS = YoloSegSettings(name="yolov8n-seg", batch=4)
VIDEO = VideoSequence("street", Path("street.mp4"), "", 64, 48, 15.0, 0)


class Numbers(dict):
    """A report that remembers."""

    def __call__(self, name, value, step=0):
        self[name, step] = value


def image_rows(paths):
    rows = []
    for number, path in enumerate(paths):
        height, width = cv2.imread(str(path)).shape[:2]
        rows.append(types.SimpleNamespace(image_id=number, path=path, width=width, height=height))
    return rows


def run_images(paths, weights, folder, settings=SETTINGS, names=None, class_map=None, floor=0.25):
    numbers = Numbers()
    names = names or weights.names
    rows = image_rows(paths)
    request = Request(names, class_map or {}, floor, 300)
    predict_images(rows, Network(settings, weights, "cpu"), request, folder, numbers)
    return Predictions.load(folder), numbers


def run_video(frames, weights, folder, settings=SETTINGS, names=None, class_map=None, times=None):
    numbers = Numbers()
    network = Network(settings, weights, "cpu")
    request = network.request(names or weights.names, class_map or {})
    predict_video(frames, VIDEO, network, request, folder, numbers, times)
    return Predictions.load(folder), numbers


def decode(counts, shape):
    return coco_mask.decode({"size": list(shape), "counts": counts})


def assets():
    from segtrack.model.ultralytics import library

    return Path(library.__file__) and Path(__import__("ultralytics").__file__).parent / "assets"


def test_equals_ultralytics(coco_weights, shared_data, tmp_path):
    """Six images of five shapes, in batches by shape; the reference predicts one by one."""
    from ultralytics import YOLO

    photos = sorted((shared_data / "images" / "coco100-val" / "images").iterdir())[:4]
    paths = [assets() / "bus.jpg", assets() / "zidane.jpg", *photos]
    found, numbers = run_images(paths, coco_weights, tmp_path)
    assert (found.info.frame_count, found.info.imgsz, found.info.conf_floor) == (6, 640, 0.25)
    assert (found.info.width, found.info.fps, found.info.truncated) == (0, 0.0, "")
    assert all(numbers[f"speed/images_{name}_ms", 0] > 0 for name in ("predict", "around"))
    frames = {frame.frame: frame for frame in found.frames()}
    model = YOLO(coco_weights.path)
    compared = 0
    for number, path in enumerate(paths):
        reference = model.predict(
            str(path), retina_masks=True, conf=0.25, imgsz=640, device="cpu", verbose=False
        )[0]
        frame = frames[number]
        assert frame.class_id.tolist() == reference.boxes.cls.int().tolist()
        np.testing.assert_allclose(frame.bbox_xyxy, reference.boxes.xyxy, atol=2e-3)
        np.testing.assert_allclose(frame.score, reference.boxes.conf, atol=1e-5)
        for counts, expected in zip(frame.rle, reference.masks.data.numpy() > 0, strict=True):
            mask = decode(counts, expected.shape) > 0
            assert (mask & expected).sum() > 0.99 * (mask | expected).sum()
            compared += 1
    assert compared == numbers["detect/images_detections", 0] > 20
    bus = [coco_weights.names[i] for i in frames[0].class_id]
    assert {name: bus.count(name) for name in bus} == {"person": 4, "bus": 1, "skateboard": 1}


def test_classes_are_filtered_and_merged_by_name(coco_weights, tmp_path):
    found, _ = run_images(
        [assets() / "bus.jpg"],
        coco_weights,
        tmp_path,
        names=("walker", "vehicle"),
        class_map={"person": "walker", "car": "vehicle", "bus": "vehicle", "truck": "vehicle"},
    )
    (frame,) = found.frames()
    assert found.info.names == ("walker", "vehicle")
    assert sorted(frame.class_id.tolist()) == [0, 0, 0, 0, 1]


@pytest.fixture(scope="module")
def detector(tiny_weights):
    """Of the classes car, truck and boat: the first two are vehicles, boats are not wanted."""
    from segtrack.model.ultralytics.detector import YoloDetector

    class_map = {"car": "vehicle", "truck": "vehicle"}
    network = Network(SETTINGS, tiny_weights, "cpu")
    return YoloDetector(network, Request(("vehicle",), class_map, 0.05))


def detected(detector, rows):
    """What is detected of candidates (n, 4 + 3 + 1)."""
    from segtrack.model.ultralytics.detector import Prepared

    candidates = np.array(rows, np.float32).reshape(-1, 8).T
    image = Prepared(np.zeros((192, 192, 3), np.uint8), (192, 192))
    return detector.detections(candidates, np.zeros((1, 48, 48), np.float32), image)


def suppress(detector, rows):
    """Box, score, class and coefficient of each detection."""
    found = detected(detector, rows)
    scores = [round(float(score), 6) for score in found.scores]
    classes, coefficients = found.class_ids.tolist(), found.coefficients[:, 0].tolist()
    return list(zip(found.boxes.tolist(), scores, classes, coefficients, strict=True))


@pytest.mark.parametrize(
    ("rows", "counts"),
    [
        ([], {}),
        ([[50, 50, 20, 20, 0.9, 0.1, 0.0, 1]], {}),
        # one boat, found twice
        ([[50, 50, 20, 20, 0.4, 0.0, 0.9, 1], [50, 51, 20, 20, 0.4, 0.0, 0.8, 1]], {"boat": 1}),
        # two boats, and one that is below the floor
        ([[9 * i, 50, 4, 4, 0, 0, s, 1] for i, s in enumerate((0.9, 0.06, 0.04))], {"boat": 2}),
    ],
)
def test_what_nobody_asked_for_is_counted(detector, rows, counts):
    assert detected(detector, rows).left_out == counts


@pytest.mark.parametrize(
    ("rows", "kept"),
    [
        ([], []),
        # x, y, w, h, car, truck, boat, coefficient
        ([[50, 50, 20, 20, 0.9, 0.1, 0.0, 1]], [(0.9, 1)]),
        # a truck on a car is one vehicle once both are merged
        ([[50, 50, 20, 20, 0.6, 0, 0, 1], [51, 50, 20, 20, 0, 0.8, 0, 2]], [(0.8, 2)]),
        # two that overlap by half stay two (IoU 1/3 is below 0.7)
        ([[50, 50, 20, 20, 0.6, 0, 0, 1], [60, 50, 20, 20, 0, 0.8, 0, 2]], [(0.8, 2), (0.6, 1)]),
        # a boat is dropped, and does not become a car because cars are wanted
        ([[50, 50, 20, 20, 0.4, 0.0, 0.9, 1]], []),
        # nor does it suppress the car below it
        ([[50, 50, 20, 20, 0, 0, 0.9, 1], [50, 50, 20, 20, 0.5, 0, 0, 2]], [(0.5, 2)]),
        # at the floor is not above it
        ([[50, 50, 20, 20, 0.05, 0.0, 0.0, 1]], []),
    ],
)
def test_suppression(detector, rows, kept):
    found = suppress(detector, rows)
    assert [(score, coefficient) for _, score, _, coefficient in found] == kept
    assert all(name == 0 for _, _, name, _ in found)
    if kept == [(0.9, 1)]:
        assert found[0][0] == [40, 40, 60, 60]


@pytest.mark.parametrize(
    ("chosen", "asked", "kept"),
    [
        (None, False, [(0, 0.8), (1, 0.6)]),  # average precision: class by class
        (None, True, [(0, 0.8)]),  # tracking: an object has one class, the one it most looks like
        (True, False, [(0, 0.8)]),
        (False, True, [(0, 0.8), (1, 0.6)]),
    ],
)
def test_a_car_that_is_also_called_a_truck(tiny_weights, chosen, asked, kept):
    from segtrack.model.ultralytics.detector import YoloDetector

    settings = YoloSegSettings(name="yolov8n-seg", agnostic_nms=chosen)
    request = Request(("car", "truck"), {}, 0.05, 300, asked)
    detector = YoloDetector(Network(settings, tiny_weights, "cpu"), request)
    rows = [
        [50, 50, 20, 20, 0.8, 0.0, 0, 1],
        [51, 50, 20, 20, 0.0, 0.6, 0, 2],
        # a boat is not wanted: it suppresses nothing, however sure it is
        [50, 50, 20, 20, 0, 0, 0.9, 3],
    ]
    assert [(name, score) for _, score, name, _ in suppress(detector, rows)] == kept


def test_at_most_max_det_the_best(detector, monkeypatch):
    monkeypatch.setattr(detector, "max_det", 2)
    rows = [[30 * i, 50, 20, 20, 0.1 * i, 0, 0, i] for i in range(1, 6)]
    assert [coefficient for *_, coefficient in suppress(detector, rows)] == [5, 4]


def test_other_families_have_the_same_outputs(tmp_path):
    """yolo26 could leave suppression out; here it gives its candidates like the others."""
    from ultralytics.nn.tasks import SegmentationModel

    from segtrack.model.ultralytics import library
    from segtrack.model.ultralytics.detector import YoloDetector
    from segtrack.model.ultralytics.weights import read_weights

    torch.manual_seed(0)
    model = SegmentationModel("yolo26n-seg.yaml", nc=2, verbose=False)
    model.names = {0: "car", 1: "truck"}
    content = {"model": model, "train_args": {"imgsz": 64, "task": "segment"}}
    library.torch_save(content, tmp_path / "w.pt")
    weights = read_weights(tmp_path / "w.pt", "path")
    settings = YoloSegSettings(name="yolo26n-seg", conf_floor=1e-9, max_det=5)
    network = Network(settings, weights, "cpu")
    detector = YoloDetector(network, network.request(weights.names, {}))
    image = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    (coming,) = detector.predict([detector.prepare(image)])
    found = coming.raw()
    assert (found.boxes.shape, found.coefficients.shape) == ((5, 4), (5, 32))
    assert found.prototypes.shape == (32, 16, 16)
    assert (np.diff(found.scores) <= 0).all()


WORDS = Weights(Path("w.pt"), "", "path", ("car", "truck", "person", "stop sign"), 640)


@pytest.mark.parametrize(
    ("names", "class_map", "lacking"),
    [
        (("car", "person"), {}, ()),
        (("Car", "person"), {"Car": "Car", "person": "person"}, ("Car (nearest: car)",)),
        (("peron", "zebra"), {}, ("peron (nearest: person)", "zebra")),
        # of a merged class, the parts that are missing
        (("vehicle",), {"car": "vehicle", "truk": "vehicle"}, ("truk (nearest: truck)",)),
        (("sgn",), {"stopsign": "sgn", "lamp": "sgn"}, ("stopsign (nearest: stop sign)", "lamp")),
        # the weights were trained on the merged class: its parts are not missed
        (("car",), {"car": "car", "sedan": "car"}, ()),
        # another class is called so
        (("car",), {"sedan": "car"}, ()),
    ],
)  # fmt: skip
def test_classes_that_the_weights_lack(names, class_map, lacking):
    assert lacking_classes(WORDS, Request(names, class_map)) == lacking


def test_weights_with_none_of_the_classes(tiny_weights, tmp_path):
    with pytest.raises(DataError, match=r"none of its 3 classes \(car, truck, boat\) is among the"):
        run_video([], tiny_weights, tmp_path, names=("person", "bicycle"))


def test_untrained_network(tmp_path):
    scratch = Weights(Path("yolov8n-seg.yaml"), "", "scratch", (), 640)
    with pytest.raises(DataError, match=r"yolov8n-seg has not been trained"):
        run_video([], scratch, tmp_path, names=("car",))


def test_image_that_cannot_be_read(tiny_weights, tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff\xe0 nothing")
    rows = [types.SimpleNamespace(image_id=0, path=broken, width=5, height=5)]
    network = Network(SETTINGS, tiny_weights, "cpu")
    with pytest.raises(DataError, match=r"broken.jpg: not readable as an image"):
        predict_images(rows, network, Request(("car",), {}, 0.1, 9), tmp_path, Numbers())


def test_image_of_another_size(tiny_weights, tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((20, 30, 3), np.uint8))
    rows = [types.SimpleNamespace(image_id=0, path=tmp_path / "a.png", width=20, height=30)]
    network = Network(SETTINGS, tiny_weights, "cpu")
    with pytest.raises(DataError, match=r"a.png: decodes to 30x20 px, but the data set says 20x30"):
        predict_images(rows, network, Request(("car",), {}, 0.1, 9), tmp_path, Numbers())


def noise(count, error=None):
    rng = np.random.default_rng(0)
    still = rng.integers(0, 255, (48, 64, 3), np.uint8)
    for _ in range(count):
        yield still
    if error:
        raise DataError(error)


def test_frames_with_times_of_their_own(tiny_weights, tmp_path):
    times = TimesRead(15.0, 0.001)

    def frames():
        for seconds in (0.0, 0.1, 0.15, 2.0):
            times.seconds.append(seconds)
            yield np.zeros((48, 64, 3), np.uint8)

    found, _ = run_video(frames(), tiny_weights, tmp_path, times=times)
    assert (found.info.frame_count, found.info.fps) == (4, 1.5)
    assert [found.times.seconds(i) for i in range(4)] == [0.0, 0.1, 0.15, 2.0]


def test_truncated_video_keeps_what_was_read(tiny_weights, tmp_path):
    found, _ = run_video(noise(6, "street.mp4: ends in frame 6"), tiny_weights, tmp_path)
    assert found.info.frame_count == 6
    assert (found.info.width, found.info.height, found.info.fps) == (64, 48, 15.0)
    assert found.info.truncated == "street.mp4: ends in frame 6"


def test_video_of_which_nothing_can_be_read(tiny_weights, tmp_path):
    with pytest.raises(DataError, match="no video stream"):
        run_video(noise(0, "no video stream"), tiny_weights, tmp_path)
    with pytest.raises(DataError, match="the video has no frames"):
        run_video([], tiny_weights, tmp_path)


def test_batches_do_not_change_the_result(tiny_weights, tmp_path):
    rng = np.random.default_rng(1)
    frames = [rng.integers(0, 255, (48, 64, 3), np.uint8) for _ in range(7)]
    results = []
    for batch in (1, 3):
        (tmp_path / str(batch)).mkdir()
        settings = YoloSegSettings(name="yolov8n-seg", batch=batch, conf_floor=0.001, max_det=6)
        found, _ = run_video(iter(frames), tiny_weights, tmp_path / str(batch), settings)
        results.append(list(found.frames()))
    assert [f.frame for f in results[0]] == [f.frame for f in results[1]] == list(range(7))
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one.score, other.score, atol=1e-5)
        np.testing.assert_allclose(one.bbox_xyxy, other.bbox_xyxy, atol=1e-2)


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")
def test_memory_stays_flat_over_3000_frames(tmp_path):
    """From frame 500 on; up to 9 detections with masks per frame."""
    weights = make_tiny_weights(tmp_path / "tiny.pt")
    settings = YoloSegSettings(
        "yolov8n-seg", imgsz=32, batch=16, conf_floor=1e-5, max_det=9, nms_iou=1
    )
    seen = {}

    def watched():
        for number, frame in enumerate(noise(3000)):
            if number in (500, 2999):
                gc.collect()
                seen[number] = resident_mb()
            yield frame

    found, numbers = run_video(watched(), weights, tmp_path, settings)
    assert found.info.frame_count == 3000
    assert numbers["detect/detections", 0] > 10_000
    assert seen[2999] - seen[500] < 15
