"""From image files to data sets on the platform, going on where an interrupted push stopped."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread

from segtrack.annotation.labellerr.files import (
    CALL_BYTES,
    CALL_FILES,
    LocalFile,
    each_once,
    split,
)
from segtrack.annotation.labellerr.ledger import Ledger, Part
from segtrack.annotation.labellerr.meter import Meter
from segtrack.annotation.labellerr.port import DatasetRecord, Platform
from segtrack.annotation.labellerr.reconcile import (
    describe,
    find_unknown,
    forget_deleted,
    label_of,
    require_same,
)
from segtrack.base.content_names import is_digest
from segtrack.base.errors import DataError, PlatformError, some
from segtrack.base.labellerr_api import DATASET_BYTES, DATASET_FILES
from segtrack.base.processes import stop_if_asked
from segtrack.base.progress import doing
from segtrack.base.words import counted

ROUNDS = 4  # new links for what failed; a round that sends nothing is the last
_LOOK = 0.5  # s, how late Ctrl-C may be seen
_GONE = (400, 403, 404, 410)  # answers to an upload connection that has expired
Say = Callable[[str], None]


@dataclass(frozen=True)
class Limits:
    """How files divide into data sets and into calls; the platform's own limits."""

    dataset_files: int = DATASET_FILES
    dataset_bytes: int = DATASET_BYTES
    call_files: int = CALL_FILES
    call_bytes: int = CALL_BYTES


@dataclass(frozen=True)
class Uploaded:
    """What a push came to.

    Attributes:
        datasets: ready, in the order of their parts.
        sent: files sent by this call; those of an earlier one are not counted.
        files: as they were given, under the names that they were first sent by.
    """

    datasets: tuple[DatasetRecord, ...]
    sent: int
    files: tuple[LocalFile, ...] = ()


def upload(
    platform: Platform,
    files: Sequence[LocalFile],
    name: str,
    ledger: Path,
    workers: int = 8,
    timeout: float | None = None,
    limits: Limits | None = None,
    data_type: str = "image",
    say: Say = print,
) -> Uploaded:
    """Send files, make data sets of them and wait until these are ready.

    More files than a data set takes are spread over ``name``, ``name 2``, ``name 3`` and so on.
    The same call again sends and creates only what is not there: files that the ledger knows as
    sent stay, more files become one more data set. A file is known by its content, whatever it is
    called by now.

    Args:
        files: as ``check_files`` gives them; of several of one name one is sent.
        name: of the data set. ledger: folder that remembers what was sent.
        workers: files at the same time.
        timeout: seconds that the platform may take for a data set.
        limits: the platform's where None.
        data_type: ``image`` or ``video``.
        say: is told what happens, with rate and remaining time while files are sent.

    Raises:
        PlatformError: the platform refused or failed; what was sent stays sent.
        DataError: a file changed after it was sent under this name, or cannot be read.
        SettingsError: another process is using the ledger.
    """
    limits = limits or Limits()
    with Ledger(ledger, platform.account) as book, book.locked():
        forget_deleted(platform, book, name)
        find_unknown(platform, book, each_once(files), name, data_type, timeout)
        files = _as_sent(book, files, name)
        plan = _plan(book, each_once(files), name, limits)
        meter = Meter(say)
        meter.expect(_unsent(book, plan, name))
        job = _Job(platform, book, name, data_type, workers, limits)
        with doing(f"upload {name}", meter.total_size / 1e6, "MB") as work:
            for file in _send_all(job, plan):
                stop_if_asked()
                meter.add(file.size)
                work.advance(file.size / 1e6)
        meter.end()
        ids = {p.part: p.dataset_id for p in book.parts(name)}
        ready = tuple(platform.wait_dataset(ids[part], timeout) for part in plan)
        for part, record in zip(plan, ready, strict=True):
            _check_arrived(platform, record, list(book.files(name, part)))
    for record in ready:
        say(f"data set {record.name}: {counted(record.files_count, 'files')}, {record.dataset_id}")
    return Uploaded(ready, meter.files, tuple(files))


