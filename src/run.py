"""The command: ``python src/run.py [key=value ...] [-m]``; ``--help`` and ``--cfg job`` are Hydra's."""

import sys

from segtrack.app import main

if __name__ == "__main__":
    sys.exit(main())
