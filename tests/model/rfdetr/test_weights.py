"""What a checkpoint says about itself, and that nothing in it runs."""

import argparse
import os
import types
from pathlib import Path

import pytest

from segtrack.base.errors import DataError, SettingsError
from segtrack.model import family_of, model_settings, resolve_weights
from segtrack.model.rfdetr import weights as module
from segtrack.model.rfdetr.weights import read_weights
from tests.model.rfdetr.conftest import NAME

PLACES = "backbone.0.encoder.encoder.embeddings.position_embeddings"


def checkpoint(path: Path, outputs: int = 4, side: int = 8, state: dict | None = None, **said):
    """No network, but what tells one: ``side`` patches of 12 px."""
    import torch

    parameters = {
        "class_embed.bias": torch.zeros(outputs),
        "segmentation_head.x": torch.zeros(2),
        PLACES: torch.zeros(1, side * side + 1, 4),
    }
    torch.save({"model": parameters | (state or {}), **said}, path)
    return path


def read(path: Path, name: str = NAME, trust: bool = False):
    return read_weights(name, path, "path", trust=trust)


ARGS = {"class_names": ["car", "boat"]}


@pytest.mark.parametrize("kind", [dict, argparse.Namespace, types.SimpleNamespace])
def test_what_it_says(tmp_path, kind):
    path = checkpoint(tmp_path / "w.pth", args=kind(**ARGS), epoch=4)
    found = read(path)
    assert (found.names, found.imgsz, found.origin, len(found.sha256)) == (
        ("car", "boat"),
        96,
        "path",
        64,
    )
    facts, state = module.read_content(path)
    assert (facts.outputs, facts.epoch, facts.network) == ((0, 1), 5, "")
    assert set(state) == {"class_embed.bias", "segmentation_head.x", PLACES}


def test_of_a_training_that_was_stopped(tmp_path):
    import torch

    path = checkpoint(tmp_path / "w.pth", args=ARGS)
    content = torch.load(path)
    parameters = content.pop("model")
    content["state_dict"] = {f"model._orig_mod.{key}": value for key, value in parameters.items()}
    torch.save(content, tmp_path / "last.ckpt")
    assert read(tmp_path / "last.ckpt").names == ("car", "boat")


def test_coco_numbers_its_classes_with_gaps(tmp_path):
    from rfdetr.assets.coco_classes import COCO_CLASSES

    for said in ({}, {"class_names": list(COCO_CLASSES.values())}):
        path = checkpoint(tmp_path / "w.pth", outputs=91, args=argparse.Namespace(**said))
        found = read(path)
        assert len(found.names) == 80 and found.names[:3] == ("person", "bicycle", "car")
        facts, _ = module.read_content(path)
        assert dict(zip(facts.outputs, facts.names, strict=True)) == COCO_CLASSES
    own = checkpoint(tmp_path / "own.pth", outputs=91, args=ARGS)
    assert module.read_content(own)[0].outputs == (0, 1)


@pytest.mark.parametrize(
    ("said", "side", "network"),
    [
        ({"model_name": "RFDETRSegSmall"}, 8, "rfdetr-seg-small"),
        ({"model_name": "RFDETRSeg2XLarge"}, 26, "rfdetr-seg-2xlarge"),
        ({"model_name": "RFDETRMedium"}, 8, "RFDETRMedium"),
        ({"args": {**ARGS, "pretrain_weights": "/x/rf-detr-seg-xxlarge.pt"}}, 8, "-2xlarge"),
        ({"args": {**ARGS, "pretrain_weights": "rf-detr-seg-xlarge.pt"}}, 8, "-xlarge"),
        ({}, 32, "rfdetr-seg-small"),
    ],
)
def test_weights_of_another_size_are_named(tmp_path, said, side, network):
    path = checkpoint(tmp_path / "w.pth", side=side, **({"args": ARGS} | said))
    hint = f"use model=.*{network}" if "rfdetr-seg" in network else "give weights of rfdetr-seg-nan"
    hint = f"use model=rfdetr-seg{network}$" if network.startswith("-") else hint
    with pytest.raises(DataError, match=rf"w.pth: weights of .*{network}, not of {NAME}; {hint}"):
        read(path)


class Mischief:
    def __reduce__(self):
        return os.mkdir, (os.environ["MISCHIEF"],)


