"""A family from outside of the package is used through the port like those inside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import types
from importlib import import_module
from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask

from segtrack.base.errors import DataError, SettingsError
from segtrack.dataset import VideoSequence
from segtrack.model import (
    FAMILIES,
    Network,
    Predictions,
    Request,
    Training,
    family_of,
    model_settings,
    predict_images,
    predict_video,
    resolve_weights,
    train,
)
from segtrack.settings import ModelSettings, TrainerSettings

VIDEO = VideoSequence("street", Path("street.mp4"), "", 40, 30, 15.0, 0)
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True, scope="module")
def toy():
    """The toy's module, as SEGTRACK_PLUGINS would load it; afterwards it is not known any more."""
    from segtrack.model import families
    from segtrack.settings import options

    toy = import_module("tests.plugins.toy_family")
    yield toy
    del sys.modules["tests.plugins.toy_family"]
    del families.FAMILIES._things["toy"]
    del families._by_settings[toy.ToySettings]
    del sys.modules[options.__module__]._options["model"]["toy-bright"]


def settings(toy, **more):
    return toy.ToySettings(**({"name": "toy-bright"} | more))


def scene() -> np.ndarray:
    """Two bright blobs on a dark street, one of them of two pixels."""
    image = np.full((30, 40, 3), 50, np.uint8)
    image[5:15, 10:30] = 200
    image[20, 3:5] = 255
    return image


@pytest.fixture
def weights(tmp_path) -> Path:
    path = tmp_path / "w.json"
    path.write_text(json.dumps({"names": ["car", "person"], "imgsz": 64, "threshold": 128}))
    return path


def nothing(path: str) -> Path:
    raise AssertionError(path)


def test_the_family_is_known_by_its_settings(toy):
    family = family_of(settings(toy))
    assert (family.name, family.libraries) == ("toy", ("opencv-python",))
    assert {"ultralytics", "toy"} <= set(FAMILIES)


def test_weights_are_named_in_the_same_words(toy, weights, tmp_path):
    found = resolve_weights(settings(toy, weights=str(weights)), nothing)
    assert (found.origin, found.names, found.imgsz) == ("path", ("car", "person"), 64)
    run = resolve_weights(settings(toy, weights="run:abc"), {"abc": weights}.__getitem__)
    assert (run.origin, run.sha256) == ("run:abc", found.sha256)
    assert resolve_weights(settings(toy, weights="scratch"), nothing).trained is False
    weights.rename(tmp_path / "toy-bright.json")
    auto = resolve_weights(settings(toy, weights_folder=str(tmp_path)), nothing)
    assert (auto.origin, auto.sha256) == ("auto:folder", found.sha256)
    none = resolve_weights(settings(toy), nothing)
    assert (none.origin, none.note) == (
        "scratch",
        "model.weights=auto: model.weights_folder is not set; toy has no weights to download; "
        "nothing to start from, so training begins from scratch",
    )
    with pytest.raises(DataError, match=r"shipped: toy ships no weights for toy-bright; use model"):
        resolve_weights(settings(toy, weights="shipped"), nothing)
    with pytest.raises(DataError, match=r"weights=/no/w.json: no such file; give a .json checkp"):
        resolve_weights(settings(toy, weights="/no/w.json"), nothing)


