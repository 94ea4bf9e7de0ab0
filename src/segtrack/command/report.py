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
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from segtrack.base.errors import SettingsError, nearest
from segtrack.command.licences import find_sources, named_sources
from segtrack.command.subcommands import Parser
from segtrack.report import FORMS, STUDY, find_browser, read_study, write_document


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
        data = partial(named_sources, path=find_sources(study))
        document = read_study(study, lambda names: data(names))
        folder = Path(options.out).expanduser() if options.out else study
        files = write_document(document, folder, options.to, markdown="README")
    else:
        raise SettingsError(f"{options.what}: there is no {STUDY} in it")
    if options.unprinted:
        print("no PDF: there is no Chromium here that could print it")
    print("wrote " + ", ".join(map(str, files)))
    return 0


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
