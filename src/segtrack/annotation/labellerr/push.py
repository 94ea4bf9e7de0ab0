"""From image files to a project that people can annotate, and what is remembered of it.

images --> data set(s) --> template, one polygon question per class --> project
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import NamedTuple

from segtrack.annotation.labellerr.checks import match_questions, named_project
from segtrack.annotation.labellerr.files import LocalFile, check_files
from segtrack.annotation.labellerr.ledger import Ledger, open_db
from segtrack.annotation.labellerr.port import (
    Platform,
    ProjectRecord,
    Question,
    class_questions,
)
from segtrack.annotation.labellerr.session import Session
from segtrack.annotation.labellerr.uploader import upload
from segtrack.annotation.port import Pushed, Say
from segtrack.base.content_names import is_digest
from segtrack.base.errors import DataError, PlatformError
from segtrack.base.words import counted
from segtrack.report import PALETTE

FILE = "pushed.db"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS projects (
    account TEXT, name TEXT, project_id TEXT, PRIMARY KEY (account, name));
CREATE TABLE IF NOT EXISTS files (
    account TEXT, file_id TEXT, path TEXT, stamp TEXT, PRIMARY KEY (account, file_id))
    WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS questions (
    account TEXT, project_id TEXT, question_id TEXT, name TEXT,
    PRIMARY KEY (account, project_id, question_id)) WITHOUT ROWID;
"""


class PushedFile(NamedTuple):
    """A local file that was sent.

    Attributes:
        sha256: in hex, of the content that was sent; None where it is not known.
    """

    path: Path
    sha256: str | None


def push(
    session: Session,
    paths: Iterable[Path],
    classes: Sequence[str],
    name: str,
    *,
    stamps: Mapping[Path, str] | None = None,
    folder: Path | None = None,
    beside: Collection[str] = (),
) -> Pushed:
    """Send images and make, or find, the project in which they are annotated.

    The same call again sends and makes only what is not there. ``project_id`` of the settings is
    a project to attach to, whose template must have the classes; None makes one.

    Args:
        paths: image files.
        classes: become the template's questions, in this order.
        name: of data set, template and project.
        stamps: digest of each file; size and time of change where not given.
        folder: which ``name`` was taken from, where nobody chose one: what it holds goes where it
            was sent before, whatever the folder is called by now, and never to another one's.
        beside: digests of what else the folder holds, where only some of its images go.

    Raises:
        DataError: files that cannot be sent, no classes, or a template that does not fit; found
            before anything is sent.
        SettingsError: there is no project of this id.
        PlatformError: the platform refused or failed; what was sent stays sent.
    """
    platform, ledger, settings = session.platform, session.ledger, session.settings
    project_id, say = settings.project_id, session.say
    if not classes:
        raise DataError(
            "nothing to annotate: the data set names no classes, which become the questions of "
            "the template; name them in its data.yaml or its categories."
        )
    files = check_files(paths, stamps)
    if folder is not None:
        contents = {*(file.stamp for file in files), *beside}
        name = _own_name(ledger, platform.account, name, contents, folder, say)
    project = (
        named_project(platform, "labellerr.project_id", project_id, classes)
        if project_id
        else _known_project(platform, ledger, name, classes)
    )
    done = upload(platform, files, name, ledger, settings.workers, settings.timeout, say=say)
    ids = tuple(d.dataset_id for d in done.datasets)
    if project is None:
        template = platform.ensure_template(name, class_questions(classes, PALETTE))
        project = platform.ensure_project(name, ids, template.template_id)
    else:
        platform.attach(project.project_id, ids)
    by_name = {f.name: f for f in done.files}
    remembered = (
        (record.file_id, by_name[record.file_name])
        for dataset_id in ids
        for record in platform.dataset_files(dataset_id)
        if record.file_name in by_name
    )
    questions = platform.template(project.template_id).questions
    _remember(ledger, platform.account, name, project.project_id, remembered, questions)
    renamed = sum(f.renamed for f in files)
    if renamed:
        say(f"{renamed} files go with their suffix in lower case, as the platform wants it")
    count = len(by_name)
    if count < len(files):
        say(f"{len(files) - count} files hold the same as others: each picture is sent once")
    say(
        f"project {project.name}: {project.project_id}, {counted(count, 'files')}, "
        f"{done.sent} sent now"
    )
    return Pushed(project.project_id, project.template_id, ids, count, done.sent, renamed)


def _own_name(
    ledger: Path, account: str, name: str, contents: Set[str], folder: Path, say: Say
) -> str:
    """The name under which a folder's pictures were pushed before, else ``name``.

    Raises:
        DataError: another folder of this name, which is still there, was pushed by it.
    """
    with Ledger(ledger, account) as book:
        held = book.holders(contents)
        moved = [one for one in _pushed_names(ledger, account) if one in held and one != name]
        before = max(moved, key=lambda one: held[one], default=name)
        there, known = book.called(before), book.called(name)

    def outside(of: Mapping[str, str]) -> list[Path]:
        return _elsewhere(ledger, account, of.keys() - contents, folder)

    if held.get(before, 0) > held.get(name, 0) and (
        not contents - there.keys() or not outside(there)
    ):
        say(f"these images were pushed as {before!r} before: the same project goes on")
        return before
    new = len(contents - known.keys())
    instead = (
        "Give it a name of its own with labellerr.name=NAME; to add its images to the others, give "
        f'labellerr.name="{name}".'
    )
    if known and new == len(contents):
        raise DataError(
            f"none of the {len(contents)} images is among the {len(known)} that were pushed as "
            f"{name!r}: is this another folder of the same name? {instead}"
        )
    if known and new and (others := outside(known)):
        raise DataError(
            f"{folder} shares {len(contents) - new} images with what was pushed as {name!r}, of "
            f"which {len(others)} lie in another folder, such as {others[0]}: two folders are not "
            f"to share a project unasked. {instead}"
        )
    return name


