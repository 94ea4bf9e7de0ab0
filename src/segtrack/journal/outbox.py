"""What a server did not take of a run, on disk until it does.

A folder for each such run, ``mlruns/waiting/RUN``: ``records.jsonl`` begins with what the run is,
and grows by a line for each record; ``files`` has the artifacts; ``delivered`` says how many of the
records arrived; ``refused.jsonl`` has those that the server will never take, each with its reason.
Who adds or delivers holds ``lock``; a killed process lets it go.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from segtrack.base.atomic import write_whole
from segtrack.base.errors import StageError
from segtrack.base.files import hand_out
from segtrack.base.saying import say
from segtrack.journal.writing import Record

MLRUNS = Path("mlruns")
WAITING = "waiting"
_RECORDS, _DELIVERED, _FILES, _LOCK = "records.jsonl", "delivered", "files", "lock"
REFUSED = "refused.jsonl"
_SERVERS = "servers.txt"  # that have recorded something from here


@dataclass(frozen=True)
class Head:
    """Which run it is.

    Attributes:
        run: its id. created: the server gave it; else the run has to be made there yet, with
            ``name`` and ``tags``, as one that began at ``began`` (ms).
        uri, experiment: where it is recorded.
    """

    run: str
    uri: str
    experiment: str
    name: str
    began: int
    created: bool
    tags: dict[str, str] = field(default_factory=dict)


class Outbox:
    """The folder of one run. It must be opened (``alone``) before anything in it is changed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # Of no thread: what adds may be the timer of the journal.
        self._lock = FileLock(folder / _LOCK, thread_local=False, is_singleton=False)

    @classmethod
    def make(cls, head: Head) -> Outbox:
        """The one of a run, which is open; what an earlier process kept there stays.

        Raises:
            OSError: it cannot be written.
            StageError: another process holds it.
        """
        folder = MLRUNS.absolute() / WAITING / head.run
        folder.mkdir(parents=True, exist_ok=True)
        made = cls(folder)
        if not made.open():
            raise StageError(
                f"{folder}: another process brings what waits there, so that nothing can be kept "
                "in it; wait until that has ended"
            )
        if not made.there:
            write_whole(folder / _RECORDS, json.dumps(asdict(head)) + "\n")
        return made

    def open(self) -> bool:
        """Hold it; False where another process does."""
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            return False
        return True

    def close(self) -> None:
        """Let it go."""
        self._lock.release()

    def remove(self) -> None:
        """Let it go, and what it held."""
        (self.folder / _RECORDS).unlink(missing_ok=True)  # first: what a kill leaves is no outbox
        shutil.rmtree(self.folder, ignore_errors=True)
        self.close()

    @property
    def there(self) -> bool:
        """Whether it holds a run; the process that made it may have removed it."""
        return (self.folder / _RECORDS).exists()

    @property
    def head(self) -> Head:
        """Which run it is."""
        return Head(**self._lines()[0])

    def records(self) -> list[Record]:
        """All of them, in order; a line that a kill cut is none."""
        return self._lines()[1:]

    def add(self, record: Record) -> None:
        """Keep a record behind the others, and a copy of the file that it names.

        Raises:
            OSError: it cannot be written.
        """
        record = self._with_file(record)
        with (self.folder / _RECORDS).open("ab+") as file:
            if file.seek(0, os.SEEK_END):
                file.seek(-1, os.SEEK_END)
                if file.read() != b"\n":  # cut by a kill
                    file.write(b"\n")
            file.write(json.dumps(record).encode() + b"\n")

    def refuse(self, record: Record, why: str) -> None:
        """Put a record aside that the server will never take.

        Raises:
            OSError: it cannot be written.
        """
        with (self.folder / REFUSED).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"why": why, "record": self._with_file(record)}) + "\n")

    def refused(self) -> str:
        """What was put aside, and where, in one line; empty: nothing."""
        with contextlib.suppress(FileNotFoundError):
            lines = (self.folder / REFUSED).read_text("utf-8").splitlines()
            last = json.loads(lines[-1])
            count = f"{len(lines)} record{'s are' if len(lines) > 1 else ' is'}"
            what, why = last["record"]["what"], last["why"]
            return f"{count} refused for good ({what}: {why}) and kept in {self.folder / REFUSED}"
        return ""

    @property
    def settled(self) -> bool:
        """Whether nothing is left here but what the server refused."""
        return bool(self.refused()) and not self.left()

    def left(self) -> list[Record]:
        """The records that have not arrived, with files as whole paths."""
        return [
            {**one, "file": str(self.folder / one["file"])} if one["what"] == "artifact" else one
            for one in self.records()[self.delivered :]
        ]

    @property
    def delivered(self) -> int:
        """How many have arrived."""
        return int(self._arrived().get("records", 0))

    @property
    def run(self) -> str | None:
        """The run's id on the server; None where it has to be made there yet."""
        return self._arrived().get("run") or (self.head.run if self.head.created else None)

    def arrived(self, records: int, run: str) -> None:
        """Remember how many have arrived, and in which run."""
        write_whole(self.folder / _DELIVERED, json.dumps({"records": records, "run": run}))

    def ended(self) -> str | None:
        """How the run ended, as MLflow has it; None: it runs, or was killed."""
        ends = [one for one in self.records() if one["what"] in ("end", "forget")]
        return str(ends[-1].get("status", "FAILED")) if ends else None

    def changed(self) -> int:
        """When the last record was added, in ms."""
        return int((self.folder / _RECORDS).stat().st_mtime * 1000)

    def size(self) -> int:
        """Bytes of all that is kept."""
        found = 0
        for path in self.folder.rglob("*"):
            with contextlib.suppress(FileNotFoundError):  # its run has just brought it
                found += path.stat().st_size if path.is_file() else 0
        return found

    def _with_file(self, record: Record) -> Record:
        """With a copy of the file that it names, and the file's place in this folder."""
        if record["what"] != "artifact":
            return record
        source = Path(record["file"])
        if source.is_relative_to(self.folder):
            kept = source.relative_to(self.folder)
        else:
            number = sum(1 for _ in (self.folder / _FILES).glob("*"))
            kept = Path(_FILES, str(number), source.name)
            hand_out(source, self.folder / kept)
        return {**record, "file": kept.as_posix()}

    def _arrived(self) -> dict[str, Any]:
        with contextlib.suppress(FileNotFoundError):
            found: dict[str, Any] = json.loads((self.folder / _DELIVERED).read_text("utf-8"))
            return found
        return {}

    def _lines(self) -> list[dict[str, Any]]:
        text = (self.folder / _RECORDS).read_bytes()
        found = []
        for line in text.split(b"\n"):
            with contextlib.suppress(ValueError):  # cut by a kill
                found.append(json.loads(line))
        return found


