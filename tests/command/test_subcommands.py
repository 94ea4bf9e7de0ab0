"""Words that begin a command."""

import contextlib

import pytest

from segtrack.base.errors import SettingsError
from segtrack.command.app import main
from segtrack.command.subcommands import (
    ABOUT,
    RUNS,
    SUBCOMMANDS,
    subcommand,
    without_word,
    words_there,
)


@pytest.mark.parametrize(
    ("words", "settings"),
    [
        (["run"], []),
        (["run", "-m", "seed=1,2"], ["-m", "seed=1,2"]),
        (["export"], ["stages=[prepare,export]"]),
        (["export", "seed=1"], ["seed=1", "stages=[prepare,export]"]),
        (["export", "stages=[prepare,train,export]"], ["stages=[prepare,train,export]"]),
        (["predict", "seed=1"], ["seed=1", "stages=[shards]"]),
        (["seed=1", "export"], ["seed=1", "export"]),  # which is then no setting
        (["-m", "seed=1,2"], ["-m", "seed=1,2"]),
        ([], []),
    ],
)
def test_a_run_of_other_stages(words: list[str], settings: list[str]) -> None:
    assert without_word(words) == settings
    assert subcommand(words) is None


def test_a_command_of_its_own() -> None:
    assert subcommand(["convert", "IN", "OUT"]) is not None
    assert subcommand(["compare", "A", "B"]) is not None
    assert subcommand(["view"]) is not None


def test_nearly_such_a_word() -> None:
    with pytest.raises(SettingsError, match=r"covert: no such command; did you mean convert\?"):
        subcommand(["covert"])
    with pytest.raises(SettingsError, match=r"exprot: no such command; did you mean export\?"):
        subcommand(["exprot"])
    with pytest.raises(SettingsError, match=r"doctr: no such command; did you mean doctor\?"):
        subcommand(["doctr"])


def test_every_word_has_its_line_in_the_help_and_a_help_of_its_own(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert {*SUBCOMMANDS, *RUNS} <= set(ABOUT)
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    for word in words_there():
        assert f"\n  {word:<12}{ABOUT[word]}\n" in text
    before = text.index("Groups and their options")
    assert all(text.index(f"  {word:<12}") < before for word in words_there())
    assert main(["run", "--help"]) == 0
    assert capsys.readouterr().out == text


@pytest.mark.parametrize("word", SUBCOMMANDS)
def test_a_word_tells_its_own_help(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    with contextlib.suppress(SystemExit):  # argparse's way out
        assert main([word, "--help"]) == 0
    assert f"segtrack {word} " in capsys.readouterr().out
    assert main([word, "--no-such-option"]) == 2
    assert capsys.readouterr().err.startswith(f"error: {word}: ")


def test_run_is_the_run_without_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "trainer=standart"]) == 2
    said = capsys.readouterr().err
    assert main(["trainer=standart"]) == 2
    assert capsys.readouterr().err == said and "did you mean standard?" in said
