"""What typed settings still have to obey: ranges, and rules between several of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from omegaconf import MISSING

from segtrack.base.labellerr_api import REVIEWED
from segtrack.settings.knobs import Problem, knobs_of, value_problems
from segtrack.settings.labellerr import Assist, LabellerrMode
from segtrack.settings.mlflow import MlflowSettings
from segtrack.settings.root import Settings


def validate(settings: Settings) -> list[Problem]:
    """Every problem of composed settings, in the order of the groups; an empty list is good."""
    return [
        *value_problems(settings),
        *_names(settings),
        *_globals(settings),
        *settings.dataset.problems(),
        *_model(settings),
        *_tracker(settings),
        *_labellerr(settings),
        *_evaluation(settings),
        *_mlflow(settings.mlflow),
    ]


def _names(settings: Settings) -> Iterator[Problem]:
    """What an option is called is chosen together with its other settings, never alone."""
    for group, name in (("tracker", "name"), ("dataset", "source")):
        chosen = getattr(settings, group)
        own, value = knobs_of(type(chosen))[name].default, getattr(chosen, name)
        if own != MISSING and value != own:
            yield Problem(f"{group}.{name}", value, f"cannot be set alone; choose {group}={value}")


def _globals(settings: Settings) -> Iterator[Problem]:
    device = settings.device
    given = device if isinstance(device, list) else [device]
    indices = bool(given) and all(type(one) is int and one >= 0 for one in given)
    if device not in ("auto", "cpu", "mps") and not indices:
        allowed = "auto, cpu, a GPU's index such as 0, or a list of them such as [0,1]"
        yield Problem("device", device, f"must be {allowed}")
    if "track" in settings.stages and settings.video is not None and not settings.video.strip():
        yield Problem("video", repr(settings.video), "must name a file, a folder or a glob")


def _mlflow(mlflow: MlflowSettings) -> Iterator[Problem]:
    parts = urlsplit(mlflow.uri)
    if parts.username or parts.password:
        shown = f"{parts.scheme}://...@{parts.hostname}"
        allowed = (
            "a name or password in the address would be kept in every run; put them into the "
            "variables MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
        )
        yield Problem("mlflow.uri", shown, allowed)


def _labellerr(settings: Settings) -> Iterator[Problem]:
    labellerr = settings.labellerr
    yield from _labellerr_access(settings)
    unknown = [status for status in labellerr.statuses if status not in REVIEWED]
    if unknown or not labellerr.statuses:
        shown = f"[{','.join(unknown or labellerr.statuses)}]"
        allowed = f"a list of what can be exported: {', '.join(REVIEWED)}"
        yield Problem("labellerr.statuses", shown, allowed)
    sam = Path(labellerr.sam).expanduser()
    if labellerr.assist is Assist.sam and str(sam) != sam.name and not sam.is_file():
        allowed = "no such file; give a checkpoint of SAM, or a name such as mobile_sam.pt"
        yield Problem("labellerr.sam", labellerr.sam, allowed)
    rates = labellerr.annotator
    if rates.match_iou > rates.accept_iou:
        allowed = f"must not lie above labellerr.annotator.accept_iou={rates.accept_iou:g}"
        yield Problem("labellerr.annotator.match_iou", rates.match_iou, allowed)
    for key in ("name", "project_id", "test_project_id"):
        value = getattr(labellerr, key)
        if value is not None and (not value.strip() or not value.isprintable()):
            yield Problem(f"labellerr.{key}", repr(value), "must be a text in one line, or null")


def _labellerr_access(settings: Settings) -> Iterator[Problem]:
    labellerr = settings.labellerr
    if labellerr.mode is LabellerrMode.off:
        return
    if labellerr.url is None:
        if labellerr.mode is LabellerrMode.cloud:
            yield Problem("labellerr.url", None, "labellerr=cloud needs the platform's address")
        return
    parts = urlsplit(labellerr.url)
    if parts.username or parts.password:
        allowed = "credentials belong into the environment, not into the address"
        yield Problem("labellerr.url", f"{parts.scheme}://...@{parts.hostname}", allowed)
    elif parts.scheme not in ("http", "https") or not parts.hostname:
        yield Problem("labellerr.url", labellerr.url, "must begin with http:// or https://")


def _model(settings: Settings) -> Iterator[Problem]:
    yield from settings.model.problems()
    yield from settings.model.trainer_problems(settings.trainer)


def _tracker(settings: Settings) -> Iterator[Problem]:
    yield from settings.tracker.problems()
    lowest, floor = settings.tracker.lowest_score(), settings.model.conf_floor
    if lowest is not None and floor > lowest[1]:
        allowed = (
            f"must not lie above tracker.{lowest[0]}={lowest[1]:g}, whose detections would be "
            "missing"
        )
        yield Problem("model.conf_floor", floor, allowed)


def _evaluation(settings: Settings) -> Iterator[Problem]:
    edges = settings.evaluation.visible_bins
    rising = all(a < b for a, b in itertools.pairwise(edges))
    if len(edges) < 2 or not rising or edges[0] < 0 or edges[-1] > 1:
        allowed = "must be rising edges within 0 to 1, at least two"
        yield Problem("evaluation.visible_bins", edges, allowed)
    if settings.evaluation.confusion_conf < settings.evaluation.conf_floor:
        allowed = f"must not lie below evaluation.conf_floor={settings.evaluation.conf_floor:g}"
        yield Problem("evaluation.confusion_conf", settings.evaluation.confusion_conf, allowed)
