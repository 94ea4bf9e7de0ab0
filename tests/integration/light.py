"""Commands in a process into which nothing heavy was imported, a fraction of a second each.

``python -m tests.integration.light FILE WORDS...`` is ``python src/run.py WORDS...``, and writes
into FILE what of ``HEAVY`` that imported.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.forked import ROOT, Forks

# Each takes from half a second to several; a wrong word or path must not wait for them.
HEAVY = ("cv2", "matplotlib", "mlflow", "numba", "scipy", "torch", "ultralytics")
LIMIT = 20  # seconds, after which a command that has not refused is ended
LIGHT = Forks(
    *("hydra.main", "segtrack.command.app", "segtrack.command.job", "segtrack.command.choices"),
    *("segtrack.command.sweep", "segtrack.annotation.labellerr", "segtrack.dataset.signatures"),
    *("segtrack.settings:register", "pandas", "av"),
    "tests.composing:install",
)


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


def run(words: list[str], here: Path, note: Path) -> Told:
    """Run ``python src/run.py WORDS`` in the folder ``here``; ``note`` is a file to use."""
    command = [sys.executable, "-m", __name__, str(note), *words]
    env = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    done = LIGHT.run(command, here, env, LIMIT)
    return Told(done.code, done.out, done.err, json.loads(note.read_text()))


def _main() -> int:
    from segtrack.command.app import main

    note = Path(sys.argv[1]).resolve()
    sys.argv[:] = ["src/run.py", *sys.argv[2:]]
    try:
        return main(sys.argv[1:])
    finally:
        note.write_text(json.dumps([name for name in HEAVY if name in sys.modules]))


if __name__ == "__main__":
    sys.exit(_main())
