"""What every request passes first: host, token, credentials, size of the body, and the faults."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

from starlette.responses import HTMLResponse, JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from labellerr_loopback.behaviour import Behaviour, Limits
from labellerr_loopback.control_token import HEADER, REVIEW
from labellerr_loopback.envelope import failure
from labellerr_loopback.faults import Fault, Faults
from labellerr_loopback.pages.html import error_page
from segtrack.base.pages.access import (
    foreign,
    headers_of,
    of_this_machine,
    same,
    with_page_headers,
)

STORAGE = "/storage/"  # signed links: whoever has the link may use it
CONTROL = "/_emulator"  # for people and tests that have the token
_OPEN = (STORAGE, CONTROL, REVIEW, "/docs", "/openapi.json", "/redoc")
_PAGES = ("/", REVIEW, REVIEW.rstrip("/"))
_NO_TOKEN = (
    "The address of the pages has a token in it, which this one has not, or another one. "
    '"segtrack labellerr open" opens the whole address, "segtrack labellerr status" prints it.'
)
Cut = Callable[[Any], None]


class _TooLarge(Exception):
    pass


class Guard:
    """ASGI middleware. ``cut`` closes the connection of a client's (host, port)."""

    def __init__(self, app: ASGIApp, behaviour: Behaviour, faults: Faults, cut: Cut) -> None:
        self.app, self.behaviour, self.faults, self.cut = app, behaviour, faults, cut

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path, headers = scope["path"], headers_of(scope)
        # A page in a browser must not reach this port under another name (DNS rebinding).
        if not of_this_machine(headers):
            await _refuse(400, "only 127.0.0.1 and localhost are served", scope, receive, send)
            return
        if path.startswith(CONTROL) and (why := self._no_control(headers)):
            await _refuse(403, why, scope, receive, send)
            return
        if path in _PAGES or path.startswith(REVIEW):
            send = with_page_headers(send)
            if why := self._no_pages(path, headers):
                page = error_page("This is not the whole address", why)
                await HTMLResponse(page, 403)(scope, receive, send)
                return
        if not path.startswith(_OPEN) and (why := self._stranger(scope, headers)):
            await _refuse(401, why, scope, receive, send)
            return
        body = _Body(receive, _body_limit(path, self.behaviour.limits))
        length = headers.get("content-length", "")
        if length.isdecimal() and (len(length) > 15 or int(length) > body.limit):
            text = f"the body has {length} bytes, {body.limit} are allowed"
            await _refuse(413, text, scope, receive, send)
            return
        fault = None
        if not path.startswith(CONTROL):
            fault = self.faults.of_call(scope["method"], _without_token(path))
        await self._run(fault, scope, body, send)

    def _no_control(self, headers: dict[str, str]) -> str | None:
        """Why the caller may not do what people and tests do."""
        if foreign(headers):
            return "pages of other addresses are not served"
        if not same(headers.get(HEADER.lower()), self.behaviour.token):
            return f"{CONTROL} needs the header {HEADER}; the emulator printed it when it started"
        return None

    def _no_pages(self, path: str, headers: dict[str, str]) -> str | None:
        """Why the caller may not have a page, or what belongs to one."""
        if foreign(headers):
            return "Pages of other addresses are not served."
        token, slash, _ = path.removeprefix(REVIEW).partition("/")
        known = path.startswith(REVIEW) and slash and same(token, self.behaviour.token)
        return None if known else _NO_TOKEN

    def _stranger(self, scope: Scope, headers: dict[str, str]) -> str | None:
        """Why the caller may not enter. Old clients send the client id in the query only."""
        known = self.behaviour.credentials
        query = parse_qs(scope["query_string"].decode("latin-1"))
        clients = [c for c in (headers.get("client_id"), *query.get("client_id", [])) if c]
        if not same(headers.get("api_key"), known.api_key):
            return "Invalid api_key"
        if not same(headers.get("api_secret"), known.api_secret):
            return "Invalid api_secret"
        if not clients or not all(same(c, known.client_id) for c in clients):
            return "Invalid client_id"
        return None

    async def _run(self, fault: Fault | None, scope: Scope, body: _Body, send: Send) -> None:
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            if fault is None:
                await self.app(scope, body.receive, sending)
            elif fault.kind == "delay":
                await asyncio.sleep(fault.seconds)
                await self.app(scope, body.receive, sending)
            elif fault.kind == "status":
                if fault.done:
                    await self.app(scope, body.receive, _nowhere)
                # A client that is still sending would see a broken pipe instead of the answer.
                await body.drain()
                after = fault.retry_after
                extra = {} if after is None else {"Retry-After": f"{after:g}"}
                await _refuse(fault.status, fault.message, scope, body.receive, sending, extra)
            else:
                await self._cut(fault, scope, body)
        except _TooLarge:
            if started:
                raise
            await _refuse(413, "the body is too large", scope, body.receive, send)

    async def _cut(self, fault: Fault, scope: Scope, body: _Body) -> None:
        if fault.done:
            await self.app(scope, body.receive, _nowhere)
        else:
            # What the handler makes of the broken request does not matter: nobody hears it.
            with contextlib.suppress(Exception):
                await self.app(scope, _first_bytes(body.receive, fault.after_bytes), _nowhere)
        self.cut(scope["client"])


class _Body:
    """The body of a request, of at most ``limit`` bytes whatever length it announced."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self.limit, self.left, self.whole = limit, limit, False
        self._receive = receive

    async def receive(self) -> Message:
        message = await self._receive()
        self.left -= len(message.get("body", b""))
        self.whole = not message.get("more_body", False)
        if self.left < 0:
            raise _TooLarge
        return message

    async def drain(self) -> None:
        while not self.whole:
            await self.receive()


def _body_limit(path: str, limits: Limits) -> int:
    if path.startswith(STORAGE):
        return limits.upload_bytes
    if path.startswith((CONTROL, REVIEW)):
        return limits.work_bytes
    if path == "/actions/upload_answers":
        return limits.annotation_bytes + 64 * 1024  # the multipart frame around the file
    return limits.body_bytes


def _first_bytes(receive: Receive, count: int) -> Receive:
    left = count

    async def first() -> Message:
        nonlocal left
        if left <= 0:
            return {"type": "http.disconnect"}
        message = await receive()
        body = message.get("body", b"")[:left]
        left -= len(body)
        return {**message, "body": body, "more_body": True}

    return first


async def _nowhere(message: Message) -> None:
    return None


async def _refuse(
    status: int,
    text: str,
    scope: Scope,
    receive: Receive,
    send: Send,
    headers: dict[str, str] | None = None,
) -> None:
    answer = JSONResponse(failure(status, text), status, headers=headers)
    await answer(scope, receive, send)


def _without_token(path: str) -> str:
    """The path of a page as it is counted and as faults name it."""
    if not path.startswith(REVIEW):
        return path
    return f"{REVIEW}{path.removeprefix(REVIEW).partition('/')[2]}"
