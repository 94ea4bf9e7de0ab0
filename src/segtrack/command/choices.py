"""Options that follow from ``video=``, where a command leaves them open.

The defaults of ``conf/config.yaml`` are those of the loop on the embedded data set. A command that
only tracks in somebody's video uses no data set, and the thresholds of a benchmark's own detector
do not suit pretrained weights. What is chosen here becomes words of the command, so that
``--cfg job``, the plan and the records of a run all show it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from segtrack.base.errors import SettingsError, of_machine
from segtrack.command.checking import Checker
from segtrack.command.composed import composed
from segtrack.command.composition import composing, expand, groups
from segtrack.command.keys import normalised
from segtrack.settings import DatasetSettings, knobs_of

TRACKER = "bytetrack_video"
DATASET = "none"


def video_choices(
    folder: Path, overrides: Sequence[str], extra: Path | None = None
) -> dict[str, str]:
    """What ``video=`` chooses, as group -> option; empty where the command names all itself.

    Args:
        folder, overrides, extra: as ``composition.check`` takes them; what is wrong with them is
            said there.
    """
    with composing(folder, extra):
        names = groups(folder, *([extra] if extra else []))
        words = normalised(overrides, names)
        try:
            cells = expand(words)
        except SettingsError:
            return {}
        if any(cell.swept.get("video") == "null" for cell in cells):
            return {}
        try:
            config = Checker(names).quick(cells[0].overrides)
            if config is None or config.video is None:
                return {}
            plain = composed([], hydra=True)
        except Exception as error:  # words that nobody has checked yet fail in any way
            if of_machine(error):
                raise
            return {}
        typed = {word.lstrip("+~").partition("=")[0].partition("@")[0] for word in words}

        def open_(group: str) -> bool:
            default = plain.hydra.runtime.choices[group]
            return group not in typed and config.hydra.runtime.choices[group] == default

        chosen = {"tracker": TRACKER} if open_("tracker") else {}
        if open_("dataset") and _uses_no_dataset(config) and not _of_one_source(typed):
            chosen["dataset"] = DATASET
        return chosen


def with_words(words: Sequence[str], overrides: Sequence[str], added: Sequence[str]) -> list[str]:
    """The command line with ``added`` behind the first of its overrides, before other flags."""
    words = list(words)
    at = words.index(overrides[0]) + 1 if overrides else len(words)
    return [*words[:at], *added, *words[at:]]


def choices_text(chosen: dict[str, str]) -> str:
    """One line that says what was chosen, and how to have it otherwise."""
    why = {
        "tracker": "thresholds for pretrained weights; tracker=bytetrack has those of the paper",
        "dataset": "the classes are those of the weights; dataset.classes chooses",
    }
    parts = [f"{group}={option} ({why[group]})" for group, option in chosen.items()]
    return f"video= chooses {', '.join(parts)}"


def _uses_no_dataset(config: DictConfig) -> bool:
    stages = OmegaConf.to_container(config.stages)
    return stages in (["track"], ["shards"]) and config.model.weights not in (None, "scratch")


def _of_one_source(typed: set[str]) -> bool:
    """Whether a knob was typed that only the default data set has: it is meant, then."""
    common = knobs_of(DatasetSettings)
    keys = {key.split(".")[1] for key in typed if key.startswith("dataset.")}
    return not keys <= set(common)
