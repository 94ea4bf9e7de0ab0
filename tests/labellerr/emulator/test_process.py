"""The emulator as a process of its own, and killed without warning."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from segtrack.labellerr.emulator import start_emulator
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