def _pushed_names(ledger: Path, account: str) -> list[str]:
    """Of all pushes that ended, the first one first."""
    if not (ledger / FILE).is_file():
        return []
    with _open(ledger) as db:
        query = "SELECT name FROM projects WHERE account=? ORDER BY rowid"
        return [row[0] for row in db.execute(query, (account,))]


def _elsewhere(ledger: Path, account: str, stamps: Collection[str], folder: Path) -> list[Path]:
    """Where files of these contents, which ``folder`` has not, still lie outside of it."""
    if not stamps or not (ledger / FILE).is_file():
        return []
    wanted, home = set(stamps), folder.resolve()
    with _open(ledger) as db:
        query = "SELECT path, stamp FROM files WHERE account=? ORDER BY path"
        rows = [Path(path) for path, stamp in db.execute(query, (account,)) if stamp in wanted]
    return [path for path in rows if not path.is_relative_to(home) and path.is_file()]


def _known_project(
    platform: Platform, ledger: Path, name: str, classes: Sequence[str]
) -> ProjectRecord | None:
    """The project that an earlier push of this name ended with, whatever it is called by now.

    Raises:
        DataError: its template has not all of ``classes``.
    """
    known = pushed_project(ledger, platform.account, name)
    if known is None:
        return None
    try:
        project = platform.project(known)
    except PlatformError as error:
        if error.status != 404:
            raise
        return None  # deleted on the platform
    try:
        before = pushed_questions(ledger, platform.account, known)
        match_questions(classes, platform.template(project.template_id).questions, before)
    except DataError as error:
        raise DataError(
            f"{name!r} was pushed to project {known} before: {error} For a project with other "
            "classes choose another name with labellerr.name=..."
        ) from error
    return project


def pushed_project(ledger: Path, account: str, name: str) -> str | None:
    """Id of the project that a push of this name ended with, or None."""
    if not (ledger / FILE).is_file():
        return None
    with _open(ledger) as db:
        query = "SELECT project_id FROM projects WHERE account=? AND name=?"
        row = db.execute(query, (account, name)).fetchone()
    return str(row[0]) if row else None


@contextlib.contextmanager
def pushed_files(ledger: Path, account: str) -> Iterator[Callable[[str], PushedFile | None]]:
    """A function from a file id of the platform to the local file that was pushed as it."""
    if not (ledger / FILE).is_file():
        yield lambda file_id: None
        return
    with _open(ledger) as db:

        def find(file_id: str) -> PushedFile | None:
            query = "SELECT path, stamp FROM files WHERE account=? AND file_id=?"
            row = db.execute(query, (account, file_id)).fetchone()
            return PushedFile(Path(row[0]), _sha256(row[1])) if row else None

        yield find


def _remember(
    ledger: Path,
    account: str,
    name: str,
    project_id: str,
    files: Iterable[tuple[str, LocalFile]],
    questions: Sequence[Question],
) -> None:
    rows = ((account, file_id, str(f.path.resolve()), f.stamp) for file_id, f in files)
    with _open(ledger) as db:
        db.execute("BEGIN")
        db.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)", rows)
        row = (account, name, project_id)
        db.execute("INSERT OR REPLACE INTO projects VALUES (?, ?, ?)", row)
        db.execute("COMMIT")
    remember_questions(ledger, account, project_id, questions)


@contextlib.contextmanager
def _open(ledger: Path) -> Iterator[sqlite3.Connection]:
    db = open_db(ledger / FILE, _SCHEMA)
    try:
        db.execute("BEGIN IMMEDIATE")
        if "stamp" not in {row[1] for row in db.execute("PRAGMA table_info(files)")}:
            db.execute("ALTER TABLE files ADD COLUMN stamp TEXT")  # of an earlier release
        db.execute("COMMIT")
        yield db
    finally:
        db.close()


def remember_questions(
    ledger: Path, account: str, project_id: str, questions: Sequence[Question]
) -> None:
    """Note how a project's questions read when something is sent to it."""
    rows = [(account, project_id, one.question_id, one.name) for one in questions]
    with _open(ledger) as db:
        db.execute("BEGIN")
        db.execute("DELETE FROM questions WHERE account=? AND project_id=?", (account, project_id))
        db.executemany("INSERT OR REPLACE INTO questions VALUES (?, ?, ?, ?)", rows)
        db.execute("COMMIT")


def pushed_questions(ledger: Path, account: str, project_id: str) -> dict[str, str]:
    """The texts of a project's questions when images were pushed to it last, by their ids."""
    if not (ledger / FILE).is_file():
        return {}
    with _open(ledger) as db:
        query = "SELECT question_id, name FROM questions WHERE account=? AND project_id=?"
        return dict(db.execute(query, (account, project_id)))


def _sha256(stamp: str | None) -> str | None:
    """A stamp as far as it says what the file holds: others are its size and time of change."""
    return stamp if stamp and is_digest(stamp) else None
