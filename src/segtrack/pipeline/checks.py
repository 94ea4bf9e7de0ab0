"""What ``stages=[...]`` still has to obey: what is registered, and what it needs."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence

from segtrack.dataset import source_of
from segtrack.pipeline.objective import objective_problems
from segtrack.pipeline.stage import STAGES, listed_names
from segtrack.settings import LabellerrMode, Problem, Settings


def stage_problems(settings: Settings) -> Iterator[Problem]:
    """Every problem of the listed stages."""
    names = listed_names()
    shown = f"[{','.join(settings.stages)}]"
    if not settings.stages:
        yield Problem("stages", shown, f"list at least one of {', '.join(names)}")
    for name in dict.fromkeys(settings.stages):
        if name not in names:
            yield Problem("stages", shown, _unknown(name, names))
        elif settings.stages.count(name) > 1:
            yield Problem("stages", shown, f"{name} stands there twice; list each stage once")
    yield from _without_dataset(settings)
    yield from _without_classes(settings)
    yield from objective_problems(settings)
    wanted = [f"stages=[{name}]" for name in platform_stages(settings.stages)]
    if _wants_labels(settings):
        wanted.append(f"dataset={settings.dataset.source}")
    if wanted and settings.labellerr.mode is LabellerrMode.off:
        allowed = (
            f"{', '.join(wanted)} need the platform: labellerr=cloud, or labellerr=emulator "
            "without an account"
        )
        yield Problem("labellerr.mode", "off", allowed)


def _without_dataset(settings: Settings) -> Iterator[Problem]:
    """What ``dataset=none`` cannot do."""
    if settings.dataset.source != "none":
        return
    learning = [name for name in settings.stages if name not in ("track", "shards")]
    if learning:
        need = "needs" if len(learning) == 1 else "need"
        yield Problem("dataset", "none", f"{', '.join(learning)} {need} a data set: dataset=NAME")
    elif settings.video is None:
        yield Problem("video", None, "dataset=none has no videos: video=FILE, a folder or a glob")
    elif settings.model.weights in (None, "scratch"):
        allowed = "dataset=none has nothing to train on: model.weights=FILE"
        yield Problem("model.weights", settings.model.weights, allowed)


def _without_classes(settings: Settings) -> Iterator[Problem]:
    """Raw images of which nobody says what is to be found there: a network may, people cannot."""
    dataset = settings.dataset
    if dataset.source != "images" or dataset.classes is not None:
        return
    if not set(settings.stages) <= {"prepare", "segment", "shards"}:
        allowed = "say what is to be found in the images, such as dataset.classes=[person,car]"
        yield Problem("dataset.classes", None, allowed)


def platform_stages(names: Sequence[str]) -> list[str]:
    """Those of ``names`` that visit the annotation platform, in their order."""
    return [name for name in names if name in STAGES and STAGES.get(name).platform]


def needs_platform(settings: Settings) -> bool:
    """Whether a run will need credentials."""
    return _wants_labels(settings) or bool(platform_stages(settings.stages))


def _wants_labels(settings: Settings) -> bool:
    return source_of(settings.dataset).project(settings.dataset) is not None


def _unknown(name: str, names: Sequence[str]) -> str:
    if name in STAGES:
        owner = STAGES.get(name).part_of
        part = f"a part of {owner}" if owner else "made where another stage asks for it"
        return f"{name} cannot be listed, it is {part}; must be one of {', '.join(names)}"
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"there is no stage {name}; must be one of {', '.join(names)}{hint}"
