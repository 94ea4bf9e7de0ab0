"""The networks that are offered, and the two heads of YOLO26."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

from segtrack.base.errors import DataError
from segtrack.base.metrics import MetricsFile, read_metrics
from segtrack.model import Network, Request, Training, Weights, resolve_weights, train
from segtrack.model.ultralytics import Ultralytics, library, weights
from segtrack.model.ultralytics.detector import YoloDetector
from segtrack.model.ultralytics.runtimes import load_network
from segtrack.model.ultralytics.settings import NAMES, YoloSegSettings
from tests.model.conftest import make_tiny_weights
from tests.model.ultralytics.conftest import smallest

NAME = "yolo26n-seg"


@pytest.fixture(scope="module")
def two_heads(tmp_path_factory: pytest.TempPathFactory) -> Weights:
    """YOLO26-seg with a sixteenth of its width, untrained, whose two heads differ."""
    made = make_tiny_weights(tmp_path_factory.mktemp("two") / "two.pt", ("car", "truck"), NAME)
    content = library.read_content(made.path)
    model = content["model"].float().train()
    torch.manual_seed(1)
    for layer in model.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = None  # the mean of what it sees: else the image is lost on the way
    model(torch.rand(8, 3, 64, 64))
    head = model.model[-1]
    for boxes, scores in ((head.cv2, head.cv3), (head.one2one_cv2, head.one2one_cv3)):
        for level in boxes:  # sides of about two strides: neighbours overlap
            torch.nn.init.normal_(level[-1].weight, std=0.02)
        for level in scores:  # around .5: there is something to choose
            torch.nn.init.normal_(level[-1].weight, std=0.1)
            torch.nn.init.zeros_(level[-1].bias)
    library.torch_save(content, made.path)
    return weights.read_weights(made.path, "path")


def no_run(run_id: str) -> Path:
    raise AssertionError("not asked for a run")


def resolve(choice: str, name: str = NAME, **more) -> Weights:
    return resolve_weights(YoloSegSettings(name=name, weights=choice, **more), no_run)


def test_all_that_are_offered_can_be_made_and_downloaded(monkeypatch):
    """No others of its -seg networks have both: YOLO12 has no weights, YOLOE wants prompts."""
    from ultralytics.utils.downloads import GITHUB_ASSETS_NAMES

    published = {name.removesuffix(".pt") for name in GITHUB_ASSETS_NAMES if "-seg" in name}
    assert published >= set(NAMES)
    others = {name for name in published - set(NAMES) if not name.startswith("yoloe")}
    assert others == {f"yolo26{size}-objv1-seg" for size in "nsmlx"}  # weights of YOLO26 once more
    digests = {resolve("scratch", name).sha256 for name in NAMES}
    assert len(digests) == len(NAMES)

    asked = []
    monkeypatch.setattr(Ultralytics, "shipped", {})
    monkeypatch.setattr(weights, "_reachable", lambda *_: True)
    monkeypatch.setattr(library, "attempt_download_asset", lambda file, **_: asked.append(file))
    found = [resolve("auto", name).note for name in NAMES]
    assert [Path(file).name for file in asked] == [f"{name}.pt" for name in NAMES]
    assert all("is not among the published weights" in note for note in found)  # none came


def test_the_end_to_end_head_equals_the_librarys(two_heads):
    """Its best 300 of all candidates, in the order of their scores, are those that remain."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (64, 96, 3), np.uint8)
    settings = YoloSegSettings(NAME, end2end=True, imgsz=96)
    detector = YoloDetector(Network(settings, two_heads, "cpu"), Request(two_heads.names))
    found = detector.predict([detector.prepare(image)])[0].raw()

    model, _ = library.load_checkpoint(two_heads.path)
    model.end2end = True
    model.model[-1].agnostic_nms = True  # one class a candidate
    tensor = torch.from_numpy(image[..., ::-1].copy()).permute(2, 0, 1)[None].float() / 255
    with torch.inference_mode():
        (rows, prototypes), _ = model.eval()(tensor)
    rows = rows[0][rows[0, :, 4] > 0.05]
    assert len(rows) == len(found.scores) > 100
    assert found.scores[-1] < 0.4 and found.scores[0] > 0.6
    np.testing.assert_allclose(found.scores, rows[:, 4], atol=1e-4)
    boxes = rows[:, :4].clamp(min=0)
    boxes = torch.minimum(boxes, torch.tensor([96.0, 64, 96, 64]))
    np.testing.assert_allclose(found.boxes, boxes, atol=0.02)
    assert found.class_ids.tolist() == rows[:, 5].int().tolist()
    np.testing.assert_allclose(found.coefficients, rows[:, 6:], atol=5e-3)
    np.testing.assert_allclose(found.prototypes, prototypes[0], atol=5e-3)


def test_each_head_alone_is_kept(two_heads):
    """By default the usual one, whose boxes are suppressed."""
    outputs, sizes = {}, {}
    for end2end in (False, True):
        settings = YoloSegSettings(NAME, end2end=end2end)
        model = load_network(Network(settings, two_heads, "cpu"), torch.device("cpu"))
        sizes[end2end] = sum(one.numel() for one in model.parameters())
        with torch.inference_mode():
            outputs[end2end] = model(torch.zeros(1, 3, 64, 64))[0][0]
    assert outputs[False].shape == outputs[True].shape == (1, 4 + 2 + 32, 84)
    assert not torch.allclose(outputs[False], outputs[True], atol=1e-2)
    assert sizes[False] == sizes[True]
    image = np.zeros((64, 64, 3), np.uint8)
    counts = {}
    for end2end in (False, True):
        settings = YoloSegSettings(NAME, end2end=end2end, imgsz=64, nms_iou=0.05)
        detector = YoloDetector(Network(settings, two_heads, "cpu"), Request(two_heads.names))
        found = detector.predict([detector.prepare(image)])[0].raw()
        counts[end2end] = len(found.scores)
    assert counts[False] < counts[True] == 84


def test_a_network_without_that_head(tiny_weights, two_heads):
    for choice, name in ((str(tiny_weights.path), "tiny.pt"), ("scratch", "yolov8n-seg")):
        with pytest.raises(DataError, match=f"model.end2end=true: {name} has no end-to-end head"):
            resolve(choice, "yolov8n-seg", end2end=True)
    assert resolve("scratch", end2end=True).origin == "scratch"
    assert resolve(str(two_heads.path), end2end=True).sha256 == two_heads.sha256


def test_yolo26_is_trained(drawn, two_heads, tmp_path):
    network = Network(YoloSegSettings(NAME), two_heads, "cpu")
    folder = tmp_path / "trained"
    folder.mkdir()
    train(drawn, network, smallest(), 0, folder, MetricsFile(folder))
    made = Training.load(folder).weights
    found = {metric.name: metric.value for metric in read_metrics(folder)}
    assert found["train/sem_loss"] > 0 and found["train/seg_loss"] > 0
    assert resolve(str(made.path), end2end=True).names == drawn.names
    digest = hashlib.sha256(made.path.read_bytes()).hexdigest()
    assert made.sha256 == digest
