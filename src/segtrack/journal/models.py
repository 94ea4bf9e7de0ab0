"""A network in the form that MLflow serves."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# A picture of one pixel, to show what an image looks like in a request.
EXAMPLE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def write_model(network: Path, scratch: Path, facts: Mapping[str, Any]) -> Path:
    """What MLflow needs beside the folder ``network``, which belongs into ``data/`` there.

    The loader is a module of the installed package: the model holds no code.

    Returns:
        A folder in ``scratch`` with MLmodel, requirements and an example of a request.
    """
    logging.getLogger("mlflow.pyfunc").setLevel(logging.WARNING)
    import mlflow.pyfunc
    import pandas
    from mlflow.models import ModelSignature

    stand_in = scratch / network.name  # for the network, which need not be copied
    stand_in.mkdir()
    parts = {name: json.dumps(part) for name, part in facts["signature"].items()}
    params = {one["name"]: one["default"] for one in facts["signature"]["params"]}
    mlflow.pyfunc.save_model(
        scratch / "model",
        loader_module=facts["loader_module"],
        data_path=str(stand_in),
        signature=ModelSignature.from_dict(parts),
        pip_requirements=facts["requirements"],
        input_example=(pandas.DataFrame({"image": [EXAMPLE]}), params),
    )
    return scratch / "model"
