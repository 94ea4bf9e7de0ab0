"""What each source makes of a small folder, as a digest: it changes only on purpose.

A change of these numbers means that results in people's stores no longer say the same; raise the
version of the source, or of ``prepare``, then.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from segtrack.command.app import CONF
from segtrack.command.composition import compose_settings
from segtrack.dataset import Dataset
from tests.dataset.conftest import Prepare

POLYGON = [4.0, 3.0, 20.5, 3.0, 20.5, 14.0, 4.0, 14.0]


def bitmap(path: Path, seed: int, width: int = 32, height: int = 24) -> None:
    """A BMP written by hand: the same bytes whatever library is installed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = ((np.arange(height * width * 3) * (7 + seed)) % 251).astype(np.uint8).tobytes()
    head = struct.pack("<2sIHHI", b"BM", 54 + len(pixels), 0, 0, 54)
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, len(pixels), 0, 0, 0, 0)
    path.write_bytes(head + info + pixels)


def images(root: Path, count: int = 10) -> list[str]:
    for i in range(count):
        bitmap(root / "images" / f"{i:02}.bmp", i)
    return [f"dataset.path={root}"]


def yolo(root: Path) -> list[str]:
    words = images(root)
    (root / "labels").mkdir()
    for i in range(9):  # one image has none
        row = f"{i % 2} 0.1 0.2 0.5 0.2 0.5 0.7 0.1 0.7\n"
        (root / "labels" / f"{i:02}.txt").write_text(row + "1 .5 .5 .9 .5 .9 .9\n" * (i % 3))
    (root / "data.yaml").write_text("train: images\nval: images\nnames: [car, person]\n")
    return words


def coco_json(root: Path, first: int = 0) -> dict[str, Any]:
    return {
        "images": [
            {"id": 50 + i, "file_name": f"{i:02}.bmp", "width": 32, "height": 24}
            for i in range(first, 10)
        ],
        "annotations": [
            {
                "id": i,
                "image_id": 50 + i,
                "category_id": (7, 3)[i % 2],
                "iscrowd": 0,
                "bbox": [4, 3, 16.5, 11],
                "segmentation": [POLYGON],
            }
            for i in range(first, 9)
        ],
        "categories": [{"id": 7, "name": "car"}, {"id": 3, "name": "person"}],
    }


def coco(root: Path) -> list[str]:
    images(root)
    (root / "all.json").write_text(json.dumps(coco_json(root)))
    return [f"dataset.path={root / 'images'}", f"dataset.annotations={root / 'all.json'}"]


def raw(root: Path) -> list[str]:
    return [*images(root), "dataset.classes=[person,car]"]


def sequences(root: Path) -> list[str]:
    for shift, name in enumerate(("MOT17-02", "MOT17-04")):
        folder = root / name
        for i in range(3):
            bitmap(folder / "img1" / f"{i + 1:06}.bmp", 3 * shift + i)
        (folder / "gt").mkdir()
        rows = f"1,1,2,{2 + shift},9,9,1,1,0.5\n2,1,3,2,9,9,1,1,1\n"
        (folder / "gt" / "gt.txt").write_text(rows)
        (folder / "seqinfo.ini").write_text("[Sequence]\nframeRate=25\nseqLength=3\n")
    return [f"dataset.path={root}", "dataset.tuning=[MOT17-02]", "dataset.test=[MOT17-04]"]


def labellerr(root: Path) -> list[str]:
    yolo(root / "own")
    (root / "own" / "data.yaml").write_text("test: images/00.bmp.txt\nnames: [car, person]\n")
    (root / "own" / "images" / "00.bmp.txt").write_text("./00.bmp\n")
    export = root / "export"
    export.mkdir()
    content = coco_json(root, first=1)
    content["categories"] = [{"id": 0, "name": "person"}, {"id": 1, "name": "car"}]
    for row in content["annotations"]:
        row["category_id"] %= 2
    (export / "labels.json").write_text(json.dumps(content))
    facts = {"project_id": "p", "digest": "d", "names": ["person", "car"]}
    (export / "export.json").write_text(json.dumps({**facts, "images": 9, "annotations": 8}))
    return [f"dataset.path={root / 'own'}", f"dataset.export={export}", "dataset.project_id=p"]


FOLDERS: dict[str, tuple[Callable[[Path], list[str]], str]] = {
    "yolo": (yolo, "2d34715fea613ed0"),
    "coco": (coco, "92efbda47e9450b8"),
    "images": (raw, "9df31c6f5bf51e7e"),
    "sequences": (sequences, "c7e5332c71995a0f"),
    "labellerr": (labellerr, "490a3256bff86e91"),
}


def content(dataset: Dataset) -> str:
    """Digest of everything in a prepared folder but places, and what libraries encode."""
    folder = dataset.folder
    rows = pq.read_table(folder / "images.parquet").drop_columns(["path"]).to_pylist()
    labels = sorted((folder / "yolo" / "labels").rglob("*.txt"))
    coco = folder / "test.coco.json"
    what = {
        "fingerprint": dataset.fingerprint,
        "names": dataset.names,
        "class_map": dataset.class_map,
        "counts": dataset.counts,
        "splits": dataset.split_fingerprints,
        "images": [row | {"sha256": row["sha256"].hex()} for row in rows],
        "annotations": pq.read_table(folder / "annotations.parquet").to_pylist(),
        "labels": {str(path.relative_to(folder)): path.read_text() for path in labels},
        "coco": coco.read_text() if coco.exists() else "",
        "sequences": [(s.name, s.sha256, s.fps, s.role, s.gt_format) for s in dataset.sequences],
    }
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:16]


@pytest.mark.parametrize("source", FOLDERS)
def test_a_source_gives_what_it_always_gave(source: str, tmp_path: Path, run: Prepare) -> None:
    make, expected = FOLDERS[source]
    words = make(tmp_path / "data")
    settings = compose_settings(CONF, [f"dataset={source}", *words]).dataset
    assert content(run(settings).dataset) == expected
