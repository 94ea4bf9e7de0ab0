"""What earlier runs left waiting: it is said, brought before its run goes on, or all brought."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from segtrack.base.errors import SegtrackError, SettingsError
from segtrack.base.saying import say
from segtrack.journal.delivery import SYNC, deliver
from segtrack.journal.outbox import Head, Outbox, outboxes
from segtrack.journal.tracking import LOCAL, ServerAway, of_server, one_line
from segtrack.settings import MlflowMode, MlflowSettings

_BUSY = (
    "another process is at it: the run itself, which still runs and brings them, or another sync"
)


def say_waiting(uri: str) -> None:
    """Say how many runs wait for a server that answers again, but for those that run."""
    waiting = 0
    for outbox in outboxes(Path()):
        with contextlib.suppress(OSError):  # another user's, which is theirs to bring
            if outbox.head.uri != uri or not outbox.open():
                continue
            if outbox.there:
                waiting += not outbox.settled
                outbox.close()
            else:  # its run has just brought it, and to open it made its folder anew
                outbox.remove()
    if waiting:
        what = f"records of {waiting} earlier run{'s' * (waiting > 1)} wait for {uri}"
        say(f"{what}: {SYNC}", error=True)


def bring_first(run: str, settings: MlflowSettings) -> None:
    """Bring what an earlier process left waiting of a run that now goes on: brought later, it would
    end the run as that process did.

    Raises:
        SettingsError: it cannot be brought now.
    """
    for outbox in outboxes(Path()):
        if outbox.run != run:
            continue
        why = "another process is bringing them"
        if outbox.open():
            try:
                if outbox.there:
                    deliver(outbox, settings)
                if not outbox.refused():
                    outbox.remove()
                continue
            except Exception as error:
                if not of_server(error):
                    raise
                why = one_line(error)
            finally:
                outbox.close()
        raise SettingsError(
            f"earlier records of the run {run}, which is to go on, wait in {outbox.folder} "
            f"({why}): {SYNC} first"
        )


@dataclass(frozen=True)
class Sent:
    """What became of one run that waited.

    Attributes:
        records: how many the server took, or refused. run: its id there. why: what keeps it
            waiting, or what was refused.
    """

    head: Head
    records: int
    run: str = ""
    why: str = ""


def sync(
    project: Path, timeout: float, instead: str | None = None, parent: str | None = None
) -> Iterator[Sent]:
    """Bring all that waits in a project's folder, run by run in the order in which they began.

    Runs that are still running bring their own. One that was killed ends as KILLED.

    Args:
        timeout: in s, that a server has to answer.
        instead: an address that is taken in place of the one that a run was to be recorded at.
        parent: only cells of this sweep.
    """
    away: dict[str, str] = {}
    for outbox in outboxes(project):
        head = outbox.head
        if parent is not None and head.tags.get("mlflow.parentRunId") != parent:
            continue
        uri = instead or head.uri
        if uri in away:
            yield Sent(head, 0, why=away[uri])
            continue
        try:
            free = outbox.open()
        except OSError as error:
            yield Sent(head, 0, why=one_line(error))
            continue
        if not free:
            yield Sent(head, 0, why=_BUSY)
        elif not outbox.there:  # its run has just brought it
            outbox.remove()
        elif outbox.settled:
            outbox.close()
            yield Sent(head, 0, outbox.run or "", outbox.refused())
        else:
            settings = MlflowSettings(mode=MlflowMode.server, uri=uri, timeout=timeout)
            sent = _synced(outbox, settings)
            if isinstance(sent, ServerAway):
                away[uri] = str(sent).removesuffix(LOCAL)
                sent = Sent(head, 0, why=away[uri])
            yield sent


def _synced(outbox: Outbox, settings: MlflowSettings) -> Sent | ServerAway:
    head, before = outbox.head, outbox.delivered
    try:
        if outbox.ended() is None:
            when = outbox.changed()  # the last that was heard of it, before more is added here
            outbox.add({"what": "tags", "tags": {"error": "the process was killed"}})
            outbox.add({"what": "end", "status": "KILLED", "time": when})
        run = deliver(outbox, settings)
        sent = Sent(head, len(outbox.records()) - before, run, outbox.refused())
    except ServerAway as error:
        return error
    except (SegtrackError, OSError) as error:
        return Sent(head, outbox.delivered - before, why=one_line(error))
    except Exception as error:
        why = f"it is refused: {one_line(error)}"
        if not of_server(error):  # the others that wait can be brought all the same
            why = f"a fault of segtrack's own, {type(error).__name__}: {one_line(error)}"
        return Sent(head, outbox.delivered - before, why=why)
    finally:
        outbox.close()
    if not sent.why:
        outbox.remove()
    return sent
