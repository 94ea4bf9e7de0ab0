"""Exported networks in place of a checkpoint, and as MLflow serves them."""

import base64
import contextlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from segtrack import journal as journals
from segtrack.base.errors import DataError, SettingsError, StageError
from segtrack.model import (
    SERVED,
    Network,
    Request,
    Weights,
    load_served,
    resolve_weights,
    served_facts,
    write_served,
)
from segtrack.model.ultralytics import exporting
from segtrack.model.ultralytics.detector import YoloDetector
from segtrack.model.ultralytics.exporting import export_network
from segtrack.model.ultralytics.settings import YoloSegSettings
from segtrack.settings import MlflowSettings

NAME = "yolov8n-seg"
FORMS = {"onnx": "onnxruntime", "openvino": "openvino"}


@pytest.fixture(scope="module")
def exported(tiny_weights: Weights, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A file of each format, in a folder of its own."""
    found = {}
    for form in FORMS:
        folder = tmp_path_factory.mktemp(form)
        settings = YoloSegSettings(NAME, imgsz=96)
        found[form] = export_network(Network(settings, tiny_weights, "cpu"), form, folder)
    return found


def resolve(path: Path, **more) -> Weights:
    def no_run(run_id: str) -> Path:
        raise AssertionError("not asked for a run")

    return resolve_weights(YoloSegSettings(NAME, weights=str(path), **more), no_run)


def problems(path: Path) -> list[str]:
    return [str(one) for one in YoloSegSettings(NAME, weights=str(path)).problems()]


@pytest.mark.parametrize("form", FORMS)
def test_a_file_says_what_it_is(form, exported):
    path = exported[form]
    assert problems(path) == problems(path.parent) == []
    found = resolve(path)
    assert (found.names, found.imgsz, found.path) == (("car", "truck", "boat"), 96, path)
    assert found.model == NAME
    assert found.trained and len(found.sha256) == 64
    assert resolve(path.parent) == found
    with pytest.raises(DataError, match=r"exported with model.end2end=false; give that too"):
        resolve(path, end2end=True)


def test_openvino_is_known_by_its_numbers_too(exported, tmp_path):
    path = exported["openvino"]
    for file in (path, path.with_suffix(".bin")):
        shutil.copy(file, tmp_path / file.name)
    copy = tmp_path / path.name
    assert resolve(copy).sha256 == resolve(path).sha256
    content = bytearray(copy.with_suffix(".bin").read_bytes())
    content[100] ^= 1
    copy.with_suffix(".bin").write_bytes(content)
    assert resolve(copy).sha256 != resolve(path).sha256


def test_an_onnx_file_is_known_by_itself(exported, tmp_path):
    copy = tmp_path / exported["onnx"].name
    shutil.copy(exported["onnx"], copy)
    copy.with_suffix(".bin").write_bytes(b"of another network")
    assert resolve(copy).sha256 == resolve(exported["onnx"]).sha256


def test_files_that_are_none(exported, tmp_path):
    other = tmp_path / "network.onnx"
    other.write_bytes(b"no network at all")
    with pytest.raises(DataError, match=r"network.onnx: no network that `segtrack export`"):
        resolve(other)
    whole = exported["onnx"].read_bytes()
    other.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"network.onnx: no network that `segtrack export`"):
        resolve(other)
    import onnx

    model = onnx.load(exported["onnx"])
    said = {"names": ["car"], "imgsz": 64, "stride": 32, "end2end": False}
    onnx.helper.set_model_props(model, {"segtrack": json.dumps(said)})
    onnx.save(model, other)
    with pytest.raises(DataError, match=r"name 1 classes, but its output has 3; export it again"):
        resolve(other)
    for facts in (
        *({"names": ["car"]}, said | {"names": "car"}, said | {"stride": 0}, [1], None),
        {name: said[name] for name in ("names", "imgsz", "end2end")},
    ):
        onnx.helper.set_model_props(model, {"segtrack": json.dumps(facts)})
        onnx.save(model, other)
        with pytest.raises(DataError, match=r"network.onnx: says nothing usable of itself"):
            resolve(other)
    del model.metadata_props[:]  # of another program
    onnx.save(model, other)
    with pytest.raises(DataError, match=r"metadata \(no 'names'\); .*, or give its checkpoint's"):
        resolve(other)
    os.mkfifo(tmp_path / "pipe.onnx")
    with pytest.raises(DataError, match=r"pipe.onnx: is no file but a pipe or a device; give a"):
        resolve(tmp_path / "pipe.onnx")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(DataError, match="a folder with 0 exported networks"):
        resolve(empty)
    (tmp_path / "x.engine").touch()
    assert problems(tmp_path / "x.engine") == [
        f"model.weights={tmp_path}/x.engine: must be a checkpoint's .pt file, or an exported one "
        "(.onnx, .xml)"
    ]


def test_openvino_that_was_copied_in_part(exported, tmp_path):
    whole = exported["openvino"]
    copy = Path(shutil.copy(whole, tmp_path / "street.xml"))
    with pytest.raises(DataError, match=r"belong to it are missing: .*street.bin; keep the two"):
        resolve(copy)
    numbers = whole.with_suffix(".bin").read_bytes()
    for part in (numbers[: len(numbers) // 2], b""):
        copy.with_suffix(".bin").write_bytes(part)
        with pytest.raises(DataError, match=r"street.bin, \d+ bytes, does not have the numbers"):
            resolve(copy)
    copy.with_suffix(".bin").write_bytes(numbers)
    copy.write_bytes(whole.read_bytes()[:5000])
    with pytest.raises(DataError, match=r"export wrote \(Error parsing [^:]*\); give one"):
        resolve(copy)
    shutil.copy(exported["onnx"], copy)
    with pytest.raises(DataError, match=r"street.xml: says nothing of itself, and metadata.yaml"):
        resolve(copy)


@pytest.fixture(scope="module")
def of_ultralytics(tiny_weights, tmp_path_factory) -> dict[str, Path]:
    """Files of its own export: ONNX for any size, OpenVINO for 64 px alone."""
    from ultralytics import YOLO

    found = {}
    for form, knobs in (("onnx", {"dynamic": True, "simplify": False}), ("openvino", {})):
        copy = tmp_path_factory.mktemp(f"their-{form}") / "tiny.pt"
        shutil.copy(tiny_weights.path, copy)
        found[form] = Path(YOLO(copy).export(format=form, imgsz=64, device="cpu", **knobs))
    return found


@pytest.mark.parametrize("form", FORMS)
def test_files_of_ultralytics_own_export(form, of_ultralytics, tiny_weights):
    path = of_ultralytics[form]
    weights = resolve(path)
    assert (weights.names, weights.imgsz) == (("car", "truck", "boat"), 64)
    found = []
    for one in (weights, tiny_weights):
        network = Network(YoloSegSettings(NAME, backend="auto"), one, "cpu")
        detector = YoloDetector(network, Request(one.names, conf_floor=1e-6))
        image = np.random.default_rng(3).integers(0, 255, (64, 64, 3), np.uint8)
        (raw,) = detector.predict([detector.prepare(image)])
        found.append(raw.outputs.result())
    for theirs, ours in zip(*found, strict=True):
        np.testing.assert_allclose(theirs, ours, atol=1e-3, rtol=1e-4)
    detector = YoloDetector(Network(YoloSegSettings(NAME), weights, "cpu"), Request(weights.names))
    wide = detector.prepare(np.zeros((32, 64, 3), np.uint8)).pixels.shape
    assert wide == ((32, 64, 3) if form == "onnx" else (64, 64, 3))
    if form == "openvino":
        with pytest.raises(DataError, match=r"takes images of 64x64 px alone, not model.imgsz=96"):
            resolve(path, imgsz=96)


def test_files_of_ultralytics_that_cannot_be_used(of_ultralytics, tmp_path):
    import onnx

    other = tmp_path / "network.onnx"
    model = onnx.load(of_ultralytics["onnx"])
    said = {one.key: one.value for one in model.metadata_props}
    for more, why in (
        ({"task": "detect"}, "exported for task 'detect', so it predicts no masks"),
        ({"args": "{'nms': True}"}, "suppressed inside.*; export it again with nms=False"),
        ({"end2end": "True"}, "suppressed inside"),
        ({"names": "{0: 'car', 1: 'truck'}"}, "name 2 classes, but its output has 3;"),
        ({"names": "{0: 'car', 2: 'truck'}"}, "says nothing usable of itself"),
        ({"names": "__import__('os')"}, "says nothing usable of itself"),
        ({"imgsz": "64 px"}, "says nothing usable of itself"),
    ):
        onnx.helper.set_model_props(model, said | more)
        onnx.save(model, other)
        with pytest.raises(DataError, match=why):
            resolve(other)
    onnx.helper.set_model_props(model, said)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 2
    onnx.save(model, other)
    with pytest.raises(DataError, match="takes 2 images at once; export it again with batch=1"):
        resolve(other)


def test_onnx_with_its_numbers_in_another_file(exported, tmp_path):
    import onnx

    folder, beside = tmp_path / "one", tmp_path / "one" / "n.onnx.data"
    folder.mkdir()
    path = folder / "n.onnx"
    keeping = {"save_as_external_data": True, "size_threshold": 0}
    onnx.save(onnx.load(exported["onnx"]), path, location=beside.name, **keeping)
    known = resolve(path).sha256
    content = bytearray(beside.read_bytes())
    content[100] ^= 1
    beside.write_bytes(content)
    assert resolve(path).sha256 != known
    outside = beside.rename(tmp_path / "n.onnx.data")
    with pytest.raises(DataError, match=r"numbers that belong to it are missing: .*n.onnx.data;"):
        resolve(path)
    beside.symlink_to(outside)
    with pytest.raises(DataError, match=r"refused: its numbers would be read from outside"):
        resolve(path)
    for place in (f"../{outside.name}", str(outside), "/dev/zero"):
        model = onnx.load(path, load_external_data=False)
        for tensor in model.graph.initializer:
            for entry in tensor.external_data:
                entry.value = place if entry.key == "location" else entry.value
        onnx.save(model, path)
        with pytest.raises(DataError, match=rf"would be read from outside of its folder, {place}"):
            resolve(path)


def test_an_exported_file_without_what_reads_it(exported, monkeypatch):
    monkeypatch.setattr(exporting, "find_spec", lambda name: None)
    for form, do in (("onnx", r"'segtrack\[onnx\]'"), ("openvino", "openvino")):
        path = exported[form]
        told = rf"model.weights={path}: .* is not there; pip install {do}, or give the checkpoint's"
        with pytest.raises(SettingsError, match=told):
            resolve(path)


def test_what_tensorrt_lacks_here(tiny_weights, tmp_path, monkeypatch):
    network = Network(YoloSegSettings(NAME), tiny_weights, "cpu")
    for there in (False, True):  # device=cpu is no GPU, whatever the machine has
        monkeypatch.setattr("torch.cuda.is_available", lambda there=there: there)
        with pytest.raises(SettingsError, match=r"tensorrt: .*GPU \(device=cpu\) is not there"):
            export_network(network, "tensorrt", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_tensorrt_is_given(tiny_weights, tmp_path, monkeypatch):
    """Its own builder needs a GPU; of layers for uint8 it has the cast alone."""
    import onnx
    from ultralytics.utils.export import engine

    given, places = [], []

    def place(where):
        places.append(where)
        return contextlib.nullcontext()

    def build(file, path, metadata):
        graph = onnx.load(file).graph
        shape = [size.dim_value for size in graph.input[0].type.tensor_type.shape.dim]
        first = [node.op_type for node in graph.node if "pixels" in node.input]
        given.append((places[-1], first, shape, metadata["names"]))
        raise RuntimeError("failed to load ONNX file")

    monkeypatch.setattr(engine, "onnx2engine", build)
    monkeypatch.setattr(exporting, "require", lambda *_: None)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setattr("torch.cuda.device", place)
    network = Network(YoloSegSettings(NAME), tiny_weights, "1")
    with pytest.raises(
        StageError, match=r"makes no engine of it \(failed to load ONNX file\); use"
    ):
        export_network(network, "tensorrt", tmp_path)
    assert given == [("cuda:1", ["Cast"], [1, 64, 64, 3], ["car", "truck", "boat"])]
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def photo() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 255, (48, 80, 3), np.uint8)


ENDED_ELSEWHERE = """
import gc, signal, sys, threading
from pathlib import Path
import numpy as np
from segtrack.model.ultralytics.compiled import OpenVinoRuntime

made = [OpenVinoRuntime(Path(sys.argv[1]), alone=True)]
made[0].start(np.zeros((1, 96, 96, 3), np.uint8)).result()
made[0]._pool.shutdown()
thread = threading.Thread(target=lambda: (made.clear(), gc.collect()))
thread.start()
thread.join()
try:
    signal.raise_signal(signal.SIGINT)
except KeyboardInterrupt:
    print("interrupted")
"""


def test_ctrl_c_after_a_network_ended_in_another_thread(exported):
    """OpenVINO frees a stack for signals which is another thread's: a segmentation fault."""
    command = [sys.executable, "-c", ENDED_ELSEWHERE, str(exported["openvino"])]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "interrupted\n"), done.stderr


