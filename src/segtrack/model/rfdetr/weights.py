"""Checkpoints of RF-DETR: what they say about themselves, and where they are published.

A checkpoint is parameters by name under ``model`` (or, of a training that was stopped,
``state_dict``) and the arguments of its training. It is read as data: tensors, numbers, texts,
containers, and namespaces of arguments, which hold nothing else.
"""

from __future__ import annotations

import argparse
import functools
import math
import os
import re
import runpy
import types
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segtrack.base.errors import DataError, SettingsError, StageError, of_machine
from segtrack.base.files import digest, file_digest, not_saved
from segtrack.base.reachable import reachable
from segtrack.model.hosts import DOWNLOAD_HOSTS
from segtrack.model.port import Weights
from segtrack.model.rfdetr.settings import NAMES, lacking, size_of

if TYPE_CHECKING:
    import torch

DOWNLOAD_HOST = DOWNLOAD_HOSTS["RF-DETR"]
PATCH = 12  # px, of the segmentation networks
COCO_OUTPUTS = 91  # of a network trained on COCO: an output's number is COCO's own class id
COMPILED = "_orig_mod."


@dataclass(frozen=True)
class Facts:
    """What a checkpoint says about itself.

    Attributes:
        names: class names by class id. outputs: the network's output of each class.
        imgsz: px, of its square input. network: its name, empty where it does not say it.
        epoch: that it was written after, counted from 1; 0 where it does not say it.
    """

    names: tuple[str, ...]
    outputs: tuple[int, ...]
    imgsz: int
    network: str
    epoch: int


def read_weights(
    name: str, path: Path, origin: str, note: str = "", trust: bool = False
) -> Weights:
    """Read what the checkpoint at ``path`` says about itself.

    Args:
        name: of the network that it shall be of.
        trust: unpickle it in full, whatever code it holds.

    Raises:
        DataError: it is unreadable, asks for code, or is of another network.
    """
    try:
        stat = path.stat()
        stamp = (stat.st_size, stat.st_mtime_ns, stat.st_ino)
        facts, sha256 = _read(path.absolute(), stamp, trust)
    except SettingsError:
        raise
    except Exception as error:  # what is none fails in any way
        if of_machine(error):
            raise
        raise DataError(f"model.weights={path}: {refusal(error)}") from error
    if facts.network and facts.network != name:
        known = facts.network in NAMES
        hint = f"use model={facts.network}" if known else f"give weights of {name}"
        raise DataError(f"model.weights={path}: weights of {facts.network}, not of {name}; {hint}")
    return Weights(path, sha256, origin, facts.names, facts.imgsz, note)


@functools.lru_cache(maxsize=64)  # each cell of a sweep asks for the same ones
def _read(path: Path, stamp: tuple[int, int, int], trust: bool) -> tuple[Facts, str]:
    import torch

    facts, state = read_content(path, trust)
    numbers = (one for one in state.values() if one.is_floating_point())
    if not all(bool(torch.isfinite(one.sum())) for one in numbers):
        raise ValueError("some of its numbers are NaN or infinite")
    return facts, file_digest(path)


def read_content(path: Path, trust: bool = False) -> tuple[Facts, dict[str, torch.Tensor]]:
    """What a checkpoint says about itself, and its parameters, on the CPU.

    Raises:
        Exception: of any kind, where it is no checkpoint of RF-DETR with masks.
    """
    content = load(path, trust)
    state = content.get("model")
    if not isinstance(state, Mapping):
        state = content["state_dict"]
        state = {key.removeprefix("model."): value for key, value in state.items()}
    state = {key.removeprefix(COMPILED): value for key, value in state.items()}
    return _facts(content, state), state


def load(path: Path, trust: bool = False) -> Mapping[str, Any]:
    """All that a checkpoint holds, its tensors on the CPU.

    Raises:
        Exception: of any kind, where it cannot be read, or asks for code and is not trusted.
    """
    import torch

    if why := not_saved(path):
        raise ValueError(why)
    with zipfile.ZipFile(path) as archive:
        size = sum(entry.file_size for entry in archive.infolist())
    if size > path.stat().st_size:
        raise ValueError("it would unpack to more than its own size")
    with torch.serialization.safe_globals([argparse.Namespace, types.SimpleNamespace]):
        content = torch.load(path, map_location="cpu", weights_only=not trust)
    if not isinstance(content, Mapping):
        raise ValueError(f"it holds a {type(content).__name__} and nothing about it")
    return content


