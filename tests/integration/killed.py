"""Run the command in this process, and kill it (SIGKILL) in the middle of one stage.

    python -m tests.integration.killed STAGE WORDS...

A training dies while it reports its second epoch; every other stage dies when its files are
written, but before its result counts as whole.
"""

import os
import signal
import sys
from pathlib import Path

from segtrack.base.metrics import Report
from segtrack.command.app import main
from segtrack.store import store


def die_in(stage: str) -> None:
    original = store.Store.run

    def run(self, call, build, listener=None):  # type: ignore[no-untyped-def]
        def deadly(folder: Path, report: Report) -> None:
            def report_and_die(name: str, value: float, step: int = 0) -> None:
                report(name, value, step)
                if stage == "train" and step == 2:
                    _die()

            build(folder, report_and_die)
            _die()

        return original(self, call, deadly if call.name == stage else build, listener)

    store.Store.run = run  # type: ignore[method-assign]


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    die_in(sys.argv[1])
    sys.argv = ["src/run.py", *sys.argv[2:]]
    sys.exit(main())
