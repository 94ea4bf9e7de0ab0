"""Names that users and their files gave, as levels of metric names, tags, paths and file names.

A class may be called ``truck / van``, ``..`` or nothing at all, and a video may have a name of 300
letters. Whatever becomes a name of ours goes through ``level`` or ``whole``, and only here is
decided what that looks like. Tables and results keep the original.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
import unicodedata
from collections.abc import Iterable

from segtrack.base.secrets import without_secrets

LONGEST_LEVEL = 100  # bytes: two of them and what is around them fit into LONGEST
LONGEST = 250  # characters that MLflow takes for a metric, a parameter, a tag

_DIGEST = re.compile(r"--[0-9a-f]{8}\Z")
_DRAWN = re.compile(r"-?\d+\.\d{7,}(?:[eE]-?\d+)?")  # by a search, with all digits


def level(text: str) -> str:
    """``text`` as one level of a metric's name or path, which is valid everywhere.

    A text that already is one stays as it is: letters and digits of any script, ``_``, ``-``, ``.``
    and blanks, none of ``.``, ``-`` and blank at its ends but for a dash behind, at most
    ``LONGEST_LEVEL`` bytes. Of any other its readable part is kept, and a digest of the original
    tells it from its neighbours: ``truck / van`` becomes ``truck _ van--6c8e9aa0``. That depends
    on nothing but the text, so that runs can be compared.
    """
    readable = re.sub(r"[^\w\-. ]+", "_", unicodedata.normalize("NFC", text)).strip(". ")
    readable = readable.lstrip("-. ")
    if readable == text != "" and _fits(text, LONGEST_LEVEL) and not _DIGEST.search(text):
        return text
    return _told_apart(readable, text, LONGEST_LEVEL)


def path(*texts: str) -> str:
    """Levels with slashes between them."""
    return "/".join(map(level, texts))


def whole(text: str) -> str:
    """A name that may have levels, as MLflow takes it for a metric, a parameter or a tag.

    What it takes stays as it is; else each level is mended by itself.
    """
    if _accepted(text):
        return text
    mended = path(*text.split("/"))
    return mended if len(mended) <= LONGEST else _told_apart(mended, text, LONGEST)


def storable(text: str) -> str:
    """A value as every database takes it: bytes of a file's name that are no text as escapes,
    passwords and tokens of addresses as ``***``."""
    text = text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")
    return without_secrets(text)


def paired(text: str) -> str:
    """Text whose characters beyond 16 bits YAML read in two halves, as JSON's writers escape them.

    A half alone stays visible, as an escape.
    """
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        return storable(text)


def shown(text: str, most: int = 60) -> str:
    """``text`` for one line of a picture or a terminal: nothing that breaks it, cut in the middle.

    Args:
        most: characters.
    """
    line = "".join(c if c.isprintable() else "_" for c in text)
    if len(line) <= most:
        return line
    tail = most // 3
    return f"{line[: most - tail - 1]}…{line[len(line) - tail :]}"


def inside(names: Iterable[str], text: str) -> str:
    """A metric's name as it is recorded, from one with the original of one of ``names`` in it.

    ``test/class/truck / van/mask_map50`` is typed, ``test/class/truck _ van--6c8e9aa0/mask_map50``
    recorded.
    """
    for name in sorted(names, key=len, reverse=True):
        if f"/{name}/" in f"{text}/" and level(name) != name:
            text = f"{text}/".replace(f"/{name}/", f"/{level(name)}/", 1).removesuffix("/")
    return text


def _accepted(text: str) -> bool:
    """MLflow's own rule: characters, length, and no file name that would mean another place."""
    return (
        len(text) <= LONGEST
        and re.fullmatch(r"[/\w.\- :]+", text) is not None
        and posixpath.normpath(text) == text
        and text != "."
        and not text.startswith(("..", "/"))
    )


def _fits(text: str, most: int) -> bool:
    return len(text.encode("utf-8", "surrogatepass")) <= most


def _told_apart(readable: str, text: str, most: int) -> str:
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    kept = readable.encode()[: most - 2 - len(digest)].decode(errors="ignore").rstrip("./ ")
    return f"{kept or 'unnamed'}--{digest}"


def short(value: str) -> str:
    """A number of many digits, as a search draws them, with so many as tell two apart."""
    if not _DRAWN.fullmatch(value):
        return value
    return f"{float(value):.4g}"
