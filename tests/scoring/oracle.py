"""TrackEval 1.3.0, driven through its own dataset and metric classes."""

import contextlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import trackeval

from segtrack.scoring.counts import per_alpha, summary

QUIET = {"PRINT_CONFIG": False}
NAMES = {"Recall": "CLR_Re", "Precision": "CLR_Pr", "FP": "CLR_FP", "FN": "CLR_FN"}
Result = dict[str, Any]  # by metric family: Result["HOTA"]["AssA"]


def dataset(
    kind: str, gt: Path, tracks: Path, lengths: dict[str, int], **config: object
) -> tuple[Any, str]:
    """A TrackEval data set over ``tracks/<sequence>.txt``, and the name of the tracker."""
    makers = {
        "mot15": (trackeval.datasets.MotChallenge2DBox, {"BENCHMARK": "MOT15"}),
        "mot17": (trackeval.datasets.MotChallenge2DBox, {"BENCHMARK": "MOT17"}),
        "mot20": (trackeval.datasets.MotChallenge2DBox, {"BENCHMARK": "MOT20"}),
        "kitti": (trackeval.datasets.Kitti2DBox, {}),
        "kitti_mots": (trackeval.datasets.KittiMOTS, {}),
        "mots": (trackeval.datasets.MOTSChallenge, {}),
    }
    maker, extra = makers[kind]
    common = {
        "GT_FOLDER": str(gt),
        "TRACKERS_FOLDER": str(tracks.parent),
        "TRACKERS_TO_EVAL": [tracks.name],
        "TRACKER_SUB_FOLDER": "",
        "OUTPUT_FOLDER": str(tracks.parent / "trackeval"),
        **QUIET,
    }
    if kind != "kitti":
        common["SEQ_INFO"] = lengths
    if kind in ("mot15", "mot17", "mot20", "mots"):
        common["SKIP_SPLIT_FOL"] = True
    with contextlib.redirect_stdout(io.StringIO()):
        return maker({**common, **extra, **config}), tracks.name


def evaluate(data: Any, tracker: str, class_name: str) -> dict[str, Result]:
    """Results of every sequence, and of all of them as ``combined``."""
    metrics = [
        trackeval.metrics.HOTA(),
        trackeval.metrics.CLEAR(QUIET),
        trackeval.metrics.Identity(QUIET),
    ]
    results: dict[str, Result] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        for sequence in data.seq_list:
            raw = data.get_raw_seq_data(tracker, sequence)
            part = data.get_preprocessed_seq_data(raw, class_name)
            results[sequence] = {m.get_name(): m.eval_sequence(part) for m in metrics}
        results["combined"] = combine(results, "combine_sequences")
    return results


def combine(results: dict[str, Result], how: str) -> Result:
    """One of TrackEval's combinations of results."""
    metrics = [
        trackeval.metrics.HOTA(),
        trackeval.metrics.CLEAR(QUIET),
        trackeval.metrics.Identity(QUIET),
    ]
    return {
        m.get_name(): getattr(m, how)({k: v[m.get_name()] for k, v in results.items()})
        for m in metrics
    }


def assert_equal(counts: np.ndarray, expected: Result, alone: bool = False) -> None:
    """Everything that our counts (D,) say is what TrackEval says, to 1e-9."""
    ours = summary(counts, alone)
    compare(ours, expected)
    for name, curve in per_alpha(counts).items():
        np.testing.assert_allclose(curve, expected["HOTA"][name], atol=1e-9, rtol=0, err_msg=name)


def compare(ours: dict[str, np.ndarray], expected: Result) -> None:
    """A summary of ours is TrackEval's, to 1e-9."""
    flat = {name: np.mean(value) for family in expected.values() for name, value in family.items()}
    for name, value in ours.items():
        np.testing.assert_allclose(
            value, flat[NAMES.get(name, name)], atol=1e-9, rtol=0, err_msg=name
        )
