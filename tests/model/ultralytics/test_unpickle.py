"""No checkpoint runs code, whatever it holds, and none takes more memory than it has bytes."""

import io
import os
import pickle
import struct
import sys
import tarfile
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from segtrack.base.errors import DataError, StageError
from segtrack.model import Network, Weights, resolve_sam, resolve_weights, train
from segtrack.model.ultralytics import library
from segtrack.model.ultralytics.checkpoint import continue_from
from segtrack.model.ultralytics.settings import YoloSegSettings
from segtrack.model.ultralytics.unpickle import Refused, read_checkpoint
from segtrack.model.ultralytics.weights import read_weights
from tests.model.ultralytics.conftest import smallest


class Evil:
    """Makes a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.marker}",)


class Call:
    """Calls whatever it is given when it is unpickled."""

    def __init__(self, function: Callable[..., Any], *given: Any) -> None:
        self.made = function, given

    def __reduce__(self) -> Any:
        return self.made


@pytest.fixture
def marker(tmp_path: Path) -> Iterator[Path]:
    """A file that no test may find made."""
    path = tmp_path / "ran"
    yield path
    assert not path.exists()


@pytest.fixture
def content(start_weights: Weights) -> dict[str, Any]:
    return library.read_content(start_weights.path)


def saved(content: Any, path: Path, **how: Any) -> Path:
    torch.save(content, path, **how)
    return path


def rewritten(source: Path, target: Path, change: Callable[[bytes], bytes]) -> Path:
    """The same zip with another pickle."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for entry in old.infolist():
            data = old.read(entry)
            new.writestr(entry, change(data) if entry.filename.endswith("data.pkl") else data)
    return target


def refused(path: Path, **how: Any) -> str:
    with pytest.raises(DataError) as caught:
        read_weights(path, "path", **how)
    text = str(caught.value)
    assert text.startswith(f"model.weights={path}: ") and "\n" not in text and len(text) < 700
    return text


def _in_model(content: dict[str, Any], evil: Any) -> None:
    content["model"].model[0].extra = [{"deep": (evil,)}]


def _in_tensor_hooks(content: dict[str, Any], evil: Any) -> None:
    next(content["model"].parameters())._backward_hooks = OrderedDict({0: evil})


PLACES: dict[str, Callable[[dict[str, Any], Any], None]] = {
    "model": lambda content, evil: content.update(model=evil),
    "ema": lambda content, evil: content.update(ema=evil),
    "train_args": lambda content, evil: content["train_args"].update(imgsz=evil),
    "value": lambda content, evil: content.update({"date": {1: (2, evil)}}),
    "layer": _in_model,
    "unused": lambda content, evil: content.update(git=[evil]),
}


@pytest.mark.parametrize("place", PLACES)
def test_nothing_runs_wherever_it_lies(content, place, marker, tmp_path):
    PLACES[place](content, Evil(marker))
    text = refused(saved(content, tmp_path / "w.pt"))
    assert "refused: it asks for posix.system" in text
    assert "nothing was executed" in text and "model.trust=true" in text


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_no_protocol_runs_anything(start_weights, protocol, marker, tmp_path):
    evil = pickle.dumps(Evil(marker), protocol)
    refused(rewritten(start_weights.path, tmp_path / "w.pt", lambda _: evil))


def test_no_older_format_runs_anything(content, marker, tmp_path):
    content["model"] = Evil(marker)
    for path in (
        saved(content, tmp_path / "legacy.pt", _use_new_zipfile_serialization=False),
        tmp_path / "bare.pt",
        tmp_path / "tar.pt",
    ):
        if path.name == "bare.pt":
            path.write_bytes(pickle.dumps(content["model"]))
        if path.name == "tar.pt":
            with tarfile.open(path, "w") as tar:
                for name in ("sys_info", "pickle", "storages", "tensors"):
                    evil = pickle.dumps(Evil(marker), 2)
                    entry = tarfile.TarInfo(name)
                    entry.size = len(evil)
                    tar.addfile(entry, io.BytesIO(evil))
        assert "not an ultralytics YOLO checkpoint" in refused(path)


