"""Variables of the environment and of a .env file."""

from __future__ import annotations

from pathlib import Path

from segtrack.base.environment import read_variables

NAMES = ("FIRST", "SECOND", "THIRD")


def test_the_environment_comes_before_the_file(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("FIRST=a\nSECOND= b \nOTHER=c\n")
    environment = {"FIRST": "x", "SECOND": "", "PATH": "/bin"}
    assert read_variables(NAMES, path, environment) == {"FIRST": "x", "SECOND": "b", "THIRD": ""}


def test_no_file(tmp_path: Path) -> None:
    found = read_variables(NAMES, tmp_path / ".env", {"THIRD": " y "})
    assert found == {"FIRST": "", "SECOND": "", "THIRD": "y"}
