"""Names that carry what a file holds: ``street-3fa4b1c2d3e4.jpg`` for ``street.JPG``.

Where files of many folders and times meet under names alone, as on an annotation platform, the
picture is known again by the end of its name, whatever folder it lies in and is called by now.
"""

from __future__ import annotations

import re

DIGITS = 12  # of the SHA-256: two among a million pictures share them once in 600 collections
_LONGEST = 200  # bytes of what stands before; file systems and platforms take 255 in all
_TAGGED = re.compile(rf"(.*)-([0-9a-f]{{{DIGITS}}})(\.[^.]*)?", re.DOTALL)
_SHA256 = re.compile("[0-9a-f]{64}")


def content_name(name: str, sha256: str) -> str:
    """A file's name with its suffix in lower case and the beginning of its digest.

    Args:
        sha256: 64 hexadecimal digits of the content; anything else leaves the name without.
    """
    stem, dot, suffix = name.rpartition(".")
    stem, suffix = (stem, dot + suffix.lower()) if stem else (name, "")
    if not is_digest(sha256) or stem.endswith(f"-{sha256[:DIGITS]}"):
        return stem + suffix
    stem = stem.encode(errors="surrogateescape")[:_LONGEST].decode(errors="ignore")
    return f"{stem}-{sha256[:DIGITS]}{suffix}"


def is_digest(stamp: str) -> bool:
    """Whether a stamp says what a file holds: others are its size and time of change."""
    return bool(_SHA256.fullmatch(stamp))


def content_tag(name: str) -> str | None:
    """The digits of a name that has some, else None."""
    found = _TAGGED.fullmatch(name)
    return found[2] if found else None


def without_tag(name: str) -> str:
    """A name as it was before ``content_name``, its suffix in lower case."""
    found = _TAGGED.fullmatch(name)
    return f"{found[1]}{found[3] or ''}" if found else name
