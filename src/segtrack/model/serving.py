"""An exported network as MLflow serves it: images in, detections out, as records.

MLflow imports this module by its name, which stands in models that were kept, and calls
``_load_pyfunc`` with the folder that ``write_served`` completed. Nothing in that folder is code.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from segtrack.base.errors import DataError
from segtrack.model.families import model_settings
from segtrack.model.images import decode_image
from segtrack.model.port import Detector, Network, Request
from segtrack.model.predict import load_detector
from segtrack.model.weights import resolve_weights
from segtrack.settings import shaping

SERVED = "network"  # folder of the network, and of what is said of it
FACTS = "served.json"
SCORE = 0.25  # lowest score of an answer, where nobody asks for another

# In MLflow's words. An image is the content of its file; in JSON, base64.
INPUTS = [{"name": "image", "type": "binary", "required": True}]
OUTPUTS: list[dict[str, Any]] = [
    {"name": "image", "type": "long", "required": True},
    {"name": "class_name", "type": "string", "required": True},
    {"name": "score", "type": "double", "required": True},
    {"name": "bbox_xyxy", "type": "array", "items": {"type": "double"}, "required": True},
    {
        "name": "segmentation",
        "type": "object",
        "properties": {
            "size": {"type": "array", "items": {"type": "long"}, "required": True},
            "counts": {"type": "string", "required": True},
        },
        "required": True,
    },
]
PARAMS = [{"name": "conf", "type": "double", "default": SCORE, "shape": None}]


def write_served(network: Network, path: Path, request: Request) -> None:
    """Say beside the exported network ``path`` how it predicts.

    Args:
        network: that it was made of. request: its classes.
    """
    facts = {
        "network": path.name,
        "model": network.settings.name,
        "knobs": shaping(network.settings),
        "names": request.names,
        "class_map": dict(request.class_map),
    }
    text = json.dumps(facts, indent=1, ensure_ascii=False)
    (path.parent / FACTS).write_text(text + "\n", encoding="utf-8")


def served_facts(libraries: Sequence[str]) -> dict[str, Any]:
    """What MLflow has to know of an exported network that ``libraries`` compute."""
    return {
        "loader_module": __name__,
        "signature": {"inputs": INPUTS, "outputs": OUTPUTS, "params": PARAMS},
        "requirements": [f"{name}=={version(name)}" for name in ("segtrack", *libraries)],
    }


class Served:
    """A network that waits for images."""

    def __init__(self, detector: Detector, names: Sequence[str]) -> None:
        self.detector, self.names = detector, names

    def predict(self, table: Any, params: Mapping[str, Any] | None = None) -> Any:
        """The detections of each image.

        Args:
            table: with a column ``image``: bytes of image files.
            params: ``conf``, the lowest score.

        Returns:
            A pandas table with the columns of ``OUTPUTS``: a row per detection, ``image`` counts
            from 0; boxes in px, masks as COCO run lengths, at the image's own size.

        Raises:
            DataError: one of them is no image, or ``conf`` no score.
        """
        import pandas

        lowest = float((params or {}).get("conf", SCORE))
        if not 0 <= lowest <= 1:
            raise DataError(f"conf={lowest:g}: must lie between 0 and 1")
        rows: list[dict[str, Any]] = []
        for number, content in enumerate(table["image"]):
            image = _decoded(content, number)
            (raw,) = self.detector.predict([self.detector.prepare(image)])
            found = raw.decode(number)
            for i in range(len(found)):
                if found.score[i] >= lowest:
                    rows.append(self._record(found, i, image.shape[:2]))
        return pandas.DataFrame(rows, columns=[one["name"] for one in OUTPUTS])

    def _record(self, found: Any, i: int, size: tuple[int, int]) -> dict[str, Any]:
        return {
            "image": found.frame,
            "class_name": self.names[found.class_id[i]],
            "score": float(found.score[i]),
            "bbox_xyxy": [float(x) for x in found.bbox_xyxy[i]],
            "segmentation": {"size": list(size), "counts": found.rle[i].decode()},
        }


def load_served(folder: Path) -> Served:
    """Open what ``write_served`` completed.

    Raises:
        DataError: it is no such folder, or the network in it cannot be read.
    """
    try:
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        path = folder / Path(facts["network"]).name
        knobs = {k: v for k, v in facts["knobs"].items() if k != "name"}
        settings = model_settings(facts["model"], **knobs)
        names, class_map = tuple(facts["names"]), facts["class_map"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{folder}: no exported network of segtrack ({error})") from error
    settings = dataclasses.replace(settings, weights=str(path), batch=1)
    weights = resolve_weights(settings, lambda _: path)
    request = Request(names, class_map, settings.conf_floor, settings.max_det)
    return Served(load_detector(Network(settings, weights), request), names)


def _decoded(content: bytes, number: int) -> np.ndarray:
    """MLflow's server decodes the base64 of ``dataframe_records`` and ``_split``, but of ``inputs``
    and ``instances`` it hands over the text."""
    name = f"image {number}"
    try:
        return decode_image(content, name)
    except DataError as error:
        with contextlib.suppress(ValueError, DataError):
            return decode_image(base64.b64decode(content, validate=True), name)
        raise DataError(f"{error}; send the content of an image's file, base64 in JSON") from error


class _Answering:
    """``Served`` for MLflow, whose server tells those who ask only what its own errors say."""

    def __init__(self, served: Served) -> None:
        self._served = served

    def predict(self, table: Any, params: Mapping[str, Any] | None = None) -> Any:
        from mlflow.exceptions import MlflowException

        try:
            return self._served.predict(table, params)
        except DataError as error:
            raise MlflowException.invalid_parameter_value(str(error)) from error


def _load_pyfunc(path: str) -> _Answering:
    return _Answering(load_served(Path(path)))
