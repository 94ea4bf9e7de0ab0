"""Studies: tables of the CSV files beside them, and what is wrong with a study.yaml."""

from __future__ import annotations

from pathlib import Path

import pytest

from segtrack.base.errors import DataError
from segtrack.command.app import main
from segtrack.report import Code, Prose, Table, read_study
from segtrack.report.document import shown_cell

ROOT = Path(__file__).resolve().parents[2]
STUDIES = sorted(path.parent for path in ROOT.glob("experiments/*/study.yaml"))
CELLS = """name,kind,HOTA,sd,gap,low,high,told,n
a,box,60.004,0.5,,,,,1200
b,box,61.5,0.25,1.5,0.2,2.8,yes,7
c,box,50,,-10,-30,10,no,
a,mask,1,,,,,,1
"""
TABLE = """
title: "is b better?"
blocks:
- text: "**Question.** Is it?"
- data: [x]
- commands: {file: run.sh}
- commands: |
    one line
- table:
    caption: Scores
    rows: {from: cells.csv, where: {kind: box}, by: [name], sort: "-HOTA"}
    columns:
      name: name
      n: n
      HOTA: {of: HOTA, sd: sd, digits: 1, best: true}
      difference: {of: gap, low: low, high: high, told: told}
      of masks: {of: HOTA, where: {kind: mask}, optional: true, digits: 0}
      share: {file: "{name}.csv", of: "{kind}", where: {k: "{name}1"}, scale: 100, digits: 1}
    note: of 7
- table:
    rows: [{who: b, file: cells}]
    columns:
      who: {text: "the {who}"}
      HOTA: {file: "{file}.csv", of: HOTA, where: {name: "{who}"}}
"""


@pytest.fixture
def study(tmp_path: Path) -> Path:
    (tmp_path / "cells.csv").write_text(CELLS)
    for name, share in (("a", 0.25), ("b", 0.5), ("c", 1)):
        (tmp_path / f"{name}.csv").write_text(f"k,box\n{name}1,{share}\nother,9\n")
    (tmp_path / "run.sh").write_text("#!/usr/bin/env bash\n# all\nmake it\n")
    (tmp_path / "study.yaml").write_text(TABLE)
    return tmp_path


def sources(names: object) -> Table:
    return Table(f"data {names}", (), ())


def test_a_study_is_made_of_its_files(study: Path) -> None:
    document = read_study(study, sources)
    assert document.title == "is b better?"
    text, data, script, line, table, other = document.blocks
    assert text == Prose("**Question.** Is it?") and data == Table("data ['x']", (), ())
    assert script == Code("# all\nmake it\n") and line == Code("one line\n")
    assert isinstance(table, Table) and isinstance(other, Table)
    assert table.caption == "Scores" and table.notes.startswith("of 7. * 0 lies outside")
    assert [[shown_cell(cell).text for cell in row] for row in table.rows] == [
        ["b", "7", "61.5 ± 0.2", "+1.50 (+0.20 to +2.80)", "", "50.0"],
        ["a", "1,200", "60.0 ± 0.5", "", "1", "25.0"],
        ["c", "", "50.0", "-10.00 (-30.00 to +10.00)", "", "100.0"],
    ]
    cells = [[shown_cell(cell) for cell in row] for row in table.rows]
    assert [row[2].bold for row in cells] == [True, False, False]
    assert [row[3].star for row in cells] == [True, False, False]
    assert other.rows == (("the b", "61.5"),)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("title:", "titel:", "must have a title and blocks, and nothing else"),
        ("- text:", "- texts:", "block 1: must be one of text, data, commands, table, figure"),
        ("caption:", "captoin:", "block 5: captoin: unknown; did you mean caption"),
        ("digits: 1,", "digit: 1,", "block 5, HOTA: digit: unknown; did you mean digits"),
        ("from: cells.csv", "from: none.csv", "none.csv: not readable as a CSV table"),
        ("of: gap", "of: gaps", "column difference: cells.csv has no column 'gaps'; did you mean"),
        ("sd: sd", "sd: std", "column HOTA: cells.csv has no column 'std'; did you mean sd?"),
        ("low: low", "low: name", "column difference: 'b' is no number"),
        ('"{kind}"', '"{knd}"', "column share: '{knd}' cannot be filled from the row ('knd')"),
        (", optional: true", "", "0 lines of cells.csv have name=b, kind=mask; it must be one"),
        ('where: {name: "{who}"}', "where: {kind: box}", "3 lines of cells.csv have kind=box"),
        ("file: run.sh", "file: go.sh", "go.sh cannot be read"),
        ('"**Question.** Is it?"', '"![a](b.png)"', "block 1: a picture within a text (b.png)"),
        ('sort: "-HOTA"', "order: [a, b]", "block 5: order does not have c"),
        ("blocks:", "blocks: [", "not readable as YAML"),
    ],
)
def test_what_is_wrong_with_it(study: Path, old: str, new: str, message: str) -> None:
    assert TABLE.count(old) == 1 or old == "- text:"
    (study / "study.yaml").write_text(TABLE.replace(old, new, 1))
    with pytest.raises(DataError) as error:
        read_study(study, sources)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_the_studies_are_found() -> None:
    assert {"bytetrack_mot17", "labellerr_loop", "occlusion"} <= {path.name for path in STUDIES}


@pytest.mark.parametrize("folder", STUDIES, ids=lambda path: path.name)
def test_a_readme_is_what_its_study_makes(folder: Path, tmp_path: Path) -> None:
    """After a change: python src/run.py report experiments/NAME --to md"""
    assert main(["report", str(folder), "--to", "md", "--out", str(tmp_path)]) == 0
    made = (tmp_path / "README.md").read_text(encoding="utf-8")
    pictures = {p.name.replace(".", "_"): p.name for p in folder.glob("*.*")}
    for path in (tmp_path / "figures").glob("*.*"):
        stem = path.name.replace(".", "_")
        (name,) = (own for key, own in pictures.items() if key == stem)
        made = made.replace(f"(figures/{path.name})", f"({name})")
    assert (folder / "README.md").read_text(encoding="utf-8") == made
    assert (folder / "run.sh").is_file() and "run.sh" in (folder / "study.yaml").read_text()


def test_only_a_study_or_a_run_is_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", "experiments/occlusion", "--to", "word", "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err == (
        "error: --to word: no such form; there are html, md, tex, pdf\n"
    )
    assert main(["report"]) == 2
    assert "the following arguments are required: WHAT" in capsys.readouterr().err
