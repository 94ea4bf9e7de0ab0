"""Calls over HTTP with time-outs, retries and one kind of error.

Every call of this package goes through ``Transport.request``, the SDK's too: so both adapters wait,
retry and complain alike.
"""

from __future__ import annotations

import email.utils
import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests
from requests.adapters import HTTPAdapter

from segtrack.annotation.labellerr.credentials import Credentials, hide_in_logs
from segtrack.base.atomic import whole_file
from segtrack.base.errors import PlatformError, SettingsError
from segtrack.base.labellerr_api import API_KEYS, VARIABLES
from segtrack.base.retry import Again, retry

ORIGIN = "https://pro.labellerr.com"
RETRIED = frozenset({408, 429, 500, 502, 503, 504})
# A create whose answer was lost may have worked: whoever called looks for the name before it asks
# again, so these are not repeated blindly.
CREATES = ("/datasets/create", "/projects/create", "/annotations/create_template")
_SHOWN = ("project_id", "dataset_id", "template_id", "job_id", "report_id", "file_id")
_LINK_HINT = "The link has expired or was changed: give the same command again."
_LONGEST_ANSWER = 300  # characters of an answer that a message quotes
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Patience:
    """How long to try.

    Attributes:
        tries: calls at most, the first included.
        first, longest: seconds to wait before the second call, doubling up to the longest.
        retry_after: longest wait in seconds that a server may ask for by Retry-After.
        connect, read: time-outs of one call in seconds; read counts between two pieces.
    """

    tries: int = 6
    first: float = 1.0
    longest: float = 60.0
    retry_after: float = 300.0
    connect: float = 10.0
    read: float = 120.0

    def pause(self, attempt: int) -> float:
        """Seconds to wait after the attempt of this number (from 0)."""
        return float(min(self.first * 2**attempt, self.longest))