# What the pickle of a zip may ask for, written by hand; {} is a command that makes the marker.
ASKED = {
    "a function": b"\x80\x02cposix\nsystem\nX%s\x85R.",
    "a persistent id": b"\x80\x02(X\x07\x00\x00\x00storagecposix\nsystem\nX%stQ.",
    "a name with dots": b"\x80\x02cultralytics.nn.tasks\nos.system\nX%s\x85R.",
    "another's import": b"\x80\x02cultralytics.nn.tasks\ncheck_requirements\nX%s\x85R.",
    "eval": b"\x80\x02c__builtin__\neval\nX%s\x85R.",
    "getattr of a class": b"\x80\x02c__builtin__\ngetattr\nctorch.nn.modules.module\nModule\n"
    b"X\x05\x00\x00\x00apply\x86RX%s\x85R.",
    "torch.load": b"\x80\x02ctorch.serialization\nload\nX%s\x85R.",
    "a changed function": b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\nN}X%sNs\x86b.",
    "a changed class": b"\x80\x02ctorch.nn.modules.module\nModule\nN}X%sNs\x86b.",
    "an extension": b"\x80\x02\x82\x01X%s\x85R.",
    "INST": b"\x80\x02(X%siposix\nsystem\n.",
}


@pytest.mark.parametrize("asked", ASKED)
def test_no_opcode_reaches_a_function(start_weights, asked, marker, tmp_path):
    command = f"touch {marker}".encode()
    evil = ASKED[asked].replace(b"%s", struct.pack("<I", len(command)) + command)
    refused(rewritten(start_weights.path, tmp_path / "w.pt", lambda _: evil))


class Hook(torch.nn.Module):
    """Of a module of its own, as networks with layers of their own are."""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda model: model.register_forward_hook(torch.nn.Identity()), "._forward_hooks"),
        (lambda model: vars(model).update(forward=torch.nn.Identity()), "replaces .*.forward"),
        (lambda model: vars(model).update(act=torch.nn.SiLU), "SiLU as data"),
        (lambda model: vars(model).update(act=torch.load), "asks for torch.serialization.load"),
        (lambda model: model.add_module("own", Hook()), "asks for tests.*Hook"),
        (lambda model: vars(model).update(a=torch.nn.Module.apply), "asks for builtins.getattr"),
        (lambda model: vars(model).update(a=Call(torch.nn.Linear, 1, 1)), "calls torch.*Linear"),
    ],
)
def test_a_network_is_data(content, change, message, tmp_path):
    change(content["model"].model[0])
    with pytest.raises(Refused, match=message):
        read_checkpoint(saved(content, tmp_path / "w.pt"))


def test_no_class_is_called(content, tmp_path):
    """A network that is made by its class would read, or download, the description it is given."""
    from ultralytics.nn.tasks import SegmentationModel

    content["model"] = Call(SegmentationModel, str(tmp_path / "asked.yaml"))
    text = refused(saved(content, tmp_path / "w.pt"))
    assert "it calls ultralytics.nn.tasks.SegmentationModel" in text


def test_what_is_trusted_runs(content, tmp_path):
    marker = tmp_path / "ran"
    content["git"] = Evil(marker)
    path = saved(content, tmp_path / "w.pt")
    assert read_weights(path, "path", trust=True).names == ("car", "truck")
    assert marker.exists()
    marker.unlink()
    refused(path)  # trust ends with the call
    assert not marker.exists() and os.environ["ULTRALYTICS_SAFE_LOAD"] == "true"


def test_weights_of_a_run_and_a_resumed_training_run_nothing(content, marker, tmp_path):
    content["ema"] = Evil(marker)
    content["epoch"] = 0
    path = tmp_path / "run" / "weights" / "last.pt"
    path.parent.mkdir(parents=True)
    saved(content, path)
    with pytest.raises(DataError, match=r"last.pt, of a training .* refused: it asks for posix"):
        continue_from(tmp_path / "run", smallest())
    settings = YoloSegSettings(name="yolov8n-seg", weights="run:abc")
    with pytest.raises(DataError, match=r"refused: it asks for posix\.system"):
        resolve_weights(settings, lambda _: path)
    with pytest.raises(Refused):  # the trainer's own way, and that of ReID
        library.load_checkpoint(path)
    from ultralytics import YOLO

    with pytest.raises(Refused):
        YOLO(path)


def test_the_library_reads_nothing_else_by_itself(marker, tmp_path):
    """SAM is looked at first; the library's own way must not read more than that."""
    from segtrack.model.ultralytics.sam import sam_predictor

    path = saved({"model": Evil(marker)}, tmp_path / "mobile_sam.pt")
    with pytest.raises(DataError, match="holds something else than parameters"):
        resolve_sam(str(path))
    with pytest.raises(pickle.UnpicklingError):
        sam_predictor("mobile_sam", path, "cpu", 1024)


def test_a_description_holds_no_expression(content, drawn, marker, tmp_path):
    """ultralytics evaluates a network's activation when a training builds it anew."""
    content["model"].yaml["activation"] = f"__import__('os').system('touch {marker}') or nn.SiLU()"
    weights = read_weights(saved(content, tmp_path / "w.pt"), "path")
    network = Network(YoloSegSettings(name="yolov8n-seg"), weights, "cpu")
    with pytest.raises(StageError, match="unsupported activation"):
        train(drawn, network, smallest(), 0, tmp_path / "run", lambda *_: None)


