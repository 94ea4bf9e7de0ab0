"""The emulator as a process of its own, and killed without warning."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from labellerr_loopback import start_emulator
from labellerr_loopback.__main__ import main
from segtrack.annotation.labellerr import EMULATOR_CREDENTIALS, make_platform, read_credentials
from segtrack.annotation.labellerr.access import Access
from segtrack.annotation.labellerr.loopback import emulator
from segtrack.base.errors import PlatformError
from segtrack.settings import LabellerrMode, LabellerrSettings, TransportChoice
from tests.labellerr_loopback.conftest import KNOWN, QUICK, Api, coco, jpeg, serving


def test_what_was_answered_survives_a_kill(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    with serving(folder) as (url, _):
        api = Api(url)
        dataset = api.dataset(api.upload({"a.jpg": jpeg(tmp_path, "a")}))
        project = api.project([dataset], api.template(["car"]))
        api.preannotate(project, coco(["a.jpg"], ["car"], [(0, 0, [1, 1, 9, 1, 9, 9])]))
        before = api.files(project)
    with start_emulator(folder, credentials=KNOWN, delays=QUICK) as running:
        assert Api(running.url).files(project) == before
        assert len(before["a.jpg"]["answers"]) == 1


def test_its_credentials_are_those_of_dotenv_as_for_the_client(tmp_path: Path) -> None:
    words = {"API_KEY": "key-f00dfeed", "API_SECRET": "secret-0badcafe", "CLIENT_ID": "client-4711"}
    (tmp_path / ".env").write_text("".join(f"LABELLERR_{k}={v}\n" for k, v in words.items()))
    credentials = read_credentials(dotenv=tmp_path / ".env", environment={"PATH": ""})
    with serving(Path("data"), cwd=tmp_path) as (url, _):
        assert list(make_platform(url, credentials, "http").projects()) == []
        with pytest.raises(PlatformError, match=r"40[13]"):
            list(make_platform(url, EMULATOR_CREDENTIALS, "http").projects())


def test_credentials_that_are_not_whole_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LABELLERR_API_KEY", "key-f00dfeed")
    for name in ("LABELLERR_API_SECRET", "LABELLERR_CLIENT_ID"):
        monkeypatch.delenv(name, raising=False)
    assert main(["--data", "data", "--port", "0"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "missing: LABELLERR_API_SECRET, LABELLERR_CLIENT_ID" in line
    assert "f00dfeed" not in line and not (tmp_path / "data").exists()


def test_a_second_run_waits_for_the_emulator_of_the_first(tmp_path: Path) -> None:
    urls: list[str] = []
    released = threading.Event()

    def second() -> None:
        with emulator(tmp_path, EMULATOR_CREDENTIALS) as there:
            assert released.is_set()
            urls.append(there.url)

    with emulator(tmp_path, EMULATOR_CREDENTIALS):
        other = threading.Thread(target=second)
        other.start()
        other.join(timeout=1)
        assert other.is_alive() and urls == []
        released.set()
    other.join(timeout=30)
    assert len(urls) == 1


def test_the_emulator_of_a_store_is_the_same_account_at_every_address(tmp_path: Path) -> None:
    """The ledger finds again what was sent, and a review is not sent over finished work."""
    settings = LabellerrSettings(mode=LabellerrMode.emulator, transport=TransportChoice.http)
    accounts, urls = set(), set()
    with socket.socket() as taken:
        for _ in range(2):
            access = Access(settings, tmp_path / "emulator")
            accounts.add(access.platform.account)
            urls.add(access.url)
            access.close()
            if not taken.getsockname()[1]:  # somebody else takes the port meanwhile
                taken.bind(("127.0.0.1", int(access.url.rpartition(":")[2])))
    assert (len(accounts), len(urls)) == (1, 2)
    given = Access(replace(settings, url="http://127.0.0.1:1"), tmp_path / "emulator")
    assert given.platform.account not in accounts


def test_the_emulator_alone_waits_for_a_run_that_uses_its_folder(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "labellerr_loopback", "--port", "0"]
    command += ["--data", str(tmp_path)]
    with (
        emulator(tmp_path, EMULATOR_CREDENTIALS),
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process,
    ):
        assert process.stdout is not None
        said = process.stdout.readline()
        process.kill()
    assert said == f"emulator   waiting for another process that uses {tmp_path}\n"
