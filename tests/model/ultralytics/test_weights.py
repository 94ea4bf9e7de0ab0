"""Where weights come from, and what is said of those that cannot be used."""

import math
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from segtrack.base.errors import DataError
from segtrack.model import resolve_weights
from segtrack.model.ultralytics import Ultralytics, weights
from segtrack.model.ultralytics.settings import YoloSegSettings
from segtrack.model.ultralytics.weights import read_weights


def no_run(run_id: str) -> Path:
    raise AssertionError("not asked for a run")


def resolve(choice, run_weights=no_run, name="yolov8n-seg", **more):
    return resolve_weights(YoloSegSettings(name=name, weights=choice, **more), run_weights)


@pytest.fixture
def shipped(tiny_weights, monkeypatch):
    """Tiny weights in place of those that are shipped."""
    monkeypatch.setattr(Ultralytics, "shipped", {"yolov8n-seg": tiny_weights.path})


@pytest.fixture
def offline(monkeypatch):
    monkeypatch.setattr(weights, "_reachable", lambda *_: False)


def test_path_says_what_it_is(tiny_weights):
    found = resolve(str(tiny_weights.path))
    assert (found.origin, found.names, found.imgsz) == ("path", ("car", "truck", "boat"), 64)
    assert found.path == tiny_weights.path
    assert len(found.sha256) == 64 and found.note == ""


def test_a_file_is_read_once_while_it_stays_the_same(tiny_weights, tmp_path, monkeypatch):
    path = tmp_path / "w.pt"
    path.write_bytes(tiny_weights.path.read_bytes())
    read = []
    digest = weights.file_digest
    monkeypatch.setattr(weights, "file_digest", lambda path: read.append(path) or digest(path))
    assert resolve(str(path)).sha256 == resolve(str(path)).sha256 == tiny_weights.sha256
    assert read == [path]
    path.write_text("something else")
    with pytest.raises(DataError, match="not an ultralytics YOLO checkpoint"):
        resolve(str(path))


def test_real_weights(shared_data):
    found = resolve(str(shared_data / "weights" / "yolov8n-seg.pt"))
    assert (len(found.names), found.names[2], found.imgsz) == (80, "car", 640)
    assert found.sha256 == "e8e255edf2b3829c018bd1a1b0ff074968bd70b33131f35468e64d262ee14a68"


def test_run(tiny_weights):
    found = resolve("run:abc", run_weights={"abc": tiny_weights.path}.__getitem__)
    assert (found.origin, found.sha256) == ("run:abc", tiny_weights.sha256)


def test_scratch():
    found, other = resolve("scratch"), resolve("scratch", name="yolov8s-seg")
    assert (found.path, found.origin, found.names) == (Path("yolov8n-seg.yaml"), "scratch", ())
    assert found.imgsz == 640 and not found.trained
    assert found.sha256 == resolve("scratch").sha256 != other.sha256


def test_shipped(shipped, monkeypatch):
    assert resolve("shipped").origin == "shipped"
    with pytest.raises(DataError, match="only yolov8n-seg ships with weights, not yolov8s-seg"):
        resolve("shipped", name="yolov8s-seg")
    monkeypatch.setattr(Ultralytics, "shipped", {"yolov8n-seg": Path("/nowhere/x.pt")})
    with pytest.raises(DataError, match=r"/nowhere/x.pt is missing from this installation"):
        resolve("shipped")


def test_auto_takes_the_local_folder_first(tiny_weights, tmp_path):
    (tmp_path / "yolov8n-seg.pt").write_bytes(tiny_weights.path.read_bytes())
    found = resolve(None, weights_folder=str(tmp_path))
    assert (found.origin, found.note) == ("auto:folder", "")


def test_auto_downloads(tiny_weights, tmp_path, monkeypatch):
    from segtrack.model.ultralytics import library

    def fetch(name, target):
        target.parent.mkdir()
        target.write_bytes(tiny_weights.path.read_bytes())

    monkeypatch.setattr(weights, "folder", lambda: tmp_path)
    monkeypatch.setattr(library, "download", fetch)
    monkeypatch.setattr(weights, "_reachable", lambda *_: True)
    found = resolve("auto")
    assert (found.origin, found.path) == ("auto:download", tmp_path / "weights" / "yolov8n-seg.pt")
    assert "downloaded yolov8n-seg.pt" in found.note


