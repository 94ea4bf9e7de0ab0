"""A network in whole numbers of 8 bits, calibrated with images, as a file for OpenVINO.

NNCF's post-training quantisation: the network sees the images, and each tensor gets the range that
it had. What follows the last convolutions (boxes from distances, scores) stays in floating point.
"""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from segtrack.base.errors import DataError, SettingsError
from segtrack.base.progress import progress
from segtrack.model.port import Network
from segtrack.model.ultralytics.exported import read_exported
from segtrack.model.ultralytics.exporting import KEY, export_network
from segtrack.model.ultralytics.home import import_openvino, openvino_core, save_openvino
from segtrack.model.ultralytics.letterbox import letterbox


def quantize_network(network: Network, images: Iterable[np.ndarray], folder: Path) -> Path:
    """Write the network in 8 bits into ``folder``, as ``export_network`` does for ``openvino``.

    Its facts say with how many images it was calibrated.

    Args:
        network: with trained weights, a checkpoint.
        images: to calibrate with, BGR uint8 (H, W, 3), like those to come; fewer than 300 leave
            the ranges of rare activations to chance.

    Raises:
        DataError: there are none.
        SettingsError: NNCF is not installed.
    """
    if find_spec("nncf") is None:
        raise SettingsError("int8: nncf is not installed; pip install 'segtrack[int8]'")
    import_openvino()  # before NNCF, which would find the telemetry
    # It loads what builds kernels for a GPU, of which none is wanted here.
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
    import nncf
    from nncf.quantization.advanced_parameters import OverflowFix

    nncf.set_log_level(logging.ERROR)
    with TemporaryDirectory() as scratch:
        path = export_network(network, "openvino", Path(scratch))
        facts = read_exported(path).facts
        model = openvino_core().read_model(path)
        # Of one shape: the ranges are to come from what is seen, not from how it was cut.
        seen = _Seen(letterbox(image, facts["imgsz"], None)[None] for image in images)
        if not seen:
            raise DataError("int8: no images to calibrate with; give some, or stay with float32")
        with _without_bars():
            quantized = nncf.quantize(
                model,
                nncf.Dataset(seen),
                preset=nncf.QuantizationPreset.MIXED,
                subset_size=len(seen),
                ignored_scope=_after_the_convolutions(model),
                # CPUs without VNNI add products of 8 bits in 16, which overflow: by a half of the
                # range they never do, and the same file gives the same numbers on every CPU.
                advanced_parameters=nncf.AdvancedQuantizationParameters(
                    overflow_fix=OverflowFix.ENABLE
                ),
            )
    facts |= {"precision": "int8", "calibration_images": len(seen)}
    quantized.set_rt_info(json.dumps(facts), [KEY])
    path = folder / path.name
    save_openvino(quantized, path)
    return path


class _Seen(list[Any]):
    """Images, counted whenever they are gone through."""

    def __iter__(self) -> Iterator[Any]:
        return progress(super().__iter__(), "calibrate", len(self), "images")


@contextlib.contextmanager
def _without_bars() -> Iterator[None]:
    """Without NNCF's bars, which nothing of its own turns off, and a run's log would have too."""
    from nncf.common.logging import track_progress

    theirs = track_progress.Progress

    def hidden(*columns: Any, **knobs: Any) -> Any:
        return theirs(*columns, **{**knobs, "disable": True})

    track_progress.Progress = hidden
    try:
        yield
    finally:
        track_progress.Progress = theirs


def _after_the_convolutions(model: Any) -> Any:
    """The arithmetic of the head that makes boxes and scores, by the names that tracing gave."""
    import nncf

    names = [op.get_friendly_name() for op in model.get_ops()]
    blocks = [name.split("model.model.")[1] for name in names if "model.model." in name]
    head = max(int(block.split(".")[0].split("/")[0]) for block in blocks)
    within = rf".*model\.model\.{head}"
    kinds = ("add", "sub", "mul", "div", "softmax", "sigmoid")
    patterns = [rf"{within}/aten::{kind}.*" for kind in kinds] + [rf"{within}\.dfl.*"]
    return nncf.IgnoredScope(patterns=patterns, types=["Sigmoid"], validate=False)
