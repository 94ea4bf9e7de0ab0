"""Processes that a library started end with the command, whichever way that ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from segtrack.base.processes import lasting_port, process_mark

COMMAND = """
import subprocess, sys
from segtrack.base.processes import lasting_port, stoppable
launch = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2"]
launch += ["--master_port", sys.argv[1], *sys.argv[2:]]
with stoppable(), lasting_port() as port:
    subprocess.run([*launch, str(port)], check=True)
"""
WORKER = """
import os, sys, time
from pathlib import Path
from segtrack.base.processes import end_with
folder, port = sys.argv[1:]
end_with(int(port))
name = os.environ["LOCAL_RANK"]
Path(folder, name + ".new").write_text(f"{os.getpid()} {os.getppid()}")
Path(folder, name + ".new").rename(Path(folder, name))
time.sleep(120)
"""
PATIENCE = 60.0  # s


def waited(condition: object, what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, what
        time.sleep(0.05)


@pytest.mark.skipif(os.name == "nt", reason="sends POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_workers_of_several_gpus_end_with_the_command(tmp_path: Path, number: int) -> None:
    """By ``torch.distributed.run``, which gives each a session of its own and, killed, leaves
    them: what ultralytics starts for ``device=[0,1]``."""
    with lasting_port() as port:
        pass  # free now
    for name, text in (("command.py", COMMAND), ("worker.py", WORKER)):
        (tmp_path / name).write_text(text)
    words = [str(port), str(tmp_path / "worker.py"), str(tmp_path)]
    command = subprocess.Popen(
        [sys.executable, str(tmp_path / "command.py"), *words], stderr=subprocess.DEVNULL
    )
    started: set[int] = set()
    try:
        files = [tmp_path / "0", tmp_path / "1"]
        waited(lambda: all(file.exists() for file in files), "the workers did not begin")
        started = {int(pid) for file in files for pid in file.read_text().split()}
        assert len(started) == 3 and all(process_mark(pid) for pid in started)
        command.send_signal(number)
        command.wait(PATIENCE)
        waited(lambda: not any(process_mark(pid) for pid in started), "they were left behind")
    finally:
        for pid in started:
            if process_mark(pid):
                os.kill(pid, signal.SIGKILL)
        command.kill()
        command.wait(PATIENCE)


def test_it_ends_at_once_where_the_block_is_over() -> None:
    with lasting_port() as port:
        pass
    text = "from segtrack.base.processes import end_with; import sys, time; "
    text += "end_with(int(sys.argv[1])); time.sleep(60)"
    begin = time.monotonic()
    done = subprocess.run([sys.executable, "-c", text, str(port)], timeout=PATIENCE)
    assert done.returncode == 1
    assert time.monotonic() - begin < 30
