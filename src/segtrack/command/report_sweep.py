"""A sweep as a document, and in short as the description of its parent run in MLflow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from segtrack.base.errors import DataError, some
from segtrack.base.words import counted
from segtrack.command.report_parts import (
    Section,
    data_section,
    facts,
    method_section,
    sections,
    table_of,
)
from segtrack.command.sweep_search import FILE as SEARCH
from segtrack.command.sweep_search import Found
from segtrack.journal import NOTE_LENGTH, artifact_link
from segtrack.report import (
    CLAIMS,
    Block,
    Cell,
    Code,
    Document,
    Figure,
    Heading,
    Items,
    Number,
    Outcome,
    Paragraph,
    Table,
    document_markdown,
    with_best,
)
from segtrack.runs import KeptSweep, divided, headline

FOLDERS = {"": "Tracking", "images/": "Images"}
_MOST_CELLS = 100


def sweep_document(
    sweep: KeptSweep, address: str = "", question: str = "", made: str = ""
) -> Document:
    """The report of a sweep; arguments as of ``run_document``.

    Raises:
        DataError: it has no cells that ended.
    """
    finished = [cell for cell in sweep.cells if cell.status == "FINISHED"]
    if not finished:
        raise DataError(f"{sweep.id}: none of the sweep's {len(sweep.cells)} cells has finished")
    blocks = facts(sweep.parent, address, question)
    blocks += sections(_outcomes(sweep), _cells(sweep))
    blocks += [Heading("What cannot be claimed"), Items(tuple(_caveats(sweep)))]
    fingerprints = {cell.tags.get("dataset.fingerprint") for cell in finished}
    if len(fingerprints) == 1:
        blocks += data_section(finished[0])
    else:
        blocks += [
            Heading("Data"),
            Paragraph("The cells have different data sets; see their runs."),
        ]
    blocks += _method(sweep)
    return Document(sweep.name, tuple(blocks), made)


def sweep_description(sweep: KeptSweep) -> str:
    """What MLflow's page of the parent run shows: claims, the best settings, the best picture.

    Returns:
        Markdown of as many letters as it may have; empty where nothing was compared or repeated.
    """
    for most in (20, 10, 5, 2):
        blocks, pictures = list(_short(sweep, most)), {}
        if not blocks:
            return ""
        for block in blocks:
            if isinstance(block, Figure):
                pictures[block.path] = artifact_link(sweep.id, f"figures/{block.path.name}")
        text = document_markdown(Document(sweep.name, tuple(blocks)), pictures)
        text = text.partition("\n\n")[2]  # MLflow shows the run's name above
        if len(text) <= NOTE_LENGTH:
            return text
    return ""


def _short(sweep: KeptSweep, most: int) -> Iterator[Block]:
    yield from _search(sweep)
    found = {folder: one for folder in FOLDERS if (one := _outcome(sweep, folder)) is not None}
    for folder, outcome in found.items():
        if len(found) > 1:
            yield Heading(FOLDERS[folder])
        yield Paragraph(f"{outcome.title}; {outcome.reference_line}.")
        yield Items(tuple(f"{claim.sentence}." for claim in outcome.claims.values()))
        yield outcome.settings_table(most, outcome.metrics[:1])
        picture = next(iter(_pictures(sweep, outcome)), None)
        if picture is not None:
            yield picture
    if not found:
        yield from _seed_tables(sweep, most)


def _search(sweep: KeptSweep) -> Iterator[Block]:
    """Of a sweep whose sweeper drew the values: how many trials, the best, and what mattered."""
    path = sweep.parent.file(SEARCH)
    if path is None:
        return
    found = Found.read(path.read_text(encoding="utf-8"))
    yield Paragraph(f"{found.title}.")
    if found.best:
        heads = tuple(found.best[0])
        title = "The best trial" if len(found.objectives) == 1 else "Trials that no other beats"
        note = "what chose it: no claim on other data"
        yield Table(title, heads, tuple(tuple(row.values()) for row in found.best), note)
    if rows := found.importance_rows():
        body = tuple(
            tuple(Number(x, 2) if isinstance(x, float) else x for x in row.values()) for row in rows
        )
        yield Table(found.importance_title, tuple(rows[0]), body)


def _outcomes(sweep: KeptSweep) -> Section:
    if sweep.parent.file(SEARCH) is not None:
        yield Heading("Search")
        yield from _search(sweep)
    for folder, title in FOLDERS.items():
        outcome = _outcome(sweep, folder)
        if outcome is None:
            yield from _as_printed(sweep, folder, title)
            continue
        yield Heading(title)
        yield Paragraph(f"{outcome.title}; {outcome.reference_line}.")
        yield Items(tuple(f"{claim.sentence}." for claim in outcome.claims.values()))
        yield outcome.claims_table()
        yield outcome.settings_table()
        yield from _pictures(sweep, outcome)


def _as_printed(sweep: KeptSweep, folder: str, title: str) -> Iterator[Block]:
    """Why settings were not compared; or what a sweep printed before it kept its claims."""
    for name in ("outcome.txt", "comparison.txt"):
        path = sweep.parent.file(f"{folder}{name}")
        if path is not None:
            yield Heading(title)
            yield Code(path.read_text(encoding="utf-8"))


def _outcome(sweep: KeptSweep, folder: str) -> Outcome | None:
    path = sweep.parent.file(f"{folder}{CLAIMS}")
    return None if path is None else Outcome.read(path.read_text(encoding="utf-8"))


def _pictures(sweep: KeptSweep, outcome: Outcome) -> Iterator[Figure]:
    for metric in outcome.metrics:
        path = sweep.parent.file(f"figures/differences_{metric.lower()}.png")
        if path is not None:
            yield Figure(path, f"Differences of {metric} with intervals")


def _cells(sweep: KeptSweep) -> Section:
    yield Heading("Cells")
    yield from _seed_tables(sweep)
    rows = table_of(sweep.parent, "cells.csv")
    keys = [key for key in sweep.keys if any(key in row for row in rows)]
    shown = ["run", "status", *keys, *headline(rows)]
    table = [[_value(row.get(key), key, key) for key in shown] for row in rows[:_MOST_CELLS]]
    left = len(rows) - len(table)
    note = "scores are fractions" + (f"; {left} more cells are in cells.csv" if left else "")
    yield Table("", tuple(shown), tuple(map(tuple, table)), note)


def _seed_tables(sweep: KeptSweep, most: int | None = None) -> Iterator[Block]:
    """Where seeds vary: mean and SD of each setting, or the noise of seeds alone."""
    keys, seeds = divided(sweep.keys)
    noise = table_of(sweep.parent, "noise.csv")
    if noise:
        cells = table_of(sweep.parent, "cells.csv")
        metrics = headline(cells)
        lines = [row for row in noise if row["metric"] in metrics]
        heads: tuple[str, ...] = ("metric", "seeds", "mean", "SD", "min", "max")
        rows = tuple(
            tuple(_value(row.get(key), row["metric"], key) for key in heads) for row in lines
        )
        note = "None of them is better than another"
        yield Table(f"Noise of {' and '.join(seeds)}; scores are fractions", heads, rows, note)
    rows_ = table_of(sweep.parent, "settings.csv")
    if rows_:
        metrics = headline(rows_)
        heads = (*keys, "n", *metrics)
        body: list[list[Cell]] = [
            [*(row.get(key) for key in (*keys, "n")), *(_mean(row, name) for name in metrics)]
            for row in rows_[:most]
        ]
        best = [i for i, head in enumerate(heads) if "/" in head and head != "track/tracks"]
        made = tuple(map(tuple, with_best(body, best) if len(body) == len(rows_) else body))
        title = f"Mean and SD over {' and '.join(seeds)}; scores are fractions"
        yield Table(title, heads, made)


def _caveats(sweep: KeptSweep) -> Iterator[str]:
    compared = [one for folder in FOLDERS if (one := _outcome(sweep, folder)) is not None]
    for note in dict.fromkeys(note for one in compared for note in one.notes):
        yield f"{note[:1].upper()}{note[1:]}."
    if not compared:
        yield "No settings were compared: nothing says that one of them is better."
    failed = [cell.name for cell in sweep.cells if cell.status != "FINISHED"]
    if failed:
        yield f"{counted(len(failed), 'cells')} did not finish: {some(failed)}."
    warnings = sweep.parent.file("warnings.txt")
    if warnings is not None:
        yield from (f"{line}." for line in warnings.read_text(encoding="utf-8").splitlines())
    if any(cell.config.get("dataset.source") == "traffic_sim" for cell in sweep.cells[:1]):
        yield "The data set is drawn by the traffic simulator: nothing follows for real streets."
    if any(cell.tags.get("git.dirty") == "true" for cell in (sweep.parent, *sweep.cells)):
        yield "Files of the code differed from the commit: it alone does not give these figures."


def _method(sweep: KeptSweep) -> list[Block]:
    """The sweep's command; code, versions and settings of its first finished cell."""
    first = next(cell for cell in sweep.cells if cell.status == "FINISHED")
    blocks = method_section(first)
    kept = [one for one in blocks if not isinstance(one, Code) or "\n" in one.text.strip()]
    at = 1  # behind the heading
    own = [Code(sweep.parent.command)] if sweep.parent.command else []
    named = Paragraph(f"Of its first finished cell, {first.name}:", quiet=True)
    return [*kept[:at], *own, named, *kept[at:]]


def _value(text: str | None, metric: str, column: str) -> Cell:
    """A cell of a table of CSV: a number where it is one of a metric."""
    if not text:
        return None
    if "/" in column or column in ("mean", "SD", "min", "max"):
        return Number(float(text), _digits(metric))
    return int(text) if column == "seeds" else text


def _mean(row: Mapping[str, str], name: str) -> Number:
    value, sd = row.get(name), row.get(f"{name} std")
    return Number(float(value) if value else None, _digits(name), float(sd) if sd else None)


def _digits(metric: str) -> int:
    return 1 if metric.endswith("/tracks") else 4  # a mean of counts, or a fraction
