"""``python -m segtrack.store ls|verify|gc``."""

from segtrack.command.results import main

if __name__ == "__main__":
    raise SystemExit(main())
