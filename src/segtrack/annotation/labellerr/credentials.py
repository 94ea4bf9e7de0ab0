"""Who asks: the three values that Labellerr wants with every call, and how they stay unseen."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, quote_plus

from segtrack.base.environment import read_variables
from segtrack.base.errors import SettingsError
from segtrack.base.labellerr_api import API_KEYS, LOOPBACK, VARIABLES

_SHORTEST_SECRET = 4  # shorter values (the emulator's CID) are no secrets, but parts of words


@dataclass(frozen=True)
class Credentials:
    """Access to one Labellerr account, its values in no repr and, by ``hide``, in no message."""

    api_key: str = field(repr=False)
    api_secret: str = field(repr=False)
    client_id: str = field(repr=False)

    def headers(self) -> dict[str, str]:
        """What the API reads them from."""
        return {
            "api_key": self.api_key,
            "api_secret": self.api_secret,
            "client_id": self.client_id,
        }

    def hide(self, text: str) -> str:
        """``text`` (an answer of the server, for a message) with the values replaced by ***."""
        for value in sorted((self.api_key, self.api_secret, self.client_id), key=len, reverse=True):
            if len(value) >= _SHORTEST_SECRET:
                for written in (value, quote(value, safe=""), quote_plus(value)):  # in an address
                    text = text.replace(written, "***")
        return text


class _Hiding(logging.Filter):
    """Keeps credentials out of what other libraries log."""

    def __init__(self) -> None:
        super().__init__()
        self.known: set[Credentials] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrites the record; nothing is dropped."""
        text = hidden = record.getMessage()
        for credentials in self.known:
            hidden = credentials.hide(hidden)
        if hidden != text:
            record.msg, record.args = hidden, ()
        return True


_HIDING = _Hiding()


def hide_in_logs(credentials: Credentials) -> None:
    """urllib3 logs every address at level DEBUG, with the client id in it; the SDK logs to root."""
    _HIDING.known.add(credentials)
    for name in ("urllib3.connectionpool", "root"):
        logger = logging.getLogger(None if name == "root" else name)
        if _HIDING not in logger.filters:
            logger.addFilter(_HIDING)


EMULATOR_CREDENTIALS = Credentials(*LOOPBACK)


def read_credentials(
    default: Credentials | None = None,
    dotenv: Path = Path(".env"),
    environment: Mapping[str, str] | None = None,
) -> Credentials:
    """The credentials of the environment, or else of ``.env``, which does not change it.

    Args:
        default: taken where none of the three is set (the emulator's).
        dotenv: file of ``NAME=value`` lines; need not exist.
        environment: ``os.environ`` where None.

    Raises:
        SettingsError: one or more are missing or not usable; names the three variables.
    """
    values = read_variables(VARIABLES, dotenv, environment)
    missing = [name for name, value in values.items() if not value]
    if len(missing) == len(VARIABLES) and default is not None:
        return default
    if missing:
        raise SettingsError(
            f"Labellerr needs {', '.join(VARIABLES[:2])} and {VARIABLES[2]} in the environment or "
            f"in a .env file ({dotenv.absolute()}); missing: {', '.join(missing)}. They are at "
            f"{API_KEYS}, where 'Show Client ID' shows the client id. Without an account use "
            "labellerr=emulator."
        )
    for name, value in values.items():
        # HTTP headers carry visible ASCII only; anything else fails late and with the value shown.
        if not all("!" <= c <= "~" for c in value):
            raise SettingsError(
                f"{name} has blanks or characters that are not plain ASCII: copy it again, without "
                "quotation marks or line breaks."
            )
    return Credentials(*(values[name] for name in VARIABLES))