def _as_sent(book: Ledger, files: Sequence[LocalFile], name: str) -> list[LocalFile]:
    """The files under the names that the platform has their contents by."""
    called = book.called(name)
    return [
        replace(f, name=called.get(f.stamp, f.name)) if is_digest(f.stamp) else f for f in files
    ]


Plan = dict[int, list[LocalFile]]


@dataclass(frozen=True)
class _Job:
    """What stays the same during one upload."""

    platform: Platform
    book: Ledger
    name: str
    data_type: str
    workers: int
    limits: Limits


def _plan(book: Ledger, files: Sequence[LocalFile], name: str, limits: Limits) -> Plan:
    """Which file belongs to which part: known ones stay, the others make new parts."""
    wanted = {f.name: f for f in files}
    known = book.files(name)
    parts = {p.part: p for p in book.parts(name)}
    changed = [
        n
        for n, sent in known.items()
        if n in wanted and sent.stamp != wanted[n].stamp and parts[sent.part].dataset_id
    ]
    if changed:
        raise DataError(
            f"{len(changed)} files changed since they were sent as {name!r}, for example "
            f"{some(changed, 5)}: the platform keeps the old ones. Choose another name with "
            "labellerr.name=..., or delete the data set on the platform."
        )
    for part in parts.values():
        if part.dataset_id:
            continue
        # An unfinished part is only worth continuing as it was planned.
        members = book.files(name, part.part)
        if any(n not in wanted or wanted[n].stamp != m.stamp for n, m in members.items()):
            book.drop(name, part.part)
    known = book.files(name)
    fresh = [f for f in files if f.name not in known]
    number = max((p.part for p in book.parts(name)), default=0)
    for members_of_new in split(fresh, limits.dataset_files, limits.dataset_bytes):
        number += 1
        book.add(name, number, [(f.name, f.stamp) for f in members_of_new])
    plan: Plan = {}
    for sent in book.files(name).values():
        if sent.file_name in wanted:
            plan.setdefault(sent.part, []).append(wanted[sent.file_name])
    return dict(sorted(plan.items()))


def _unsent(book: Ledger, plan: Plan, name: str) -> list[LocalFile]:
    finished = {p.part for p in book.parts(name) if p.dataset_id}
    sent = {n for n, f in book.files(name).items() if f.sent}
    return [f for p, fs in plan.items() if p not in finished for f in fs if f.name not in sent]


def _check_arrived(platform: Platform, record: DatasetRecord, sent: Sequence[str]) -> None:
    """The platform may leave files out while it processes them, without saying so."""
    if record.files_count == len(sent):
        return
    there = {f.file_name for f in platform.dataset_files(record.dataset_id)}
    lost = sorted(set(sent) - there)
    if lost:
        raise PlatformError(
            f"data set {record.dataset_id} ({record.name}) is ready without {len(lost)} of the "
            f"{len(sent)} files that were sent, for example {some(lost, 5)}: are they "
            "intact? Mend them, delete the data set on the platform, and give the same command "
            "again."
        )


def _sent(book: Ledger, name: str, part: int) -> set[str]:
    return {n for n, f in book.files(name, part).items() if f.sent}


def _send_all(job: _Job, plan: Plan) -> Iterator[LocalFile]:
    """Send what was not sent and make the data sets; yields each file that arrived."""
    parts = {p.part: p for p in job.book.parts(job.name)}
    for number, files in plan.items():
        if parts[number].dataset_id:
            continue
        label, names = label_of(job.name, number), [f.name for f in files]
        # Whoever was killed, another machine, or an earlier release without description.
        found = job.platform.find_dataset(label, names, job.data_type)
        if found is None:
            connection = yield from _send_part(job, parts[number], files)
            about = describe(files)
            found = job.platform.ensure_dataset(label, connection, names, job.data_type, about)
        require_same(found, files)
        job.book.finish(job.name, number, found.dataset_id)


