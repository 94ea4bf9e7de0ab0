"""What happens where Hydra cannot begin any cell, or ends in their middle."""

from types import SimpleNamespace
from typing import Any

import pytest

from segtrack.base.errors import SettingsError
from segtrack.command import launching
from segtrack.settings import MlflowMode, MlflowSettings

SETTINGS = MlflowSettings(mode=MlflowMode.local, uri="sqlite:///none.db")


@pytest.fixture
def tries() -> list[int]:
    return []


@pytest.fixture
def begin(tries: list[int]) -> Any:
    def cannot() -> int:
        tries.append(1)
        raise SettingsError("Hydra cannot run this: no srun")

    return cannot


def test_a_launcher_that_cannot_begin_is_told_once_and_leaves_no_sweep(
    begin: Any, tries: list[int], monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr(launching, "_when_ended", lambda journal, settings: [])
    with pytest.raises(SettingsError, match="no srun"):
        launching.launch(begin, SimpleNamespace(), SETTINGS, 2)  # type: ignore[arg-type]
    assert len(tries) == 1
    assert capsys.readouterr().err == ""  # who ends the command tells it


def test_cells_that_are_there_keep_their_sweep(
    begin: Any, tries: list[int], monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr(launching, "_when_ended", lambda journal, settings: ["a cell"])
    assert launching.launch(begin, SimpleNamespace(), SETTINGS, 2) == 2  # type: ignore[arg-type]
    assert len(tries) == 1
    assert capsys.readouterr().err == "error: Hydra cannot run this: no srun\n"
