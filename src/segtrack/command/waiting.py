"""``segtrack journal ls|sync``: records that an MLflow server did not take, and wait on this disk.

    segtrack journal ls               which runs have some, how many, and where they belong
    segtrack journal sync             bring them, run by run in the order in which they began
    segtrack journal sync FOLDER      of a project in another folder
    segtrack journal sync mlflow.uri=http://HOST:5000    to another address than theirs

Runs that are still running bring their own. Whatever stops a sync, the next one goes on from there,
and what arrived before is not recorded twice. Records that are not wanted any more are a folder
that `ls` names: remove it. What a server refuses for good is put aside there, and named.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from segtrack.base.errors import SettingsError
from segtrack.base.saying import say
from segtrack.command.app import CONF
from segtrack.command.subcommands import Parser

CHOICES = ("ls", "sync")
_SERVER = "mlflow=server"
_READ = ("mlflow.uri", "mlflow.timeout")  # where it goes, and how long that has to answer


def main(words: Sequence[str]) -> int:
    """List or bring what waits.

    Returns:
        0; 1 where something waits still after ``sync``.

    Raises:
        SettingsError: an option cannot be used, or there is no such folder.
    """
    parser = Parser("journal", "ls|sync [FOLDER] [settings, such as mlflow.uri=...]", __doc__)
    parser.add_argument("what", choices=CHOICES, metavar="|".join(CHOICES))
    parser.add_argument(
        "folder", metavar="FOLDER", nargs="?", default=Path(), type=Path, help="default: this one"
    )
    overrides = [word for word in words if "=" in word and not word.startswith("-")]
    options = parser.parse_args([word for word in words if word not in overrides])
    if not options.folder.is_dir():
        raise SettingsError(f"journal: {options.folder}: no such folder")
    known = () if options.what == "ls" else _READ
    if wrong := [
        one
        for one in overrides
        if one.lstrip("+").partition("=")[0] not in known and not (known and one == _SERVER)
    ]:
        takes = f"takes {' and '.join(known)} alone" if known else "takes no settings"
        raise SettingsError(f"{wrong[0]}: journal {options.what} {takes}")
    return _list(options.folder) if options.what == "ls" else _sync(options.folder, overrides)


def _list(folder: Path) -> int:
    from segtrack.journal import SYNC, outboxes

    found = list(outboxes(folder))
    for outbox in found:
        try:
            head, count = outbox.head, len(outbox.left())
        except FileNotFoundError:  # its run has just brought it
            continue
        began = time.strftime("%Y-%m-%d %H:%M", time.localtime(head.began / 1000))
        amount = f"{count} record{'s' * (count != 1)}, {outbox.size() / 1e6:.1f} MB"
        say(f"{head.name}  {amount}, of {began} for {head.uri}: {outbox.folder}")
        if text := outbox.refused():
            say(f"{head.name}  {text}")
    say(f"{_runs(len(found))}: {SYNC}" if found else "nothing waits")
    return 0


def _sync(folder: Path, overrides: Sequence[str]) -> int:
    from segtrack.command.checking import check
    from segtrack.command.composition import compose_settings
    from segtrack.journal import sync

    given = [_SERVER, *overrides]
    if problems := check(CONF, given, sweep=False):
        raise SettingsError("; ".join(map(str, problems)))
    settings = compose_settings(CONF, given).mlflow
    own = any(one.startswith("mlflow.uri=") for one in overrides)
    waiting = 0
    for sent in sync(folder, settings.timeout, settings.uri if own else None):
        waiting += bool(sent.why)
        if sent.why:
            say(f"{sent.head.name} waits on: {sent.why}", error=True)
        else:
            say(f"{sent.head.name} is run {sent.run}, whole; {sent.records} records were sent")
    say(_runs(waiting) if waiting else "nothing waits")
    return 1 if waiting else 0


def _runs(count: int) -> str:
    return f"{count} runs wait" if count > 1 else "1 run waits"
