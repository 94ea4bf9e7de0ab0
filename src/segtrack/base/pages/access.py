"""Who may see a page of this machine: only browsers of its own user, by a token in the address.

A port of the loopback interface is open to all users and to every page in a browser. So the address
holds a secret (in its path, since a cookie would go to every port of 127.0.0.1), the name that is
asked for must be this machine's (else a foreign name could be made to mean it, DNS rebinding), and
pages load from their own address alone, tell nobody else where they are, and stand in no frame.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import Message, Scope, Send

HOST = "127.0.0.1"
_HOSTS = (HOST, "localhost")
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data: blob:; media-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def new_token() -> str:
    """A secret for addresses."""
    return secrets.token_urlsafe(32)


def headers_of(scope: Scope) -> dict[str, str]:
    """A request's headers by their names in lower case."""
    return {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope["headers"]}


def of_this_machine(headers: Mapping[str, str]) -> bool:
    """Whether the request asks for this machine under its own name."""
    return _without_port(headers.get("host", "")) in _HOSTS


def foreign(headers: Mapping[str, str]) -> bool:
    """Whether a page of another address asks; scripts name no origin."""
    origin = headers.get("origin")
    return origin is not None and _without_port(origin.rpartition("/")[2]) not in _HOSTS


def same(given: str | None, known: str) -> bool:
    """Whether a secret is the known one, in a time that does not depend on where they differ."""
    return given is not None and hmac.compare_digest(given.encode(), known.encode())


def with_page_headers(send: Send) -> Send:
    """Sends answers with the headers that keep a page to itself."""
    from starlette.datastructures import MutableHeaders

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(_HEADERS)
        await send(message)

    return sending


def _without_port(address: str) -> str:
    return address.rsplit(":", 1)[0]
