"""Weights of Segment Anything (SAM, MobileSAM, SAM 2): where they come from, of which network."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segtrack.base.errors import DataError, of_machine
from segtrack.base.files import CUT_SHORT, cut_short, file_digest

# Networks by the number of blocks in their image encoder, which differs within a family.
_VIT = {12: "sam_b", 24: "sam_l", 32: "sam_h"}
_HIERA = {12: "t", 16: "s", 24: "b", 48: "l"}
_WITHOUT = (
    "labellerr.assist=model proposes the model's own masks, dataset.box_masks=null keeps boxes"
)


@dataclass(frozen=True)
class SamWeights:
    """A checkpoint of the SAM family.

    Attributes:
        sha256: digest of the file. origin: ``path``, ``folder`` or ``download``.
        network: by what the file holds, whatever its name: ``mobile_sam``, ``sam_b``, ``sam2.1_t``
            and so on, the names of ultralytics' files.
    """

    path: Path
    sha256: str
    origin: str
    network: str


def resolve_sam(choice: str, weights_folder: str | None = None) -> SamWeights:
    """Find the weights that ``model.sam`` means: a file, one in a folder, or a download.

    Raises:
        DataError: there are none, or the file is no checkpoint of SAM.
    """
    from segtrack.model.ultralytics.sam import sam_names
    from segtrack.model.ultralytics.weights import download_weights

    path = Path(choice).expanduser()
    if path.is_file():
        return read_sam(path, "path")
    tried = [f"no such file in {Path.cwd()}" if path.name == choice else "no such file"]
    if path.name == choice:
        if weights_folder:
            kept = Path(weights_folder).expanduser() / choice
            if kept.is_file():
                return read_sam(kept, "folder")
            tried.append(f"{kept} does not exist")
        else:
            tried.append("model.weights_folder is not set")
        if choice in sam_names():
            downloaded, why = download_weights(choice)
            if downloaded:
                return read_sam(downloaded, "download")
            tried.append(why)
        else:
            tried.append("ultralytics publishes no SAM weights of this name")
    raise DataError(
        f"model.sam={choice}: {'; '.join(tried)}. Give the path of a checkpoint, or one of "
        f"{', '.join(sam_names())}, which "
        f"https://github.com/ultralytics/assets/releases has; or do without: {_WITHOUT}"
    )


def read_sam(path: Path, origin: str) -> SamWeights:
    """Read which network of the SAM family the checkpoint at ``path`` is of.

    Raises:
        DataError: of none.
    """
    try:
        content = _parameters(path)
    except OSError as error:
        raise DataError(f"model.sam={path}: cannot be read ({error.strerror})") from error
    except Exception as error:  # what is no file of parameters fails in any way
        if of_machine(error):
            raise
        why = "it holds something else than parameters"
        if "ultralytics.nn" in str(error):
            why = "it is a YOLO checkpoint, which is named by model.weights"
        elif cut_short(path):
            why = CUT_SHORT
        raise _no_sam(path, why) from error
    if isinstance(content, Mapping) and isinstance(content.get("model"), Mapping):
        content = content["model"]  # as SAM 2 is published
    network = _network(content) if isinstance(content, Mapping) else None
    if network is None:
        raise _no_sam(path, "it holds the parameters of another network")
    return SamWeights(path, file_digest(path), origin, network)


def _parameters(path: Path) -> Any:
    """What a file of parameters holds, without their values; runs no code that lies in it.

    Raises:
        Exception: of any kind, where it is none.
    """
    import torch

    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > path.stat().st_size:
            raise ValueError("it would unpack to more than its own size")
    return torch.load(path, map_location="meta", weights_only=True)


def _no_sam(path: Path, why: str) -> DataError:
    return DataError(
        f"model.sam={path}: not a checkpoint of SAM, MobileSAM or SAM 2 ({why}); give a file "
        f"such as mobile_sam.pt or sam2.1_t.pt, or do without: {_WITHOUT}"
    )


def _network(content: Mapping[Any, Any]) -> str | None:
    names = [name for name in content if isinstance(name, str)]
    if "image_encoder.patch_embed.seq.0.c.weight" in names:
        return "mobile_sam"
    if size := _HIERA.get(_blocks(names, "image_encoder.trunk.blocks.")):
        return f"sam2.1_{size}" if "no_obj_embed_spatial" in names else f"sam2_{size}"
    return _VIT.get(_blocks(names, "image_encoder.blocks."))


def _blocks(names: Iterable[str], prefix: str) -> int:
    numbers = (name.removeprefix(prefix).split(".")[0] for name in names if name.startswith(prefix))
    return len(set(numbers))
