"""The functions: each is a command, and makes a run as the command does.

Settings are keyword arguments: a group takes the name of an option, or a mapping of its knobs; a
single knob goes by its dotted key.

    segtrack.track(video="a.mp4", model="yolov8s-seg", tracker={"track_thresh": 0.4})
    segtrack.track(video="a.mp4", **{"tracker.track_thresh": 0.4})

Wrong ones raise ``SettingsError`` with all that is wrong. Functions are for one thread at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from segtrack.api.results import Comparison, Run, Scores
from segtrack.base.errors import SettingsError, nearest
from segtrack.command import compare_runs, mlflow_settings, run_stages


def prepare(**settings: Any) -> Run:
    """Read a data set, check it and divide it.

    Args:
        settings: such as ``dataset="yolo", **{"dataset.path": "FOLDER"}``.

    Returns:
        The run; its tables and figures are those of ``Run.data``.

    Raises:
        SegtrackError: what was wrong, and what to do.
    """
    return _run("prepare", ["prepare"], settings)


def train(**settings: Any) -> Run:
    """Train a network on a data set. As ``prepare``, with those of ``Run.training``."""
    return _run("train", ["prepare", "train"], settings)


def evaluate(**settings: Any) -> Run:
    """Evaluate weights, named ones or those that were trained with the same settings before, on the
    test images. As ``prepare``, with those of ``Run.evaluation``."""
    return _run("evaluate", ["prepare", "evaluate"], settings)


def track(**settings: Any) -> Run:
    """Track in a video (``video="a.mp4"``), or in those of the data set. As ``prepare``, with those
    of ``Run.tracking``."""
    own = settings.get("video") is not None
    return _run("track", ["track"] if own else ["prepare", "track"], settings)


def score(
    tracks: str | Path, truth: str | Path, benchmark: str, classes: Sequence[str] | None = None
) -> Scores:
    """Score any tracker's files against a benchmark's ground truth; nothing is recorded.

    Args:
        tracks: folder with a text file for each sequence.
        truth: folder of the benchmark's own kit.
        benchmark: mot15, mot17, mot20, visdrone, kitti, kitti_mots or mots.
        classes: to score; default: all that it judges.

    Raises:
        SettingsError: there is no such benchmark.
        DataError: a file cannot be read.
    """
    from segtrack.scoring import KITS, score_kit

    if benchmark not in KITS:
        near = nearest(benchmark, KITS)
        hint = f"; did you mean {near}?" if near else ""
        raise SettingsError(f"benchmark={benchmark!r}: must be one of {', '.join(KITS)}{hint}")
    found = score_kit(benchmark, Path(truth), Path(tracks), list(classes) if classes else None)
    return Scores(found)


def compare(
    a: str | Run | Sequence[str | Run],
    b: str | Run | Sequence[str | Run],
    kind: str | None = None,
    metrics: Sequence[str] | None = None,
    sequences: Sequence[str] | None = None,
    level: float = 0.95,
    **settings: Any,
) -> Comparison:
    """Is ``b`` better than ``a``, and can that be told?

    Args:
        a, b: runs, or their ids, names or folders; several differ in the seed alone.
        kind: box, mask (of tracking) or image; default: of what ``a`` has, the first.
        metrics: the first one is the claim; default: HOTA, MOTA and IDF1, of images mask_map50_95.
        sequences: only these; ``["test"]`` or ``["tuning"]``: those that have this role.
        level: of the intervals, 0..1.
        settings: where runs are recorded, such as ``mlflow="server"``.

    Raises:
        SegtrackError: a run is not there, or has not what is compared.
    """
    if not 0 < level < 1:
        raise SettingsError(f"level={level:g}: must be between 0 and 1")
    words = _words(a), _words(b)
    where = mlflow_settings(settings)
    return Comparison(compare_runs(where, words, kind, metrics, sequences, level))


def load_run(run: str | Path | None = None, **settings: Any) -> Run:
    """An earlier run with all that it kept.

    Args:
        run: its id or name, its folder of outputs, a folder with results.json files, or one of
            them; default: the newest run that tracked or evaluated.
        settings: where runs are recorded, such as ``mlflow="server"``.

    Raises:
        SettingsError: there is none, or it is a sweep, whose cells are named then.
    """
    return Run.load(mlflow_settings(settings), None if run is None else str(run))


def _run(function: str, stages: list[str], settings: dict[str, Any]) -> Run:
    where, run_id = run_stages(function, stages, settings)
    return Run.load(where, run_id, function)


def _words(given: str | Run | Sequence[str | Run]) -> list[str]:
    several = [given] if isinstance(given, str | Run) else list(given)
    return [one.label if isinstance(one, Run) else str(one) for one in several]
