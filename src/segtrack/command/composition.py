"""From command line words to typed settings, and to the cells of a sweep."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hydra import initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import ConfigRepository
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from segtrack.base.addresses import page_words
from segtrack.base.errors import SettingsError, nearest
from segtrack.command.cells import Cell, cells_of, probes_of, sweep_problems
from segtrack.command.composed import composed
from segtrack.command.keys import normalised
from segtrack.command.subcommands import unvalued
from segtrack.command.sweeper import VERSION_BASE, Sweeper, sweeper_of
from segtrack.pipeline import listed_names
from segtrack.settings import Problem, Settings, options, register


@dataclass(frozen=True)
class Swept:
    """What a sweep runs.

    Attributes:
        cells: in Hydra's order; where the sweeper draws, such as show what is wrong with what may
            be drawn. The first has the defaults of all that is drawn.
        drawn: overrides of what a sweeper draws; empty where it runs all cells.
    """

    sweeper: Sweeper
    cells: Sequence[Cell]
    drawn: Sequence[Override] = ()


def expand(overrides: Sequence[str]) -> list[Cell]:
    """The cells of a sweep in Hydra's order; overrides that do not parse are left out.

    Raises:
        SettingsError: there is none, or they are more than anyone runs.
    """
    parsed = parse(overrides)[0]
    _require_cells(parsed)
    return list(cells_of(parsed))


def swept(overrides: Sequence[str]) -> Swept:
    """What a sweep runs, whichever its sweeper; overrides that do not parse are left out.

    Raises:
        SettingsError: as ``expand``.
    """
    parsed = parse(overrides)[0]
    sweeper = sweeper_of(parsed)
    parsed += parse(sweeper.words)[0]
    _require_cells(parsed, sweeper.draws)
    if not sweeper.draws:
        return Swept(sweeper, list(cells_of(parsed)))
    drawn = [one for one in parsed if one.is_sweep_override()]
    return Swept(sweeper, list(probes_of(parsed)), drawn)


def _require_cells(parsed: Sequence[Override], draws: bool = False) -> None:
    if wrong := sweep_problems(parsed, draws):
        raise SettingsError("; ".join(map(str, wrong)))


def to_settings(config: DictConfig) -> Settings:
    """The typed settings of a composed configuration."""
    settings = OmegaConf.to_object(config)
    assert isinstance(settings, Settings), f"composed {type(settings).__name__}"
    return settings


def compose_settings(folder: Path, overrides: Sequence[str], extra: Path | None = None) -> Settings:
    """Compose without running anything.

    Args:
        folder, overrides, extra: as ``check`` takes them.

    Raises:
        SettingsError: they do not compose; ``check`` says more.
    """
    with composing(folder, extra):
        words = normalised(overrides, groups(*config_folders(folder, extra)))
        try:
            return to_settings(composed(words))
        except (HydraException, OmegaConfBaseException) as error:
            raise SettingsError(first_line(str(error))) from error


def groups(*folders: Path) -> dict[str, list[str]]:
    """The options of every config group: files in these folders, and what registered itself."""
    found = {group: set(known) for group, known in options().items()}
    for folder in folders:
        for path in folder.glob("*/*.yaml"):
            found.setdefault(path.parent.name, set()).add(path.stem)
    return {group: sorted(names) for group, names in sorted(found.items())}


def config_folders(folder: Path, extra: Path | None) -> list[Path]:
    """Where configurations are looked for."""
    return [folder, *([extra] if extra else [])]


@contextmanager
def composing(folder: Path, extra: Path | None) -> Iterator[None]:
    """Hydra, ready to compose out of these folders."""
    register()
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(folder.resolve()), job_name="segtrack", **VERSION_BASE):
        if extra is not None:
            loader = GlobalHydra.instance().config_loader()
            assert isinstance(loader, ConfigLoaderImpl)
            path = loader.get_search_path()
            path.prepend("command-line", f"file://{extra.resolve()}", SearchPathQuery("schema"))
            loader.repository = ConfigRepository(path)  # which reads the path only once
        yield


def parse(overrides: Sequence[str]) -> tuple[list[Override], list[Problem]]:
    """Words in Hydra's grammar, and why each of the others is none."""
    hydra = GlobalHydra.instance()
    parser = OverridesParser.create(hydra.config_loader() if hydra.is_initialized() else None)
    good, problems = [], []
    for text in overrides:
        try:
            good.extend(parser.parse_overrides([text]))
        except HydraException as error:
            problems.append(_unreadable(text, str(error).splitlines()[0]))
    return good, problems


def _unreadable(word: str, detail: str) -> Problem:
    """Why a word is none of Hydra's grammar."""
    key, equals, value = word.partition("=")
    if not equals:
        allowed = f"has no value: type {key or 'KEY'}=VALUE"
        if key in listed_names():
            allowed = f"is a stage: type stages=[{key}], or several as in stages=[prepare,train]"
        elif key and Path(key).exists():
            allowed = (
                f"is a file or folder; say what it is: type dataset.path={key}, video={key} or "
                f"model.weights={key}"
            )
        elif (near := nearest(key, unvalued())) in listed_names():
            allowed = f"is no stage; did you mean {near}? Type stages=[{near}]"
        if key.endswith(("}", "]", ")")):
            allowed = "is the rest of a word that the shell has cut at a space; quote the whole"
        return Problem(key or "''", ..., allowed)
    if text := _call_words(value):
        return Problem(key, value, text)
    if any(value.count(left) != value.count(right) for left, right in ("[]", "{}", "()")):
        allowed = (
            f"a bracket is not closed, perhaps since the shell has cut the word at a space; quote "
            f"the whole, '{key}=...'; brackets that belong to a name need quotes in these: "
            f"'{key}=\"{value}\"'"
        )
        return Problem(key, value, allowed)
    if re.search(r"[^\w.@/+~$:-]", key, re.ASCII):
        return Problem(key, value, "no such setting; the names of all are in ASCII letters")
    if key.lstrip("+") == "video" and (words := page_words(value)):
        return Problem(key, value, words)  # with quotes it would be refused all the same
    detail = detail.partition(" expecting ")[0]
    return Problem(
        key,
        value,
        f"Hydra's grammar cannot read this ({detail}). A value with one of ( ) [ ] {{ }} = , or "
        f"spaces needs quotes inside the shell's: '{key}=\"{value}\"'",
    )


# As they are written that stand for several values, or for one of another kind.
_CALLS = {
    "interval": "interval(LOW,HIGH), two numbers",
    "range": "range(START,STOP) or range(START,STOP,STEP), numbers",
    "choice": "choice(A,B,...)",
    "tag": "tag(log,interval(LOW,HIGH))",
    "shuffle": "shuffle(A,B,...)",
    "sort": "sort(A,B,...)",
    "glob": "glob(PATTERN)",
}


def _call_words(value: str) -> str:
    """What is wrong with a call such as ``interval(1)``; empty: it is none of Hydra's."""
    if not re.fullmatch(r"[a-z_]+\(.*\)", value):
        return ""
    names = re.findall(r"([a-z_]+)\(", value)
    for name in names:
        near = difflib.get_close_matches(name, _CALLS, n=1, cutoff=0.75)
        if name not in _CALLS and near:
            return f"there is no {name}(...); did you mean {_CALLS[near[0]]}?"
    return f"is written {_CALLS[names[-1]]}" if names[-1] in _CALLS else ""


def first_line(text: str) -> str:
    """Of an error of Hydra's, the line that says what is wrong."""
    lines = [line.strip() for line in text.splitlines() if line.strip()] or ["it does not say why"]
    return next((line for line in lines if "Error merging override" not in line), lines[0])
