"""Results at an address (``s3://bucket/folder``), as several machines share them.

    results/<stage>/<key>/stage.json     the record, byte for byte that of the folder; it comes last
    results/<stage>/<key>/<digest>.tar   the small files of the record of this digest
    results/<stage>/<key>/used           written when a machine used the result, once a day
    blobs/<aa>/<sha256>                  the large files, of whichever results

The record is one object, which a server takes whole or not at all: with it the result is there.
What a kill left before is read by nobody, and ``collect`` removes it after a day. Two machines
that build the same send it both, and the record that came first stays.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from enum import Enum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from segtrack.base.errors import SettingsError
from segtrack.base.progress import progress
from segtrack.store import packs
from segtrack.store import record as records
from segtrack.store.calls import Entry
from segtrack.store.layout import blob_path, pack_path, place_of, record_path, result_of
from segtrack.store.record import Unusable
from segtrack.store.server import Refused, Server

DAY = 86400.0  # s; what nobody names is removed after it, so whoever sends has as long
_FRESH = DAY / 2  # a file that is there and younger need not be sent again: gc waits longer
_LAYOUT = b'{"segtrack store": 1}\n'
_READERS = 16  # records that are read at once


class Sent(Enum):
    """What became of a result that was sent: it is there, or another one was first."""

    there = "there"
    first = "first"


class Far:
    """The results at an address. All of its methods may raise ``Away``."""

    def __init__(self, address: str) -> None:
        self.server = Server(address)
        self.address = self.server.address
        self._damaged: set[str] = set()  # digests of records whose files are not as they say

    def reach(self, *, write: bool = False) -> None:
        """Whether the address can be used.

        Args:
            write: whether results can be sent there, too.

        Raises:
            SettingsError: no rights, no bucket, no package, or a store of a later version.
            Away: it does not answer.
        """
        try:
            try:
                found = self.server.read("store.json")
            except FileNotFoundError:
                found = _LAYOUT
            if write:
                self.server.write("store.json", _LAYOUT)
        except Refused as error:
            do = "credentials are those of the environment or ~/.aws, an endpoint AWS_ENDPOINT_URL"
            raise SettingsError(f"{error}; {do}") from error
        if found != _LAYOUT:
            raise SettingsError(f"store={self.address}: another version of segtrack made it")

    def has(self, name: str, key: str) -> bool:
        """Whether a result is there; its files are not looked at."""
        try:
            self.server.facts(record_path(name, key))
        except FileNotFoundError:
            return False
        return True

    def fetch(self, name: str, key: str, into: Path) -> bool:
        """Fill the empty folder ``into``, which is called like the key; False: it is not there.

        Raises:
            Unusable: it is damaged, or something of it is missing; from then on it is not there.
        """
        text = self._read(name, key)
        if text is None or _sha256(text) in self._damaged:
            return False
        self._fetch(name, key, text, into)
        return True

    def _fetch(self, name: str, key: str, text: bytes, into: Path) -> None:
        """The result of a record.

        Raises:
            Unusable: as ``fetch``.
        """
        try:
            (into / records.FILE).write_bytes(text)
            record = records.read_record(into)
            self._fetch_files(name, key, record, _sha256(text), into)
            records.check(into, record, again=True)
        except Unusable:
            self._damaged.add(_sha256(text))
            raise

    def _fetch_files(
        self, name: str, key: str, record: Mapping[str, Any], digest: str, into: Path
    ) -> None:
        pack = into.with_name(f"{key}.tar")
        files = {pack_path(name, key, digest): pack}
        for one, sha256 in packs.apart(record).items():
            (into / one).parent.mkdir(parents=True, exist_ok=True)
            # Of files with the same content one is fetched, and it is the others.
            files.setdefault(blob_path(sha256), into / one)
        try:
            total = sum(row["size"] for row in record["files"].values())
            self.server.fetch(files, f"fetch {name}", total)
            for one, sha256 in packs.apart(record).items():
                if (there := files[blob_path(sha256)]) != into / one:
                    shutil.copyfile(there, into / one)
            packs.unpack(pack, into, record)
        except FileNotFoundError as error:
            raise Unusable(f"a file of it is missing at {self.address}") from error
        finally:
            pack.unlink(missing_ok=True)

    def send(self, name: str, key: str, folder: Path, pack: Path) -> Sent:
        """Send the whole result in ``folder``.

        What is there and damaged, as ``fetch`` found it, it takes the place of.

        Args:
            pack: where a file may be made.
        """
        text = (folder / records.FILE).read_bytes()
        record = json.loads(text)
        there = self._read(name, key)
        damaged = there is not None and (_sha256(there) in self._damaged or not _whole(there, key))
        if there is not None and not damaged:
            return _compared(there, text)
        files = self._lacking(folder, record, anew=damaged)
        try:
            pack.parent.mkdir(parents=True, exist_ok=True)
            packs.pack(folder, record, pack)
            files[pack_path(name, key, _sha256(text))] = pack
            self.server.send(files, f"send {name}")
        finally:
            pack.unlink(missing_ok=True)
        if damaged:
            self.server.write(record_path(name, key), text)
        elif not self.server.create(record_path(name, key), text):
            return _compared(self._read(name, key) or text, text)
        return Sent.there

    def _lacking(self, folder: Path, record: Mapping[str, Any], anew: bool) -> dict[str, Path]:
        """The large files to send."""
        found = {}
        for name, sha256 in packs.apart(record).items():
            if not anew:
                with suppress(FileNotFoundError):
                    size, when = self.server.facts(blob_path(sha256))
                    if size == record["files"][name]["size"] and time.time() - when < _FRESH:
                        continue
            found[blob_path(sha256)] = folder / name
        return found

    def used(self, name: str, key: str) -> bool:
        """Tell gc that the result is used, if it is there."""
        if there := self.has(name, key):
            self.server.write(f"{place_of(name, key)}/used", b"used\n")
        return there

    def entries(self) -> Iterator[Entry]:
        """All results with a whole record."""
        found = self.server.below("results")
        for (name, key), text in self._records(found):
            if _whole(text, key):
                record = json.loads(text)
                size = sum(row["size"] for row in record["files"].values())
                yield Entry(name, key, Path(), size, _last_use(found, name, key), record)

    def damaged(self) -> Iterator[tuple[str, str, str]]:
        """Stage and key of each result that is not whole, and why; fetches every file."""
        places = [result_of(path) for path in self.server.below("results") if result_of(path)]
        for place in progress(places, "verify", len(places), "results"):
            assert place is not None
            with TemporaryDirectory(prefix="segtrack-") as scratch:
                into = Path(scratch, place[1])
                into.mkdir()
                try:
                    if (text := self._read(*place)) is not None:
                        self._fetch(*place, text, into)  # also what was found damaged before
                except Unusable as why:
                    yield *place, str(why)

    def collect(self, days: float) -> tuple[int, int]:
        """Remove results unused for ``days`` days, and files of a day that no result names.

        Returns:
            How many results, and how many such files.
        """
        now = time.time()
        found = self.server.below("results")
        removed = set()
        for place in filter(None, map(result_of, found)):
            # Asked again: since the listing it may have been used, and a file sent anew.
            if _last_use(found, *place) < now - days * DAY and all(
                self._written(path) < now - days * DAY for path in _dated(*place)
            ):
                # The record first: without it the others are nobody's.
                self.server.remove(_dated(*place))
                removed.add(place)
        kept = {place: text for place, text in self._records(found) if place not in removed}
        named = {path for place in kept for path in _dated(*place)}
        for (name, key), text in kept.items():
            named.add(pack_path(name, key, _sha256(text)))
            with suppress(ValueError, KeyError, TypeError, AttributeError, Unusable):
                named |= {blob_path(sha256) for sha256 in packs.apart(json.loads(text)).values()}
        files = found | self.server.below("blobs")
        gone_or_named = named | {record_path(*place) for place in removed}
        idle = [
            path
            for path, (_, when) in files.items()
            if path not in gone_or_named and when < now - DAY
        ]
        count = 0
        for path in idle:
            if self._written(path) < now - DAY:
                self.server.remove([path])
                count += 1
        return len(removed), count

    def _written(self, path: str) -> float:
        """When a file was written, in seconds since 1970; 0 where there is none."""
        try:
            return self.server.facts(path)[1]
        except FileNotFoundError:
            return 0.0

    def _records(self, found: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], bytes]]:
        places = [place for place in map(result_of, found) if place]
        with ThreadPoolExecutor(_READERS) as pool:
            texts = pool.map(lambda place: self._read(*place), places)
            yield from ((p, text) for p, text in zip(places, texts, strict=True) if text)

    def _read(self, name: str, key: str) -> bytes | None:
        try:
            return self.server.read(record_path(name, key))
        except FileNotFoundError:
            return None


def _last_use(found: Mapping[str, tuple[int, float]], name: str, key: str) -> float:
    return max(found.get(path, (0, 0.0))[1] for path in _dated(name, key))


def _dated(name: str, key: str) -> list[str]:
    """The files of a result whose times say when it was last used; the record comes first."""
    return [record_path(name, key), f"{place_of(name, key)}/used"]


def _sha256(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


def _whole(text: bytes, key: str) -> bool:
    """Whether it is the record of a key, as it was written."""
    try:
        records.parse(text, key)
    except Unusable:
        return False
    return True


def _compared(there: bytes, own: bytes) -> Sent:
    """Another machine's result, or the same files."""
    same = there == own or json.loads(there)["files"] == json.loads(own)["files"]
    return Sent.there if same else Sent.first