class Transport:
    """A connection pool to one Labellerr address; may be used by several threads.

    Args:
        home: tells the platform apart in ``account``; None takes the address. The emulator of a
            store has another port in every run.
    """

    def __init__(
        self,
        url: str,
        credentials: Credentials,
        patience: Patience | None = None,
        pool: int = 16,
        home: str | None = None,
    ) -> None:
        self.url = check_url(url)
        self.home = self.url if home is None else home
        self.credentials = credentials
        self.patience = patience or Patience()
        hide_in_logs(credentials)
        self._session = requests.Session()
        self._session.mount("http://", HTTPAdapter(pool_maxsize=pool))
        self._session.mount("https://", HTTPAdapter(pool_maxsize=pool))
        if urlsplit(self.url).hostname in _LOOPBACK:
            self._session.trust_env = False  # a proxy does not know this machine's loopback

    @property
    def account(self) -> str:
        """Digest of address (or ``home``) and client id, 16 hexadecimal digits."""
        text = f"{self.home}\n{self.credentials.client_id}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def close(self) -> None:
        """Give the connections back."""
        self._session.close()

    def call(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        **kwargs: Any,
    ) -> Mapping[str, Any]:
        """One call of the API; the JSON document of its answer, envelope included.

        ``client_id`` is added to the query. None among ``params`` is left out.

        Raises:
            PlatformError: not reached, refused, or answered with something that is not JSON.
        """
        query = {k: v for k, v in (params or {}).items() if v is not None}
        query["client_id"] = self.credentials.client_id
        if body is not None:
            kwargs["json"] = body
        headers = {**self.credentials.headers(), **kwargs.pop("headers", {})}
        headers.update({"source": "sdk", "origin": ORIGIN})
        answer = self.request(method, self.url + path, params=query, headers=headers, **kwargs)
        return self.parse(answer, describe(method, self.url + path, query))

    def parse(self, answer: Any, what: str) -> Mapping[str, Any]:
        """The JSON document of an answer; one without envelope is put into one.

        Raises:
            PlatformError: it is not JSON, or an error in an envelope of status 200.
        """
        try:
            document = answer.json()
            if isinstance(document, list):
                document = {"response": document}
            if not isinstance(document, Mapping):
                raise ValueError
        except (ValueError, RecursionError) as error:
            raise PlatformError(
                f"{what}: the answer is no JSON record ({self._quote(answer)}). Is {self.url} "
                "Labellerr?"
            ) from error
        if document.get("error") and not document.get("response"):
            raise PlatformError(f"{what}: Labellerr refused ({self._quote(answer)}).")
        return document

    def request(self, method: str, url: str, **kwargs: Any) -> Any:
        """Send, with retries; ``requests``' arguments and answer, of status below 300 only.

        Keyword Args:
            tries: in place of the patience's.
            accept: statuses that count as success, all below 300 where not given.
            signed: it is a signed link, which the credentials have nothing to do with.

        Raises:
            PlatformError: no such answer within the tries.
        """
        tries = kwargs.pop("tries", self.patience.tries)
        accept = kwargs.pop("accept", range(200, 300))
        signed = kwargs.pop("signed", False)
        stream = kwargs.pop("stream", False)
        kwargs.pop("timeout", None)  # the SDK's, from 1.1 on: 30 s, too short for an upload
        kwargs.pop("allow_redirects", None)  # would carry the credentials to another host
        timeout = (self.patience.connect, self.patience.read)
        what = describe(method, url, kwargs.get("params"))
        creates = urlsplit(url).path.endswith(CREATES)
        # Prepared once: a body that is read from a file would be empty the second time.
        prepared = self._session.prepare_request(requests.Request(method, url, **kwargs))
        options = self._session.merge_environment_settings(
            prepared.url or url, {}, stream, None, None
        )

        def attempt(number: int) -> Any:
            try:
                answer = self._session.send(
                    prepared, timeout=timeout, allow_redirects=False, **options
                )
            except requests.RequestException as error:
                problem = self._lost(what, error)
                if not _worth_retrying(error) or (creates and problem.ambiguous):
                    raise problem from None  # the cause's text has the client id
                return Again(problem)
            if answer.status_code in accept:
                return answer
            refused = self._refused(what, answer, number + 1, signed)
            wait = self._retry_after(answer)
            answer.close()
            if answer.status_code not in RETRIED or (creates and refused.ambiguous):
                raise refused
            if wait is not None and wait > self.patience.retry_after:
                raise refused
            return Again(refused, wait)

        return retry(attempt, tries, self.patience.pause)

    def download(self, url: str, path: Path) -> Path:
        """Download a signed link; ``path`` is whole or not there.

        Raises:
            PlatformError: not reached, refused, or cut short each time.
        """
        path.parent.mkdir(parents=True, exist_ok=True)

        def attempt(_number: int) -> Path | Again:
            answer = self.request("GET", url, stream=True, signed=True)
            try:
                with whole_file(path) as part, part.open("wb") as file, answer:
                    for piece in answer.iter_content(_CHUNK):
                        file.write(piece)
            except requests.RequestException as error:
                return Again(self._lost(describe("GET", url, None), error))
            return path

        return retry(attempt, self.patience.tries, self.patience.pause)

    def _retry_after(self, answer: Any) -> float | None:
        """Seconds that the server asks to wait: a number, or a date (RFC 9110, 10.2.3)."""
        text = answer.headers.get("Retry-After")
        if not text:
            return None
        try:
            return max(0.0, float(text))
        except ValueError:
            pass
        try:
            return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
        except ValueError:
            return None

    def _quote(self, answer: Any) -> str:
        """What the server says, short and without credentials."""
        text = " ".join(answer.text.split())
        try:
            document = json.loads(text)
            for key in ("error", "detail", "message"):
                if isinstance(document, dict) and document.get(key):
                    text = " ".join(str(document[key]).split())
                    break
        except (ValueError, RecursionError):
            pass
        text = self.credentials.hide(text)
        return text[:_LONGEST_ANSWER] + "..." if len(text) > _LONGEST_ANSWER else text

    def _refused(self, what: str, answer: Any, tries: int, signed: bool) -> PlatformError:
        code = int(answer.status_code)
        wait = self._retry_after(answer)
        text = f"{what}: Labellerr answered {code}"
        if said := self._quote(answer):
            text += f" ({said})"
        if tries > 1:
            text += f", {tries} times"
        if wait is not None:
            text += f" and asks to wait {wait:.0f} s"
        hint = _LINK_HINT if signed and 400 <= code < 500 and code != 429 else _hint(code)
        return PlatformError(f"{text}. {hint}", code, ambiguous=code >= 500)

    def _lost(self, what: str, error: Exception) -> PlatformError:
        host = urlsplit(self.url).netloc
        # The exception's own text would show the whole URL, with the client id.
        if isinstance(error, requests.exceptions.ConnectTimeout):
            why = f"{host} was not reached within {self.patience.connect:g} s"
        elif isinstance(error, requests.exceptions.Timeout):
            why = f"no answer within {self.patience.read:g} s"
        elif isinstance(error, requests.exceptions.SSLError):
            why = f"no trusted encrypted connection to {host}"
        elif _never_sent(error):
            why = f"no connection to {host} (name or address not found, or refused)"
        elif isinstance(
            error, (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)
        ):
            why = "the connection was cut"
        else:
            why = type(error).__name__
        return PlatformError(
            f"{what}: {why}. Check the network and labellerr.url ({self.url}), then give the same "
            "command again: what was finished is not sent again.",
            ambiguous=_worth_retrying(error) and not _never_sent(error),
        )


