"""Secrets are used and neither kept nor printed: those in addresses and of the environment."""

from __future__ import annotations

import functools
import json
import logging
import os
import re
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from hashlib import sha256
from pathlib import Path
from typing import Any, TextIO, cast
from urllib.parse import quote

OUTPUT = "standard output"  # as errors of writing to it name it
SHORTEST = 6  # a shorter value is a word that stands in other places too
_SHORT = 4  # what Labellerr knows an account by is hidden from here on, where it is a whole word

# Up to the last @, as passwords hold some too; behind a name and a colon, also behind slashes. The
# next address of a list is another one, and a quote ends one unless more of the word follows it.
_LETTER = r"(?:(?!,\s*[a-z][a-z0-9+.-]*://)(?!['\"](?:[^\w@]|$))\S)"
_PASSWORD = re.compile(
    rf"(\b[a-z][a-z0-9+.-]{{0,30}}://)"  # bounds: whatever is printed comes by here, of any length
    rf"(?:(?:(?!/){_LETTER}){{1,999}}|(?:(?![/:]){_LETTER}){{0,99}}:(?!\d+/){_LETTER}{{0,999}})@",
    re.IGNORECASE,
)
# Where a slash was lost in typing; two letters, since C:/ begins a path.
_MISTYPED = re.compile(
    rf"(\b[a-z][a-z0-9+.-]{{1,30}}:/)(?!/)(?:(?![/:]){_LETTER}){{1,99}}:{_LETTER}{{1,99}}@",
    re.IGNORECASE,
)
_QUERY = re.compile(
    r"([?&;#][\w.%-]*(?:token|key|secret|sig|pass|pss|pwd|pw|auth|jwt|session|cred|x-amz-)"
    r"[\w.%-]*\\?=)[^&;#\s'\"]+",
    re.IGNORECASE,
)
# Names of variables whose values are secrets: a part of the name, or a whole word of it.
_TELLING = re.compile(
    r"TOKEN(?!IZER)|SECRET|PASSW(?:OR)?D|PASSPHRASE|CREDENTIAL|APIKEY|WEBHOOK|COOKIE"
    r"|(?:^|_)(?:KEY|PASS|PW|AUTH|PAT|LABELLERR)(?:_|$)"
    r"|(?<!^)(?<!^OLD)PWD(?:_|$)",  # PWD and OLDPWD are the shell's own: folders
    re.IGNORECASE,
)


def without_secrets(text: str) -> str:
    """``text`` with ``***`` in place of secrets.

    These are names, passwords and tokens in addresses, and the values of variables of the
    environment whose names tell that they are secret, such as HF_TOKEN, in whatever quotes.
    """
    text = _MISTYPED.sub(r"\1***@", _PASSWORD.sub(r"\1***@", text))
    text = _QUERY.sub(r"\1***", text)
    values = _values()
    return values.sub("***", text) if values is not None else text


def told_apart(value: Any) -> Any:
    """A JSON value without secrets, whose texts still differ where those with secrets differ."""
    if isinstance(value, dict):
        return {key: told_apart(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [told_apart(one) for one in value]
    if not isinstance(value, str) or (hidden := without_secrets(value)) == value:
        return value
    return f"{hidden} ({sha256(value.encode(errors='replace')).hexdigest()[:8]})"


def hide_in(folder: Path, pattern: str = "*.yaml") -> None:
    """Take secrets out of text files that a library wrote."""
    _values.cache_clear()  # Hydra sets variables too
    for file in folder.glob(pattern):
        text = file.read_text(encoding="utf-8")
        if (hidden := without_secrets(text)) != text:
            file.write_text(hidden, encoding="utf-8")


@contextmanager
def hidden() -> Iterator[None]:
    """Nothing that this process prints or logs meanwhile has secrets in it."""
    known = logging.getLogRecordFactory()

    def record(*args: Any, **kwargs: Any) -> logging.LogRecord:
        made = known(*args, **kwargs)
        text = made.getMessage()
        if (hidden := without_secrets(text)) != text:
            made.msg, made.args = hidden, ()
        return made

    _values.cache_clear()
    logging.setLogRecordFactory(record)
    out, err = (
        cast(TextIO, _Hiding(_there(stream), name))
        for stream, name in ((sys.stdout, OUTPUT), (sys.stderr, "standard error"))
    )
    try:
        with redirect_stdout(out), redirect_stderr(err):
            yield
    finally:
        logging.setLogRecordFactory(known)


def _there(stream: TextIO | None) -> TextIO:
    """A stream to write to, also where the shell closed it (``>&-``)."""
    if stream is not None:
        return stream
    handle = os.open(os.devnull, os.O_RDWR)
    if handle <= 2:  # the closed one: no file that is opened later gets what is printed there
        os.set_inheritable(handle, True)
    return open(handle, "w", encoding="utf-8")  # noqa: PTH123


class _Hiding:
    """A text stream without secrets."""

    def __init__(self, stream: TextIO, name: str) -> None:
        self._stream, self._name = stream, name

    def write(self, text: str) -> int:
        if not self._stream.closed:  # a handler of logging may outlive what it was made for
            with self._told():
                self._stream.write(without_secrets(text))
        return len(text)

    def flush(self) -> None:
        if not self._stream.closed:
            with self._told():
                self._stream.flush()

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Errors of the system name no file: this is which."""
        try:
            yield
        except OSError as error:
            error.filename = self._name
            raise

    def writelines(self, lines: Any) -> None:
        self.write("".join(lines))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@functools.cache
def _values() -> re.Pattern[str] | None:
    """What fits the values of all variables that are secret, as they are and as they are quoted."""
    found: set[str] = set()
    short: set[str] = set()
    for name, value in os.environ.items():
        value = value.strip()
        if len(value) < _SHORT or not _TELLING.search(name):
            continue
        if len(value) < SHORTEST:
            if name.upper().startswith("LABELLERR_"):
                short |= _spellings(value)
        # A path, such as SSH_AUTH_SOCK has, is where a secret is and none itself; a file's name
        # alone may be like a secret by chance. (Path's own fails where a value is too long.)
        elif not (os.path.isabs(value) and os.path.exists(value)):  # noqa: PTH110, PTH117
            found |= _spellings(value)
    longest_first = sorted(found, key=len, reverse=True)
    # YAML breaks lines at blanks, and writes some as escapes.
    words = [r"(?:\\[nrt]|[\s\\])+".join(map(re.escape, one.split())) for one in longest_first]
    words += [rf"(?<!\w){re.escape(one)}(?!\w)" for one in sorted(short)]
    return re.compile("|".join(words)) if words else None


def _spellings(value: str) -> set[str]:
    """A value as the shell, JSON, YAML, Python and addresses write it."""
    import yaml

    escaped = {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    escaped.add(yaml.safe_dump(value, default_style='"', width=10**9).strip()[1:-1])
    quoted = {repr(value)[1:-1], value.replace("'", "''"), shlex.quote(value).strip("'")}
    return {value, *escaped, *quoted, quote(value), quote(value, safe="")}
