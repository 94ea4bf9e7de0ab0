"""As much of Slurm as submitit asks for, on this machine: what `sbatch`, `srun` and `sacct` are.

``put(folder)`` puts the three into a folder for PATH; they keep their jobs there.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

_ARRAY = "100"


def put(folder: Path) -> None:
    """Make the commands, as links to this file."""
    folder.mkdir()
    for name in ("sbatch", "srun", "sacct"):
        text = f'#!/bin/sh\nexec "{sys.executable}" "{Path(__file__).resolve()}" {name} "$@"\n'
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)


def _sbatch(here: Path, script: Path) -> None:
    text = script.read_text()
    (here / "script").write_text(text)
    last = re.search(r"--array=0-(\d+)", text)
    assert last is not None, text
    for i in range(int(last.group(1)) + 1):
        own = {"JOB_ID": f"{101 + i}", "ARRAY_JOB_ID": _ARRAY, "ARRAY_TASK_ID": f"{i}"}
        own |= dict.fromkeys(("NODEID", "PROCID", "LOCALID"), "0")
        own |= {"NTASKS": "1", "JOB_NUM_NODES": "1", "JOB_NODELIST": "localhost"}
        env = {**os.environ, **{f"SLURM_{key}": value for key, value in own.items()}}
        with (here / f"job{i}.log").open("wb") as log:
            job = subprocess.Popen(
                ["bash", script], env=env, stdout=log, stderr=log, start_new_session=True
            )
        (here / f"job{i}.pid").write_text(str(job.pid))
    print(f"Submitted batch job {_ARRAY}")


def _srun(words: list[str]) -> None:
    while words[0].startswith("--"):  # --unbuffered, and options with a value
        words = words[1:] if words[0] == "--unbuffered" else words[2:]
    os.execvp(words[0], words)


def _sacct(here: Path) -> None:
    print("JobID|State|NodeList")
    for path in sorted(here.glob("job*.pid")):
        running = Path(f"/proc/{path.read_text()}").exists()
        index = path.stem.removeprefix("job")
        print(f"{_ARRAY}_{index}|{'RUNNING' if running else 'COMPLETED'}|localhost")


if __name__ == "__main__":
    name, *rest = sys.argv[1:]
    here = Path(os.environ["PATH"].split(os.pathsep)[0])
    if name == "sbatch":
        _sbatch(here, Path(rest[-1]))
    elif name == "srun":
        _srun(rest)
    else:
        _sacct(here)
