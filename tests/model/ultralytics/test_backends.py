"""OpenVINO and ONNX Runtime find what torch finds, and a machine chooses among them once."""

import dataclasses
import errno
import json
import resource
import time
from concurrent.futures import Future
from importlib.metadata import version
from types import SimpleNamespace

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from segtrack.base.errors import DataError, SettingsError, StageError
from segtrack.model import Network
from segtrack.model.ultralytics import backends, compiled, exporting, home
from segtrack.model.ultralytics.compiled import OFTEN
from segtrack.model.ultralytics.detector import YoloDetector
from segtrack.model.ultralytics.exported import read_exported
from segtrack.model.ultralytics.settings import YoloSegSettings
from segtrack.store import Store
from tests.model.conftest import make_tiny_weights

BACKENDS = ("openvino", "onnx")
RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def store(tmp_path_factory, monkeypatch):
    """One folder for all tests here, so that each network is converted once."""
    folder = tmp_path_factory.getbasetemp() / "backends" / "ultralytics"
    monkeypatch.setattr(home, "folder", lambda: folder)
    monkeypatch.setattr(backends, "_results", {})


def network(weights, backend, **knobs):
    return Network(YoloSegSettings(name="yolov8n-seg", backend=backend, **knobs), weights, "cpu")


def detector(weights, backend, **knobs):
    one = network(weights, backend, **knobs)
    return YoloDetector(one, one.request(weights.names, {}))


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_same_outputs(tiny_weights, backend):
    """Of several shapes: the one that was seen first, and others."""
    ours = backends.make_runtime(network(tiny_weights, backend), backend)
    torchs = backends.make_runtime(network(tiny_weights, "torch"), "torch")
    assert (ours.stride, ours.batch, torchs.batch) == (32, 1, 8)
    for shape in ((64, 96), (96, 64), (32, 160), (64, 96)):
        image = RNG.integers(0, 255, (1, *shape, 3), np.uint8)
        found, expected = ours.start(image).result(), torchs.start(image).result()
        for one, other in zip(found, expected, strict=True):
            assert one.shape == other.shape
            np.testing.assert_allclose(one, other, atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_same_detections_in_photographs(coco_weights, shared_data, backend):
    import cv2

    photos = sorted((shared_data / "images" / "coco100-val" / "images").iterdir())[:4]
    images = [cv2.imread(str(path)) for path in photos]
    found, expected = (
        [raw.decode(0) for raw in one.predict([one.prepare(image) for image in images])]
        for one in (detector(coco_weights, name, conf_floor=0.25) for name in (backend, "torch"))
    )
    assert sum(map(len, expected)) > 10
    for image, ours, torchs in zip(images, found, expected, strict=True):
        assert ours.class_id.tolist() == torchs.class_id.tolist()
        np.testing.assert_allclose(ours.score, torchs.score, atol=1e-4)
        np.testing.assert_allclose(ours.bbox_xyxy, torchs.bbox_xyxy, atol=0.02)
        size = list(image.shape[:2])
        for a, b in zip(ours.rle, torchs.rle, strict=True):
            rles = [{"size": size, "counts": counts} for counts in (a, b)]
            assert coco_mask.iou(rles[:1], rles[1:], [0])[0, 0] > 0.995


def test_a_shape_that_comes_often_is_compiled_for_itself(tiny_weights):
    runtime = backends.make_runtime(network(tiny_weights, "openvino"), "openvino")
    shapes = [(64, 64)] + [(96, 64)] * OFTEN + [(64, 96)]
    for shape in shapes:
        runtime.start(np.zeros((1, *shape, 3), np.uint8)).result()
    assert list(runtime._networks) == [(1, 64, 64, 3), ()]
    runtime.start(np.zeros((1, 96, 64, 3), np.uint8)).result()
    assert list(runtime._networks) == [(1, 64, 64, 3), (), (1, 96, 64, 3)]


@pytest.mark.parametrize(("largest", "most"), [(1e9, 3), (0, 2)])
def test_few_shapes_are_compiled_for_themselves(tiny_weights, monkeypatch, largest, most):
    """And the one that takes any; each keeps memory of its own."""
    for name, value in (("OWN", 2), ("LARGE", largest), ("OFTEN", 1)):
        monkeypatch.setattr(compiled, name, value)
    runtime = backends.make_runtime(network(tiny_weights, "openvino"), "openvino")
    for height in (32, 64, 96, 128) * 2:
        found, _ = runtime.start(np.zeros((1, height, 64, 3), np.uint8)).result()
        assert found.shape == (1, 39, height * 64 * 21 // 1024)
    assert len(runtime._networks) == most and () in runtime._networks


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_file_says_what_it_is(tiny_weights, tmp_path, backend):
    path = exporting.export_network(network(tiny_weights, "torch"), backend, tmp_path)
    assert path.name == f"yolov8n-seg{exporting.SUFFIXES[backend]}"
    assert read_exported(path).facts == {
        "task": "segment",
        "model": "yolov8n-seg",
        "names": ["car", "truck", "boat"],
        "imgsz": 64,
        "stride": 32,
        "end2end": False,
        "input": exporting.INPUT,
        "precision": "float32",
        "weights_sha256": tiny_weights.sha256,
    }
    exported = dataclasses.replace(tiny_weights, path=path)
    assert backends.backend_of(network(exported, "auto"))[0] == backend


@pytest.mark.parametrize("suffix", [".xml", ".onnx"])
def test_a_file_of_another_kind_is_refused(tmp_path, suffix):
    path = tmp_path / f"other{suffix}"
    path.write_text("<net/>")
    with pytest.raises(DataError, match=rf"other{suffix}: no network that `segtrack export`"):
        read_exported(path)


def test_results_say_what_computed_them(tiny_weights):
    one = network(tiny_weights, "openvino")
    release = ".".join(version("openvino").split(".")[:2])
    facts = one.prediction(one.request(tiny_weights.names, {}))
    assert facts["compute"] == {
        "device": "cpu",
        "precision": "float32",
        "backend": f"openvino {release}",
    }
    assert "backend" not in facts
    other = network(tiny_weights, "torch")
    facts = other.prediction(other.request(tiny_weights.names, {}))
    assert facts["compute"] == {"device": "cpu", "precision": "float32"}


class Waits:
    """A runtime that takes its time."""

    batch, stride = 2, 32

    def __init__(self, seconds):
        self.seconds = seconds

    def start(self, pixels):
        time.sleep(self.seconds)
        done = Future()
        done.set_result(None)
        return done


def test_bfloat16_is_of_openvino(tiny_weights, monkeypatch):
    one = network(tiny_weights, "auto", precision="bfloat16")
    capable = SimpleNamespace(get_property=lambda *_: ["FP32", "BF16"])
    monkeypatch.setattr(backends, "openvino_core", lambda: capable)
    compute = one.prediction(one.request(tiny_weights.names, {}))["compute"]
    assert compute["precision"] == "bfloat16" and compute["backend"].startswith("openvino ")
    with pytest.raises(SettingsError, match="backend=torch does not compute in it"):
        backends.backend_of(network(tiny_weights, "torch", precision="bfloat16"))
    capable.get_property = lambda *_: ["FP32"]
    with pytest.raises(SettingsError, match="this CPU does not have it"):
        backends.backend_of(one)


def test_auto_measures_once(tiny_weights, monkeypatch, capsys):
    monkeypatch.delenv("SEGTRACK_BACKEND")
    waits = {"torch": 0.004, "openvino": 0.001, "onnx": 0.004}
    asked = []
    monkeypatch.setattr(
        backends, "make_runtime", lambda _, name: asked.append(name) or Waits(waits[name])
    )
    first = backends.backend_of(network(tiny_weights, "auto"))
    assert first[0] == "openvino" and asked == ["openvino", "onnx", "torch"]
    kept = json.loads((home.kept() / "fastest.json").read_text())
    assert list(kept.values()) == ["openvino"]
    assert "yolov8n-seg, 64 px, many, openvino" in next(iter(kept))
    assert "which of openvino, onnx, torch is fastest" in capsys.readouterr().out
    backends._results.clear()  # as another process
    assert backends.backend_of(network(tiny_weights, "auto")) == first
    assert len(asked) == 3


def test_a_slow_network_is_measured_once(tiny_weights, monkeypatch, capsys):
    monkeypatch.delenv("SEGTRACK_BACKEND")
    monkeypatch.setattr(backends, "ENOUGH", 0.0)
    waits = {"torch": 0.001, "openvino": 0.004, "onnx": 0.004}
    monkeypatch.setattr(backends, "make_runtime", lambda _, name: Waits(waits[name]))
    assert backends.backend_of(network(tiny_weights, "auto", imgsz=96))[0] == "torch"
    assert "inf" not in capsys.readouterr().out


def test_auto_leaves_out_what_does_not_compute_a_network(tiny_weights, monkeypatch, capsys):
    """The real measurement, with a converter that fails, and remains that are no measurements."""
    monkeypatch.delenv("SEGTRACK_BACKEND")
    convert, refused = backends.make_runtime, []

    def some(one, name):
        if name == "openvino":
            refused.append(name)
            raise RuntimeError("no such\n operation")
        return convert(one, name)

    monkeypatch.setattr(backends, "make_runtime", some)
    file = home.kept() / "fastest.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    for remains in ("[1]", '{"a": 1, "b": "none"}', "{"):
        file.write_text(remains)
        backends._results.clear()
        assert backends.backend_of(network(tiny_weights, "auto", batch=2))[0] in ("onnx", "torch")
    assert len(refused) == 3
    said = capsys.readouterr().out
    assert "openvino does not compute it: no such operation" in said
    assert "an image takes: onnx" in said and ", torch" in said


@pytest.mark.parametrize(
    "failure",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        PermissionError(errno.EACCES, "Permission denied"),
        StageError("cannot write network.xml: OpenVINO says no more than 'iostream error'"),
        MemoryError(),
        RuntimeError("Failed to allocate memory for requested buffer of size 4"),
    ],
)
def test_what_the_machine_lacks_says_nothing_of_a_backend(
    failure, tiny_weights, monkeypatch, capsys
):
    """Neither is one chosen without it, nor is anything kept."""
    monkeypatch.delenv("SEGTRACK_BACKEND")
    asked = []

    def some(_, name):
        asked.append(name)
        if name == "openvino":
            raise failure
        return Waits(0.001)

    monkeypatch.setattr(backends, "make_runtime", some)
    file = home.kept() / "fastest.json"
    file.unlink(missing_ok=True)
    one = network(tiny_weights, "auto", batch=3)
    with pytest.raises(type(failure)) as found:
        backends.backend_of(one)
    assert (found.value, asked, backends._results) == (failure, ["openvino"], {})
    assert not file.exists()
    assert "does not compute it" not in capsys.readouterr().out


def test_a_full_disk_while_a_network_is_converted(tiny_weights, tmp_path):
    """OpenVINO itself says nothing but an iostream error."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    one = network(tiny_weights, "openvino")
    with pytest.raises(StageError) as found:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
        try:
            exporting.export_network(one, "openvino", tmp_path)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
    text = str(found.value)
    assert text.startswith(f"cannot write {tmp_path / 'yolov8n-seg.xml'}, where ")
    assert "iostream error" in text and "store=FOLDER" in text
    assert list(tmp_path.iterdir()) == []


def test_a_network_of_a_larger_stride(tmp_path, monkeypatch, capsys):
    """It is converted and measured with images whose sides are multiples of 64 px."""
    monkeypatch.delenv("SEGTRACK_BACKEND")
    weights = make_tiny_weights(tmp_path / "p6.pt", network="yolov8n-seg-p6")
    assert backends.backend_of(network(weights, "auto", imgsz=96))[0] in backends.PACKAGES
    assert "does not compute it" not in capsys.readouterr().out
    image = RNG.integers(0, 255, (70, 100, 3), np.uint8)
    for backend in BACKENDS:
        one = detector(weights, backend, imgsz=96)
        assert one.prepare(image).pixels.shape == (128, 128, 3)
        assert one.predict([one.prepare(image)])[0].outputs.result()[0].shape[1] == 4 + 3 + 32


def test_an_exported_network_says_what_it_is_computed_with(tiny_weights, tmp_path):
    exported = {
        form: dataclasses.replace(tiny_weights, path=tmp_path / f"a{exporting.SUFFIXES[form]}")
        for form in BACKENDS
    }
    for form in BACKENDS:
        assert backends.backend_of(network(exported[form], "auto"))[0] == form
        assert backends.backend_of(network(exported[form], form))[0] == form
        with pytest.raises(SettingsError, match=f"model.backend=torch: .* is computed by {form}"):
            backends.backend_of(network(exported[form], "torch"))
    with pytest.raises(SettingsError, match=r"onnx, which does not have it; leave it out, or"):
        backends.backend_of(network(exported["onnx"], "auto", precision="bfloat16"))


def test_without_the_package(tiny_weights, monkeypatch):
    monkeypatch.delenv("SEGTRACK_BACKEND")
    there = backends._version
    monkeypatch.setattr(backends, "_version", lambda name: "" if name != "torch" else there(name))
    assert backends.backend_of(network(tiny_weights, "auto"))[0] == "torch"
    with pytest.raises(SettingsError, match="openvino is not installed; pip install openvino"):
        backends.backend_of(network(tiny_weights, "openvino"))
    with pytest.raises(SettingsError, match=r"pip install 'segtrack\[onnx\]'"):
        backends.backend_of(network(tiny_weights, "onnx"))


def test_a_converted_network_is_a_result_of_the_store(tiny_weights, capsys):
    """So it is listed, verified, and collected when no process uses it."""
    one = network(tiny_weights, "openvino")
    path = exporting.converted(one, "openvino")
    store = Store(home.folder().parent)
    (entry,) = [entry for entry in store.entries("convert") if entry.folder == path.parent]
    files = (path, path.with_suffix(".bin"))
    assert sum(file.stat().st_size for file in files) < entry.size
    assert path.parent not in store.collect(days=0) and path.is_file()  # this process uses it
    whole = files[1].read_bytes()
    files[1].write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert [folder for folder, _ in store.damaged()] == [path.parent]
    assert exporting.converted(one, "openvino") == path
    assert files[1].read_bytes() == whole
    assert "yolov8n-seg.bin is damaged" in capsys.readouterr().out


def test_a_store_that_cannot_be_written(tiny_weights, tmp_path, monkeypatch):
    (tmp_path / "results").touch()  # where a folder should be
    monkeypatch.setattr(home, "folder", lambda: tmp_path / "ultralytics")
    path = exporting.converted(network(tiny_weights, "openvino"), "openvino")
    assert path.is_file() and tmp_path not in path.parents