def test_auto_falls_back_to_shipped_then_scratch(shipped, tmp_path, monkeypatch, offline):
    found = resolve("auto", weights_folder=str(tmp_path))
    assert found.origin == "auto:shipped"
    assert found.note == (
        f"model.weights=auto: {tmp_path}/yolov8n-seg.pt does not exist; github.com does not "
        "answer, so there is nothing to download; using the shipped tiny.pt"
    )
    assert resolve("auto", name="yolov8s-seg").origin == "scratch"
    monkeypatch.setattr(Ultralytics, "shipped", {"yolov8n-seg": Path("/nowhere/x.pt")})
    found = resolve("auto")
    assert found.origin == "scratch"
    assert found.note.endswith("nothing to start from, so training begins from scratch")


def test_auto_fails_fast_where_packets_are_dropped(monkeypatch):
    monkeypatch.setattr(weights, "DOWNLOAD_HOST", ("10.255.255.1", 443))
    begin = time.perf_counter()
    assert resolve("auto", name="yolov8m-seg").origin == "scratch"
    assert time.perf_counter() - begin < 5


def test_missing_file():
    with pytest.raises(DataError, match=r"model.weights=/nowhere/w.pt: no such file"):
        resolve("/nowhere/w.pt")


@pytest.mark.parametrize(
    ("name", "content"),
    [("text.pt", b"hello\n" * 50), ("empty.pt", b""), ("photo.jpg", b"\xff\xd8\xff\xe0" * 9)],
)
def test_not_a_checkpoint(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(
        DataError, match=rf"{path}: not an ultralytics YOLO checkpoint \(.+\); give"
    ):
        read_weights(path, "path")


def test_truncated_checkpoint(tmp_path, tiny_weights):
    path = tmp_path / "cut.pt"
    path.write_bytes(tiny_weights.path.read_bytes()[:-5000])
    with pytest.raises(DataError, match=r"checkpoint \(it begins as .* end is missing: copy it ag"):
        read_weights(path, "path")


def test_a_tensor_file_is_no_checkpoint(tmp_path):
    import torch

    torch.save({"model": {"weight": torch.ones(2)}}, tmp_path / "state.pt")
    with pytest.raises(DataError, match="not an ultralytics YOLO checkpoint"):
        read_weights(tmp_path / "state.pt", "path")


def test_detection_only(tmp_path):
    from ultralytics.nn.tasks import DetectionModel

    from segtrack.model.ultralytics import library

    model = DetectionModel("yolov8n.yaml", nc=2, verbose=False)
    library.torch_save({"model": model, "train_args": {}}, tmp_path / "yolov8n.pt")
    with pytest.raises(DataError, match=r"yolov8n.pt: weights for task 'detect', which predict no"):
        read_weights(tmp_path / "yolov8n.pt", "path")


def changed(weights, path, change):
    """The same checkpoint after ``change`` of its network, as somebody may send it."""
    from segtrack.model.ultralytics import library

    content = library.read_content(weights.path)
    change(content["model"])
    library.torch_save(content, path)
    return path


@pytest.mark.parametrize("name", ["a\udcff", "", " ", "a\0b", "a\nb", "a" * 1001])
def test_a_name_that_no_result_can_hold(tiny_weights, tmp_path, name):
    path = changed(tiny_weights, tmp_path / "w.pt", lambda model: model.names.update({1: name}))
    with pytest.raises(DataError, match=rf"{path}: class 1 has the name .* give other") as caught:
        resolve(str(path))
    assert str(caught.value).isprintable() and len(str(caught.value)) < 500


def layer(kind, **numbers):
    """Change these attributes of the first layer of that kind."""

    def change(model):
        one = next(one for one in model.modules() if type(one).__name__ == kind)
        vars(one).update(numbers)

    return change


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda model: setattr(model.model[3], "f", 10**6), "IndexError: list index out of range"),
        (lambda model: setattr(model.model[3], "f", 1), "TypeError: "),  # what is not kept
        (layer("Conv2d", stride=(0, 1)), "stride=0 of a layer Conv2d"),
        (layer("Conv2d", padding=(10**6, 1)), "padding=1000000 of a layer Conv2d"),
        (layer("Conv2d", padding=(np.int64(10**6), 1)), "padding=1000000 of a layer Conv2d"),
        (layer("Upsample", scale_factor=64.0), "RuntimeError: Sizes of tensors must match"),
        (layer("MaxPool2d", padding=10**6), "padding=1000000 of a layer MaxPool2d"),
        (layer("Upsample", scale_factor=1000.0), "scale_factor=1000.0 of a layer Upsample"),
        (layer("Upsample", scale_factor=math.nan), "scale_factor=nan of a layer Upsample"),
        (layer("ConvTranspose2d", stride=(10**6, 2)), "stride=1000000 of a layer ConvTranspose2d"),
        (lambda model: model.stride.fill_(1e9), "stride=1000000000.0 of a layer Segment"),
    ],
)
def test_a_network_that_cannot_be_computed(tiny_weights, tmp_path, change, why):
    """Said of the file, before anything is done with it and before it takes memory."""
    path = changed(tiny_weights, tmp_path / "w.pt", change)
    with pytest.raises(DataError) as caught:
        read_weights(path, "path")
    assert str(caught.value).startswith(f"model.weights={path}: its network cannot be computed (")
    assert re.search(why, str(caught.value)), caught.value


