"""Findings about a data set: collected while it is prepared, reported together at the end."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

from segtrack.base.errors import DataError
from segtrack.dataset.catalogue import Catalogue

SHOWN = 10  # findings that a message shows in full


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong or odd.

    Attributes:
        severity: error (stops the run) or warning.
        code: what kind, for counting: corrupt_image, self_intersecting, ...
        file: the file, as the user knows it.
        line: from 1; 0 where the finding is about the whole file.
        message: what is wrong, with the value.
        hint: what to do.
    """

    severity: str
    code: str
    file: str
    line: int
    message: str
    hint: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where}: {self.message} ({self.hint})"


class ChecksFailed(DataError):
    """The data set has errors.

    Attributes:
        report: text file with all findings; a JSON file of the same name lies beside it.
        problems: the message without the place of the report, for whoever keeps none.
        more: how many errors it does not show.
    """

    def __init__(self, problems: str, report: Path, more: int) -> None:
        super().__init__(f"{problems}\nFull report: {report}")
        self.report, self.problems, self.more = report, problems, more


class Checks:
    """Keeps findings in the catalogue's file, since there may be millions of them."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.db = catalogue.db

    def add(self, *findings: Finding) -> None:
        """Keep findings."""
        rows = [(f.severity, f.code, f.file, f.line, f.message, f.hint) for f in findings]
        self.db.executemany("INSERT INTO findings VALUES (?,?,?,?,?,?)", rows)

    def error(self, code: str, file: str, message: str, hint: str, line: int = 0) -> None:
        """Keep one error."""
        self.add(Finding("error", code, file, line, message, hint))

    def warn(self, code: str, file: str, message: str, hint: str, line: int = 0) -> None:
        """Keep one warning."""
        self.add(Finding("warning", code, file, line, message, hint))

    def count(self, severity: str) -> int:
        """Findings of a severity so far."""
        query = "SELECT COUNT(*) FROM findings WHERE severity = ?"
        return int(self.db.execute(query, (severity,)).fetchone()[0])

    def replace(self, code: str, finding: Finding) -> None:
        """Say one thing in place of all findings of a kind."""
        self.db.execute("DELETE FROM findings WHERE code = ?", (code,))
        self.add(finding)

    def found(self, severity: str = "") -> Iterator[Finding]:
        """Findings of a severity (all when empty), errors first, of one kind together."""
        query = "SELECT * FROM findings"
        values: tuple[str, ...] = ()
        if severity:
            query, values = query + " WHERE severity = ?", (severity,)
        for row in self.db.execute(query + " ORDER BY severity, code, rowid", values):
            yield Finding(*row)

    def summary(self, severity: str) -> list[tuple[str, int, Finding]]:
        """(code, how many, the first one) of each kind."""
        query = (
            "SELECT code, COUNT(*), MIN(rowid) FROM findings WHERE severity = ? "
            "GROUP BY code ORDER BY code"
        )
        rows = self.db.execute(query, (severity,)).fetchall()
        first = "SELECT * FROM findings WHERE rowid = ?"
        return [
            (code, count, Finding(*self.db.execute(first, (rowid,)).fetchone()))
            for code, count, rowid in rows
        ]

    def warnings(self) -> list[str]:
        """One line per kind of warning: how many, and the first of them."""
        return [
            f"{code}: {count} of this kind; first: {first}" if count > 1 else f"{code}: {first}"
            for code, count, first in self.summary("warning")
        ]

    def write(self, folder: Path, name: str = "checks") -> None:
        """``checks.json`` and ``checks.txt``, or of another name."""
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f"{name}.json").open("w", encoding="utf-8") as file:
            self._write_json(file)
        with (folder / f"{name}.txt").open("w", encoding="utf-8") as file:
            self._write_text(file)

    def raise_errors(self, where: str, folder: Path) -> None:
        """Stop if there are errors, with all kinds and the first ones of them in the message.

        Args:
            where: the data set, for the message.
            folder: keeps the full report; not the stage's own, which goes when the stage fails.

        Raises:
            ChecksFailed: there are errors.
        """
        errors = self.count("error")
        if not errors:
            return
        name = "checks-" + hashlib.sha256(where.encode()).hexdigest()[:8]
        self.write(folder, name)
        shown = [
            str(finding) for finding, _ in zip(self.found("error"), range(SHOWN), strict=False)
        ]
        kinds = ", ".join(f"{code} {count}" for code, count, _ in self.summary("error"))
        rest = f"\n  ... and {errors - SHOWN} more ({kinds})" if errors > SHOWN else ""
        noun = "problem" if errors == 1 else "problems"
        report = folder / f"{name}.txt"
        lines = "\n  ".join(shown) + rest
        raise ChecksFailed(
            f"data set {where} has {errors} {noun}:\n  {lines}", report, max(errors - SHOWN, 0)
        )

    def _write_json(self, file: TextIO) -> None:
        head = {
            "errors": self.count("error"),
            "warnings": self.count("warning"),
            "summary": [
                {"severity": severity, "code": code, "count": count, "first": str(first)}
                for severity in ("error", "warning")
                for code, count, first in self.summary(severity)
            ],
        }
        file.write(json.dumps(head, indent=1, ensure_ascii=False)[:-2] + ',\n "findings": [')
        for i, finding in enumerate(self.found()):
            row = json.dumps(asdict(finding), ensure_ascii=False)
            file.write((",\n  " if i else "\n  ") + row)
        file.write("\n ]\n}\n")

    def _write_text(self, file: TextIO) -> None:
        for severity in ("error", "warning"):
            file.write(f"{self.count(severity)} {severity}s\n")
            for code, count, first in self.summary(severity):
                file.write(f"  {code}: {count}. What to do: {first.hint}\n")
        for finding in self.found():
            file.write(f"{finding.severity} {finding.code} {finding}\n")
