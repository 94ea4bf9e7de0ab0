"""A document as files: each whole or not there, pictures beside those that cannot hold them."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from segtrack.base.atomic import unwritable, whole_file, write_whole
from segtrack.base.errors import StageError
from segtrack.base.names import level
from segtrack.report.document import Document
from segtrack.report.html_form import document_html
from segtrack.report.latex_form import document_latex
from segtrack.report.markdown_form import document_markdown

FORMS = ("html", "md", "tex", "pdf")
PICTURES = "figures"
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_SECONDS = 120  # that a browser has for printing


def write_document(
    document: Document, folder: Path, forms: Sequence[str] = FORMS, markdown: str = "report"
) -> list[Path]:
    """Write it into ``folder``, which is made where it is missing.

    A picture that lies in ``folder`` is linked where it is; others are copied into ``figures/``.

    Args:
        forms: of ``FORMS``; pdf only where ``find_browser`` finds one.
        markdown: what the file of that form is called, without its suffix.

    Returns:
        The files, in the order of ``forms``, without the pictures.

    Raises:
        StageError: a file cannot be written, or the browser did not print.
    """
    made: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        pictures = _pictures(document, folder) if {"md", "tex"} & set(forms) else {}
        for form in forms:
            path = folder / f"{markdown if form == 'md' else 'report'}.{form}"
            if form == "html":
                write_whole(path, document_html(document))
            elif form == "md":
                linked = {own: quote(file) for own, file in pictures.items()}
                write_whole(path, document_markdown(document, linked))
            elif form == "tex":
                write_whole(path, document_latex(document, pictures))
            else:
                _print(document_html(document), path)
            made.append(path)
    except OSError as error:
        raise unwritable(Path(error.filename or folder), error) from error
    return made


def find_browser() -> str | None:
    """The Chromium that prints PDF; None where there is none."""
    return next((found for one in _BROWSERS if (found := shutil.which(one))), None)


def _pictures(document: Document, folder: Path) -> dict[Path, str]:
    """By picture its file's place below ``folder``."""
    found: dict[Path, str] = {}
    for figure in document.figures:
        path = figure.path
        if path in found:
            continue
        if path.resolve().is_relative_to(folder.resolve()):
            found[path] = path.resolve().relative_to(folder.resolve()).as_posix()
            continue
        (folder / PICTURES).mkdir(exist_ok=True)
        stem, number = _file_name(path.stem), 1
        while f"{PICTURES}/{(taken := _numbered(stem, number, path.suffix))}" in found.values():
            number += 1
        found[path] = f"{PICTURES}/{taken}"
        with whole_file(folder / PICTURES / taken) as partial:
            shutil.copyfile(path, partial)
    return found


def _file_name(stem: str) -> str:
    """A name that LaTeX and addresses take as it is."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "_" for c in level(stem))


def _numbered(stem: str, number: int, suffix: str) -> str:
    return f"{stem}{suffix.lower()}" if number == 1 else f"{stem}_{number}{suffix.lower()}"


def _print(page: str, path: Path) -> None:
    """As PDF, by a browser with a profile of its own that goes with it."""
    browser = find_browser()
    if browser is None:
        raise StageError("pdf: there is no Chromium to print it; install one, or print the HTML")
    with tempfile.TemporaryDirectory(prefix="segtrack-print-") as scratch:
        source, printed = Path(scratch) / "report.html", Path(scratch) / "report.pdf"
        source.write_text(page, encoding="utf-8")
        command = [
            *(browser, "--headless=new", "--disable-gpu", "--no-first-run", "--disable-sync"),
            *("--disable-background-networking", "--disable-component-update"),
            *("--no-pdf-header-footer", f"--user-data-dir={Path(scratch) / 'profile'}"),
            *(f"--print-to-pdf={printed}", source.as_uri()),
        ]
        if hasattr(os, "geteuid") and os.geteuid() == 0:  # which Chromium's sandbox refuses
            command.insert(1, "--no-sandbox")
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS)
            why = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        except subprocess.TimeoutExpired:
            why = [f"nothing within {_SECONDS} s"]
        if not printed.is_file():
            raise StageError(f"pdf: {browser} did not print it ({why[0]}); print the HTML by hand")
        with whole_file(path) as partial:
            shutil.copyfile(printed, partial)
