"""What reports of runs and of sweeps have in common: facts, data, and how it was made."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeAlias

from segtrack.base.errors import DataError
from segtrack.base.words import counted
from segtrack.command.licences import counted_sources
from segtrack.dataset import count_files, count_sources
from segtrack.report import (
    Block,
    Cell,
    Code,
    Figure,
    Heading,
    Items,
    Link,
    Number,
    Paragraph,
    Table,
    read_table_csv,
)
from segtrack.runs import KeptRun
from segtrack.settings import SPLITS

Section: TypeAlias = Iterator[Block]
_PACKAGES = (
    *("segtrack", "torch", "torchvision", "ultralytics", "openvino", "onnxruntime", "numpy"),
    *("opencv-python", "opencv-python-headless", "pycocotools", "numba", "lap", "rfdetr", "mlflow"),
)
_MACHINE = ("python", "platform", "cpu cores")
_MOST_CLASSES = 40  # rows; of more the most frequent


def made_by() -> str:
    """By what and when a report was made."""
    now = datetime.datetime.now(datetime.UTC)
    return f"Made by segtrack report {version('segtrack')}, {_moment(now)}."


def percent(value: Any) -> Number:
    """A fraction, as a number or as CSV has it, in percent; n/a where there is none."""
    known = value is not None and value != ""
    return Number(100 * float(value) if known else None)


def facts(run: KeptRun, address: str, question: str) -> list[Block]:
    """What was asked, how it ended, and where its record is."""
    blocks: list[Block] = [Paragraph(question)] if question else []
    words = [run.status.lower()]
    if run.started is not None:
        words.append(_moment(run.started))
        if run.ended is not None:
            words.append(_lasted((run.ended - run.started).total_seconds()))
    if run.id is not None:
        words.append(f"run {run.id}")
    blocks.append(Paragraph(", ".join(filter(None, words)), quiet=True))
    if address:
        blocks.append(Link("The run in MLflow, with all that it kept", address))
    return blocks


def data_section(run: KeptRun) -> list[Block]:
    """What it was made of: images and objects by class and split, videos, licences; empty of a run
    that had neither."""
    facts = document_of(run, "data/dataset.json")
    if not facts and not run.videos:
        return []
    blocks: list[Block] = [Heading("Data")]
    where = run.config.get("dataset.path") or run.config.get("dataset.name")
    words = [run.config.get("dataset.source"), where, run.config.get("video")]
    if facts:
        words.append(f"fingerprint {facts['fingerprint'][:16]}")
    blocks.append(Paragraph(", ".join(str(word) for word in words if word)))
    if facts:
        blocks.append(_support(facts))
    blocks += _licences(run, facts)
    if facts.get("warnings"):
        blocks.append(Paragraph("Warnings of its checks:"))
        blocks.append(Items(tuple(map(str, facts["warnings"]))))
    if (sheet := run.file("data/contact_sheet.jpg")) is not None:
        blocks.append(Figure(sheet, "Images with their labels"))
    return blocks


def _support(facts: dict[str, Any]) -> Table:
    """Images and objects of each class, split by split."""
    splits = [split for split in SPLITS if facts["counts"].get(split)]
    rows: list[tuple[Cell, ...]] = [("images", *(facts["counts"][split] for split in splits))]
    objects = {
        name: [facts["classes"].get(split, {}).get(name, 0) for split in splits]
        for name in facts["names"]
    }
    shown = sorted(objects, key=lambda name: -sum(objects[name]))[:_MOST_CLASSES]
    rows += [(name, *objects[name]) for name in shown]
    left = len(objects) - len(shown)
    note = f"and {counted(left, 'rarer classes')}" if left else ""
    return Table("Images, and objects by class", ("", *splits), tuple(rows), note)


def _licences(run: KeptRun, facts: Mapping[str, Any]) -> list[Block]:
    """Origins and licences of the images, else of the videos, where it can be known."""
    sources, of = Path(str(run.config.get("dataset.sources") or "sources.md")), "images"
    dataset = run.dataset if facts else None
    if facts and dataset is None:
        gone = "the data set is not found in the store"
        return [Paragraph(f"Licences are not known: {gone}.")]
    if facts and "prefix" not in facts:  # of images that have one they could not be told
        early = "the data set was prepared by an earlier version; prepare it again"
        return [Paragraph(f"Licences are not known: {early}.")]
    try:
        if dataset is not None:
            counts = count_sources(dataset, sources)
        else:
            of, root = "videos", Path(str(run.config.get("dataset.path") or ""))
            paths = ((one.name, str(one.source or root.resolve() / one.name)) for one in run.videos)
            counts = count_files(paths, sources)
    except DataError:
        return [Paragraph(f"Licences are not known: {sources} is not here, which would say them.")]
    blocks: list[Block] = [counted_sources(counts, of)] if counts else []
    if unknown := counts.get(None):
        text = f"{counted(unknown, of)} without a row in {sources}: look up the licence."
        blocks.append(Paragraph(text))
    return blocks


def method_section(run: KeptRun) -> list[Block]:
    """Command, code, weights, stages, versions and all settings."""
    blocks: list[Block] = [Heading("How it was made")]
    if run.command:
        blocks.append(Code(run.command))
    rows: list[tuple[str, str]] = []
    commit = run.tags.get("git.commit", "")
    if commit:
        dirty = ", with files that differ from it" if run.tags.get("git.dirty") == "true" else ""
        rows.append(("commit of the code", commit + dirty))
    for name, tag in (
        ("settings' digest", "config.hash"),
        ("data set's fingerprint", "dataset.fingerprint"),
        ("trained from", "weights.start"),
        ("weights", "weights.origin"),
        ("weights' SHA-256", "weights.sha256"),
    ):
        if run.tags.get(tag):
            rows.append((name, run.tags[tag]))
    rows += [
        (f"stage {key.removeprefix('stage.')}", text)
        for key, text in run.tags.items()
        if key.startswith("stage.")
    ]
    if rows:
        blocks.append(Table("", ("", ""), tuple(rows)))
    if (packages := _versions(run)) is not None:
        blocks.append(packages)
    if (config := run.file("config.yaml")) is not None:
        blocks += [Heading("All settings", 2), Code(config.read_text(encoding="utf-8"))]
    return blocks


def _versions(run: KeptRun) -> Table | None:
    """The machine and the packages that shape results, as the run recorded them."""
    path = run.file("environment.txt")
    if path is None:
        return None
    lines = path.read_text(encoding="utf-8").splitlines()
    rows = [
        (name, line.removeprefix(name).strip())
        for name in _MACHINE
        for line in lines
        if line.startswith(f"{name} ")
    ]
    known = dict(line.split("==", 1) for line in lines if "==" in line)
    rows += [(name, known[name]) for name in _PACKAGES if name in known]
    return Table("Machine and versions", ("", ""), tuple(rows))


def table_of(run: KeptRun, name: str) -> list[dict[str, str]]:
    """The rows of a CSV file that the run kept; none where it kept none."""
    path = run.file(name)
    return [] if path is None else read_table_csv(path.read_text(encoding="utf-8"))


def document_of(run: KeptRun, name: str) -> dict[str, Any]:
    """A JSON object that the run kept; empty where it kept none."""
    path = run.file(name)
    found: dict[str, Any] = {} if path is None else json.loads(path.read_text(encoding="utf-8"))
    return found


def number_of(text: str) -> float:
    """A number of a CSV file; 0 where there is none."""
    return float(text) if text else 0.0


def split_of(metrics: Mapping[str, Any]) -> str:
    """The split that was evaluated, from the names of its metrics."""
    return next(iter(metrics)).partition("/")[0]


def sections(*parts: Iterator[Block]) -> list[Block]:
    """All blocks of the parts that have any."""
    return [block for part in parts for block in part]


def _moment(when: datetime.datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M} UTC"


def _lasted(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
