"""Keeps a platform up in this process, where runs of the same folder find it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from labellerr_loopback.behaviour import Credentials, Delays, Limits, Quirks
from labellerr_loopback.kept import alone, left, remembered
from labellerr_loopback.server import Emulator, start_emulator
from segtrack.base.errors import SettingsError


@contextlib.contextmanager
def keep_up(
    folder: Path,
    *,
    port: int | None = None,
    credentials: Credentials | None = None,
    delays: Delays | None = None,
    quirks: Quirks | None = None,
    limits: Limits | None = None,
) -> Iterator[Emulator]:
    """Serve a folder until the context ends; waits where another process serves it.

    Args:
        folder: of the platform's state.
        port: None takes that of the last time, where it is free; 0 any free one.

    Raises:
        SettingsError: the port is taken.
    """
    with alone(folder), contextlib.ExitStack() as stack:
        before, token = remembered(folder)
        options = {"credentials": credentials, "delays": delays, "quirks": quirks}

        def serve(on: int) -> Emulator:
            return stack.enter_context(
                start_emulator(folder, port=on, token=token, limits=limits, **options)  # type: ignore[arg-type]
            )

        if port is not None or not before:
            emulator = serve(port or 0)
        else:
            try:
                emulator = serve(before)
            except SettingsError:  # somebody else has it by now
                emulator = serve(0)
        stack.enter_context(left(folder, emulator.url, emulator.token, emulator.identity))
        yield emulator
