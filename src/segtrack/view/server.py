"""Serves the pages from a thread of this process, on the loopback interface only."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from segtrack.base.pages.access import HOST, new_token
from segtrack.base.pages.server import listen, running, server_of
from segtrack.view.app import create_app
from segtrack.view.attempts import Attempts
from segtrack.view.guard import PREFIX
from segtrack.view.library import Library


@dataclass(frozen=True)
class View:
    """Pages that are served.

    Attributes:
        url: where, ``http://127.0.0.1:PORT``.
        token: whoever has it sees all that the pages show.
    """

    url: str
    token: str = field(repr=False)

    @property
    def address(self) -> str:
        """Of the first page."""
        return f"{self.url}{PREFIX}{self.token}/"


@contextlib.contextmanager
def start_view(
    library: Library, port: int = 0, settings: Sequence[str] = (), project: Path | None = None
) -> Iterator[View]:
    """Serve until the context ends; runs that were started on the page end with it.

    Args:
        port: 0 takes a free one.
        settings: words that the runs get which are started on the page, such as ``mlflow=server``.
        project: the folder in which they run; default: the current one.

    Raises:
        SettingsError: the port is taken.
    """
    token = new_token()
    attempts = Attempts(project or Path.cwd(), settings)
    with (
        contextlib.closing(listen(port, "segtrack view")) as listener,
        contextlib.closing(attempts),
        running(server_of(create_app(library, attempts, token)), listener, "segtrack view"),
    ):
        yield View(f"http://{HOST}:{listener.getsockname()[1]}", token)
