"""How a run's records get to MLflow: at once or, where a server takes none, later and in order."""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from segtrack.base.saying import say
from segtrack.journal.database import sqlite_path
from segtrack.journal.outbox import Head, Outbox
from segtrack.journal.tracking import asked_once, client_of, connect, of_server, one_line
from segtrack.journal.writing import Record, Writer
from segtrack.settings import MlflowSettings

AGAIN_SECONDS = 30.0  # after which a server that took nothing is asked again; it doubles each time
_LONGEST_SECONDS = 600.0
FIRST_ID = "segtrack.id"  # tag: the id that a run had before its server gave it one
SYNC = "segtrack journal sync"


class Sender:
    """Takes the records of one run to MLflow.

    What a server does not take is kept in an outbox, and all that follows behind it, until the
    server takes it. What it will never take is put aside there, and holds up nothing. A file of
    this machine has no such excuse: there, errors are raised.
    """

    def __init__(self, settings: MlflowSettings, head: Head) -> None:
        self._settings, self._head = settings, head
        self._waits = sqlite_path(settings.uri) is None
        self._writer = Writer(client_of(settings.uri), head.run)
        self._outbox: Outbox | None = None  # in which all waits
        self._aside: Outbox | None = None  # that holds what was refused; it may be the same
        self._lock = threading.RLock()
        self._pause, self._again = AGAIN_SECONDS, 0.0
        if not head.created:
            self._keep()

    @property
    def waiting(self) -> Path | None:
        """The folder in which records wait; None where none do."""
        return self._outbox.folder if self._outbox is not None else None

    @property
    def place(self) -> str:
        """The address of the run's artifacts; empty while its server is away."""
        return self._writer.place if self._outbox is None else ""

    def send(self, record: Record) -> None:
        """Write a record, or keep it.

        Raises:
            Exception: of MLflow, where its database is a file; else what is no fault of the server.
            OSError: a file cannot be read, or not be kept.
        """
        with self._lock:
            if self._outbox is None:
                try:
                    self._writer.write(record)
                    return
                except Exception as error:
                    if not self._waits or not of_server(error):
                        raise
                    if self._writer.refused(error):
                        self._put_aside(record, one_line(error))
                        return
                    self._keep(one_line(error))
            assert self._outbox is not None
            self._outbox.add(record)
            if time.monotonic() >= self._again:
                self.deliver()

    def deliver(self) -> bool:
        """Bring what waits, if the server takes it; whether nothing waits any more.

        Raises:
            Exception: what is no fault of the server.
        """
        with self._lock:
            if self._outbox is None:
                return True
            try:
                run = deliver(self._outbox, self._settings)
            except Exception as error:
                self._again = time.monotonic() + self._pause
                self._pause = min(2 * self._pause, _LONGEST_SECONDS)
                if not of_server(error):
                    raise
                return False
            self._head = replace(self._head, run=run, created=True)
            self._writer = Writer(self._writer.client, run)
            if self._outbox.refused():
                self._aside = self._outbox
            else:
                self._outbox.remove()
            self._outbox, self._pause = None, AGAIN_SECONDS
            say(f"{self._settings.uri} has taken what waited", error=True)
            return True

    def end(self, record: Record) -> None:
        """Write the last record; what waits after it is said, with what to do."""
        with self._lock:
            self._again = 0.0  # the last chance
            self.send(record)
            if self._outbox is not None:
                say(
                    f"records of this run wait in {_near(self._outbox.folder)}; once "
                    f"{self._settings.uri} answers: {SYNC}",
                    error=True,
                )
                self._outbox.close()
            if self._aside is not None:
                say(f"warning: {self._aside.refused()}", error=True)
                self._aside.close()

    def forget(self) -> None:
        """Remove the run, where it is or will be."""
        with self._lock:
            if self._outbox is not None and self._outbox.run is None:
                self._outbox.remove()
                self._outbox = None
            else:
                self.end({"what": "forget"})
                if self._aside is not None and self._outbox is None:
                    self._aside.remove()

    def _keep(self, why: str = "it does not answer") -> None:
        self._outbox = self._aside or Outbox.make(self._head)
        self._again = time.monotonic() + self._pause
        say(
            f"warning: mlflow.uri={self._settings.uri} takes no records now ({why}); they are kept "
            f"in {_near(self._outbox.folder)}",
            error=True,
        )

    def _put_aside(self, record: Record, why: str) -> None:
        first = self._aside is None
        self._aside = self._aside or Outbox.make(self._head)
        self._aside.refuse(record, why)
        if first:  # the others are counted at the end
            say(
                f"warning: mlflow.uri={self._settings.uri} refuses a record for good "
                f"({record['what']}: {why}); it is kept in {_near(self._aside.folder)}",
                error=True,
            )


def deliver(outbox: Outbox, settings: MlflowSettings) -> str:
    """Bring all records of an open outbox, and remember after each how far it came.

    Returns:
        The run's id on the server.

    Raises:
        Exception: the server does not answer. A record that it refuses for good is put aside.
    """
    head = outbox.head
    client, experiment = connect(replace(settings, experiment=head.experiment))
    done = outbox.delivered
    run = outbox.run or _begun(client, experiment, head)
    outbox.arrived(done, run)
    writer = Writer(client, run)
    for number, record in enumerate(outbox.left(), done + 1):
        try:
            writer.write(record)
        except Exception as error:
            if not writer.refused(error):
                raise
            outbox.refuse(record, one_line(error))
        outbox.arrived(number, run)
    return run


def _begun(client: Any, experiment: str, head: Head) -> str:
    """The id of the run, which an earlier try may have made."""
    there = by_first_id(client, experiment, head.run)
    return str((there or create(client, experiment, head)).info.run_id)


def create(client: Any, experiment: str, head: Head) -> Any:
    """Make a run on a server, which may have made it even if it does not say so: then it is found.

    Raises:
        Exception: the server made none, or does not tell; ``by_first_id`` finds what it made.
    """
    try:
        with asked_once():
            return client.create_run(
                experiment,
                start_time=head.began,
                run_name=head.name,
                tags={**head.tags, FIRST_ID: head.run},
            )
    except Exception:
        there = None
        with contextlib.suppress(Exception):  # the first error says more
            there = by_first_id(client, experiment, head.run)
        if there is None:
            raise
        return there


def by_first_id(client: Any, experiment: str, run_id: str) -> Any | None:
    """The run that had this id before its server gave it one."""
    if not run_id.isalnum():
        return None
    found = client.search_runs([experiment], f"tags.`{FIRST_ID}` = '{run_id}'", max_results=1)
    return found[0] if found else None


def _near(folder: Path) -> Path:
    with contextlib.suppress(ValueError):
        return folder.relative_to(Path.cwd())
    return folder
