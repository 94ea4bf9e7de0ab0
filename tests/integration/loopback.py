"""Raw images to push, and what a loopback Labellerr holds of them."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from labellerr_loopback import ask
from segtrack.base.content_names import without_tag
from tests.integration.conftest import Project

SQUARE = [[10.0, 10.0], [50.0, 10.0], [50.0, 40.0], [10.0, 40.0]]


def raw_images(folder: Path, names: Iterable[str]) -> Path:
    """Images of 64 x 48 px without labels, and a ``data.yaml`` that gives them to the pool."""
    for i, name in enumerate(names):
        path = folder / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        # Twelve squares, a bit of the number each: no two are one picture once they are JPEG.
        bits = np.array([i >> bit & 1 for bit in range(12)]).reshape(3, 4, 1)
        image = np.kron(90 + 100 * bits, np.ones((16, 16, 3))).astype(np.uint8)
        _, data = cv2.imencode(path.suffix.lower(), image)
        path.write_bytes(data.tobytes())
    text = "path: .\npool: images\nnames: [car, person]\n"
    (folder / "data.yaml").write_text(text)
    return folder


@dataclass(frozen=True)
class There:
    """What the platform holds under one name.

    Attributes:
        datasets: status code of each data set, in the order in which they were made.
        files: names of the files of those that are ready, as they are called here.
        puts: how often a file whose name begins like that of the push arrived whole.
        projects, templates: how many. jobs: status of each job of the projects.
        attached: files of the projects.
    """

    datasets: list[int]
    files: list[str]
    puts: int
    projects: list[str]
    templates: int
    jobs: list[str]
    attached: int


def there(folder: Path, name: str) -> There:
    """What the emulator with its state in ``folder`` holds under ``name``, ``name 2``, ..."""
    with closing(sqlite3.connect(f"{(folder / 'state.db').as_uri()}?mode=ro", uri=True)) as db:

        def column(query: str, *values: str) -> list[Any]:
            return [row[0] for row in db.execute(query, values)]

        like = f"{name}%"
        of_project = "project_id IN (SELECT id FROM projects WHERE name LIKE ?)"
        return There(
            column("SELECT status_code FROM datasets WHERE name LIKE ? ORDER BY seq", like),
            sorted(
                without_tag(file_name)
                for file_name in column(
                    "SELECT file_name FROM files JOIN datasets d ON d.id = dataset_id "
                    "WHERE d.name LIKE ? AND d.status_code = 300",
                    like,
                )
            ),
            column("SELECT COALESCE(SUM(puts), 0) FROM uploads WHERE file_name LIKE ?", like)[0],
            column("SELECT id FROM projects WHERE name LIKE ? ORDER BY seq", like),
            column("SELECT COUNT(*) FROM templates WHERE name LIKE ?", like)[0],
            column(f"SELECT status FROM jobs WHERE {of_project} ORDER BY rowid", like),
            column(f"SELECT COUNT(*) FROM project_files WHERE {of_project}", like)[0],
        )


def annotate(
    url: str,
    project_id: str,
    labels: dict[str, list[Any]],
    question: str = "car",
    status: str = "accepted",
) -> None:
    """What a person does: these polygons, then the status; files by their local names."""
    target = f"{url}/_emulator/projects/{project_id}/files"
    found = ask("GET", target, params={"size": 10_000})["files"]
    there = {without_tag(file["file_name"]): file["file_name"] for file in found}
    files = [
        {
            "file_name": there[name],
            "status": status,
            "answers": [{"question": question, "polygon": polygon} for polygon in polygons],
        }
        for name, polygons in labels.items()
    ]
    ask("POST", target, json={"files": files})


def prepared(project: Path) -> dict[str, Any]:
    """COCO JSON of the split that is scored, of the data set that was prepared last."""
    found = project.glob(".segtrack/results/prepare/*/test.coco.json")
    newest = max(found, key=lambda path: path.stat().st_mtime_ns)
    content: dict[str, Any] = json.loads(newest.read_text())
    return content


def with_predictions_of(reference: Project, project: Project) -> Project:
    """``project``, its store with the data set and the predictions of ``reference``, no more."""
    for name in ("prepare", "predict"):
        folder = Path(".segtrack", "results", name)
        shutil.copytree(reference.folder / folder, project.folder / folder, symlinks=True)
    return project
