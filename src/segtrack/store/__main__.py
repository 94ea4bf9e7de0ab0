"""``python -m segtrack.store ls|verify|gc``."""

from segtrack.base.processes import until_asked


def _main() -> int:
    from segtrack.command.results import main

    return main()


if __name__ == "__main__":
    raise SystemExit(until_asked(_main, lasting=True))