def refusal(error: Exception) -> str:
    """Why a checkpoint cannot be used, in one line, and what to do."""
    text = " ".join(str(error).split())
    if "Weights only load failed" in text:
        asked = re.search(r"GLOBAL ([\w.]+)", text)
        why = f"it asks for {asked[1]}" if asked else "it holds more than data"
        return (
            f"refused: {why}. Give a file that rfdetr saved or, if you trust whoever made this "
            "one, let it run its code with model.trust=true"
        )
    text = text[:300] or type(error).__name__
    return f"not a checkpoint of RF-DETR with masks ({text}); give a file that rfdetr saved"


def _facts(content: Mapping[str, Any], state: Mapping[str, torch.Tensor]) -> Facts:
    if not any(key.startswith("segmentation_head.") for key in state):
        raise ValueError("it has no head for masks")
    said = {**_mapping(content.get("args")), **_mapping(content.get("model_config"))}
    outputs = int(state["class_embed.bias"].shape[0])
    places = state["backbone.0.encoder.encoder.embeddings.position_embeddings"].shape[1] - 1
    imgsz = math.isqrt(places) * PATCH
    names, numbers = _classes(said.get("class_names"), outputs)
    epoch = content.get("epoch")
    epoch = epoch + 1 if isinstance(epoch, int) else 0
    return Facts(names, numbers, imgsz, _network(content, said, imgsz), epoch)


def _network(content: Mapping[str, Any], said: Mapping[str, Any], imgsz: int) -> str:
    """Our name of the network, where the checkpoint says it; "" where it does not."""
    named = str(content.get("model_name") or said.get("model_name") or "")
    if named.startswith("RFDETR"):
        size = named.removeprefix("RFDETRSeg").lower()
        return f"rfdetr-seg-{size}" if named.startswith("RFDETRSeg") else named
    begun = str(said.get("pretrain_weights")).replace("xxlarge", "2xlarge")
    for name in reversed(NAMES):  # 2xlarge before xlarge before large
        if name.removeprefix("rfdetr-") in begun:
            return name
    # As published: each size has an input of its own.
    return next((name for name in NAMES if size_of(name)[0] == imgsz), "")


def _classes(names: Any, outputs: int) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Class names, and the output of each.

    Trained on COCO the outputs are numbered as COCO does, with gaps; else from 0 on. The last one
    then is nobody's.
    """
    given = tuple(map(str, names)) if isinstance(names, list | tuple) else ()
    if outputs == COCO_OUTPUTS:
        coco = _coco_classes()
        if given in ((), tuple(coco.values())):
            return tuple(coco.values()), tuple(coco)
    if not given:
        raise ValueError(f"it does not name its {outputs - 1} classes")
    if len(given) >= outputs:
        raise ValueError(f"{len(given)} names for {outputs - 1} classes")
    return given, tuple(range(len(given)))


def _coco_classes() -> dict[int, str]:
    """COCO's class names by its own ids, in rising order, read without importing the library."""
    spec = find_spec("rfdetr")
    if spec is None or spec.origin is None:
        raise SettingsError(f"model: RF-DETR {lacking()}")
    file = Path(spec.origin).parent / "assets" / "coco_classes.py"
    found: dict[int, str] = runpy.run_path(str(file))["COCO_CLASSES"]
    return dict(sorted(found.items()))


def _mapping(said: Any) -> dict[str, Any]:
    if isinstance(said, argparse.Namespace | types.SimpleNamespace):
        return dict(vars(said))
    return dict(said) if isinstance(said, Mapping) else {}


def cache_folder() -> Path:
    """Where the library itself keeps what it downloads."""
    named = os.environ.get("RF_HOME") or os.environ.get("ROBOFLOW_HOME")
    return Path(named or "~/.roboflow/models").expanduser()


def download_weights(name: str) -> tuple[Path | None, str]:
    """The library's own download, kept in its folder; where there is none, the reason."""
    size = name.removeprefix("rfdetr-seg-").replace("2xlarge", "xxlarge")
    target = cache_folder() / f"rf-detr-seg-{size}.pt"
    if target.is_file():
        return target, ""
    if not reachable(DOWNLOAD_HOST):
        return None, f"{DOWNLOAD_HOST[0]} does not answer, so there is nothing to download"
    from segtrack.model.rfdetr import library

    try:
        library.download(target)
    except Exception as error:  # of the network, of the server, or of a file that is another one
        if of_machine(error):  # others would be trained from, or none
            raise StageError(
                f"{target}: cannot be downloaded ({str(error).splitlines()[0]}); free space there, "
                "or give weights: model.weights=FILE"
            ) from error
        return None, f"the download failed ({(str(error) or repr(error)).splitlines()[0]})"
    return target, ""


def untrained(name: str, note: str) -> Weights:
    """The network of that name before any training.

    Raises:
        SettingsError: there is none.
    """
    imgsz, _ = size_of(name)
    return Weights(Path(name), digest(["rfdetr", name]), "scratch", (), imgsz, note)
