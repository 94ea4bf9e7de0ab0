"""The command ``segtrack view``: what it serves, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests

from segtrack.base.errors import SettingsError
from segtrack.command import view
from segtrack.command.app import main
from tests.view.made import write_run


def test_it_serves_until_it_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_run(tmp_path / "run", truth=False)
    monkeypatch.chdir(tmp_path)
    pages: list[str] = []
    addresses: list[str] = []

    def stop() -> None:
        """In place of Ctrl-C, once somebody has looked."""
        words = capsys.readouterr().out.split()
        addresses.extend(word for word in words if word.startswith("http"))
        pages.append(requests.get(f"{addresses[0]}runs/folder-1/", timeout=30).text)
        raise KeyboardInterrupt

    monkeypatch.setattr(view, "stop_if_asked", stop)
    assert main(["view", str(run), "--print"]) == 0
    assert "clip" in pages[0] and "frames/0?small=1" in pages[0]
    assert capsys.readouterr().out == "\nended\n"
    with pytest.raises(requests.ConnectionError):
        requests.get(addresses[0], timeout=30)
    assert not (tmp_path / "mlruns").exists()  # looking makes nothing


def test_where_nothing_was_recorded_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    pages: list[str] = []

    def stop() -> None:
        words = capsys.readouterr().out.split()
        (address,) = (word for word in words if word.startswith("http"))
        pages.append(requests.get(address, timeout=30).text)
        raise KeyboardInterrupt

    monkeypatch.setattr(view, "stop_if_asked", stop)
    assert main(["view", "--print"]) == 0
    assert "No run is recorded here yet" in pages[0]
    assert not (tmp_path / "mlruns").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing/here"], "no such file or folder"),
        (["--video", "none.mp4"], "no such file or folder"),
        (["--port", "x"], "view: argument --port"),
        (["--port", "99999"], "cannot listen on 127.0.0.1:99999"),
        (["trainer=standart"], "did you mean standard"),
    ],
)
def test_what_cannot_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    run = write_run(tmp_path / "run", truth=False, source=False)
    given = words if "nothing" in words[0] else [str(run), *words]
    with pytest.raises(SettingsError, match=said):
        view.main(given)
