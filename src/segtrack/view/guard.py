"""What every request passes first: its host, its origin, and the token in its path."""

from __future__ import annotations

from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from segtrack.base.pages.access import (
    foreign,
    headers_of,
    of_this_machine,
    same,
    with_page_headers,
)
from segtrack.view.html import error_page

PREFIX = "/view/"  # the token comes next
_NO_TOKEN = (
    "The address of this page has a token in it, which this one has not, or another one. "
    '"segtrack view" printed the whole address when it began; each start makes a new one.'
)


class Guard:
    """ASGI middleware; only addresses with the token reach the application."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self.app, self.token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return  # nothing else is served
        send = with_page_headers(send)
        if why := self._refused(scope):
            page = error_page("This page is not for you", why)
            await HTMLResponse(page, 403)(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _refused(self, scope: Scope) -> str | None:
        headers, path = headers_of(scope), scope["path"]
        if not of_this_machine(headers):
            return "Only 127.0.0.1 and localhost are served."
        if foreign(headers):
            return "Pages of other addresses are not served."
        token, slash, _ = path.removeprefix(PREFIX).partition("/")
        known = path.startswith(PREFIX) and slash and same(token, self.token)
        return None if known else _NO_TOKEN
