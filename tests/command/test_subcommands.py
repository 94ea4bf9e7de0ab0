"""Words that begin a command."""

import pytest

from segtrack.base.errors import SettingsError
from segtrack.command.subcommands import subcommand, without_word


@pytest.mark.parametrize(
    ("words", "settings"),
    [
        (["export"], ["stages=[prepare,export]"]),
        (["export", "seed=1"], ["seed=1", "stages=[prepare,export]"]),
        (["export", "stages=[prepare,train,export]"], ["stages=[prepare,train,export]"]),
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
