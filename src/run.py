"""The command: ``python src/run.py [key=value ...] [-m]`` (``--help``, ``--cfg job``)."""

import sys
from importlib.util import find_spec

if find_spec("hydra") is None:
    sys.exit(
        f"error: this Python ({sys.executable}) lacks what segtrack needs: type make install, then "
        "source .venv/bin/activate, or write .venv/bin/python src/run.py"
    )

from segtrack.command.app import main

if __name__ == "__main__":
    sys.exit(main())
