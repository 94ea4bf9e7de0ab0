"""Serves an application from a thread of this process, on the loopback interface only."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import uvicorn

from segtrack.base.errors import SettingsError
from segtrack.base.pages.access import HOST

_START_SECONDS = 60


def listen(port: int, what: str) -> socket.socket:
    """A socket of the loopback interface.

    Args:
        port: 0 takes a free one.
        what: wants to listen, for the message.

    Raises:
        SettingsError: the port is taken.
    """
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except (OSError, OverflowError) as error:
        listener.close()
        why = getattr(error, "strerror", None) or error
        text = f"{what} cannot listen on {HOST}:{port}: {why}."
        raise SettingsError(f"{text} Choose another port; 0 takes a free one.") from error
    return listener


def server_of(app: Any) -> uvicorn.Server:
    """A server of an ASGI application that is not running yet."""
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=1,
    )
    return uvicorn.Server(config)


@contextlib.contextmanager
def running(server: uvicorn.Server, listener: socket.socket, name: str) -> Iterator[None]:
    """Answers requests as long as the block runs; ``name`` is the thread's."""
    thread = threading.Thread(target=server.run, args=([listener],), name=name, daemon=True)
    thread.start()
    try:
        until = time.monotonic() + _START_SECONDS
        while not server.started:
            if not thread.is_alive() or time.monotonic() > until:
                raise RuntimeError(f"{name} ended before it was ready, or never was")
            time.sleep(0.01)
        yield
    finally:
        server.should_exit = True
        thread.join(10)