def test_it_predicts(toy, weights, tmp_path):
    chosen = settings(toy, weights=str(weights), batch=2, conf_floor=0.3)
    network = Network(chosen, resolve_weights(chosen, nothing))
    request = network.request(("vehicle",), {"car": "vehicle"})
    numbers: dict[str, float] = {}

    def report(name: str, value: float, step: int = 0) -> None:
        numbers[name] = value

    video = tmp_path / "video"
    video.mkdir()
    predict_video(iter([scene()] * 5), VIDEO, network, request, video, report)
    found = Predictions.load(video)
    frames = list(found.frames())
    assert [frame.frame for frame in frames] == [0, 1, 2, 3, 4]
    assert frames[4].bbox_xyxy.tolist() == [[10, 5, 30, 15]]
    assert frames[4].score.tolist() == pytest.approx([200 / 255])
    mask = coco_mask.decode({"size": [30, 40], "counts": frames[4].rle[0]})
    assert (mask.sum(), mask[5:15, 10:30].sum()) == (200, 200)
    info = found.info
    assert (info.names, info.frame_count, info.model_name) == (("vehicle",), 5, "toy-bright")
    assert (info.width, info.height, info.fps, info.imgsz) == (40, 30, 15.0, 64)
    assert numbers["detect/detections"] == 5

    images = tmp_path / "images"
    images.mkdir()
    cv2.imwrite(str(tmp_path / "7.png"), scene())
    row = types.SimpleNamespace(image_id=7, path=tmp_path / "7.png", width=40, height=30)
    small = Network(settings(toy, min_pixels=2), network.weights)
    predict_images([row], small, Request(("person", "car"), {}, 0.05, 300), images, report)
    (frame,) = Predictions.load(images).frames()
    assert (frame.frame, frame.class_id.tolist()) == (7, [1, 1])
    assert frame.bbox_xyxy.tolist() == [[3, 20, 5, 21], [10, 5, 30, 15]]
    assert numbers["detect/images_detections"] == 2


def test_what_is_not_trained_predicts_nothing(toy, tmp_path):
    chosen = settings(toy, weights="scratch")
    network = Network(chosen, resolve_weights(chosen, nothing))
    with pytest.raises(DataError, match="toy-bright has not been trained, so it predicts nothing"):
        predict_video([], VIDEO, network, Request(("car",)), tmp_path, lambda *_: None)


def test_it_is_trained_with_the_group_trainer_as_it_is(toy, tmp_path):
    data = tmp_path / "data"
    for folder in ("images/train", "labels/train"):
        (data / folder).mkdir(parents=True)
    cv2.imwrite(str(data / "images" / "train" / "a.png"), scene())
    line = "0 " + " ".join(f"{x / 40} {y / 30}" for x, y in [(10, 5), (29, 5), (29, 14), (10, 14)])
    (data / "labels" / "train" / "a.txt").write_text(line)
    (data / "data.yaml").write_text("path: .\ntrain: images/train\n")
    dataset = types.SimpleNamespace(names=("car",), yolo_yaml=data / "data.yaml")
    chosen = settings(toy, weights="scratch")
    network = Network(chosen, resolve_weights(chosen, nothing))
    losses: dict[int, float] = {}
    folder = tmp_path / "result"
    folder.mkdir()
    trainer = TrainerSettings(name="any", epochs=4, imgsz=32)
    train(
        dataset, network, trainer, 0, folder, lambda name, value, step: losses.update({step: value})
    )
    done = Training.load(folder)
    assert (done.epochs, done.best_epoch) == (4, 4)
    assert done.weights.path == folder / "weights" / "best.json"
    assert (done.weights.names, done.weights.imgsz) == (("car",), 32)
    assert done.weights.origin == "trained"
    assert list(losses) == [1, 2, 3, 4] and losses[4] == pytest.approx(0)
    dark = (50 * 998 + 2 * 255) / 1000
    assert json.loads(done.weights.path.read_text())["threshold"] == pytest.approx((200 + dark) / 2)
    again = Network(chosen, done.weights)
    (folder / "video").mkdir()
    request = again.request(("car",), {})
    predict_video([scene()], VIDEO, again, request, folder / "video", lambda *_: None)
    (frame,) = Predictions.load(folder / "video").frames()
    assert frame.bbox_xyxy.tolist() == [[10, 5, 30, 15]]


def test_what_shapes_a_result_and_nothing_else(toy, weights):
    def facts(**more):
        chosen = settings(toy, weights=str(weights), **more)
        network = Network(chosen, resolve_weights(chosen, nothing))
        return network.prediction(network.request(("car",), {"car": "car"}))

    first = facts()
    assert first["compute"] == {"device": "cpu", "precision": "float64"}
    assert first["family"] == ["toy", 1]
    assert (first["imgsz"], first["min_pixels"], first["conf_floor"]) == (64, 4, 0.05)
    assert facts(batch=3, weights_folder="/elsewhere") == first
    for change in ({"min_pixels": 5}, {"imgsz": 32}, {"conf_floor": 0.1}, {"max_det": 7}):
        assert facts(**change) != first, change


