"""What settings still have to obey: their own declarations, and rules between groups."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from omegaconf import MISSING

from segtrack.base.addresses import is_live, no_place, page_words
from segtrack.base.secrets import without_secrets
from segtrack.settings.dataset import BoxMasks
from segtrack.settings.device import gpu_indices
from segtrack.settings.groups import options
from segtrack.settings.knobs import Group, Problem, knobs_of, value_problems
from segtrack.settings.labellerr import Assist
from segtrack.settings.root import Settings


def validate(settings: Settings) -> list[Problem]:
    """Every problem of composed settings; an empty list is good."""
    return [
        *value_problems(settings),
        *_names(settings),
        *_globals(settings),
        *(one for name, group in vars(settings).items() for one in _own(name, group)),
        *settings.model.trainer_problems(settings.trainer),
        *_floor(settings),
        *_readable("model", settings.model, _weights(settings)),
        *_readable("model", settings.model, _sam(settings)),
        *_live(settings),
        *_register(settings),
        *_store(settings),
    ]


def _own(name: str, group: Any) -> Iterator[Problem]:
    if isinstance(group, Group):
        yield from _readable(name, group, group.problems())


def _readable(name: str, group: Group, problems: Iterator[Problem]) -> Iterator[Problem]:
    """Those that looking at the files finds which ``group`` names."""
    try:
        yield from problems
    except OSError as error:  # a name that no file can have, a folder that may not be looked into
        given = str(error.filename)
        key = next((f"{name}.{key}" for key, value in vars(group).items() if value == given), name)
        yield Problem(key, given, f"cannot be read ({error.strerror})")


def _names(settings: Settings) -> Iterator[Problem]:
    """What an option is called is chosen together with its other settings, never alone."""
    for group, name in (("tracker", "name"), ("dataset", "source")):
        chosen = getattr(settings, group)
        own, value = knobs_of(type(chosen))[name].default, getattr(chosen, name)
        if own != MISSING and value != own:
            yield Problem(f"{group}.{name}", value, f"cannot be set alone; choose {group}={value}")


def _globals(settings: Settings) -> Iterator[Problem]:
    if gpu_indices(settings.device) is None:
        allowed = "auto, cpu, cuda, mps, a GPU such as 0 or cuda:0, or several such as [0,1]"
        yield Problem("device", settings.device, f"must be {allowed}")
    if "track" in settings.stages and settings.video is not None and not settings.video.strip():
        yield Problem("video", repr(settings.video), "must name a file, a folder or a glob")


def _floor(settings: Settings) -> Iterator[Problem]:
    lowest, floor = settings.tracker.lowest_score(), settings.model.conf_floor
    if lowest is not None and floor > lowest[1]:
        allowed = (
            f"must not lie above tracker.{lowest[0]}={lowest[1]:g}, whose detections would be "
            "missing"
        )
        yield Problem("model.conf_floor", floor, allowed)


def _weights(settings: Settings) -> Iterator[Problem]:
    """A file that is not there; the name of a network alone is none."""
    given = settings.model.weights or "auto"
    if given in ("auto", "scratch", "shipped") or given.startswith("run:"):
        return
    path = Path(given).expanduser()
    if path.exists():
        return
    if path.stem in options()["model"] and given in (path.stem, path.name):
        allowed = (
            f"no such file, but the name of a network: model={path.stem} model.weights=auto takes "
            "what is published of it; else give a checkpoint's file"
        )
    else:
        allowed = (
            "no such file; give a checkpoint's file, shipped, run:<MLflow run id>, scratch or auto"
        )
    yield Problem("model.weights", given, allowed)


def _sam(settings: Settings) -> Iterator[Problem]:
    """A path that is not there; a name alone is looked for when it is needed."""
    used = settings.labellerr.assist is Assist.sam or settings.dataset.box_masks is BoxMasks.sam
    sam = Path(settings.model.sam).expanduser()
    if used and str(sam) != sam.name and not sam.is_file():
        allowed = "no such file; give a checkpoint of SAM, or a name such as mobile_sam.pt"
        yield Problem("model.sam", settings.model.sam, allowed)


def _register(settings: Settings) -> Iterator[Problem]:
    name = settings.mlflow.register
    if name is not None and "export" not in settings.stages:
        allowed = "it is the stage export that registers a network: add it to stages"
        yield Problem("mlflow.register", name, allowed)


def _store(settings: Settings) -> Iterator[Problem]:
    shown = without_secrets(settings.store)
    if "://" in settings.store and shown != settings.store:
        allowed = (
            "a name or password in the address would be kept in every run; put credentials into "
            "the environment or the library's own files, such as ~/.aws"
        )
        yield Problem("store", shown, allowed)
    elif slip := no_place(settings.store):
        yield Problem("store", settings.store, slip)


def _live(settings: Settings) -> Iterator[Problem]:
    """What a camera or a stream cannot do, and what is none."""
    video, after = settings.video, settings.tracks
    if video is not None and (words := page_words(video)):
        yield Problem("video", video, words)
    if not is_live(video):
        if settings.video_seconds is not None:
            allowed = "ends a camera or a stream; a file is tracked whole: cut it before"
            yield Problem("video_seconds", settings.video_seconds, allowed)
        return
    if after.min_length > 1:
        allowed = "cannot be known while a stream runs; record it and track in the file"
        yield Problem("tracks.min_length", after.min_length, allowed)
    if after.interpolate:
        allowed = "cannot be filled while a stream runs; record it and track in the file"
        yield Problem("tracks.interpolate", after.interpolate, allowed)
    if settings.counting.wanted:
        allowed = "is done along whole trajectories; record the stream and track in the file"
        yield Problem("counting", ..., allowed)
