"""What a prepared data set holds, for a terminal: images and objects of each split and class."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from segtrack.base.names import shown
from segtrack.dataset.canonical import FILE

if TYPE_CHECKING:
    from segtrack.dataset.canonical import Dataset

NO_NAME = "''"
MOST_CLASSES = 12  # that get a line; a screen has more to show


def overview(dataset: Dataset) -> list[dict[str, Any]]:
    """Rows for a table: the images, all objects, and each of the classes with the most of them.

    Returns:
        What is counted, by split and in all; nothing of a data set without images.
    """
    splits = [split for split, count in dataset.counts.items() if count]
    if not splits:
        return []
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
    return rows
