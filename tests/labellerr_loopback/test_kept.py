"""A platform that is kept up: found by runs of its folder, and by nobody else's word."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from labellerr_loopback import ask, asked, keep_up, kept, start_emulator
from segtrack.annotation.labellerr import EMULATOR_CREDENTIALS
from segtrack.annotation.labellerr.access import Access
from segtrack.annotation.labellerr.loopback import emulator
from segtrack.base.errors import SettingsError
from segtrack.settings import LabellerrMode, LabellerrSettings


@contextmanager
def process(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """``python -m labellerr_loopback`` of a folder, once it listens."""
    command = [sys.executable, "-m", "labellerr_loopback", "--port", "0", "--data", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None and "Labellerr emulator" in running.stdout.readline()
        try:
            yield running
        finally:
            running.kill()


def test_a_run_uses_the_platform_that_another_process_keeps_up(tmp_path: Path) -> None:
    assert kept(tmp_path) is None
    with process(tmp_path):
        there = kept(tmp_path)
        assert there is not None
        with (  # any number of runs at the same time: none has to wait
            emulator(tmp_path, EMULATOR_CREDENTIALS) as one,
            emulator(tmp_path, EMULATOR_CREDENTIALS) as other,
        ):
            assert one.url == other.url == there.url
        assert asked("GET", f"{there.url}/_emulator/about", there.token)["folder"] == str(tmp_path)
        assert there.page("a b") == f"{there.url}/review/{there.token}/projects/a%20b/"


def test_what_a_killed_process_left_is_believed_by_nobody(tmp_path: Path) -> None:
    with process(tmp_path) as running:
        there = kept(tmp_path)
        assert there is not None
        running.send_signal(signal.SIGKILL)
        running.wait(30)
        assert json.loads((tmp_path / "address.json").read_text())["up"] is True
        assert kept(tmp_path) is None
    with emulator(tmp_path, EMULATOR_CREDENTIALS) as own:
        assert own.url != there.url
        # The folder is in use again, but not by what the file names.
        assert json.loads((tmp_path / "address.json").read_text())["up"] is False
        assert kept(tmp_path) is None


def test_another_platform_on_the_port_is_not_taken_for_this_one(tmp_path: Path) -> None:
    mine, other = tmp_path / "mine", tmp_path / "other"
    with keep_up(mine) as up, start_emulator(other, token=up.token) as stranger:
        facts = json.loads((mine / "address.json").read_text())
        (mine / "address.json").write_text(json.dumps({**facts, "url": stranger.url}))
        assert kept(mine) is None
        (mine / "address.json").write_text(json.dumps(facts))
        assert kept(mine) is not None
        # Nor is one of another machine that shares the folder.
        away = json.dumps({**facts, "host": "another"})
        for damaged in ("", "[]", '{"up": true}', "{", away):
            (mine / "address.json").write_text(damaged)
            assert kept(mine) is None


@pytest.mark.skipif(os.name != "posix", reason="rights of POSIX")
def test_port_and_token_stay_for_the_next_start_and_are_the_users_own(tmp_path: Path) -> None:
    with keep_up(tmp_path) as first:
        pass
    assert stat.S_IMODE((tmp_path / "address.json").stat().st_mode) == 0o600
    with keep_up(tmp_path) as again:
        assert (again.url, again.token) == (first.url, first.token)
        assert ask("GET", f"{again.url}/_emulator/about")["id"] == first.identity
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", int(first.url.rpartition(":")[2])))
        taken.listen()
        with keep_up(tmp_path) as elsewhere:  # somebody else has the port by now
            assert elsewhere.url != first.url and elsewhere.token == first.token
        with (
            pytest.raises(SettingsError, match="cannot listen"),
            keep_up(tmp_path, port=taken.getsockname()[1]),
        ):
            pass


def test_a_run_that_waits_takes_the_platform_that_comes_up(tmp_path: Path) -> None:
    """The first holds the folder; the one that is to be kept up is next, and stays."""
    ready, done = threading.Event(), threading.Event()
    urls: list[str] = []

    def serve() -> None:
        with keep_up(tmp_path) as up:
            urls.append(up.url)
            ready.set()
            done.wait(30)

    def run() -> None:
        ready.wait(30)
        with emulator(tmp_path, EMULATOR_CREDENTIALS) as there:
            urls.append(there.url)

    threads = [threading.Thread(target=target) for target in (serve, run)]
    for thread in threads:
        thread.start()
    threads[1].join(30)
    done.set()
    threads[0].join(30)
    assert len(urls) == 2 and urls[0] == urls[1]


def test_how_to_review_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path(".segtrack") / "labellerr" / "emulator"
    settings = LabellerrSettings(mode=LabellerrMode.emulator)
    said = Access(settings, folder).by_hand("p")
    assert said == (
        "keep the platform up in another terminal, `segtrack labellerr up`, and review on its "
        "page: `segtrack labellerr open p`"
    )
    with keep_up(folder) as up:
        said = Access(settings, folder).by_hand("p")
        assert said == f"review on its page at {up.url}: `segtrack labellerr open p`"
        assert up.token not in said
    elsewhere = Access(settings, tmp_path / "my store" / "labellerr" / "emulator").by_hand("p")
    assert f"open p 'store={tmp_path}/my store'`" in elsewhere