def test_what_is_read_is_what_was_saved(start_weights, drawn, tmp_path, monkeypatch):
    """Of a network, and of a training's checkpoint: saved again they have the same bytes."""
    monkeypatch.setattr("segtrack.model.training.SCRATCH", ())
    network = Network(YoloSegSettings(name="yolov8n-seg"), start_weights, "cpu")
    asked: list[str] = []
    monkeypatch.setattr(_Watch, "seen", asked)
    train(drawn, network, smallest(), 0, tmp_path / "run", lambda *_: None)
    monkeypatch.setattr(_Watch, "seen", None)
    assert asked == []  # in a whole training nothing was unpickled in another way
    for path in (start_weights.path, tmp_path / "run" / "run" / "weights" / "last.pt"):
        files = [io.BytesIO(), io.BytesIO()]
        torch.save(read_checkpoint(path), files[0])
        torch.save(torch.load(path, weights_only=False), files[1])
        assert files[0].getvalue() == files[1].getvalue()


class _Watch:
    """Which globals a pickle asked Python for, while somebody wants to know."""

    seen: list[str] | None = None

    @classmethod
    def hook(cls, event: str, given: tuple[Any, ...]) -> None:
        if event == "pickle.find_class" and cls.seen is not None:
            cls.seen.append(".".join(map(str, given)))


sys.addaudithook(_Watch.hook)


def test_real_checkpoints_of_other_tasks_and_years(tmp_path):
    """What they hold beside layers: transforms, NumPy's numbers, paths, functions, losses."""
    import numpy as np
    from torchvision.transforms import Compose, InterpolationMode, Resize, ToTensor
    from ultralytics.nn.modules import Detect
    from ultralytics.utils.loss import BboxLoss

    transforms = Compose([Resize(64, interpolation=InterpolationMode.BILINEAR), ToTensor()])
    layer = torch.nn.Identity()
    layer.detect, layer.criterion, layer.transforms = Detect.forward, BboxLoss(16), transforms
    found = read_checkpoint(
        saved(
            {"model": layer, "best_fitness": np.float64(0.25), "save_dir": tmp_path, "n": 1 << 40},
            tmp_path / "w.pt",
        )
    )
    assert found["best_fitness"] == 0.25 and type(found["best_fitness"]) is np.float64
    assert (found["save_dir"], found["n"]) == (tmp_path, 1 << 40)
    assert repr(found["model"].transforms) == repr(transforms)
    assert (found["model"].detect, found["model"].criterion) == (None, None)


def test_layers_that_are_shared_without_end(tmp_path):
    layer = torch.nn.Sequential()
    for _ in range(40):
        layer = torch.nn.Sequential(torch.nn.Sequential(layer), torch.nn.Sequential(layer))
    with pytest.raises(Refused, match="more than 100000 layers"):
        read_checkpoint(saved({"model": layer}, tmp_path / "w.pt"))


def test_what_holds_itself_and_what_is_shared(tmp_path):
    layer = torch.nn.Linear(2, 2)
    layer.again = [layer]
    half = layer.weight.detach()[0]
    found = read_checkpoint(saved({"a": layer, "b": layer, "half": half}, tmp_path / "w.pt"))
    assert found["a"] is found["b"] is found["a"].again[0]
    assert found["half"].data_ptr() == found["a"].weight.data_ptr()
    assert torch.equal(found["half"], half)


# Bytes, what is wrong with them, and what is said: one line, in bounded time and memory.


_ONES = torch.ones(4000)


