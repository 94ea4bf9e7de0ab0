"""Compose, check, run, report: what ``python src/run.py`` does, and its exit codes.

0: done. 1: a stage failed, or a cell of a sweep. 2: settings or data that cannot be used. 130:
interrupted. 141: nobody reads the output any more.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segtrack import __version__
from segtrack.base.errors import SegtrackError, SettingsError, StageError, of_machine, place_of
from segtrack.base.processes import stop_if_asked, stoppable, until_asked
from segtrack.base.saying import LOG, led_by, logged, overheard, say, say_traceback
from segtrack.base.secrets import OUTPUT, hidden
from segtrack.command.folders import require_plain, require_utf8, require_writable
from segtrack.command.subcommands import subcommand, without_word
from segtrack.command.worker import at_home, is_worker, take_gpu

if TYPE_CHECKING:
    from segtrack.command.objective import Values
    from segtrack.settings import Settings

_RAISE = "HYDRA_FULL_ERROR"
_LAUNCHERS = ("joblib", "submitit", "ray")  # packages whose errors are of their workers
_PACKAGE = Path(__file__).resolve().parents[1]
_CHECKOUT = _PACKAGE.parents[1]
# A checkout has the folder at its top; a wheel carries it inside of the package.
CONF = _CHECKOUT / "conf" if (_CHECKOUT / "pyproject.toml").is_file() else _PACKAGE / "conf"
GARBAGE = 10_000  # objects that are made before a process looks for garbage; Python's own is 700
GONE = 141  # exit code: what reads the output has gone; shells say so of SIGPIPE
# Hydra unpickles that file, and makes loggers of whatever classes it names.
_NO_RERUN = (
    "--experimental-rerun={}: not supported, since reading a pickle runs whatever code it holds; "
    "nothing was executed. Give the run's settings again, which its .hydra/overrides.yaml lists"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line ``arguments`` (default: this process') and return the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if arguments is None:  # a fifth of the time of importing libraries is looking for garbage
        gc.set_threshold(GARBAGE, 20, 20)
    at_home()

    def work() -> int:
        with hidden(), overheard():
            return _main(words)

    return until_asked(work, lasting=arguments is None)


def _main(words: list[str]) -> int:
    with contextlib.suppress(AttributeError):  # a name that the terminal cannot show ends nothing
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        if "--version" in words:
            say(f"segtrack {__version__}")
            return 0
        other = subcommand(words)
        code = _run(without_word(words)) if other is None else other(words[1:])
        sys.stdout.flush()
        return code
    except SegtrackError as error:
        stop_if_asked()  # what was cut short may look like anything
        return _fail(error)
    except BrokenPipeError:  # whoever reads has enough, as ``head`` does
        _drop_output()
        return GONE
    except OSError as error:
        stop_if_asked()
        if error.filename == OUTPUT:
            _drop_output()
            text = f"cannot write to {OUTPUT} ({error.strerror}); make room or send it elsewhere"
            return _fail(SettingsError(text))
        where = f"{place}: " if (place := place_of(error)) else ""
        return _fail(SettingsError(f"cannot read or write {where}{error.strerror or error}"))


def _drop_output() -> None:
    """Python flushes what is left at its end, which would fail again."""
    with contextlib.suppress(OSError, AttributeError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(words: list[str]) -> int:
    """A run or a sweep of runs, or what Hydra says of it."""
    from hydra._internal.utils import get_args_parser

    options = get_args_parser().parse_intermixed_args(words)
    words = _options_first(words, options.overrides)
    if options.experimental_rerun is not None:
        raise SettingsError(_NO_RERUN.format(options.experimental_rerun))
    if options.hydra_help or options.shell_completion:
        return _hydra(words, lambda config: None)
    extra = Path(options.config_dir) if options.config_dir else None
    if extra is not None and not extra.is_dir():
        raise SettingsError(f"--config-dir {extra}: no such folder")
    if extra is not None:
        require_plain(extra)
    _refuse_other_config(options)
    from segtrack.command.choices import choices_text, video_choices, with_words

    chosen = video_choices(CONF, options.overrides, extra)
    added = [f"{group}={option}" for group, option in chosen.items()]
    words = with_words(words, options.overrides, added)
    options.overrides = [*options.overrides, *added]
    require_settings(options.overrides, extra, options.multirun)
    if options.help:
        from segtrack.command.help import help_text

        say(help_text(CONF, options.overrides, extra))
        return 0
    from segtrack.command.keys import replaced

    lost = replaced(options.overrides)
    words, options.overrides = _as_hydra_wants(words, options.overrides, extra)
    if options.cfg or options.info is not None:
        return _hydra(words, lambda config: None)
    _check_output(options.overrides)
    for line in lost:
        say(line, error=True)
    if chosen:
        say(choices_text(chosen))
    from segtrack.command.composition import compose_settings

    if options.multirun:
        from segtrack.command.sweep import run_sweep

        return run_sweep(words, options.overrides, _hydra, CONF, extra)
    return _run_single(words, compose_settings(CONF, options.overrides, extra))


def _refuse_other_config(options: argparse.Namespace) -> None:
    """Options of Hydra under which it would run something else than what was checked.

    Raises:
        SettingsError: one of them is given.
    """
    if options.config_name or options.config_path:
        given = f"--config-name {options.config_name}" if options.config_name else "--config-path"
        raise SettingsError(
            f"{given}: the configuration is segtrack's own; put yours into "
            "FOLDER/experiment/NAME.yaml and give --config-dir FOLDER experiment=NAME"
        )
    if options.package and not options.cfg:
        raise SettingsError(f"--package {options.package}: only goes with --cfg, which shows it")


def _options_first(words: Sequence[str], overrides: Sequence[str]) -> list[str]:
    """The command line as Hydra's own parser takes it: ``seed=1,2 -m model=x`` is ``-m ...``."""
    return [*_without(words, overrides), *overrides]


