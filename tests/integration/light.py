"""Commands in a process into which nothing heavy was imported, a fraction of a second each.

``python -m tests.integration.light`` imports the command line alone and forks for each request, so
that what a command imports before it says what is wrong can be seen.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

# Each takes from half a second to several; a wrong word or path must not wait for them.
HEAVY = ("cv2", "matplotlib", "mlflow", "numba", "scipy", "torch", "ultralytics")
LIMIT = 20  # seconds, after which a command that has not refused is ended


@dataclass(frozen=True)
class Told:
    """What a command left.

    Attributes:
        code: its exit code. out, err: what it printed. heavy: what it imported of ``HEAVY``.
    """

    code: int
    out: str
    err: str
    heavy: list[str]


class Light:
    """The process that forks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.light", str(folder)],
            cwd=Path(__file__).resolve().parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, words: list[str], here: Path) -> Told:
        """Run ``python src/run.py WORDS`` in the folder ``here``."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps([words, str(here)]) + "\n")
        self.process.stdin.flush()
        code, heavy = json.loads(self.process.stdout.readline())
        out, err = ((self.folder / name).read_text() for name in ("out", "err"))
        return Told(code, out, err, heavy)

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(timeout=30)
        self.process.stdout.close()


def _serve(folder: Path) -> None:
    from segtrack.command.app import main

    for line in sys.stdin:
        words, here = json.loads(line)
        (folder / "told").write_text(json.dumps([-signal.SIGALRM, []]))
        child = os.fork()
        if child == 0:
            for number, name in ((1, "out"), (2, "err")):
                file = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
                os.dup2(file, number)
            os.chdir(here)
            signal.alarm(LIMIT)
            sys.argv = ["src/run.py"]
            try:
                code = main(words)
            except SystemExit as stop:
                code = stop.code if isinstance(stop.code, int) else 1
            except BaseException:
                sys.excepthook(*sys.exc_info())
                code = 1
            sys.stdout.flush()
            sys.stderr.flush()
            heavy = [name for name in HEAVY if name in sys.modules]
            (folder / "told").write_text(json.dumps([code, heavy]))
            os._exit(0)
        os.waitpid(child, 0)
        sys.stdout.write((folder / "told").read_text() + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
