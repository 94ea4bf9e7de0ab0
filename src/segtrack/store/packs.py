"""The small files of a result as one: a server takes 100,000 of them in one request, not in each.

A pack is a tar of all but the large files: links, crowded folders, and folders without files. A
large file goes by itself, by its digest. Which is which follows from the record alone.
"""

from __future__ import annotations

import os
import re
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from segtrack.store.record import FILE, Unusable, members

LARGE = 1 << 20  # bytes; a link's target is never as long
_TAKEN = (FileExistsError, NotADirectoryError, IsADirectoryError)


def apart(record: Mapping[str, Any]) -> dict[str, str]:
    """The large files of a result: digests by name.

    Raises:
        Unusable: one would lie elsewhere.
    """
    found = {name: row["sha256"] for name, row in record["files"].items() if _large(row)}
    for name, sha256 in found.items():
        if not (_inside(PurePosixPath(name)) and re.fullmatch("[0-9a-f]{64}", sha256)):
            raise Unusable(f"its record names {name!r}")
    return found


def pack(folder: Path, record: Mapping[str, Any], target: Path) -> None:
    """Write the small files of the result in ``folder`` into ``target``."""
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as tar:
        for parent, folders, _ in os.walk(folder):
            for name in folders:
                path = Path(parent, name)
                if not path.is_symlink():
                    tar.addfile(_entry(path.relative_to(folder).as_posix(), tarfile.DIRTYPE))
        for name, row in record["files"].items():
            for path in () if _large(row) else map(Path, members(folder, name)):
                _add(tar, path, path.relative_to(folder).as_posix())


def unpack(source: Path, folder: Path, record: Mapping[str, Any]) -> None:
    """Put what is in a pack into ``folder``; links last, so that nothing is written through one.

    Raises:
        Unusable: it is no pack, or holds what the record does not name.
    """
    links = []
    try:
        with tarfile.open(source, "r:") as tar:
            for one in tar:
                path = folder / _placed(one, record["files"])
                if one.isdir():
                    path.mkdir(parents=True, exist_ok=True)
                elif one.issym():
                    links.append((path, one.linkname))
                else:
                    _extract(tar, one, path)
        for path, _ in links:
            path.parent.mkdir(parents=True, exist_ok=True)
        for path, target in links:
            path.symlink_to(target)
    except (tarfile.TarError, ValueError, *_TAKEN) as error:
        raise Unusable(f"{source.name} is damaged ({error})") from error


def _large(row: Mapping[str, Any]) -> bool:
    return row["size"] > LARGE and "files" not in row


def _entry(name: str, kind: bytes, mode: int = 0o755) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = kind, mode
    return entry


def _add(tar: tarfile.TarFile, path: Path, name: str) -> None:
    if path.is_symlink():
        entry = _entry(name, tarfile.SYMTYPE)
        entry.linkname = os.readlink(path)  # noqa: PTH115  (Path would normalise it)
        tar.addfile(entry)
        return
    with path.open("rb") as file:
        stat = os.fstat(file.fileno())
        entry = _entry(name, tarfile.REGTYPE, stat.st_mode & 0o777)
        entry.size = stat.st_size
        tar.addfile(entry, file)


def _placed(one: tarfile.TarInfo, rows: Mapping[str, Any]) -> str:
    """The path of an entry, if it may be there."""
    path = PurePosixPath(one.name)
    named = one.isdir() or one.name in rows or f"{path.parent}/" in rows
    if not (_inside(path) and named and (one.isreg() or one.issym() or one.isdir())):
        raise Unusable(f"its pack holds {one.name!r}, which its record does not name")
    return one.name


def _inside(path: PurePosixPath) -> bool:
    return not path.is_absolute() and ".." not in path.parts and path.name not in ("", FILE)


def _extract(tar: tarfile.TarFile, one: tarfile.TarInfo, path: Path) -> None:
    content = tar.extractfile(one)
    assert content is not None
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        for piece in _pieces(content):
            file.write(piece)
    path.chmod(one.mode & 0o777 | 0o600)


def _pieces(content: Any) -> Iterator[bytes]:
    while piece := content.read(LARGE):
        yield piece
