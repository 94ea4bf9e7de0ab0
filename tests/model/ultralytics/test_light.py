"""What a prediction does by itself, without torch and ultralytics, equals what they do."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from segtrack.model import devices
from segtrack.model.ultralytics import backends, home, weights
from segtrack.model.ultralytics.letterbox import boxes_in_image, letterbox
from segtrack.model.ultralytics.nms import FEW, batched_nms
from segtrack.model.ultralytics.prototypes import axis

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("shape", [(480, 640), (370, 1224), (61, 977), (1080, 810), (5, 900)])
@pytest.mark.parametrize(
    ("size", "stride"), [(640, 32), (320, 64), (64, 32), (320, None), ((96, 160), None)]
)
def test_letterbox(shape, size, stride):
    from ultralytics.data.augment import LetterBox
    from ultralytics.utils.ops import scale_boxes

    image = RNG.integers(0, 255, (*shape, 3), np.uint8)
    theirs = LetterBox(
        size if isinstance(size, tuple) else (size, size),
        auto=stride is not None,
        stride=stride or 32,
    )(image=image)
    found = letterbox(image, size, stride)
    np.testing.assert_array_equal(found, theirs)
    boxes = RNG.uniform(-20, np.max(size) + 20, (50, 4)).astype(np.float32)
    expected = scale_boxes(found.shape[:2], torch.from_numpy(boxes.copy()), shape)
    placed = boxes_in_image(boxes, found.shape[:2], shape)
    assert placed.dtype == np.float32
    np.testing.assert_array_equal(placed, expected.numpy())


@pytest.mark.parametrize("count", [0, 1, 7, 300, FEW, FEW + 1])
def test_suppression(count):
    from torchvision.ops import batched_nms as theirs

    centres = RNG.uniform(0, 600, (count // 8 + 1, 2))
    near = centres[RNG.integers(0, len(centres), count)] + RNG.normal(0, 4, (count, 2))
    half = RNG.uniform(10, 30, (count, 2))
    boxes = np.concatenate([near - half, near + half], 1).astype(np.float32)
    boxes[::50, 2:] = boxes[::50, :2]  # without an area
    scores = RNG.permutation(count).astype(np.float32)
    groups = RNG.integers(0, 3, count)
    for iou in (0.3, 0.7, 1.0):
        found = batched_nms(boxes, scores, groups, iou)
        expected = theirs(*map(torch.from_numpy, (boxes, scores, groups)), iou)
        assert found.tolist() == expected.tolist()
    assert count < 8 or len(batched_nms(boxes, scores, groups, 0.3)) < 0.8 * count


@pytest.mark.parametrize(("length", "size", "factor"), [(120, 480, 1), (48, 370, 2), (41, 981, 4)])
def test_enlargement(length, size, factor):
    line = {"mode": "linear", "align_corners": False}
    units = torch.eye(length)[:, None]
    if factor > 1:
        units = torch.nn.functional.interpolate(units, size=factor * length, **line)
    expected = torch.nn.functional.interpolate(units, size=size, **line)[:, 0].T
    found = axis(length, size, factor, factor * length / size).matrix
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-7)  # equal where FMA is


SCRIPT = """
import json, sys
import numpy as np
from segtrack.model import Network, model_settings, resolve_weights, load_detector
settings = model_settings("yolov8n-seg", weights=sys.argv[1], backend="openvino")
network = Network(settings, resolve_weights(settings, None), "auto")
request = network.request(network.weights.names, {})
key = network.prediction(request)
detector = load_detector(network, request)
found = detector.predict([detector.prepare(np.zeros((48, 64, 3), np.uint8))])[0].decode(0)
heavy = [name for name in ("torch", "ultralytics", "torchvision") if name in sys.modules]
print(json.dumps([heavy, network.weights.sha256, network.weights.names, key["compute"]["device"]]))
"""


def test_a_converted_network_needs_no_torch(tiny_weights):
    """Its second prediction reads neither the checkpoint nor the libraries that made it."""
    one = backends.Network(backends.YoloSegSettings("yolov8n-seg"), tiny_weights, "cpu")
    backends.make_runtime(one, "openvino")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tiny_weights.path)],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "SEGTRACK_HOME": str(home.folder().parent)},
    )
    heavy, sha256, names, device = json.loads(done.stdout.splitlines()[-1])
    assert (sha256, tuple(names), device) == (tiny_weights.sha256, tiny_weights.names, "cpu")
    assert heavy == ([] if not devices._driver() else ["torch"])


def test_what_a_checkpoint_said_is_kept(tiny_weights, monkeypatch):
    from segtrack.model.ultralytics import library

    reads = []
    load = library.load_checkpoint
    monkeypatch.setattr(library, "load_checkpoint", lambda path: reads.append(path) or load(path))
    for trust in (False, False, True):
        weights._read.cache_clear()
        again = weights.read_weights(tiny_weights.path, "path", trust=trust)
        assert again == tiny_weights
    assert len(reads) == 1  # what is trusted is read: it may be another's code
    (kept,) = home.kept().glob(f"{tiny_weights.sha256}-*.json")
    kept.write_text("{")
    weights._read.cache_clear()
    assert weights.read_weights(tiny_weights.path, "path") == tiny_weights
    assert len(reads) == 2 and json.loads(kept.read_text())[0] == "segment"
