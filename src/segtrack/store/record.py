"""``stage.json``: what a result is, and size and SHA-256 of each of its files.

Files of a folder that has very many (the labels of 100,000 images) are one row together, so that
the record stays small. A symbolic link counts by where it points, not by what lies there. What was
put beside the files later is nobody's business, but for a folder that is one row.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from stat import S_ISLNK, S_ISREG
from typing import Any

from segtrack.base.atomic import is_special, write_whole
from segtrack.base.files import digest, file_digest

FILE = "stage.json"
KEYED = ("name", "version", "libraries", "settings", "inputs")
_TOGETHER = 256  # more files than these in one folder are one row
_LARGE = 1 << 20  # bytes; what is larger is read in pieces
_PAUSE = 5.0  # seconds, in which a command asks for the same crowded folder several times
# Results whose digests were right in this process: stamps of the rows, and until when they hold.
_read: dict[Path, tuple[tuple[int, ...], float]] = {}


class Unusable(Exception):
    """Why what lies in the place of a result is none."""


def key_of(record: Mapping[str, Any]) -> str:
    """32 hexadecimal digits."""
    return digest({part: record[part] for part in KEYED})[:32]


def write_record(folder: Path, facts: Mapping[str, Any], seconds: float) -> None:
    """Describe all that is in ``folder``."""
    (folder / FILE).unlink(missing_ok=True)  # of an attempt that was killed on its last step
    record = {**facts, "seconds": round(seconds, 3), "created": time.time(), "files": _rows(folder)}
    write_whole(folder / FILE, json.dumps({**record, "digest": digest(record)}, indent=1))


def read_record(folder: Path) -> dict[str, Any]:
    """The record of ``folder``, which is called like its key.

    Raises:
        Unusable: there is none, or it is not as it was written.
    """
    try:
        if is_special(folder / FILE):  # reading a pipe waits for ever
            raise Unusable(f"{FILE} is no file")
        text = (folder / FILE).read_bytes()
    except OSError as error:
        raise Unusable(f"{FILE} is not readable ({error.strerror})") from error
    return parse(text, folder.name)


def parse(text: bytes, key: str) -> dict[str, Any]:
    """The record of a key from its JSON.

    Raises:
        Unusable: it is not as it was written.
    """
    try:
        record = json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise Unusable(f"{FILE} is not readable (it is no JSON)") from error
    if not isinstance(record, dict):
        raise Unusable(f"{FILE} holds no record")
    if "digest" not in record:
        raise Unusable(f"{FILE} has no digests: an earlier version wrote it")
    if record.pop("digest") != digest(record):
        raise Unusable(f"{FILE} is damaged")
    if not record.keys() >= {*KEYED, "files"} or key_of(record) != key:
        raise Unusable(f"{FILE} is that of another result")
    return record


def check(folder: Path, record: Mapping[str, Any], *, again: bool = False) -> None:
    """Look at the size of each file, and at its digest when it is first used in this process.

    Args:
        again: look at digests that were right before, too.

    Raises:
        Unusable: a file is missing or damaged; it is named.
    """
    known, until = (None, 0.0) if again else _read.get(folder, (None, 0.0))
    if time.monotonic() < until:
        return
    stamps = tuple(_stamp(folder, name, row) for name, row in record["files"].items())
    if stamps != known:
        _compare(folder, record)
    crowded = any("files" in row for row in record["files"].values())
    _read[folder] = stamps, time.monotonic() + (_PAUSE if crowded else 0.0)


def _compare(folder: Path, record: Mapping[str, Any]) -> None:
    for name, row in record["files"].items():
        try:
            found = _digest(members(folder, name))
        except OSError as error:
            raise Unusable(f"{name} cannot be read ({error.strerror})") from error
        if found != row["sha256"]:
            raise Unusable(f"{name} is damaged (its digest is another)")


def _rows(folder: Path) -> dict[str, dict[str, Any]]:
    rows: dict[str, dict[str, Any]] = {}
    for parent, folders, _ in os.walk(folder):
        folders.sort()
        inner, paths = Path(parent).relative_to(folder).as_posix(), _files(parent)
        if len(paths) > _TOGETHER:
            rows[f"{inner}/"] = {"files": len(paths)} | _row(paths)
        else:
            rows |= {Path(path).relative_to(folder).as_posix(): _row([path]) for path in paths}
    return rows


def _row(paths: list[str]) -> dict[str, Any]:
    return {"size": sum(os.lstat(path).st_size for path in paths), "sha256": _digest(paths)}


def members(folder: Path, name: str) -> list[str]:
    """The files of one row."""
    return _files(f"{folder}/{name}") if name.endswith("/") else [f"{folder}/{name}"]


def _files(folder: str) -> list[str]:
    """Files and links in ``folder`` itself, without the record, in order."""
    with os.scandir(folder) as entries:
        names = sorted(one.name for one in entries if not one.is_dir(follow_symlinks=False))
    return [f"{folder.rstrip('/')}/{name}" for name in names if name != FILE]


def _stamp(folder: Path, name: str, row: Mapping[str, Any]) -> int:
    """What changes when a file of the row is written to or exchanged."""
    count = size = 0
    stamp = hashlib.blake2b(digest_size=8)
    try:
        for path in members(folder, name):  # one by one: there may be millions
            stat = os.lstat(path)
            if not (S_ISREG(stat.st_mode) or S_ISLNK(stat.st_mode)):
                raise Unusable(f"{name} is damaged ({path.rpartition('/')[2]} is no file)")
            count, size = count + 1, size + stat.st_size
            stamp.update(b"%d %d %d\n" % (stat.st_size, stat.st_mtime_ns, stat.st_ino))
    except OSError as error:
        raise Unusable(f"{name} is missing") from error
    if count != row.get("files", 1):
        raise Unusable(f"{name} is damaged ({count} files instead of {row['files']})")
    if size != row["size"]:
        raise Unusable(f"{name} is damaged ({size} bytes instead of {row['size']})")
    return int.from_bytes(stamp.digest(), "big")


def _digest(paths: list[str]) -> str:
    """Of a file's content or a link's target; of several, of their names and digests."""
    if len(paths) == 1:
        return _content(paths[0])
    rows = hashlib.sha256()
    for path in paths:
        row = f"{path.rpartition('/')[2]}\0{_content(path)}\n"
        rows.update(row.encode(errors="surrogateescape"))
    return rows.hexdigest()


def _content(path: str) -> str:
    # Strings and one read: there may be 100,000 small files.
    stat = os.lstat(path)
    if S_ISLNK(stat.st_mode):
        return hashlib.sha256(os.fsencode(os.readlink(path))).hexdigest()  # noqa: PTH115
    if stat.st_size > _LARGE:
        return file_digest(Path(path))
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123
        return hashlib.sha256(file.read()).hexdigest()