def _tensor(offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> Call:
    return Call(torch._utils._rebuild_tensor_v2, _ONES.storage(), offset, size, stride, False, {})


@pytest.mark.parametrize(
    ("offset", "size", "stride"),
    [
        (0, (10**12,), (1,)),
        (0, (10**12,), (0,)),
        (0, (2, 2), (10**9, 1)),
        (3999, (2,), (1,)),
        (-1, (2,), (1,)),
        (0, (2,), (-1,)),
        (0, (10**6, 10**6), (0, 0)),
    ],
)
@pytest.mark.filterwarnings("ignore:TypedStorage")
def test_no_tensor_is_larger_than_its_numbers(offset, size, stride, tmp_path):
    path = saved({"model": _tensor(offset, size, stride)}, tmp_path / "w.pt")
    with pytest.raises(Refused, match="larger than"):
        read_checkpoint(path)


@pytest.mark.filterwarnings("ignore:TypedStorage")
def test_no_sharing_without_end(tmp_path):
    content = [_tensor(0, (4000,), (1,)) for _ in range(100)]
    with pytest.raises(Refused, match="larger than the file"):
        read_checkpoint(saved(content, tmp_path / "w.pt"))


def _count(data: bytes) -> bytes:
    """The first storage says that it has 2e9 numbers (its count is a BININT2 or smaller)."""
    at = data.index(b"cpuq") + 5
    length = {b"K": 2, b"M": 3, b"J": 5}[data[at : at + 1]]
    return data[:at] + b"J" + struct.pack("<i", 2 * 10**9) + data[at + length :]


# Tuples of themselves, 60 deep: as a key, as a name, as a number of numbers.
DEEP = b"\x80\x02N" + 60 * b"q\x01h\x01\x86"
MEMO = b"\x80\x02Nr\xff\xff\xff\x7f."  # LONG_BINPUT: the C unpickler would reserve 32 GB


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_count, "bytes stand for 2000000000 numbers"),
        (lambda _: MEMO, "holds a NoneType and nothing about it"),
        (lambda _: b"\x80\x05\x96" + struct.pack("<Q", 10**11) + b".", "not an ultralytics"),
        (lambda _: b"\x80\x02" + b"]" * 10**5 + b"a" * (10**5 - 1) + b".", "not an ultralytics"),
        (lambda _: DEEP.replace(b"\x02N", b"\x02}N", 1) + b"Ns.", "keys that are no data"),
        (lambda _: DEEP + b"N\x86(U\x01a.", "not an ultralytics"),
        (lambda _: b"\x80\x02X\x07\0\0\0storage" + DEEP[2:] + b"NNNtQ.", "not an ultralytics"),
        (lambda _: b"\x80\x02(X\x07\0\0\0storage" + DEEP[2:] + b"NNNtQ.", "else than numbers"),
        (
            lambda _: (
                b"\x80\x02ctorchvision.transforms.functional\nInterpolationMode\n"
                + DEEP[2:]
                + b"\x85R."
            ),
            "of what is no data",
        ),
        (lambda _: b"", "not an ultralytics"),
        (lambda data: data[: len(data) // 2], "not an ultralytics"),
    ],
)
def test_absurd_pickles(start_weights, change, message, tmp_path):
    assert message in refused(rewritten(start_weights.path, tmp_path / "w.pt", change))


def test_a_zip_that_swells_is_not_unpacked(tmp_path):
    path = tmp_path / "w.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("w/data.pkl", b"\x80\x02}.")
        archive.writestr("w/data/0", bytes(10**7))
    assert "more than its own size" in refused(path)


def test_a_flipped_bit_is_found(start_weights, tmp_path):
    data = bytearray(start_weights.path.read_bytes())
    data[len(data) // 2] ^= 1
    path = tmp_path / "w.pt"
    path.write_bytes(data)
    assert "CRC" in refused(path)


def _names(names: Any) -> Callable[[dict[str, Any]], None]:
    return lambda content: setattr(content["model"], "names", names)


def _nan(content: dict[str, Any]) -> None:
    next(content["model"].parameters()).data.fill_(float("nan"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_names([str(i) for i in range(10**5)]), "100000 names for 2 classes"),
        (_names({0: "car"}), "1 names for 2 classes"),
        (_names({5: "car", 9: "x"}), "not an ultralytics YOLO checkpoint"),
        (_names(7), "not an ultralytics YOLO checkpoint"),
        (lambda content: content["train_args"].update(imgsz="large"), "'large'"),
        (lambda content: content["train_args"].update(imgsz=10**9), "imgsz=1000000000 px"),
        (lambda content: content["train_args"].update(imgsz=None), "not an ultralytics"),
        (lambda content: content.update(train_args=3), "not an ultralytics"),
        (_nan, "NaN or infinite"),
        (lambda content: content.update(model=torch.nn.Linear(1, 1)), "not an ultralytics"),
        (lambda content: setattr(content["model"], "task", "classify"), "task 'classify'"),
        (lambda content: content.clear(), "not an ultralytics"),
    ],
)
def test_absurd_checkpoints(content, change, message, tmp_path):
    change(content)
    assert message in refused(saved(content, tmp_path / "w.pt"))


def test_years_ago(tmp_path):
    """YOLOv5 named the modules of its own repository."""
    path = rewritten(
        saved({}, tmp_path / "a.pt"),
        tmp_path / "w.pt",
        lambda _: b"\x80\x02cmodels.yolo\nDetectionModel\n)\x81.",
    )
    assert "asks for models.yolo.DetectionModel" in refused(path)


def test_a_folder(tmp_path):
    with warnings.catch_warnings():
        assert "not an ultralytics YOLO checkpoint" in refused(tmp_path)
