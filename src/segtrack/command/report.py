"""``segtrack report WHAT``: a run, a sweep or a study as one file to send to somebody.

    segtrack report RUN                          a run, by its id or name (`make ui`)
    segtrack report SWEEP --to md,tex            a sweep, by its parent run
    segtrack report experiments/NAME             a study: a folder with study.yaml
    segtrack report RUN --out FOLDER mlflow=server

report.html has its pictures inside and opens offline; report.md and report.tex (booktabs) have them
beside in figures/; report.pdf is printed where there is a Chromium. Of a study the Markdown is its
README.md. The HTML is kept with the run in MLflow too, as report/report.html.
"""

from __future__ import annotations

import argparse
import dataclasses
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from segtrack import journal as journals
from segtrack.base.errors import SettingsError, nearest
from segtrack.base.names import level
from segtrack.base.saying import say
from segtrack.command.app import CONF
from segtrack.command.checking import check
from segtrack.command.composition import compose_settings
from segtrack.command.licences import find_sources, named_sources
from segtrack.command.report_parts import made_by
from segtrack.command.report_run import run_document
from segtrack.command.report_sweep import sweep_document
from segtrack.command.subcommands import Parser
from segtrack.report import FORMS, STUDY, Table, find_browser, read_study, write_document
from segtrack.runs import KeptSweep, find
from segtrack.settings import MlflowSettings

OUT = Path("outputs/reports")


def main(words: Sequence[str]) -> int:
    """Write the report that ``words`` ask for.

    Raises:
        SegtrackError: an option cannot be used, there is no such thing or nothing of it to report,
            or a file cannot be written.
    """
    options = options_of(words)
    what = Path(options.what).expanduser()
    study = what.parent if what.name == STUDY else what
    if (study / STUDY).is_file():
        files = _study(study, options)
    else:
        if problems := check(CONF, options.overrides, sweep=False):
            raise SettingsError("; ".join(map(str, problems)))
        settings = compose_settings(CONF, options.overrides).mlflow
        with tempfile.TemporaryDirectory() as scratch:
            files = _recorded(settings, options, Path(scratch))
    if options.unprinted:
        say("no PDF: there is no Chromium here that could print it")
    say("wrote " + ", ".join(map(str, files)))
    return 0


def _study(folder: Path, options: argparse.Namespace) -> list[Path]:
    def data(names: Sequence[str]) -> Table:
        return named_sources(names, find_sources(folder))

    out = Path(options.out).expanduser() if options.out else folder
    return write_document(read_study(folder, data), out, options.to, markdown="README")


def _recorded(settings: MlflowSettings, options: argparse.Namespace, scratch: Path) -> list[Path]:
    """Of a run or a sweep, whose record gets the HTML too."""
    (found,) = find(settings, [options.what], scratch)
    run = found.parent if isinstance(found, KeptSweep) else found
    if run.status == "RUNNING":
        raise SettingsError(f"{options.what}: it is still running; report it when it has ended")
    address = "" if run.id is None else journals.page_address(settings, run.id)
    more = (address, options.question, made_by())
    if isinstance(found, KeptSweep):
        document = sweep_document(found, *more)
    else:
        document = run_document(found, scratch, *more)
    document = without_folders(document, {Path.cwd(): "", Path.home(): "~/"})
    shown = run.name if run.id else Path(run.name).resolve().name
    own = "-".join(filter(None, [level(re.sub(r"[^\w.]+", "_", shown))[:60], (run.id or "")[:8]]))
    out = Path(options.out).expanduser() if options.out else OUT / own
    files = write_document(document, out, options.to)
    page = next((file for file in files if file.suffix == ".html"), None)
    if run.id is not None and page is not None:
        journals.keep_report(settings, run.id, page)
    return files


def without_folders(what: Any, folders: Mapping[Path, str]) -> Any:
    """A document, or a part of it, whose texts say paths in these folders without them: who gets it
    has another machine, and need not know where things lie on this one."""
    if isinstance(what, str):
        for folder, instead in folders.items():
            if folder != Path(folder.anchor):
                whole = rf"(?<![\w.~-]){re.escape(str(folder))}"
                what = re.sub(rf"{whole}/", instead, what)
                what = re.sub(rf"{whole}(?![\w.-])", instead.rstrip("/") or ".", what)
        return what
    if isinstance(what, tuple):
        return tuple(without_folders(part, folders) for part in what)
    if dataclasses.is_dataclass(what) and not isinstance(what, type):
        parts = {one.name: getattr(what, one.name) for one in dataclasses.fields(what)}
        changed = {name: without_folders(part, folders) for name, part in parts.items()}
        return dataclasses.replace(what, **changed)
    return what


def options_of(words: Sequence[str]) -> argparse.Namespace:
    """What is behind the word ``report``; what holds = is a setting.

    Raises:
        SettingsError: it cannot be understood.
    """
    parser = Parser("report", "WHAT [options] [settings, such as mlflow=server]", __doc__)
    parser.add_argument("what", metavar="WHAT", help="a run, a sweep's parent, or a study's folder")
    parser.add_argument(
        "--out", metavar="FOLDER", help="default: outputs/reports/NAME, a study's own folder"
    )
    parser.add_argument(
        "--to", metavar="FORMS", help=f"of {', '.join(FORMS)}; default: all that can be made here"
    )
    parser.add_argument(
        "--question", metavar="TEXT", default="", help="what a run was to find out; stands on top"
    )
    settings = [word for word in words if "=" in word and not word.startswith("-")]
    options = parser.parse_args([word for word in words if word not in settings])
    options.overrides = settings
    options.to, options.unprinted = _forms(options.to)
    return options


def _forms(given: str | None) -> tuple[list[str], bool]:
    """The forms to write, and whether PDF was left out of all because nothing prints it."""
    if given is None:
        printed = find_browser() is not None
        return [form for form in FORMS if form != "pdf" or printed], not printed
    forms = list(dict.fromkeys(form.strip() for form in given.split(",")))
    for form in forms:
        if form not in FORMS:
            near = nearest(form, FORMS)
            hint = f"did you mean {near}?" if near else f"there are {', '.join(FORMS)}"
            raise SettingsError(f"--to {form}: no such form; {hint}")
    if "pdf" in forms and find_browser() is None:
        raise SettingsError("--to pdf: there is no Chromium here to print it; install one")
    return forms, False
