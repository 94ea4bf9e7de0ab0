"""Calls to the control endpoints of an emulator that runs on this machine."""

from __future__ import annotations

from typing import Any

from labellerr_loopback.control_token import HEADER, token_header
from segtrack.base.errors import DataError

_TIMEOUT = (10, 120)  # s, to connect and to read


def ask(method: str, url: str, **options: Any) -> Any:
    """What a control endpoint of an emulator of this user answers; ``options`` as for ``requests``.

    Raises:
        DataError: the emulator did not answer, or not with a success.
    """
    return _asked(method, url, token_header(url), **options)


def asked(method: str, url: str, token: str, **options: Any) -> Any:
    """The same of an emulator whose token is known."""
    return _asked(method, url, {HEADER: token}, **options)


def _asked(method: str, url: str, headers: dict[str, str], **options: Any) -> Any:
    import requests

    try:
        with requests.Session() as session:
            session.trust_env = False  # a proxy does not know this machine's loopback
            answer = session.request(method, url, timeout=_TIMEOUT, headers=headers, **options)
        if answer.status_code == 403 and not headers:
            raise DataError(
                f"{method} {url}: the token ({HEADER}) of this emulator was not found: it is left "
                "in a file for scripts of the user who started it, on the same machine and with "
                "the same TMPDIR."
            )
        if answer.status_code != 200:
            raise DataError(f"{method} {url} answered {answer.status_code}: {answer.text[:300]}")
        return answer.json()["response"]
    except requests.RequestException as error:
        raise DataError(
            f"{method} {url}: no answer of an emulator ({error}). Is it running there? Start it "
            "with python -m labellerr_loopback"
        ) from error
