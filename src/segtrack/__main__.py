"""``python -m segtrack``: the same as the command ``segtrack`` and as ``python src/run.py``."""

import sys

try:
    from segtrack.command.app import main
except KeyboardInterrupt:
    print("interrupted", file=sys.stderr)
    sys.exit(130)

if __name__ == "__main__":
    sys.exit(main())