def test_mlflow_serves_it(exported, tiny_weights, photo, tmp_path, mlflow_template):
    """From the registry, by MLflow's own loader; its answer is the detector's."""
    files = tmp_path / "stage" / SERVED
    shutil.copytree(exported["openvino"].parent, files)
    path = files / exported["openvino"].name
    with path.with_suffix(".bin").open("ab") as file:
        file.write(bytes(1 << 20))  # large enough for a link
    settings = YoloSegSettings(NAME, imgsz=96, conf_floor=0.0001)
    request = Request(("vehicle", "boat"), {"car": "vehicle", "truck": "vehicle"}, 0.0001)
    write_served(Network(settings, tiny_weights, "cpu"), path, request)

    shutil.copy2(mlflow_template, tmp_path / "mlflow.db")
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    places = MlflowSettings(uri=uri, artifacts=str(tmp_path / "artifacts"))
    for version in ("1", "2"):
        with journals.record(places, "one", {}) as journal:
            journal.model(files, "export", served_facts(["openvino"]), "street")
        client, _ = journals.connect(places)
        made = client.get_model_version("street", version)
        assert made.run_id == journal.run_id
    root = Path(client.get_run(journal.run_id).info.artifact_uri.removeprefix("file://"))
    kept = root / "export" / "data" / SERVED / path.name
    assert kept.with_suffix(".bin").samefile(path.with_suffix(".bin"))
    assert not list(root.rglob("*.py")) and not list(root.rglob("*.pkl"))

    import mlflow
    import pandas

    mlflow.set_tracking_uri(uri)
    try:
        model = mlflow.pyfunc.load_model("models:/street/2")
        assert [one.name for one in model.metadata.get_input_schema()] == ["image"]
        content = cv2.imencode(".png", photo)[1].tobytes()
        table = pandas.DataFrame({"image": [content, content]})
        answer = model.predict(table, params={"conf": 0.0001})
        assert len(model.predict(table)) < len(answer)  # the score that counts by default
        text = table.map(base64.b64encode)  # as MLflow's server hands over `inputs`
        assert model.predict(text, params={"conf": 0.0001}).equals(answer)
        # Of other errors the server tells whoever asks nothing.
        with pytest.raises(mlflow.MlflowException, match="image 1: not readable as an image; send"):
            model.predict(pandas.DataFrame({"image": [content, b"hello"]}))
        for conf in (7.0, float("nan")):
            with pytest.raises(mlflow.MlflowException, match=r"conf=.*: must lie between 0 and 1"):
                model.predict(table, params={"conf": conf})
    finally:
        mlflow.set_tracking_uri(None)
    network = Network(settings, resolve(exported["openvino"]), "cpu")
    detector = YoloDetector(network, request)
    expected = detector.predict([detector.prepare(photo)])[0].decode(0)
    count = len(expected)
    assert count > 0 and answer["image"].tolist() == [0] * count + [1] * count
    first = answer[:count]
    assert first["class_name"].tolist() == [request.names[i] for i in expected.class_id]
    np.testing.assert_allclose(first["score"], expected.score, atol=1e-6)
    np.testing.assert_allclose(first["bbox_xyxy"].tolist(), expected.bbox_xyxy, atol=1e-3)
    assert first["segmentation"].tolist() == [
        {"size": [48, 80], "counts": rle.decode()} for rle in expected.rle
    ]
    json.dumps(first.to_dict("records"))


def test_what_cannot_be_served(tmp_path):
    with pytest.raises(DataError, match="no exported network of segtrack"):
        load_served(tmp_path)
    facts = {"network": "../x.onnx", "model": NAME, "knobs": {}, "names": ["car"], "class_map": {}}
    (tmp_path / "served.json").write_text(json.dumps(facts))
    with pytest.raises(DataError, match=f"{tmp_path}/x.onnx: no such file"):
        load_served(tmp_path)
    facts["knobs"] = {"no_such_knob": 1}
    (tmp_path / "served.json").write_text(json.dumps(facts))
    with pytest.raises(DataError, match="no exported network of segtrack"):
        load_served(tmp_path)
