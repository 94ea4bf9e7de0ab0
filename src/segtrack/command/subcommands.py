"""Words that begin another command than a run, such as ``segtrack compare A B``, or a run of other
stages, such as ``segtrack export``."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import fields
from importlib import import_module
from typing import NoReturn

from segtrack.base.errors import SettingsError, nearest

SUBCOMMANDS = {
    "compare": "segtrack.command.compare",
    "completion": "segtrack.command.completion",
    "convert": "segtrack.command.convert",
    "doctor": "segtrack.command.doctor",
    "journal": "segtrack.command.waiting",
    "labellerr": "segtrack.command.labellerr",
    "report": "segtrack.command.report",
    "score": "segtrack.command.score",
    "store": "segtrack.command.results",
    "view": "segtrack.command.view",
}
"""By word the module that does it: its ``main`` takes the words behind and gives the exit code.
``CHOICES`` of the module, where it has them, are what the first word behind may be."""

RUNS = {"run": "", "export": "stages=[prepare,export]", "predict": "stages=[shards]"}
"""By word the stages that it runs, where the words behind name no others."""

ABOUT = {
    "run": "a run, or with -m a sweep, of the settings behind it; the word may be left out",
    "view": "look at runs, their videos and mistakes, in a browser",
    "report": "what a run, or several, came to, as one document",
    "compare": "is run B better than run A, and can that be told?",
    "score": "any tracker's files against a benchmark's ground truth",
    "export": "the network as a file for other programs",
    "predict": "very many images or videos, in Parquet shards, on one machine or a cluster",
    "convert": "labels and tracks in another program's form",
    "store": "list, check and clean what stages kept",
    "journal": "bring a server what it did not take while it was away",
    "labellerr": "the platform where people review labels",
    "doctor": "what this machine has, and what to do about what is missing",
    "completion": "the script that lets a shell complete words and settings",
}
"""By word its line in the help."""


def words_there() -> list[str]:
    """All words, in the order of the help."""
    there = {*SUBCOMMANDS, *RUNS}
    return [word for word in ABOUT if word in there]


def without_word(words: Sequence[str]) -> list[str]:
    """The settings of a run, from a command line that may begin with the word for its stages."""
    if not words or words[0] not in RUNS:
        return list(words)
    stages = RUNS[words[0]]
    own = any(word.lstrip("+").startswith("stages=") for word in words)
    return [*words[1:], *([stages] if stages and not own else [])]


def subcommand(words: Sequence[str]) -> Callable[[Sequence[str]], int] | None:
    """What the first word asks for; None where it begins no command, but a run's settings.

    Raises:
        SettingsError: it is no setting, but nearly such a word.
    """
    word = words[0] if words else ""
    if word in SUBCOMMANDS:
        main: Callable[[Sequence[str]], int] = import_module(SUBCOMMANDS[word]).main
        return main
    if word in RUNS:
        return None
    known = [*SUBCOMMANDS, *RUNS]
    near = nearest(word, known) if word.isalpha() else ""
    if near and nearest(word, [*known, *unvalued()]) == near:  # others are told with the settings
        raise SettingsError(f"{word}: no such command; did you mean {near}? A setting is KEY=VALUE")
    return None


def unvalued() -> list[str]:
    """What a word without a value may have been meant for: stages and settings."""
    from segtrack.pipeline import listed_names
    from segtrack.settings import Settings

    return [*listed_names(), *(field.name for field in fields(Settings))]


class Parser(argparse.ArgumentParser):
    """Of the words behind one of ``SUBCOMMANDS``: what is wrong is said as all of segtrack does."""

    def __init__(self, word: str, usage: str, description: str | None) -> None:
        super().__init__(
            prog=f"segtrack {word}",
            usage=f"segtrack {word} {usage}",
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        self.word = word

    def error(self, message: str) -> NoReturn:
        raise SettingsError(f"{self.word}: {message}; --help shows how")