def test_nothing_that_it_holds_runs_unless_it_is_trusted(tmp_path, monkeypatch):
    monkeypatch.setenv("MISCHIEF", str(tmp_path / "made"))
    path = checkpoint(tmp_path / "w.pth", args=ARGS, more=Mischief())
    with pytest.raises(DataError, match=r"w.pth: refused: it asks for posix.mkdir. .*trust=true$"):
        read(path)
    assert not (tmp_path / "made").exists()
    assert read(path, trust=True).names == ("car", "boat")
    assert (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ({"args": {}}, "it does not name its 3 classes"),
        ({"args": {"class_names": ["a"] * 4}}, "4 names for 3 classes"),
        ({"args": ARGS, "state": {"class_embed.bias": "x"}}, "not a checkpoint"),
        ({"args": ARGS, "state": {PLACES: None}}, "not a checkpoint"),
    ],
)
def test_what_is_none_is_refused(tmp_path, content, why):
    with pytest.raises(DataError, match=rf"w.pth: not a checkpoint of RF-DETR.*{why}|{why}"):
        read(checkpoint(tmp_path / "w.pth", **content))


def test_files_that_are_none(tmp_path, tiny_weights):
    import torch

    path = tmp_path / "w.pth"
    torch.save({"model": {"a": torch.zeros(1)}}, path)
    with pytest.raises(DataError, match=r"it has no head for masks"):
        read(path)
    torch.save([1], path)
    with pytest.raises(DataError, match=r"it holds a list"):
        read(path)
    checkpoint(path, args=ARGS, state={"x": torch.tensor([float("nan")])})
    with pytest.raises(DataError, match=r"NaN or infinite"):
        read(path)
    for content in (b"", b"text", b"PK\x03\x04"):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"w.pth: not a checkpoint of RF-DETR with masks"):
            read(path)
    with pytest.raises(DataError, match=r"refused: it asks for ultralytics.nn"):
        read(tiny_weights.path)


def nothing(_):
    raise AssertionError


def test_published_weights(tmp_path, monkeypatch):
    from segtrack.model.rfdetr import library

    monkeypatch.setenv("RF_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(module, "reachable", lambda _: False)
    settings = model_settings("rfdetr-seg-2xlarge")
    found = resolve_weights(settings, nothing)
    assert (found.origin, found.imgsz, found.trained) == ("scratch", 768, False)
    assert "storage.googleapis.com does not answer" in found.note
    monkeypatch.setattr(module, "reachable", lambda _: True)

    def fail(*_, **__):
        raise ValueError("MD5 mismatch for x (expected a, got b).\nmore")

    monkeypatch.setattr(library, "download_pretrain_weights", fail)
    assert family_of(settings).download(settings) == (
        None,
        "the download failed (MD5 mismatch for x (expected a, got b).)",
    )
    given = checkpoint(tmp_path / "w.pt", args=ARGS, model_name="RFDETRSeg2XLarge")
    monkeypatch.setattr(
        library, "download_pretrain_weights", lambda to: Path(to).write_bytes(given.read_bytes())
    )
    found = resolve_weights(settings, nothing)
    assert (found.origin, found.names) == ("auto:download", ("car", "boat"))
    assert found.path == tmp_path / "home" / "rf-detr-seg-xxlarge.pt"
    monkeypatch.setattr(module, "reachable", nothing)  # it is there now
    assert resolve_weights(settings, nothing).origin == "auto:download"


def test_every_network_is_published_with_a_checksum(tmp_path, monkeypatch):
    """The library's own download of each, over a stand-in for the network."""
    import rfdetr.utilities.files as files
    from rfdetr import variants

    from segtrack.model.rfdetr import library
    from segtrack.model.rfdetr.settings import NAMES, size_of

    monkeypatch.setenv("RF_HOME", str(tmp_path))
    monkeypatch.setattr(module, "reachable", lambda _: True)
    asked = []

    def get(url, **_):
        asked.append(url)
        return types.SimpleNamespace(
            raise_for_status=lambda: None,
            headers={},
            iter_content=lambda chunk_size: [b"damaged"],
            close=lambda: None,
        )

    monkeypatch.setattr(files, "requests", types.SimpleNamespace(get=get))
    for name in NAMES:
        settings = model_settings(name)
        path, why = family_of(settings).download(settings)
        assert path is None and "MD5 mismatch" in why
        kind = getattr(variants, library.variant(name))._model_config_class
        step = kind.model_fields["patch_size"].default * kind.model_fields["num_windows"].default
        assert size_of(name) == (kind.model_fields["resolution"].default, step)
    assert [url.rpartition("/")[2] for url in asked] == [
        f"rf-detr-seg-{size}-ft.pth" for size in ("n", "s", "m", "l", "xl", "2xl")
    ]
    assert list(tmp_path.iterdir()) == []


def test_no_network_of_that_name():
    with pytest.raises(SettingsError, match="there are rfdetr-seg-nano, rfdetr-seg-small"):
        module.untrained("rfdetr-seg-tiny", "")
