"""ultralytics' networks of the SAM family. Importing this imports ultralytics."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from segtrack.model.devices import device_argument
from segtrack.model.ultralytics import library  # before anything of ultralytics itself


def sam_names() -> tuple[str, ...]:
    """File names of the SAM family that the library downloads."""
    from ultralytics.models.sam.build import sam_model_map
    from ultralytics.utils.downloads import GITHUB_ASSETS_NAMES

    return tuple(name for name in sam_model_map if name in GITHUB_ASSETS_NAMES)


def sam_predictor(network: str, path: Path, device: Any, imgsz: int) -> Any:
    """The library's predictor for a network of the SAM family, such as ``mobile_sam``.

    Raises:
        RuntimeError: the file's parameters are not those of the network.
    """
    from ultralytics.models.sam.build import build_sam
    from ultralytics.models.sam.predict import Predictor, SAM2Predictor

    with tempfile.TemporaryDirectory(prefix="segtrack-") as folder:
        # The library knows a network by the name of its file, and SAM 2.1 by the whole path.
        link = Path(folder) / f"{network}.pt"
        link.symlink_to(path.absolute())
        model = build_sam(link)
    place = device_argument(device).split(",")[0]
    kind = SAM2Predictor if network.startswith("sam2") else Predictor
    predictor = kind(overrides={"device": place, "imgsz": imgsz, "save": False, "verbose": False})
    predictor.setup_model(model, verbose=False)
    library.set_threads()
    return predictor
