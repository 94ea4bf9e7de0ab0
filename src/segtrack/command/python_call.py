"""A command from Python: the same settings, store and journal, without a command line.

Settings come as values and not as words that Hydra has yet to read, errors are raised and not
printed, and what is Hydra's (its logging, its working folder, whatever else this process composes
with it) stays as it is.
"""

from __future__ import annotations

import contextlib
import multiprocessing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf, open_dict

from segtrack.base.errors import SettingsError
from segtrack.base.saying import LOG, logged
from segtrack.base.secrets import hidden, hide_in
from segtrack.command.app import CONF, require_settings
from segtrack.command.choices import video_choices
from segtrack.command.composed import composed
from segtrack.command.composition import compose_settings, composing, groups, to_settings
from segtrack.command.folders import require_writable
from segtrack.command.job import Launch, look, record_run
from segtrack.command.keys import normalised
from segtrack.settings import MlflowSettings
from segtrack.settings import override_words as override_words


def run_stages(
    function: str, stages: Sequence[str], given: Mapping[str, Any]
) -> tuple[MlflowSettings, str]:
    """Run the stages and record them as the command does.

    Args:
        function: whose name stands in the record of the run.
        stages: that it runs, where ``given`` does not list its own.
        given: settings by dotted key or by group, as Python values.

    Returns:
        Where the run is recorded, and its id.

    Raises:
        SettingsError: all that is wrong with the settings; nothing is left behind. Or this is a
            process that works beside a script.
        SegtrackError: what else ended the run.
    """
    _require_own_process(function)
    words = override_words({"stages": list(stages), **given})
    with hidden(), _own_hydra():
        chosen = video_choices(CONF, words)
        words += override_words(chosen)
        require_settings(words)
        shown = ", ".join(f"{key}={value!r}" for key, value in given.items())
        launch = _composed(words, f"segtrack.{function}({shown})")
        settings = to_settings(launch.config)
        if settings.plan:
            raise SettingsError("plan=true: only prints; type it on the command line")
        runner = look(settings)
        _make_folder(launch)
        with logged(launch.output / LOG):
            run_id, _ = record_run(settings, launch, runner)
        return settings.mlflow, run_id


def mlflow_settings(given: Mapping[str, Any]) -> MlflowSettings:
    """Where runs are recorded, by settings such as ``mlflow``.

    Raises:
        SettingsError: all that is wrong with the settings.
    """
    words = override_words(given)
    with _own_hydra():
        require_settings(words)
        return compose_settings(CONF, words).mlflow


def _require_own_process(function: str) -> None:
    """Refuse in a process beside this one, which reads a script again from its beginning."""
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise SettingsError(
            f"segtrack.{function}() is called where processes that work beside a script call it "
            "again: put what the script does below `if __name__ == '__main__':`"
        )


@contextlib.contextmanager
def _own_hydra() -> Iterator[None]:
    """Compose without what this process may compose with Hydra on its own account."""
    kept = GlobalHydra.instance().hydra
    try:
        yield
    finally:
        GlobalHydra.instance().hydra = kept


def _composed(words: Sequence[str], command: str) -> Launch:
    """What Hydra would hand over."""
    with composing(CONF, None):
        own = normalised(words, groups(CONF))
        config = composed(own, hydra=True)
        output = Path(config.hydra.run.dir).absolute()
        choices = dict(config.hydra.runtime.choices)
        with open_dict(config):
            del config["hydra"]
    return Launch(config, output, own, choices, command)


def _make_folder(launch: Launch) -> None:
    """The run's folder, with what Hydra keeps in it."""
    given, instead = f"the run's folder {launch.output}", "work in another folder"
    require_writable(launch.output, given, instead)
    kept = launch.output / ".hydra"
    kept.mkdir(parents=True)
    OmegaConf.save(launch.config, kept / "config.yaml")
    OmegaConf.save(OmegaConf.create(list(launch.overrides)), kept / "overrides.yaml")
    hide_in(kept)
