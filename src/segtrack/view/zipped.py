"""Files as one archive that is made while it is sent: of none more than a block is in memory."""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

_BLOCK = 1 << 20  # bytes
_PACKED = (".mp4", ".jpg", ".png", ".webm", ".parquet", ".npz")  # what has been compressed already


def zipped(files: Iterable[tuple[str, Path]]) -> Iterator[bytes]:
    """The bytes of an archive of ``files``, by their names in it."""
    sent = _Sent()
    with zipfile.ZipFile(sent, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in files:
            info = zipfile.ZipInfo(name, time.localtime(path.stat().st_mtime)[:6])
            packed = path.suffix in _PACKED
            info.compress_type = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
            with path.open("rb") as source, archive.open(info, "w", force_zip64=True) as target:
                while block := source.read(_BLOCK):
                    target.write(block)
                    yield sent.taken()
            yield sent.taken()
    yield sent.taken()


class _Sent(io.RawIOBase):
    """A file that cannot be sought in, and gives up what was written."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._parts.append(bytes(data))
        return len(data)

    def taken(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)
