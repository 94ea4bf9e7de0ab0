"""Runs the emulator in a thread of this process, on the loopback interface only."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn

from labellerr_loopback.app import create_app
from labellerr_loopback.behaviour import Behaviour, Credentials, Delays, Limits, Quirks
from labellerr_loopback.control_token import left_for_scripts, page_address
from labellerr_loopback.faults import Fault, Faults
from labellerr_loopback.state import State
from segtrack.base.pages.access import HOST, new_token
from segtrack.base.pages.server import listen, running, server_of


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
    with (
        contextlib.closing(state),
        contextlib.closing(listen(port, "the Labellerr emulator")) as listener,
        running(build_server(state, behaviour, faults), listener, "the Labellerr emulator"),
    ):
        port = listener.getsockname()[1]
        with left_for_scripts(port, behaviour.token):
            yield Emulator(
                f"http://{HOST}:{port}",
                behaviour.token,
                state.folder,
                behaviour.credentials,
                faults,
                state.identity,
            )


def build_server(state: State, behaviour: Behaviour, faults: Faults) -> uvicorn.Server:
    """A server that is not running yet."""

    def cut(client: Any) -> None:
        for connection in list(server.server_state.connections):
            if getattr(connection, "client", None) == tuple(client):
                transport: Any = getattr(connection, "transport", None)
                transport.abort()

    server = server_of(create_app(state, behaviour, faults, cut))
    return server
