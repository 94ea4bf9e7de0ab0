"""The command: ``python src/run.py [key=value ...] [-m]`` (``--help``, ``--cfg job``)."""

import sys
from importlib.util import find_spec

if find_spec("hydra") is None:
    sys.exit(
        f"error: this Python ({sys.executable}) lacks what segtrack needs: type make install, then "
        "source .venv/bin/activate, or write .venv/bin/python src/run.py"
    )

try:
    from segtrack.command.app import main
except KeyboardInterrupt:
    print("interrupted", file=sys.stderr)
    sys.exit(130)

if __name__ == "__main__":
    sys.exit(main())
