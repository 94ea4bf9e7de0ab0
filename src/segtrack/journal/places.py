"""Where an address says that artifacts lie."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlparse


def local_path(uri: str) -> Path | None:
    """The folder that an artifact's address names; None where it is on a server."""
    parts = urlparse(uri)
    if parts.scheme in ("", "file"):
        return Path(unquote(parts.path))
    return None
