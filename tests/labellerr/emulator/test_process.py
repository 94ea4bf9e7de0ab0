"""The emulator as a process of its own, and killed without warning."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from pathlib import Path

from segtrack.labellerr import EMULATOR_CREDENTIALS
from segtrack.labellerr.emulator import start_emulator
from segtrack.labellerr.simulated import own_emulator
from tests.labellerr.emulator.conftest import KNOWN, QUICK, Api, coco, jpeg


def test_what_was_answered_survives_a_kill(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    command = [sys.executable, "-m", "segtrack.labellerr.emulator", "--port", "0"]
    command += ["--data", str(folder), "--polls", "0"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("LABELLERR_")}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        try:
            match = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
            assert match is not None
            api = Api(match[0])
            dataset = api.dataset(api.upload({"a.jpg": jpeg(tmp_path, "a")}))
            project = api.project([dataset], api.template(["car"]))
            api.preannotate(project, coco(["a.jpg"], ["car"], [(0, 0, [1, 1, 9, 1, 9, 9])]))
            before = api.files(project)
        finally:
            process.kill()
    with start_emulator(folder, credentials=KNOWN, delays=QUICK) as running:
        assert Api(running.url).files(project) == before
        assert len(before["a.jpg"]["answers"]) == 1


def test_a_second_run_waits_for_the_emulator_of_the_first(tmp_path: Path) -> None:
    urls: list[str] = []
    released = threading.Event()

    def second() -> None:
        with own_emulator(tmp_path, EMULATOR_CREDENTIALS) as url:
            assert released.is_set()
            urls.append(url)

    with own_emulator(tmp_path, EMULATOR_CREDENTIALS) as first:
        other = threading.Thread(target=second)
        other.start()
        other.join(timeout=1)
        assert other.is_alive() and urls == []
        released.set()
    other.join(timeout=30)
    assert urls == [first]  # the same state under the same address
