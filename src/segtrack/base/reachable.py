"""Whether a host that publishes weights answers, before a library waits for it."""

from __future__ import annotations

import contextlib
import socket
import threading

PROBE_SECONDS = 2.0


def reachable(address: tuple[str, int], seconds: float = PROBE_SECONDS) -> bool:
    """Whether ``address`` accepts a connection; looking up its name counts into the time too."""
    answers: list[bool] = []

    def probe() -> None:
        with contextlib.suppress(OSError):
            socket.create_connection(address, seconds).close()
            answers.append(True)

    thread = threading.Thread(target=probe, daemon=True)
    thread.start()
    thread.join(seconds)
    return bool(answers)
