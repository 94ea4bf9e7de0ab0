"""A COCO export of four images on disk, which tests change."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from segtrack.dataset import CocoSettings
from segtrack.settings import SplitFractions
from tests.dataset.conftest import Prepare, Prepared, write_image

POLYGON = [20, 10, 60, 10, 60, 40, 20, 40]
NAMES = ["person", "car", "person", "car"]
Content = dict[str, Any]
Change = Callable[[Content], object]


def content() -> Content:
    """Four images of 64x48, a person or a car on each."""
    annotation = {"iscrowd": 0, "bbox": [20, 10, 40, 30], "area": 1200, "segmentation": [POLYGON]}
    return {
        "images": [
            {"id": i, "file_name": f"{i:02}.jpg", "width": 64, "height": 48} for i in range(1, 5)
        ],
        "annotations": [
            {"id": i, "image_id": i, "category_id": 1 + (i + 1) % 2, **annotation}
            for i in range(1, 5)
        ],
        "categories": [{"id": 1, "name": "person"}, {"id": 2, "name": "car"}],
    }


class Export:
    """The folder of one export."""

    def __init__(self, root: Path, run: Prepare) -> None:
        self.root, self.run = root, run
        for i in range(1, 5):
            write_image(root / "images" / f"{i:02}.jpg", i)

    def prepared(self, change: Change | None = None, **changes: Any) -> Prepared:
        """Written after ``change``, and prepared."""
        made = content()
        if change:
            change(made)
        (self.root / "a.json").write_text(json.dumps(made))
        values = {"path": str(self.root), "annotations": str(self.root / "a.json")}
        splits = SplitFractions(1, 0, 0, 0)
        return self.run(CocoSettings(**{"splits": splits, **values, **changes}))


def classes(found: Prepared) -> list[str]:
    """The class of each annotation, in the order of their images."""
    rows = found.dataset.coco("train")["annotations"]
    assert [row["image_id"] for row in rows] == sorted(row["image_id"] for row in rows)
    return [found.dataset.names[row["category_id"]] for row in rows]


def messages(found: Prepared) -> dict[str, str]:
    return {finding["code"]: finding["message"] for finding in found.findings()}


def each(key: str, of: str, new: Callable[[Any], Any]) -> Change:
    def change(made: Content) -> None:
        for one in made[of]:
            one[key] = new(one[key])

    return change


def both(*changes: Change) -> Change:
    return lambda made: [change(made) for change in changes]


def roots(*categories: tuple[Any, Any, str | None]) -> Change:
    keys = ("id", "name", "supercategory")
    rows = [dict(zip(keys, row, strict=True)) for row in categories]
    return lambda made: made.update(categories=rows)
