"""The command: ``python src/run.py [key=value ...] [-m]`` (``--help``, ``--cfg job``)."""

import sys

from segtrack.command.app import main

if __name__ == "__main__":
    sys.exit(main())