def _without(words: Sequence[str], overrides: Sequence[str]) -> list[str]:
    rest = list(words)
    for word in overrides:
        rest.remove(word)
    return rest


def require_settings(
    overrides: Sequence[str], extra: Path | None = None, sweep: bool = False
) -> None:
    """Refuse settings that cannot work.

    Args:
        overrides, extra, sweep: as ``composition.check`` takes them.

    Raises:
        SettingsError: all that is wrong with them.
    """
    from segtrack.command.checking import check

    problems = check(CONF, overrides, extra, sweep)
    if problems:
        count = f"{len(problems)} problems" if len(problems) > 1 else "1 problem"
        lines = "\n".join(f"  {problem}".replace("\n", "\\n") for problem in problems)
        raise SettingsError(f"{count} with the settings:\n{lines}")


def _as_hydra_wants(
    words: Sequence[str], overrides: Sequence[str], extra: Path | None
) -> tuple[list[str], list[str]]:
    """The command line, and its overrides alone, without a plus where none is needed."""
    from segtrack.command.composition import groups
    from segtrack.command.keys import normalised

    names = groups(CONF, *([extra] if extra else []))
    wanted = normalised(overrides, names)
    return [*_without(words, overrides), *wanted], wanted


def _check_output(overrides: Sequence[str]) -> None:
    """Hydra makes the run's folder before anything of ours runs, and fails with a traceback.

    Raises:
        SettingsError: it cannot be made.
    """
    given = dict(word.lstrip("+").partition("=")[::2] for word in overrides)
    folder = given.get("hydra.run.dir") or given.get("hydra.sweep.dir") or "outputs"
    path = Path(folder.strip("'\"").split("${")[0] or ".")
    require_utf8(Path.cwd(), "the working folder", "rename it, or work in another folder")
    instead = "work in another folder, or choose one with hydra.run.dir=FOLDER"
    require_writable(path, f"the run's folder {folder}", instead)


def _run_single(words: Sequence[str], settings: Settings) -> int:
    """One run. Its errors are told here, not by Hydra, so that they come without a traceback."""
    from segtrack.command.job import look, run_job
    from segtrack.model import require_device

    codes: list[int] = []
    if settings.plan:
        require_device(settings.device)
    runner = None if settings.plan else look(settings)

    def task(config: Any) -> Values | None:
        try:
            return run_job(config, runner)
        except SegtrackError as error:
            codes.append(_fail(error))
        return None

    code = _hydra(words, task)
    return codes[0] if codes else code


def _hydra(words: Sequence[str], task: Any) -> int:
    """Hand over to Hydra, which makes the run's folder, composes, and calls ``task``.

    Returns:
        The exit code.

    Raises:
        SettingsError: it could not begin: a sweeper, a launcher or a folder that it cannot use.
    """
    import hydra

    from segtrack.command.sweeper import VERSION_BASE
    from segtrack.settings import register

    register()
    previous, own = sys.argv, os.environ.get(_RAISE)
    sys.argv = [previous[0], *words]
    os.environ[_RAISE] = "1"  # what Hydra cannot do is told here as everything else is
    began = False

    def begun(config: Any) -> Any:
        nonlocal began
        began = True
        return _logged(task, config)

    try:
        with stoppable():
            hydra.main(config_path=str(CONF), config_name="config", **VERSION_BASE)(begun)()
    except SystemExit as stop:
        stop_if_asked()
        return stop.code if isinstance(stop.code, int) else 1
    except SegtrackError as error:
        return error.exit_code  # of a cell, which has told it
    except Exception as error:
        if began:
            return 1  # which was said
        if isinstance(error, OSError) and (error.filename or of_machine(error)):
            where = place_of(error) or Path.cwd()
            raise SettingsError(f"cannot write {where}: {error.strerror or error}") from error
        why = str(error).strip().splitlines() or [type(error).__name__]
        if type(error).__module__.partition(".")[0] in _LAUNCHERS:
            return _fail(StageError(f"a worker of the launcher ended: {why[0]}"))
        text = f"Hydra cannot run this: {why[0]}; look at the settings that begin with hydra"
        raise SettingsError(text) from error
    finally:
        sys.argv = previous
        os.environ.pop(_RAISE)
        if own is not None:
            os.environ[_RAISE] = own
    return 0


def _logged(task: Any, config: Any) -> Any:
    """Do what Hydra has made the folder for; what is said meanwhile is written there too."""
    from hydra.core.hydra_config import HydraConfig

    hydra = HydraConfig.get()
    with contextlib.ExitStack() as stack:
        if is_worker():  # a launcher's, beside other cells
            if config.device == "auto":
                take_gpu(hydra.job.num)
            stack.enter_context(hidden())
            stack.enter_context(overheard())
            stack.enter_context(led_by(f"cell {hydra.job.num}: "))
        stack.enter_context(logged(Path(hydra.runtime.output_dir) / LOG))
        try:
            return task(config)
        except SegtrackError:  # is told by who knows what else there is to say
            raise
        except Exception:
            say_traceback()
            raise


def _fail(error: SegtrackError) -> int:
    # What somebody typed or a file holds may be of any length.
    lines = [line if len(line) <= 2000 else f"{line[:1500]} ... {line[-400:]}"
             for line in str(error).splitlines()]  # fmt: skip
    say("error: " + "\n".join(lines), error=True)
    return error.exit_code
