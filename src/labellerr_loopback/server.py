"""Runs the emulator in a thread of this process, on the loopback interface only."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn

from labellerr_loopback.app import create_app
from labellerr_loopback.behaviour import Behaviour, Credentials, Delays, Limits, Quirks
from labellerr_loopback.control_token import left_for_scripts, new_token, page_address
from labellerr_loopback.faults import Fault, Faults
from labellerr_loopback.state import State
from segtrack.base.errors import SettingsError

HOST = "127.0.0.1"
_START_SECONDS = 60


@dataclass(frozen=True)
class Emulator:
    """A running emulator.

    Attributes:
        url: where it listens, ``http://127.0.0.1:PORT``.
        token: of the control endpoints; see ``token_header``.
        folder: its state; another start with the same folder goes on where this one ended.
        faults: what was asked to go wrong, and the number of calls of each path.
        identity: of its state, whatever the address.
    """

    url: str
    token: str = field(repr=False)
    folder: Path
    credentials: Credentials
    faults: Faults
    identity: str = ""

    def page(self, project_id: str | None = None) -> str:
        """Where a person reviews, in a browser."""
        return page_address(self.url, self.token, project_id)

    def fault(self, kind: Any, **options: Any) -> None:
        """Ask for a fault; the options are those of ``Fault``."""
        self.faults.add(Fault(kind, **options))


@contextlib.contextmanager
def start_emulator(
    folder: Path,
    *,
    port: int = 0,
    credentials: Credentials | None = None,
    delays: Delays | None = None,
    quirks: Quirks | None = None,
    limits: Limits | None = None,
    token: str | None = None,
) -> Iterator[Emulator]:
    """Serve until the context ends.

    Args:
        folder: for the database and the files; made where it is not there.
        port: 0 takes a free one.
        token: of the control endpoints; None makes one.

    Raises:
        SettingsError: the port is taken, or the token cannot be kept.
    """
    behaviour = Behaviour(
        credentials or Credentials(),
        delays or Delays(),
        quirks or Quirks(),
        limits or Limits(),
        token or new_token(),
    )
    state, faults = State(folder), Faults()
    with contextlib.closing(state), contextlib.closing(_listen(port)) as listener:
        server = build_server(state, behaviour, faults)
        thread = threading.Thread(
            target=server.run, args=([listener],), name="labellerr-emulator", daemon=True
        )
        thread.start()
        try:
            _wait(server, thread)
            port = listener.getsockname()[1]
            with left_for_scripts(port, behaviour.token):
                url = f"http://{HOST}:{port}"
                yield Emulator(
                    url,
                    behaviour.token,
                    state.folder,
                    behaviour.credentials,
                    faults,
                    state.identity,
                )
        finally:
            server.should_exit = True
            thread.join(10)


def build_server(state: State, behaviour: Behaviour, faults: Faults) -> uvicorn.Server:
    """A server that is not running yet."""

    def cut(client: Any) -> None:
        for connection in list(server.server_state.connections):
            if getattr(connection, "client", None) == tuple(client):
                transport: Any = getattr(connection, "transport", None)
                transport.abort()

    app = create_app(state, behaviour, faults, cut)
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    return server


def _listen(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        text = f"the Labellerr emulator cannot listen on {HOST}:{port}: {error.strerror}."
        raise SettingsError(f"{text} Choose another port; 0 takes a free one.") from error
    return listener


def _wait(server: uvicorn.Server, thread: threading.Thread) -> None:
    until = time.monotonic() + _START_SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > until:
            raise RuntimeError("the Labellerr emulator ended before it was ready, or never was")
        time.sleep(0.01)
