"""python -m labellerr_loopback --port N --data DIR"""

from __future__ import annotations

import argparse
import contextlib
import sys
import threading
from pathlib import Path

from labellerr_loopback.behaviour import AS_OF, Credentials, Delays, Quirks
from labellerr_loopback.up import keep_up
from segtrack.base.environment import read_variables
from segtrack.base.errors import SegtrackError, SettingsError
from segtrack.base.labellerr_api import LOOPBACK, VARIABLES


def main(arguments: list[str] | None = None) -> int:
    """Serve until the process is interrupted; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m labellerr_loopback",
        description="A Labellerr on 127.0.0.1. Its credentials are LABELLERR_API_KEY, "
        "LABELLERR_API_SECRET and LABELLERR_CLIENT_ID, of the environment or .env, by default "
        "KEY, SECRET and CID.",
    )
    parser.add_argument("--port", type=int, default=8080, help="0 takes a free one")
    parser.add_argument("--data", type=Path, required=True, help="folder of its state")
    parser.add_argument("--polls", type=int, default=1, help="how often a status says 'not yet'")
    parser.add_argument("--seconds", type=float, default=0.0, help="how long processing takes")
    parser.add_argument("--export-status", choices=("both", "response", "top"), default="both")
    parser.add_argument("--list-projects", choices=("object", "list"), default="object")
    parser.add_argument(
        "--as-of", choices=AS_OF, default="2025-11", help="whose documentation it follows"
    )
    given = parser.parse_args(arguments)
    delays = Delays(given.polls, given.polls, given.polls, given.seconds)
    quirks = Quirks(
        export_status=given.export_status, list_projects=given.list_projects, as_of=given.as_of
    )
    try:
        accepted = _accepted()
        with (
            contextlib.suppress(KeyboardInterrupt),
            keep_up(
                given.data, port=given.port, credentials=accepted, delays=delays, quirks=quirks
            ) as emulator,
        ):
            about = f"API: {emulator.url}/docs, token to annotate: {emulator.token}"
            print(f"Labellerr emulator: {emulator.url} ({about})", flush=True)
            print(f"Review: {emulator.page()}", flush=True)
            threading.Event().wait()
    except SegtrackError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


def _accepted() -> Credentials:
    """What a client in this folder sends: all three variables, or none."""
    known = read_variables(VARIABLES)
    missing = [name for name, value in known.items() if not value]
    if len(missing) == len(VARIABLES):
        return Credentials(*LOOPBACK)
    if missing:
        raise SettingsError(
            f"the loopback platform takes {', '.join(VARIABLES)} of the environment or .env; "
            f"missing: {', '.join(missing)}. Set all three, or none of them."
        )
    return Credentials(*known.values())


if __name__ == "__main__":
    raise SystemExit(main())
