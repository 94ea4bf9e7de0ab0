"""What a network found in pictures, as COCO JSON and as a table for a spreadsheet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from segtrack.base import rle
from segtrack.convert.fitting import Losses
from segtrack.convert.images import unique_names
from segtrack.convert.material import Material, Picture, Thing
from segtrack.convert.places import Out
from segtrack.convert.writers.coco import write_coco
from segtrack.dataset import Dataset
from segtrack.model import FrameDetections, Predictions
from segtrack.report import write_csv

COCO, TABLE = "coco.json", "objects.csv"
COLUMNS = (
    *("file_name", "class_id", "class_name", "score", "x1", "y1", "x2", "y2", "mask_px"),
    *("width", "height"),
)


def write_found(dataset: Dataset, split: str, found: Predictions, folder: Path) -> dict[str, int]:
    """Write ``coco.json`` (images without objects too) and ``objects.csv`` (a row for each object;
    boxes and sizes in px, of the mask the number of pixels) into ``folder``.

    Returns:
        Objects by class, the most frequent first.
    """
    counts: Counter[str] = Counter()
    names = found.info.names

    def pictures() -> Iterator[Picture]:
        files = unique_names(lambda: (r["file_name"] for r in dataset.coco_images(split)))
        frames = found.frames()
        frame = next(frames, None)
        for file, row in zip(files, dataset.iter_images(split), strict=True):
            things: tuple[Thing, ...] = ()
            if frame is not None and frame.frame == row.image_id:
                things, frame = _things(frame), next(frames, None)
            yield Picture(file, row.width, row.height, split, things, file=row.path)

    def lines() -> Iterator[tuple[object, ...]]:
        for one in pictures():
            for thing in one.things:
                name = names[thing.class_id]
                counts[name] += 1
                pixels = rle.pixels(thing.rle) if thing.rle else None
                box = (round(side, 2) for side in thing.bbox_xyxy)
                yield (
                    *(one.name, thing.class_id, name, thing.score, *box, pixels),
                    *(one.width, one.height),
                )

    material = Material(names, (), pictures, (split,))
    write_coco(material, Out(folder / COCO, True, "none", Losses()))
    with (folder / TABLE).open("w", encoding="utf-8", newline="") as file:
        write_csv(file, COLUMNS, lines())
    return dict(counts.most_common())


def _things(frame: FrameDetections) -> tuple[Thing, ...]:
    rows = zip(frame.class_id, frame.score, frame.bbox_xyxy.tolist(), frame.rle, strict=True)
    return tuple(
        Thing(int(kind), (x1, y1, x2, y2), (), mask or b"", score=round(float(score), 4))
        for kind, score, (x1, y1, x2, y2), mask in rows
    )
