"""``python -m segtrack.store ls|verify|gc``: the same as ``segtrack store``."""

import sys

from segtrack.command.app import main

if __name__ == "__main__":
    sys.exit(main(["store", *sys.argv[1:]]))