def test_what_shapes_a_training_and_nothing_else(toy, weights):
    chosen = settings(toy, weights=str(weights))
    network = Network(chosen, resolve_weights(chosen, nothing))

    def facts(**more):
        return network.training(TrainerSettings(**({"name": "a", "epochs": 2} | more)))

    first = facts()
    assert (first["trainer"], first["imgsz"]) == ({"epochs": 2}, 64)
    assert facts(name="b", workers=3, lr0=0.5, extra={"dropout": 0.1}, imgsz=64) == first
    for change in ({"epochs": 3}, {"imgsz": 32}):
        assert facts(**change) != first, change


def test_an_unknown_model_names_those_that_there_are(toy):
    with pytest.raises(SettingsError, match=r"model=none: no family has .*yolo11x-seg.*toy-bright"):
        family_of(ModelSettings(name="none"))
    with pytest.raises(SettingsError, match=r"model=none: no family has this model"):
        model_settings("none")


def test_all_that_ultralytics_reads_shapes_its_training(tiny_weights):
    from segtrack.model.ultralytics.train import SAME_NAME

    network = Network(model_settings("yolov8n-seg"), tiny_weights, "cpu")

    def facts(**more):
        return network.training(TrainerSettings(**({"name": "a", "epochs": 2} | more)))

    first = facts()
    own = {"batch", "cache", "extra", "paste_occluders"}
    assert set(first["trainer"]) == {*SAME_NAME, *own}
    assert first["imgsz"] == 64
    assert facts(name="b", workers=3, threads=2, imgsz=64) == first
    for change in (
        *({"lr0": 0.5}, {"extra": {"dropout": 0.1}}, {"mosaic": 0.5}, {"imgsz": 96}),
        {"paste_occluders": 0.5},
        {"cache": True},  # mosaics are then put together from all images, not from recent ones
    ):
        assert facts(**change) != first, change


@pytest.mark.parametrize(
    ("amp", "device", "card"),
    [
        (True, "cpu", ""),
        (False, "cpu", ""),
        (True, [0], "NVIDIA H200"),
        (False, [0], "NVIDIA H200"),
        (True, [0], "NVIDIA GeForce GTX 1650"),  # its float16 is broken
    ],
)
def test_what_ultralytics_computes_with(tiny_weights, monkeypatch, amp, device, card):
    import torch

    from segtrack.model.ultralytics import library

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: card)
    network = Network(model_settings("yolov8n-seg"), tiny_weights, device)
    kind = "cuda" if device == [0] else "cpu"
    plain = {"device": kind, "precision": "float32"}
    predicts = "float16" if "H200" in card else "float32"
    assert network.family.compute(network) == plain | {"precision": predicts}
    trainer = TrainerSettings(name="t", epochs=1, amp=amp)
    for capable in (True, False):
        monkeypatch.setattr(library, "bfloat16_cpu", lambda capable=capable: capable)
        low = "bfloat16" if kind == "cpu" and capable else predicts
        expected = {"device": kind, "precision": low if amp else "float32"}
        assert network.family.compute(network, trainer) == expected


LIGHT = """
import sys
import segtrack.model.rfdetr, segtrack.model.ultralytics
import segtrack.model.sam, tests.plugins.toy_family
heavy = {"torch", "ultralytics", "rfdetr", "pyarrow", "cv2", "numba"} & set(sys.modules)
assert not heavy, heavy
import os
print(os.environ["OMP_WAIT_POLICY"])  # said before anything loads OpenMP, which reads it once
"""


@pytest.mark.parametrize(("given", "found"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_families_are_light_to_know(given, found):
    environment = os.environ | {"OMP_WAIT_POLICY": given or ""}
    if given is None:
        del environment["OMP_WAIT_POLICY"]
    environment |= {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-c", LIGHT]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{found}\n", "")


def test_a_plugin_is_found():
    environment = os.environ | {"SEGTRACK_PLUGINS": "tests.plugins.toy_family"}
    environment["PYTHONPATH"] = f"{ROOT / 'src'}{os.pathsep}{ROOT}"
    command = [sys.executable, "-c", "from segtrack.model import FAMILIES; print(*FAMILIES)"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.stdout.split(), done.stderr) == (["rfdetr", "ultralytics", "toy"], "")
