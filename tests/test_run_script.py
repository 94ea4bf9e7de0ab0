"""``src/run.py`` where nothing is installed."""

import subprocess
import sys
from pathlib import Path

RUN = Path(__file__).resolve().parents[1] / "src" / "run.py"


def test_a_python_without_the_packages_is_told_what_to_do(tmp_path: Path) -> None:
    # -S: without site-packages, as the system's own Python is for us.
    done = subprocess.run(
        [sys.executable, "-S", str(RUN), "--help"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=60,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "lacks what segtrack needs" in done.stderr and "source .venv/bin/activate" in done.stderr
