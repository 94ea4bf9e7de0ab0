"""The command that tries weights on an upload: the words that a person would type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segtrack.base.errors import SettingsError
from segtrack.runs import KeptRun
from segtrack.settings import knobs_of, options, override_words
from segtrack.view.uploads import Upload

SHIPPED = "shipped"
_RUN, _MODEL = "run:", "model:"
_AP = ("test/mask_map50_95", "val/best/mask_map50_95", "val/mask_map50_95")


@dataclass(frozen=True)
class Choice:
    """What somebody chose on the page.

    Attributes:
        weights: ``run:ID``, ``shipped`` or ``model:NAME``.
        score: from which on an object counts, of a video a track begins; None: the default.
        tracker: an option of the group; empty: the default.
        classes: names; empty: all of the weights.
    """

    weights: str
    score: float | None = None
    tracker: str = ""
    classes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Trained:
    """Weights of a run, as the page lists them.

    Attributes:
        model: the option that it was trained with; empty where that is not known.
    """

    id: str
    name: str
    when: str
    dataset: str
    model: str
    scores: str


def trained_of(run: KeptRun) -> Trained:
    """A run that trained, in words."""
    found = [(name.partition("/")[0], run.metrics.get(name)) for name in _AP]
    shown = {part: f"{part} {100 * value:.1f}" for part, value in reversed(found) if value}
    return Trained(
        run.id or "",
        run.name,
        run.started.strftime("%Y-%m-%d %H:%M") if run.started else "",
        run.tags.get("choice.dataset", ""),
        run.tags.get("choice.model", ""),
        ", ".join(shown[part] for part in ("val", "test") if part in shown),
    )


def models() -> list[str]:
    """Networks that can be named."""
    return list(options().get("model", ()))


def trackers() -> list[str]:
    """Trackers that can be named."""
    return list(options().get("tracker", ()))


def words_of(upload: Upload, choice: Choice, runs: Mapping[str, Trained]) -> list[str]:
    """The settings of the run.

    Args:
        runs: those whose weights may be chosen, by id.

    Raises:
        SettingsError: something was chosen that is not there.
    """
    given: dict[str, Any]
    if upload.kind == "video":
        given = {"stages": ["track"], "video": _posix(upload.path)}
    else:
        given = {"stages": ["segment"], "dataset": "images", "dataset.path": _posix(upload.path)}
    given |= _weights(choice.weights, runs)
    if upload.kind == "video":
        given |= _tracking(choice)
    elif choice.score is not None:
        given["evaluation.confusion_conf"] = choice.score
    if choice.classes:
        given["dataset.classes"] = [_class(name) for name in choice.classes]
    given["mlflow.run_name"] = f"{upload.name} {_label(choice.weights, runs)}"
    return override_words(given)


def _weights(chosen: str, runs: Mapping[str, Trained]) -> dict[str, str]:
    if chosen == SHIPPED:
        return {"model.weights": SHIPPED}
    if chosen.startswith(_RUN):
        run = runs.get(chosen.removeprefix(_RUN))
        if run is None:
            raise SettingsError("the run whose weights were chosen is not there any more")
        return ({"model": run.model} if run.model else {}) | {"model.weights": chosen}
    name = chosen.removeprefix(_MODEL)
    if not chosen.startswith(_MODEL) or name not in models():
        raise SettingsError(f"there are no weights called {chosen[:60]!r}: choose some of the list")
    return {"model": name, "model.weights": "auto"}


def _label(chosen: str, runs: Mapping[str, Trained]) -> str:
    run = runs.get(chosen.removeprefix(_RUN))
    return f"with {run.name}" if run else f"with {chosen.removeprefix(_MODEL)}"


def _tracking(choice: Choice) -> dict[str, Any]:
    given: dict[str, Any] = {}
    if choice.tracker:
        if choice.tracker not in trackers():
            raise SettingsError(f"there is no tracker called {choice.tracker[:60]!r}")
        given["tracker"] = choice.tracker
    if choice.score is None:
        return given
    given["tracker.track_thresh"] = choice.score
    if choice.tracker:
        node = options()["tracker"][choice.tracker]
        new = knobs_of(node if isinstance(node, type) else type(node)).get("new_track_thresh")
        if new is not None and new.default is not None and new.default < choice.score:
            given["tracker.new_track_thresh"] = None  # its own would lie below: a bit above, then
    return given


def _class(name: str) -> str:
    if "${" in name or not name.isprintable():
        raise SettingsError(f"{name[:60]!r} is no name of a class: leave out what is odd in it")
    return name


def _posix(path: Path) -> str:
    return path.as_posix()
