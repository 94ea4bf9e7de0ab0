"""Settings as the words of a command line: whatever a value holds, Hydra reads that value back."""

from __future__ import annotations

import os
from collections.abc import Mapping
from enum import Enum
from typing import Any

from segtrack.base.errors import SettingsError


def override_words(given: Mapping[str, Any]) -> list[str]:
    """Settings as the words of a command line that mean the same.

    Raises:
        SettingsError: a value is of no kind that a setting may have.
    """
    return [f"{key}={_text(key, value)}" for key, value in given.items()]


def _text(key: str, value: Any) -> str:
    """One value in Hydra's grammar."""
    if isinstance(value, Enum):
        value = value.name
    if hasattr(value, "item") and not getattr(value, "shape", ()):  # numpy's numbers
        value = value.item()
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str | os.PathLike):
        return _quoted(os.fspath(value))
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_quoted(str(k))}: {_text(key, v)}" for k, v in value.items())
        return f"{{{inner}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_text(key, one) for one in value)}]"
    raise SettingsError(
        f"{key}={value!r}: is a {type(value).__name__}; a setting is a number, a text, a path, "
        f"true or false, None, a list or a mapping"
    )


def _quoted(text: str) -> str:
    """A text as it is where Hydra takes it for one, as it does the name of an option."""
    reserved = text.lower() in ("true", "false", "null", "nan", "inf")
    plain = text.replace("_", "").replace("-", "").isalnum() and text[0].isalpha()
    if plain and text.isascii() and not reserved:
        return text
    # Of backslashes only those before a quote mean something else.
    parts = text.split('"')
    doubled = [part + "\\" * _trailing(part) for part in parts]
    return '"' + '\\"'.join(doubled) + '"'


def _trailing(text: str) -> int:
    return len(text) - len(text.rstrip("\\"))