def check_url(url: str) -> str:
    """The address without a slash at its end.

    Raises:
        SettingsError: not http(s), or credentials would travel unencrypted.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SettingsError(f"labellerr.url is {url!r}: give an address like https://HOST")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise SettingsError(
            f"labellerr.url is {url!r}: credentials are not sent unencrypted; use https://"
        )
    return url.rstrip("/")


def describe(method: str, url: str, params: Mapping[str, Any] | None) -> str:
    """A call by method, path and ids; never the account, signatures or random ids."""
    parts = urlsplit(url)
    query = {**dict(parse_qsl(parts.query)), **dict(params or {})}
    shown = [f"{key}={query[key]}" for key in _SHOWN if query.get(key)]
    return f"{method} {parts.path}" + (f" ({', '.join(shown)})" if shown else "")


def repeat_create(
    create: Callable[[], str], find: Callable[[], str | None], patience: Patience
) -> str:
    """Create something once, although an answer may be lost.

    Args:
        create: creates it and returns its id.
        find: the id of what is there already under the name.

    Raises:
        PlatformError: it could not be made within the tries.
    """

    def attempt(_number: int) -> str | Again:
        if (found := find()) is not None:
            return found
        try:
            return create()
        except PlatformError as error:
            if not error.ambiguous:
                raise
            return Again(error)

    return retry(attempt, patience.tries, patience.pause)


def _never_sent(error: Exception) -> bool:
    """Whether no connection was made at all, so that the call had no effect."""
    from urllib3.exceptions import MaxRetryError, NewConnectionError

    if isinstance(error, requests.exceptions.ConnectTimeout):
        return True
    cause = error.args[0] if error.args else None
    return isinstance(cause, MaxRetryError) and isinstance(cause.reason, NewConnectionError)


def _worth_retrying(error: Exception) -> bool:
    lost = (
        requests.ConnectionError,
        requests.exceptions.Timeout,
        requests.exceptions.ChunkedEncodingError,
    )
    return isinstance(error, lost) and not isinstance(error, requests.exceptions.SSLError)


def _hint(code: int) -> str:
    if code in (401, 403):
        return (
            f"Check {', '.join(VARIABLES)}: mistyped, expired or of another account. New keys are "
            f"made at {API_KEYS}."
        )
    if code == 404:
        return "Was it deleted on the platform, or does it belong to another account?"
    if code == 413:
        return "What was sent is too large; send it in smaller parts."
    if code == 429:
        return "Too many calls at once: wait, or lower labellerr.workers."
    if code == 507:
        return "Make room there, then give the same command again: what was sent is kept."
    if code >= 500:
        return "The fault is on the platform's side: give the same command again later."
    if 300 <= code < 400:
        return "It sends elsewhere: correct labellerr.url."
    return "Check the value that it names."
