"""A network in 8 bits is close to the one that it was made of, and needs images enough."""

import dataclasses

import numpy as np
import pytest

from segtrack.base.errors import DataError, SettingsError
from segtrack.model import Network
from segtrack.model.ultralytics import backends, quantizing
from segtrack.model.ultralytics.exported import read_exported
from segtrack.model.ultralytics.settings import YoloSegSettings

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 255, (12, 64, 64, 3), np.uint8)


@pytest.fixture
def network(tiny_weights):
    return Network(YoloSegSettings(name="yolov8n-seg", backend="torch"), tiny_weights, "cpu")


def test_close_to_the_network_that_it_was(network, tmp_path, monkeypatch, capfd):
    nncf = pytest.importorskip("nncf")
    counted = []
    monkeypatch.setattr(
        quantizing, "progress", lambda items, *what: counted.append(what) or iter(list(items))
    )
    bars = nncf.common.logging.track_progress.Progress
    path = quantizing.quantize_network(network, iter(IMAGES), tmp_path)
    assert capfd.readouterr() == ("", "")  # no bars of NNCF's
    assert nncf.common.logging.track_progress.Progress is bars
    assert set(counted) == {("calibrate", len(IMAGES), "images")}
    facts = read_exported(path).facts
    assert (facts["precision"], facts["calibration_images"]) == ("int8", len(IMAGES))
    exact = backends.make_runtime(network, "torch").start(IMAGES[:2]).result()
    used = dataclasses.replace(network.weights, path=path)
    settings = dataclasses.replace(network.settings, backend="auto")
    one = Network(settings, used, "cpu")
    assert one.family.compute(one)["precision"] == "int8"
    rough = dataclasses.replace(settings, precision="bfloat16")
    assert backends.precision_of(Network(rough, used, "cpu")) == "int8 bfloat16"
    runtime = backends.make_runtime(dataclasses.replace(network, weights=used), "openvino")
    for i in range(2):
        found = runtime.start(IMAGES[i : i + 1]).result()
        for one, other in zip(found, exact, strict=True):
            assert one.shape == other[i : i + 1].shape
            assert 0 < np.abs(one - other[i : i + 1]).mean() < 0.05 * other[i].std()


def test_without_images(network, tmp_path):
    pytest.importorskip("nncf")
    with pytest.raises(DataError, match="no images to calibrate with; give some"):
        quantizing.quantize_network(network, [], tmp_path)
    assert not list(tmp_path.iterdir())


def test_without_nncf(network, tmp_path, monkeypatch):
    monkeypatch.setattr(quantizing, "find_spec", lambda _: None)
    with pytest.raises(SettingsError, match=r"pip install 'segtrack\[int8\]'"):
        quantizing.quantize_network(network, iter(IMAGES), tmp_path)
