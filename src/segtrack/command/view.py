"""``segtrack view [RUN ...]``: a page of this machine on what runs kept.

    segtrack view                          all runs, and on top the newest that tracked or evaluated
    segtrack view A B                      these runs; one beside the other on the same video
    segtrack view outputs/DATE/TIME        a run's folder, or any with results.json in it
    segtrack view results.json --video street.mp4        whose video is not known otherwise

RUN is the id of an MLflow run or of a sweep (`make ui`), a name (mlflow.run_name; the newest
counts), a folder or a file. The page is served to this machine only, at the address that is
printed, until Ctrl-C. Settings go behind: mlflow=server, store=FOLDER.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from segtrack.base.errors import SettingsError
from segtrack.base.processes import obeyed, stop_if_asked
from segtrack.base.saying import say
from segtrack.command.app import CONF
from segtrack.command.browser import open_page
from segtrack.command.checking import check
from segtrack.command.composition import compose_settings
from segtrack.command.subcommands import Parser

if TYPE_CHECKING:
    from segtrack.runs import KeptRun, KeptSweep

_LOOK = 0.5  # s, how late Ctrl-C may be seen


def main(words: Sequence[str]) -> int:
    """Serve the page until Ctrl-C.

    Raises:
        SettingsError: an option, a setting or a run cannot be used, or the port is taken.
    """
    options = options_of(words)
    if problems := check(CONF, options.overrides, sweep=False):
        raise SettingsError("; ".join(map(str, problems)))
    settings = compose_settings(CONF, options.overrides)
    from segtrack.runs import find, newest
    from segtrack.view import Library, start_view

    with tempfile.TemporaryDirectory(prefix="segtrack-view-") as scratch:
        folder = Path(scratch)
        found: list[KeptRun | KeptSweep] = []
        if options.runs:
            found = find(settings.mlflow, options.runs, folder)
        elif (one := newest(settings.mlflow, folder)) is not None:
            found = [one]
        library = Library(settings.mlflow, found, folder, options.video)
        with start_view(library, options.port, options.overrides) as view:
            library.prepare()
            names = ", ".join(one.name or one.id or "" for one in found) or "no results yet"
            say(f"segtrack view  {names}")
            open_page(view.address, options.print)
            say(
                "Only this machine's browsers that have the address see it. Ctrl-C ends it.",
            )
            try:
                while not threading.Event().wait(_LOOK):
                    stop_if_asked()
            except KeyboardInterrupt:
                obeyed()
                say("\nended")
            finally:
                library.close()
    return 0


def options_of(words: Sequence[str]) -> argparse.Namespace:
    """What is behind the word ``view``; what holds = is a setting, unless it is there.

    Raises:
        SettingsError: it cannot be understood.
    """
    parser = Parser("view", "[RUN ...] [options] [settings, such as mlflow=server]", __doc__)
    parser.add_argument("runs", nargs="*", metavar="RUN", help="id, name, folder or results.json")
    parser.add_argument(
        "--video",
        type=Path,
        help="the video of results that do not say which file it was; a folder: each by its name",
    )
    parser.add_argument("--port", type=int, default=0, help="where it listens; default: a free one")
    parser.add_argument(
        "--print", action="store_true", help="print the address, whatever the display"
    )
    overrides = [w for w in words if "=" in w and not w.startswith("-") and not Path(w).exists()]
    options = parser.parse_args([word for word in words if word not in overrides])
    options.overrides = overrides
    if options.video is not None and not options.video.exists():
        raise SettingsError(f"view: --video {options.video}: no such file or folder")
    return options
