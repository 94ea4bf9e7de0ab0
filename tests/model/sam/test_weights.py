"""Which file is meant by model.sam, which network it is of, and what is said of the others."""

from __future__ import annotations

import functools
import io
import os
import pickle
import tarfile
import zipfile
from pathlib import Path

import pytest
import torch
from ultralytics.models.sam import build

from segtrack.base.errors import DataError
from segtrack.base.files import file_digest
from segtrack.model import resolve_sam
from segtrack.model.sam.weights import read_sam
from segtrack.model.ultralytics import library, weights
from segtrack.model.ultralytics.sam import sam_names

NAMES = [name.removesuffix(".pt") for name in build.sam_model_map]


@pytest.fixture
def parameters(monkeypatch):
    """Builds a network without memory for its parameters."""
    monkeypatch.setattr(build, "_load_checkpoint", lambda model, checkpoint: model)
    # What asks for values while it is built cannot live without memory.
    monkeypatch.setattr(torch, "linspace", functools.partial(torch.linspace, device="cpu"))

    def make(name):
        with torch.device("meta"):
            return build.sam_model_map[f"{name}.pt"](f"{name}.pt").state_dict()

    return make


@pytest.mark.parametrize("name", NAMES)
def test_every_network_of_ultralytics_is_known_by_its_parameters(name, parameters, tmp_path):
    path = tmp_path / "it's my model [1].pth"
    torch.save(parameters(name), path)
    assert read_sam(path, "path").network == name
    torch.save({"model": parameters(name), "epoch": 3}, path)  # as SAM 2 is published
    assert read_sam(path, "path").network == name


def test_the_published_ones_are_ultralytics_own():
    assert "sam_h.pt" not in sam_names()
    assert {"mobile_sam.pt", "sam_b.pt", "sam_l.pt", "sam2_t.pt", "sam2.1_l.pt"} <= set(sam_names())


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"hello\n" * 50, "it holds something else than parameters"),
        (b"", "it holds something else than parameters"),
        ({"conv.weight": torch.ones(2)}, "it holds the parameters of another network"),
        ({"image_encoder.blocks.0.norm1.weight": torch.ones(2)}, "parameters of another network"),
        (torch.ones(3), "it holds the parameters of another network"),
    ],
)
def test_no_sam(content, why, tmp_path):
    path = tmp_path / "mobile_sam.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(DataError) as caught:
        resolve_sam(str(path))
    assert f"model.sam={path}: not a checkpoint of SAM" in str(caught.value)
    assert why in str(caught.value)


def test_a_yolo_checkpoint_and_half_a_file(tiny_weights, random_sam, tmp_path):
    with pytest.raises(
        DataError, match=r"it is a YOLO checkpoint, which is named by model\.weights"
    ):
        resolve_sam(str(tiny_weights.path))
    half = tmp_path / "mobile_sam.pt"
    half.write_bytes(random_sam.read_bytes()[:-5000])
    with pytest.raises(DataError, match="its end is missing: copy it again"):
        resolve_sam(str(half))


def test_a_path_then_the_folder_then_a_download(random_sam, tmp_path, monkeypatch):
    def fetch(name, target):
        target.parent.mkdir()
        target.write_bytes(random_sam.read_bytes())

    monkeypatch.setattr(weights, "folder", lambda: tmp_path / "ours")
    monkeypatch.setattr(library, "forbidden_network", lambda: False)
    monkeypatch.setattr(library, "download", fetch)
    monkeypatch.setattr(weights, "_reachable", lambda *_: True)
    (tmp_path / "ours").mkdir()
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    found = resolve_sam("mobile_sam.pt")
    assert (found.origin, found.network) == ("download", "mobile_sam")
    assert found.path == tmp_path / "ours" / "weights" / "mobile_sam.pt"
    assert found.sha256 == file_digest(random_sam)
    found = resolve_sam("mobile_sam.pt", str(random_sam.parent))
    assert (found.origin, found.path) == ("folder", random_sam)
    Path("mobile_sam.pt").write_bytes(random_sam.read_bytes())
    assert resolve_sam("mobile_sam.pt", str(random_sam.parent)).origin == "path"


def test_what_is_missing_and_what_was_tried(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(weights, "folder", lambda: tmp_path)
    monkeypatch.setattr(weights, "_reachable", lambda *_: False)
    monkeypatch.setattr(library, "forbidden_network", lambda: False)
    with pytest.raises(DataError) as caught:
        resolve_sam("mobile_sam.pt", str(tmp_path / "weights"))
    said = str(caught.value)
    assert said.startswith(
        f"model.sam=mobile_sam.pt: no such file in {tmp_path}; "
        f"{tmp_path}/weights/mobile_sam.pt does not exist; github.com does not answer, so there is "
        "nothing to download. Give the path of a checkpoint, or one of sam_l.pt, sam_b.pt, mobile_"
    )
    assert said.endswith("dataset.box_masks=null keeps boxes")
    with pytest.raises(DataError, match=r"weights_folder is not set; ultralytics publishes no SAM"):
        resolve_sam("sam9_t.pt")
    with pytest.raises(DataError, match=r"model\.sam=a/mobile_sam\.pt: no such file\. Give the"):
        resolve_sam("a/mobile_sam.pt")
    monkeypatch.setattr(library, "forbidden_network", lambda: True)
    with pytest.raises(DataError, match="YOLO_OFFLINE forbids a download"):
        resolve_sam("sam_b.pt")


def test_a_download_is_whole_or_not_there(tmp_path, monkeypatch):
    """A file that a killed download left would be taken for the weights ever after."""

    def cut(file, **_):
        Path(file).write_bytes(b"half")
        raise ConnectionError("cut")

    monkeypatch.setattr(library, "attempt_download_asset", cut)
    with pytest.raises(ConnectionError):
        library.download("mobile_sam.pt", tmp_path / "weights" / "mobile_sam.pt")
    assert list((tmp_path / "weights").iterdir()) == []
    monkeypatch.setattr(
        library, "attempt_download_asset", lambda file, **_: Path(file).write_bytes(b"whole")
    )
    library.download("mobile_sam.pt", tmp_path / "weights" / "mobile_sam.pt")
    assert [p.read_bytes() for p in (tmp_path / "weights").iterdir()] == [b"whole"]


@pytest.mark.parametrize("form", ["zip", "legacy", "tar", "bare"])
def test_no_file_runs_code(form, tmp_path):
    class Evil:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'ran'}",)

    path = tmp_path / "mobile_sam.pt"
    evil = pickle.dumps(Evil(), 2)
    if form == "tar":
        with tarfile.open(path, "w") as tar:
            for name in ("sys_info", "pickle", "storages", "tensors"):
                entry = tarfile.TarInfo(name)
                entry.size = len(evil)
                tar.addfile(entry, io.BytesIO(evil))
    elif form == "bare":
        path.write_bytes(evil)
    else:
        torch.save({"a": Evil()}, path, _use_new_zipfile_serialization=form == "zip")
    with pytest.raises(DataError, match="it holds something else than parameters"):
        resolve_sam(str(path))
    assert not (tmp_path / "ran").exists()


def test_a_zip_of_zeros_is_not_unpacked(tmp_path, monkeypatch):
    path = tmp_path / "sam.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(10_000_000))
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("it was unpacked"))
    with pytest.raises(DataError, match=r"sam\.pt: not a checkpoint of SAM"):
        read_sam(path, "path")
