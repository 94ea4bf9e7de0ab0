"""``python -m segtrack``: the same as the command ``segtrack`` and as ``python src/run.py``."""

import sys

from segtrack.command.app import main

if __name__ == "__main__":
    sys.exit(main())
