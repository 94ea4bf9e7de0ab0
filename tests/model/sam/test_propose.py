"""SAM's masks are ultralytics', at the image's size, and proposing stays a stream."""

from __future__ import annotations

import gc
import types
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from pycocotools import mask as coco_mask

from segtrack.base.errors import DataError
from segtrack.model import Predictions, Proposing, propose_masks
from segtrack.model.predictions import FrameDetections, PredictionsInfo, PredictionsWriter
from segtrack.model.sam import segmenter
from segtrack.model.sam.segmenter import Segmenter
from segtrack.model.sam.weights import read_sam
from tests.model.test_predict import Numbers, assets, resident_mb

SMALL = 128  # px instead of 1024: the same code, at a fortieth of the time
BOXES = np.array(
    [[20, 30, 200, 400], [0, 0, 300, 300], [250.5, 80.25, 420, 610], [5, 5, 25, 30]], np.float32
)


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(segmenter, "IMGSZ", SMALL)


@pytest.fixture(scope="module")
def segment(random_sam):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(segmenter, "IMGSZ", SMALL)
        return Segmenter(read_sam(random_sam, "path"), "cpu")


def pixels(counts, shape):
    return coco_mask.decode({"size": list(shape), "counts": counts}) > 0


def make_sam2_1(path):
    """SAM 2.1 tiny, untrained; ultralytics builds it only together with a file."""
    from ultralytics.models.sam import build

    torch.manual_seed(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "_load_checkpoint", lambda model, checkpoint: model)
        content = build.build_sam2_t("sam2.1_t.pt").state_dict()
    torch.save({"model": content}, path)
    return path


@pytest.mark.parametrize("network", ["mobile_sam", "sam2.1_t"])
def test_equals_ultralytics(network, random_sam, tmp_path, monkeypatch):
    from ultralytics import SAM

    monkeypatch.setattr(segmenter, "BOXES", 3)
    original = random_sam
    if network == "sam2.1_t":
        original = make_sam2_1(tmp_path / "sam2.1_t.pt")
    renamed = tmp_path / "my best.pth"
    renamed.symlink_to(original)
    weights = read_sam(renamed, "path")
    assert weights.network == network
    segment, reference = Segmenter(weights, "cpu"), SAM(original)
    for path in (assets() / "bus.jpg", assets() / "zidane.jpg"):
        image = cv2.imread(str(path))
        expected = reference.predict(
            image, bboxes=BOXES, imgsz=SMALL, conf=0.01, device="cpu", verbose=False
        )[0].masks.data.numpy()
        found = segment(image, BOXES)
        assert expected.shape == (len(BOXES), *image.shape[:2])
        for counts, mask in zip(found, expected, strict=True):
            assert 0.02 < mask.mean() < 0.98
            same = pixels(counts, mask.shape) == mask
            assert same.mean() > 0.999  # sums in another order, where boxes are divided otherwise
        assert (expected[0] != expected[1]).any()


def test_an_image_is_encoded_once_for_all_of_its_boxes(segment, monkeypatch):
    image = cv2.imread(str(assets() / "bus.jpg"))
    encoded, prompted = [], []
    encode, prompt = segment.predictor.get_im_features, segment.predictor.inference_features

    def counting(features, shape, bboxes):
        prompted.append(len(bboxes))
        return prompt(features, shape, bboxes=bboxes)

    with monkeypatch.context() as patch:
        patch.setattr(
            segment.predictor, "get_im_features", lambda im: encoded.append(1) or encode(im)
        )
        patch.setattr(segment.predictor, "inference_features", counting)
        segment(image, np.tile(BOXES, (9, 1)))
        assert (len(encoded), prompted) == (1, [16, 16, 4])
        patch.setattr(segmenter, "PIXELS", 5 * image.shape[0] * image.shape[1])
        segment(image, np.tile(BOXES, (3, 1)))
        assert (len(encoded), prompted[3:]) == (2, [5, 5, 2])
        segment(image, np.zeros((0, 4), np.float32))
        assert len(encoded) == 2  # nothing is asked for


def test_boxes_outside_and_without_area(segment):
    image = cv2.imread(str(assets() / "zidane.jpg"))[:360, :640]
    nan = np.nan
    boxes = [
        [-50, -9, 100, 120],  # half outside
        [0, 0, 100, 120],  # is the same
        [700, 10, 800, 90],  # outside
        [30, 40, 30, 90],  # no width
        [90, 90, 30, 20],  # corners in the wrong order
        [nan, nan, nan, nan],
    ]
    found = segment(image, np.array(boxes, np.float32))
    assert found[0] == found[1] is not None
    assert found[2:] == [None] * 4
    assert pixels(found[0], (360, 640)).shape == (360, 640)


class Row(types.SimpleNamespace):
    """An image of a data set."""


def write(folder, frames, names=("car", "bus")):
    folder.mkdir()
    with PredictionsWriter(folder) as writer:
        for number, scores, boxes in frames:
            classes = np.arange(len(scores), dtype=np.int16) % len(names)
            boxes = np.array(boxes, np.float32).reshape(-1, 4)
            rle = [b"04" for _ in scores]  # its own masks do not matter
            writer.add(FrameDetections(number, classes, np.array(scores, np.float32), boxes, rle))
        writer.finish(PredictionsInfo(names, 9, model_name="yolov8n-seg", imgsz=640))
    return Predictions.load(folder)


def run(rows, predictions, sam, tmp_path, conf=0.25):
    numbers, folder = Numbers(), tmp_path / "out"
    folder.mkdir()
    weights = read_sam(sam, "path")
    propose_masks(rows, predictions, Proposing(weights, conf, "cpu"), folder, numbers)
    return Predictions.load(folder), numbers