def _send_part(
    job: _Job, part: Part, files: Sequence[LocalFile]
) -> Generator[LocalFile, None, str]:
    """Send those files of a part that were not sent; returns the connection that holds them."""
    book, name = job.book, job.name
    connection_id = part.connection_id
    failed: dict[str, PlatformError] = {}
    for _ in range(ROUNDS):
        sent = _sent(book, name, part.part)
        waiting = [f for f in files if f.name not in sent]
        if not waiting:
            return connection_id
        failed = {}
        for batch in split(waiting, job.limits.call_files, job.limits.call_bytes):
            names = [f.name for f in batch]
            try:
                connection = job.platform.connect_files(names, connection_id or None)
            except PlatformError as error:
                if not connection_id or error.status not in _GONE:
                    raise
                # What was sent over an expired connection is gone with it.
                connection_id = ""
                book.connect(name, part.part, connection_id)
                break
            if connection.connection_id != connection_id:
                connection_id = connection.connection_id
                book.connect(name, part.part, connection_id)
            arrived = 0
            for file, problem in _send_files(job.platform, batch, connection.links, job.workers):
                if problem is None:
                    arrived += 1
                    book.mark_sent(name, file.name)
                    yield file
                else:
                    failed[file.name] = problem
            if not arrived and not _links_expired(failed):
                break  # the storage is down; the batches that follow would wait for it as long
        expired = not connection_id or _links_expired(failed)
        if len(_sent(book, name, part.part)) == len(sent) and not expired:
            break  # nothing got through, and new links would not help
    sent = _sent(book, name, part.part)
    lost = [f.name for f in files if f.name not in sent]
    if not lost:
        return connection_id
    first = next(iter(failed), lost[0])
    reason = failed.get(first)
    raise PlatformError(
        f"{len(lost)} of {len(files)} files of {name!r} could not be sent, for example {first}: "
        f"{reason or 'the upload connection expired again and again.'} The others are kept: the "
        "same command sends only what is missing.",
        reason.status if reason else None,
    ) from reason


def _links_expired(failed: Mapping[str, PlatformError]) -> bool:
    return any(e.status in _GONE for e in failed.values())


def _send_files(
    platform: Platform, files: Sequence[LocalFile], links: Mapping[str, str], workers: int
) -> Iterator[tuple[LocalFile, PlatformError | None]]:
    """Send files, ``workers`` at a time; yields each with what went wrong.

    Stops early, leaving the rest out, once so many fail in a row that the storage must be down.
    """
    waiting = iter(files)
    todo: SimpleQueue[LocalFile | None] = SimpleQueue()
    done: SimpleQueue[tuple[LocalFile, Exception | None]] = SimpleQueue()

    def work() -> None:
        while (file := todo.get()) is not None:
            try:
                _send(platform, links[file.name], file)
            except Exception as error:  # whatever it is: the caller's thread raises it
                done.put((file, error))
            else:
                done.put((file, None))

    # Daemons: Ctrl-C must not wait for a storage that does not answer.
    for _ in range(workers):
        Thread(target=work, name="labellerr", daemon=True).start()
    running = in_a_row = 0
    try:
        while True:
            while running < 2 * workers and in_a_row < 2 * workers:
                following = next(waiting, None)
                if following is None:
                    break
                todo.put(following)
                running += 1
            if not running:
                return
            try:
                # Not for ever: a library's handler of signals (polars) lets such a wait go on.
                file, error = done.get(timeout=_LOOK)
            except Empty:
                continue
            running -= 1
            if error is not None and not isinstance(error, PlatformError):
                raise error
            in_a_row = 0 if error is None else in_a_row + 1
            yield file, error
    finally:
        with contextlib.suppress(Empty):
            while True:
                todo.get_nowait()
        for _ in range(workers):
            todo.put(None)


def _send(platform: Platform, link: str, file: LocalFile) -> None:
    try:
        size = file.path.stat().st_size
        if size == file.size:
            platform.send_file(link, file.path)
            return
    except OSError as error:
        raise DataError(f"{file.path}: {error.strerror or error}; it is to be sent.") from error
    raise DataError(
        f"{file.path}: {size} bytes, {file.size} when the push began: do not change it."
    )
