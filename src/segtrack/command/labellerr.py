"""``segtrack labellerr ...``: the platform where people annotate, kept up, looked at, opened.

    segtrack labellerr up                  keep this project's loopback platform up; Ctrl-C ends it
    segtrack labellerr status [PROJECT]    its projects, and how many files have which status
    segtrack labellerr open [PROJECT]      its page in the browser, or the page's address
    segtrack labellerr annotate [PROJECT]  a simulated annotator works, by the labels of a data set

PROJECT is an id or a name; without one all projects are meant, or the newest. The platform's state
lies in the store, so that projects stay when it ends. Settings go behind: store=FOLDER,
labellerr=cloud (status), dataset=yolo dataset.path=FOLDER (annotate; the default is the data set of
the traffic simulator) and labellerr.annotator.*.
"""

from __future__ import annotations

import argparse
import threading
from collections.abc import Sequence
from pathlib import Path

from segtrack.annotation import Desk, Progress, keep_up, kept_platform, open_desk
from segtrack.base.errors import SettingsError
from segtrack.base.processes import obeyed, stop_if_asked
from segtrack.base.saying import say
from segtrack.base.words import counted
from segtrack.command.app import CONF
from segtrack.command.browser import open_page
from segtrack.command.checking import check
from segtrack.command.composition import compose_settings
from segtrack.command.job import live_in
from segtrack.command.subcommands import Parser
from segtrack.report import table_text
from segtrack.settings import Settings
from segtrack.store import store_folder, store_of

HIGHEST_PORT = 65535
_LOOK = 0.5  # s, how late Ctrl-C may be seen


def main(words: Sequence[str]) -> int:
    """Do what the first word says.

    Raises:
        SettingsError: an option, a setting or a project cannot be used.
        PlatformError: the platform refused or was not reached.
    """
    options = _options_of(words)
    overrides = [*options.overrides, *([_PREPARE] if options.what == "annotate" else [])]
    if problems := check(CONF, overrides, sweep=False):
        raise SettingsError("; ".join(map(str, problems)))
    settings = compose_settings(CONF, overrides)
    folder = store_of(settings).scratch("labellerr")
    if options.what == "up":
        return _up(settings, folder, options)
    with open_desk(settings.labellerr, folder) as desk:
        if options.what == "open":
            return _open(desk, options)
        if options.what == "status":
            return _status(desk, settings, options.project)
        return _annotate(desk, settings, options.project)


_PREPARE = "stages=[prepare]"
CHOICES = ("up", "status", "open", "annotate")


def _options_of(words: Sequence[str]) -> argparse.Namespace:
    """What is behind the word ``labellerr``; what holds = is a setting.

    Raises:
        SettingsError: it cannot be understood.
    """
    parser = Parser("labellerr", "up|status|open|annotate [PROJECT] [options] [settings]", __doc__)
    parser.add_argument("what", choices=CHOICES, metavar="|".join(CHOICES))
    parser.add_argument("project", nargs="?", metavar="PROJECT", help="id or name")
    parser.add_argument(
        "--port", type=int, help="up: where it listens; default: where it did the last time"
    )
    parser.add_argument(
        "--as-of", help="up: whose documentation it follows, 2025-11 (default) or 2026-06"
    )
    parser.add_argument(
        "--print", action="store_true", help="open: print the address, whatever the display"
    )
    settings = [word for word in words if "=" in word and not word.startswith("-")]
    options = parser.parse_args([word for word in words if word not in settings])
    options.overrides = settings
    for name in ("port", "as_of"):
        if getattr(options, name) is not None and options.what != "up":
            raise SettingsError(f"labellerr: --{name.replace('_', '-')} only goes with up")
    if options.port is not None and not 0 <= options.port <= HIGHEST_PORT:
        raise SettingsError(
            f"labellerr up: --port {options.port} is no port; give one of 1 to {HIGHEST_PORT}, or "
            "0 for any that is free"
        )
    if options.what == "up" and options.project is not None:
        raise SettingsError(f"labellerr up {options.project}: takes no project, it serves all")
    return options


def _up(settings: Settings, folder: Path, options: argparse.Namespace) -> int:
    if there := kept_platform(settings.labellerr, folder):
        say(f"Labellerr (loopback)  is up already at {there.url}")
        say(f"review page           {there.page()}")
        return 0
    with keep_up(settings.labellerr, folder, options.port, options.as_of) as there:
        say(f"Labellerr (loopback)  {there.url}   for {folder.parent.resolve()}")
        say(f"review page           {there.page()}")
        say("Runs with this store use it from now on. Ctrl-C ends it; its projects stay.")
        try:
            while not threading.Event().wait(_LOOK):
                stop_if_asked()
        except KeyboardInterrupt:
            obeyed()
            say("\nended; its projects stay")
    return 0


def _status(desk: Desk, settings: Settings, wanted: str | None) -> int:
    if desk.local:
        up = f"up at {desk.url}" if desk.kept else "not up: segtrack labellerr up"
        say(f"Labellerr (loopback)  {up}")
    projects = desk.projects() if wanted is None else [desk.project(wanted)]
    if not projects:
        say("no project yet: stages=[push] or stages=[review] makes one")
        return 0
    finished = frozenset(settings.labellerr.statuses)
    rows = [_row(desk.progress(project, finished)) for project in projects]
    say(table_text(rows).rstrip())
    return 0


def _row(found: Progress) -> dict[str, object]:
    """A line of the table: files of each status by the platform's own word for it."""
    words = sorted(found.by_status.items(), key=lambda pair: (-pair[1], pair[0]))
    return {
        "project": found.name,
        "id": found.project_id,
        "files": found.files,
        "finished": found.finished,
        "statuses": ", ".join(f"{count} {status}" for status, count in words),
    }


def _open(desk: Desk, options: argparse.Namespace) -> int:
    if not desk.local:
        raise SettingsError("labellerr open: the cloud's pages are in your own workspace")
    if not desk.kept:
        raise SettingsError(
            "labellerr open: the platform is not up, so that its page would end with this command; "
            "give `segtrack labellerr up` in another terminal"
        )
    project = desk.project(options.project).project_id if options.project else None
    page = desk.page(project)
    if page is None:
        raise SettingsError(
            f"labellerr open: the token of {desk.url} was not found: another user runs it, or with "
            "another TMPDIR; open the address that it printed"
        )
    open_page(page, options.print)
    return 0


def _annotate(desk: Desk, settings: Settings, wanted: str | None) -> int:
    from segtrack.pipeline import Runner

    project = desk.project(wanted)
    live_in(store_folder(settings))
    runner = Runner(settings, store_of(settings))
    dataset = runner.get("prepare", {}).value
    done = desk.annotate(project.project_id, dataset, settings.labellerr)
    counts = ", ".join(f"{count} {kind}" for kind, count in done.counts.items() if count)
    known = len(done.truth)
    say(
        f"annotator  {counted(done.files, 'images')} of {project.name} ({project.project_id}) "
        f"simulated: {counts or 'nothing to do'}; {known} of its images are in the data set"
    )
    if not known:
        raise SettingsError(
            f"labellerr annotate: no image of {project.name} is in dataset="
            f"{settings.dataset.source}, by content; name the data set that has their labels, or "
            "draw on the page: segtrack labellerr open"
        )
    return 0
