"""The table of docs/convert.md is the one that the code has."""

from __future__ import annotations

from pathlib import Path

from segtrack.convert import FORMATS

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "convert.md"
COLUMNS = ("boxes", "outlines", "parts", "masks", "crowds", "splits", "scores", "track_ids",
           "visible")  # fmt: skip


def test_what_each_format_holds() -> None:
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in DOCUMENT.read_text(encoding="utf-8").splitlines()
        if line.startswith("| `")
    ]
    found = [row for row in rows if len(row) == 3 + len(COLUMNS) and "--to" not in row[0]]
    listed = {row[0].strip("`"): row for row in found}
    assert list(listed) == list(FORMATS)
    for name, form in FORMATS.items():
        _, _, suffix, *held = listed[name]
        assert suffix.strip("`") == form.suffix
        shown = [column for column, cell in zip(COLUMNS, held, strict=True) if cell == "yes"]
        assert shown == [column for column in COLUMNS if getattr(form.holds, column)], name