def test_boxes_classes_and_scores_stay(random_sam, segment, tmp_path):
    paths = [assets() / "bus.jpg", assets() / "zidane.jpg"]
    sizes = [cv2.imread(str(path)).shape[:2] for path in paths]
    rows = [
        Row(image_id=2, path=paths[0], width=sizes[0][1], height=sizes[0][0]),
        # Neither of these is opened.
        Row(image_id=3, path=Path("/nowhere/nothing found.jpg"), width=5, height=5),
        Row(image_id=5, path=Path("/nowhere/nothing sure.jpg"), width=5, height=5),
        Row(image_id=7, path=paths[1], width=sizes[1][1], height=sizes[1][0]),
    ]
    predictions = write(
        tmp_path / "predictions",
        [
            (2, [0.9, 0.5, 0.25, 0.2], BOXES),
            (4, [0.9], BOXES[:1]),  # of another split
            (5, [0.1], BOXES[:1]),
            (7, [0.6, 0.4], BOXES[1:3]),
        ],
    )
    found, numbers = run(rows, predictions, random_sam, tmp_path)
    first, last = found.frames()
    assert (first.frame, last.frame) == (2, 7)
    assert first.class_id.tolist() == [0, 1, 0] and last.class_id.tolist() == [0, 1]
    np.testing.assert_allclose(first.score, [0.9, 0.5, 0.25])
    np.testing.assert_array_equal(first.bbox_xyxy, BOXES[:3])
    np.testing.assert_array_equal(last.bbox_xyxy, BOXES[1:3])
    assert first.rle == segment(cv2.imread(str(paths[0])), BOXES[:3])
    assert last.rle == segment(cv2.imread(str(paths[1])), BOXES[1:3])
    info = found.info
    assert (info.names, info.frame_count, info.conf_floor) == (("car", "bus"), 9, 0.25)
    assert (info.model_name, info.weights_sha256) == (
        "mobile_sam",
        read_sam(random_sam, "path").sha256,
    )
    assert numbers["propose/images_masks", 0] == 5
    assert numbers["speed/images_propose_ms", 0] > 0


def test_what_sam_finds_nothing_of_is_left_out(random_sam, tmp_path):
    """A network whose masks are nowhere above zero."""
    content = torch.load(random_sam)
    for name in content:
        if name.startswith("mask_decoder.output_hypernetworks_mlps.0.layers.2."):
            content[name] *= 0
    torch.save(content, tmp_path / "silent.pt")
    path = assets() / "zidane.jpg"
    height, width = cv2.imread(str(path)).shape[:2]
    row = Row(image_id=0, path=path, width=width, height=height)
    predictions = write(tmp_path / "predictions", [(0, [0.9, 0.8], BOXES[:2])])
    found, numbers = run([row], predictions, tmp_path / "silent.pt", tmp_path)
    assert list(found.frames()) == []
    assert numbers["propose/images_masks", 0] == 0


def test_no_detections_at_all(random_sam, tmp_path):
    rows = [Row(image_id=0, path=Path("/nowhere"), width=5, height=5)]
    found, numbers = run(rows, write(tmp_path / "p", []), random_sam, tmp_path)
    assert list(found.frames()) == [] and found.info.frame_count == 9
    assert numbers["speed/images_propose_ms", 0] == 0


def test_a_turned_photograph_has_the_detectors_orientation(random_sam, segment, tmp_path):
    """Orientation 6: stored lying, shown standing."""
    path = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(assets() / "zidane.jpg").resize((640, 360)).save(path, exif=exif)
    stored = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    assert stored.shape == (360, 640, 3)
    standing = np.ascontiguousarray(np.rot90(stored, -1))
    row = Row(image_id=0, path=path, width=360, height=640)
    found, _ = run([row], write(tmp_path / "p", [(0, [0.9], BOXES[:1])]), random_sam, tmp_path)
    (frame,) = found.frames()
    assert frame.rle == segment(standing, BOXES[:1])
    assert frame.rle != segment(np.ascontiguousarray(np.rot90(stored)), BOXES[:1])


def test_an_image_of_another_size(random_sam, tmp_path):
    row = Row(image_id=0, path=assets() / "bus.jpg", width=5, height=5)
    with pytest.raises(DataError, match=r"bus.jpg: decodes to 810x1080 px, but the data set says"):
        run([row], write(tmp_path / "p", [(0, [0.9], BOXES[:1])]), random_sam, tmp_path)


def test_a_checkpoint_that_lacks_parameters(random_sam, tmp_path):
    content = torch.load(random_sam)
    del content["prompt_encoder.no_mask_embed.weight"]
    torch.save(content, tmp_path / "part.pt")
    with pytest.raises(DataError, match=r"part.pt: looks like mobile_sam, but .* Missing key"):
        Segmenter(read_sam(tmp_path / "part.pt", "path"), "cpu")


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")
def test_memory_stays_flat(random_sam, tmp_path):
    """From image 5 to image 25; one alone has 0.9 MB."""
    path = tmp_path / "image.png"
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 255, (480, 640, 3), np.uint8))
    predictions = write(tmp_path / "p", [(i, [0.9, 0.8], BOXES[:2]) for i in range(26)])
    seen = {}

    def watched():
        for number in range(26):
            if number in (5, 25):
                gc.collect()
                seen[number] = resident_mb()
            yield Row(image_id=number, path=path, width=640, height=480)

    run(watched(), predictions, random_sam, tmp_path)
    assert seen[25] - seen[5] < 10
