"""The token of the control endpoints: who has it, who does not, and where it lies."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

import pytest
import requests

from labellerr_loopback import Emulator, ask, start_emulator
from labellerr_loopback.control_token import HEADER, token_header
from segtrack.base.errors import DataError, SettingsError
from tests.labellerr_loopback.conftest import KNOWN, QUICK, Api


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def token_file(temporary: Path) -> Path:
    (found,) = temporary.rglob("*.token")
    return found


def test_without_it_nothing_is_shown_and_nothing_changes(
    emulator: Emulator, api: Api, project: str
) -> None:
    files = f"{emulator.url}/_emulator/projects/{project}/files"
    faults = f"{emulator.url}/_emulator/faults"
    work = {"files": [{"file_name": "a.jpg", "status": "accepted"}]}
    before = api.files(project)
    emulator.fault("delay", path="/nowhere")
    good = {"api_key": "KEY", "api_secret": "SECRET", "client_id": "CID"}
    for headers in ({}, good, {HEADER: "x"}, {HEADER: emulator.token[:-1]}):
        for method, url, body in (
            ("GET", files, None),
            ("POST", files, work),
            ("POST", faults, {"kind": "cut"}),
            ("DELETE", faults, None),
        ):
            answer = requests.request(method, url, json=body, headers=headers, timeout=9)
            assert answer.status_code == 403
            assert HEADER in answer.json()["message"] and emulator.token not in answer.text
    assert api.files(project) == before
    assert [fault["kind"] for fault in ask("GET", faults)] == ["delay"]
    assert ask("POST", files, json=work) == {"files": 1}


def test_it_is_another_one_at_every_start_and_lies_where_only_its_user_reads(
    tmp_path: Path, temporary: Path
) -> None:
    tokens = set()
    for _ in range(2):
        with start_emulator(tmp_path / "state", credentials=KNOWN, delays=QUICK) as running:
            assert running.token not in repr(running)
            tokens.add(running.token)
            found = token_file(temporary)
            assert found.read_text() == running.token
            if os.name != "nt":
                modes = [stat.S_IMODE(path.stat().st_mode) for path in (found, found.parent)]
                assert modes == [0o600, 0o700]
            assert token_header(f"{running.url}/x") == {HEADER: running.token}
            kept = [p.read_bytes() for p in (tmp_path / "state").rglob("*") if p.is_file()]
            assert not any(running.token.encode() in data for data in kept)
        assert not list(temporary.rglob("*.token"))
        assert token_header(running.url) == {}
    assert len(tokens) == 2 and all(len(token) >= 32 for token in tokens)


def test_whoever_cannot_find_it_is_told(emulator: Emulator, temporary: Path) -> None:
    with pytest.raises(DataError, match=rf"the token \({HEADER}\) of this emulator was not found"):
        ask("GET", f"{emulator.url}/_emulator/faults")


@pytest.mark.skipif(os.name == "nt", reason="its temporary folder is the user's")
def test_a_place_that_somebody_else_prepared_is_not_used(tmp_path: Path, temporary: Path) -> None:
    place = temporary / f"labellerr-loopback-{os.getuid()}"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    place.symlink_to(elsewhere)
    with (
        pytest.raises(SettingsError, match=r"belongs to somebody else.* set TMPDIR") as caught,
        start_emulator(tmp_path / "state", credentials=KNOWN),
    ):
        pass
    assert "\n" not in str(caught.value) and not list(elsewhere.iterdir())
