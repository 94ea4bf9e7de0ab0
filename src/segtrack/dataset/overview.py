"""What a prepared data set holds, for a terminal: images and objects of each split and class."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from segtrack.base.names import shown
from segtrack.dataset.canonical import FILE
from segtrack.report import table_text

if TYPE_CHECKING:
    from segtrack.dataset.canonical import Dataset

NO_NAME = "''"
MOST_CLASSES = 12  # that get a line; a screen has more to show


def overview(dataset: Dataset) -> str:
    """A table with a line for the images, for all objects and for each of the largest classes.

    Returns:
        Lines of text; of a data set without images how many videos it has.
    """
    videos = f"{len(dataset.sequences)} video{'s' if len(dataset.sequences) != 1 else ''}"
    splits = [split for split, count in dataset.counts.items() if count]
    if not splits:
        return f"{videos}, no images\n"
    facts = json.loads((dataset.folder / FILE).read_text(encoding="utf-8"))
    objects: dict[str, dict[str, int]] = facts["classes"]
    totals = {name: sum(objects[split].get(name, 0) for split in splits) for name in dataset.names}
    ranked = sorted(dataset.names, key=lambda name: -totals[name])
    cut = MOST_CLASSES if len(ranked) > MOST_CLASSES + 1 else len(ranked)

    def line(head: str, names: list[str]) -> dict[str, Any]:
        counts = {split: sum(objects[split].get(n, 0) for n in names) for split in splits}
        return {"": head, **counts, "all": sum(counts.values())}

    images = {split: dataset.counts[split] for split in splits}
    rows: list[dict[str, Any]] = [
        {"": "images", **images, "all": sum(images.values())},
        line("objects", ranked),
    ]
    rows += [line(f"  {shown(name, 40) or NO_NAME}", [name]) for name in ranked[:cut]]
    if rest := ranked[cut:]:
        rows.append(line(f"  ... {len(rest)} more", rest))
    text = table_text(rows)
    return f"{text}{videos}\n" if dataset.sequences else text