def outboxes(project: Path) -> Iterator[Outbox]:
    """Of a project's folder, the run that began first first; what is none there is said."""
    found: list[tuple[int, Outbox]] = []
    for path in sorted((project / MLRUNS / WAITING).glob(f"*/{_RECORDS}")):
        outbox = Outbox(path.parent)
        try:
            outbox.left(), outbox.refused()
            found.append((outbox.head.began, outbox))
        except FileNotFoundError:  # its run has just brought it
            continue
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            why = (isinstance(error, OSError) and error.strerror) or "its files are damaged"
            text = f"warning: what waits in {path.parent} cannot be read ({why}) and is left out: "
            say(f"{text}mend it, or remove that folder", error=True)
    yield from (outbox for _, outbox in sorted(found, key=lambda pair: pair[0]))


def known(uri: str) -> bool:
    """Whether a server has recorded something from this folder: its address is no slip."""
    with contextlib.suppress(OSError):
        return uri in (MLRUNS / _SERVERS).read_text(encoding="utf-8").splitlines()
    return False


def remember(uri: str) -> None:
    """Let ``known`` know a server."""
    with contextlib.suppress(OSError):  # it is no more than a convenience
        if not known(uri):
            MLRUNS.mkdir(exist_ok=True)
            with (MLRUNS / _SERVERS).open("a", encoding="utf-8") as file:
                file.write(f"{uri}\n")


def now() -> int:
    """In ms, as MLflow counts."""
    return int(time.time() * 1000)
