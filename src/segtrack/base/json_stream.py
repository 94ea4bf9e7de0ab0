"""JSON that somebody else wrote: whole, or, where its lists may be larger than memory, element by
element.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, TextIO

_CHUNK = 1 << 20


class Element(NamedTuple):
    """One element of a list at the top level, or the value of another key (``listed`` False)."""

    key: str
    line: int
    value: Any
    listed: bool


def read_whole(path: Path) -> Any:
    """The JSON of a file that fits into memory.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not JSON, or nested too deeply; the reason in one line.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def elements(path: Path) -> Iterator[Element]:
    """Elements of all lists of the object in ``path``, in the order of the file.

    The text may be UTF-8, UTF-16 or UTF-32, with or without a byte order mark.

    Raises:
        ValueError: not JSON, or not an object at the top; the message has line and reason.
    """
    with path.open("rb") as binary:
        encoding = json.detect_encoding(binary.read(4))
    with path.open(encoding="utf-8-sig" if encoding == "utf-8" else encoding) as file:
        text = _Text(file)
        try:
            yield from _object(text)
            if text.peek():
                raise ValueError(f"line {text.line}: {text.peek()!r} follows after the end")
        except UnicodeDecodeError as error:
            message = f"line {text.line}: not {encoding.removesuffix('-sig').upper()} text"
            raise ValueError(f"{message} ({error.reason}); save it as UTF-8") from error
        except RecursionError as error:
            raise ValueError(f"line {text.line}: nested too deeply") from error


def _object(text: _Text) -> Iterator[Element]:
    if text.peek() != "{":
        raise ValueError(f"line {text.line}: begins with {text.peek()[:1]!r}, not with an object")
    text.skip()
    if text.peek() == "}":
        text.skip()
        return
    while True:
        key = text.value()
        if not isinstance(key, str):
            raise ValueError(f"line {text.line}: {key!r} stands where a key belongs")
        text.expect(":")
        if text.peek() == "[":
            yield from _list(text, key)
        else:
            line = text.line
            yield Element(key, line, text.value(), listed=False)
        if text.expect(",}") == "}":
            return


def _list(text: _Text, key: str) -> Iterator[Element]:
    line = text.line
    text.skip()
    yield Element(key, line, [], listed=False)  # the key is there, even if the list is empty
    if text.peek() == "]":
        text.skip()
        return
    while True:
        text.peek()
        line = text.line
        yield Element(key, line, text.value(), listed=True)
        if text.expect(",]") == "]":
            return


class _Text:
    """A window over the file that grows until one value is whole."""

    def __init__(self, file: TextIO) -> None:
        self.file = file
        self.buffer = ""
        self.position = 0
        self.line = 1
        self.ended = False
        self.decoder = json.JSONDecoder()

    def peek(self) -> str:
        """The next character that is not white space; empty at the end."""
        while True:
            start = self.position
            rest = self.buffer[start : start + 64]
            blank = len(rest) - len(rest.lstrip())
            self._advance(start + blank)
            if blank < len(rest):
                return self.buffer[self.position]
            if self.position >= len(self.buffer) and not self._fill():
                return ""

    def skip(self) -> None:
        """Go over one character."""
        self._advance(self.position + 1)

    def expect(self, allowed: str) -> str:
        """Take the next character, which must be one of ``allowed``."""
        found = self.peek()
        if not found or found not in allowed:
            wanted = " or ".join(repr(c) for c in allowed)
            place = repr(found) if found else "the end of the file"
            raise ValueError(f"line {self.line}: {place} stands where {wanted} belongs")
        self.skip()
        return found

    def value(self) -> Any:
        """Take one whole value."""
        self.peek()
        while True:
            try:
                value, end = self.decoder.raw_decode(self.buffer, self.position)
            except json.JSONDecodeError as error:
                if not self._fill():
                    raise ValueError(f"line {self.line}: {error.msg}") from error
                continue
            # A number at the very end may go on in the next piece.
            if end == len(self.buffer) and self._fill():
                continue
            self._advance(end)
            return value

    def _advance(self, position: int) -> None:
        self.line += self.buffer.count("\n", self.position, position)
        self.position = position

    def _fill(self) -> bool:
        if self.ended:
            return False
        # Twice as much each time, so that one huge value is not parsed again and again.
        more = self.file.read(max(_CHUNK, len(self.buffer) - self.position))
        self.ended = not more
        self.buffer = self.buffer[self.position :] + more
        self.position = 0
        return bool(more)