def test_a_network_that_takes_more_memory_than_any(tiny_weights, tmp_path, monkeypatch):
    """Each layer within bounds, and what they make together is not."""
    from segtrack.model.ultralytics import computable

    path = changed(tiny_weights, tmp_path / "w.pt", layer("MaxPool2d", padding=0))
    monkeypatch.setattr(computable, "MOST_NUMBERS", 0.1)
    with pytest.raises(DataError, match=r"\(a layer \w+ makes 1x\w+ numbers of 64 px\)"):
        read_weights(path, "path")


def test_unknown_network():
    with pytest.raises(DataError, match=r"model.name=yolov9q-seg: ultralytics knows no such"):
        resolve("scratch", name="yolov9q-seg")


def test_odd_paths_work(tiny_weights, tmp_path):
    path = tmp_path / "a b,c [1] (ü)=ß.pt"
    path.write_bytes(tiny_weights.path.read_bytes())
    assert resolve(str(path)).path == path


QUIET = """
import logging, socket, sys
calls = []
socket.socket.connect = lambda *a: calls.append(a) or (_ for _ in ()).throw(OSError("no network"))
socket.getaddrinfo = lambda *a, **k: calls.append(a) or (_ for _ in ()).throw(OSError("no network"))
import numpy as np
from pathlib import Path
from segtrack.model.ultralytics.weights import read_weights
from segtrack.model.ultralytics.detector import YoloDetector
from segtrack.model import Network
from segtrack.model.ultralytics import library
from segtrack.model.ultralytics.settings import YoloSegSettings
weights = read_weights(Path(sys.argv[1]), "path")
network = Network(YoloSegSettings(name="yolov8n-seg"), weights)
detector = YoloDetector(network, network.request(weights.names, {}))
detector.predict([detector.prepare(np.zeros((64, 64, 3), np.uint8))])
from ultralytics.utils import SETTINGS, USER_CONFIG_DIR, events
from ultralytics.utils.events import events as sender
assert not calls, calls
assert not sender.enabled and not SETTINGS["mlflow"] and not SETTINGS["sync"]
print(USER_CONFIG_DIR)
"""


def test_the_library_is_a_quiet_guest(tiny_weights, tmp_path):
    """No network, nothing in the user's home, no word, and our settings folder."""
    home = tmp_path / "home"
    home.mkdir()
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("YOLO_", "PYTEST"))}
    environment |= {"HOME": str(home), "SEGTRACK_HOME": str(tmp_path / "ours")}
    command = [sys.executable, "-c", QUIET, str(tiny_weights.path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(tmp_path / "ours" / "ultralytics" / "Ultralytics")
    assert done.stderr == ""
    assert list(home.iterdir()) == []
