"""A few objects as each annotation program's own code writes them, for tests/convert/programs.

    PYTHON scripts/program_files.py FOLDER

PYTHON is of an environment in which datumaro, label-studio-sdk, labelme or supervisely is
installed; segtrack need not be. Writes a folder for each format whose program is there, without the
image, street.jpg of 96 x 64 pixels: a square, a polygon of two parts (one of a triangle where the
program has no parts), a mask with a hole and a box.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

WIDTH, HEIGHT, NAME = 96, 64, "street.jpg"
SQUARE = [10.25, 8.5, 40.75, 8.5, 40.75, 30.125, 10.25, 30.125]
TRIANGLE = [50.0, 10.0, 80.0, 12.0, 70.0, 40.0]
ISLAND = [60.0, 45.0, 90.0, 45.0, 90.0, 60.0, 60.0, 60.0]
BOX = [5.0, 35.0, 20.0, 15.0]
IMAGE = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)


def main() -> int:
    """Write what can be written here."""
    folder = Path(sys.argv[1])
    for package, write in WRITERS.items():
        if find_spec(package) is not None:
            write(folder)
    for image in [*folder.rglob("*.jpg"), *folder.rglob("*.png")]:
        image.unlink()
    return 0


def ring() -> Any:
    """A mask with a hole."""
    pixels = np.zeros((HEIGHT, WIDTH), np.uint8)
    pixels[20:50, 30:70] = 1
    pixels[30:40, 40:60] = 0
    return pixels


def pairs(flat: list[float]) -> list[list[float]]:
    """Points of a flat list."""
    return [[x, y] for x, y in zip(flat[::2], flat[1::2], strict=True)]


def fresh(folder: Path) -> Path:
    """An empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def datumaro(folder: Path) -> None:
    """Its own form, CVAT's XML and COCO."""
    from datumaro.components.annotation import Bbox, Mask, Polygon
    from datumaro.components.dataset import Dataset
    from datumaro.components.dataset_base import DatasetItem
    from datumaro.components.media import Image

    plain = {"occluded": False}
    shapes = [
        Polygon(SQUARE, label=0, group=1, attributes=plain),
        Polygon(TRIANGLE, label=1, group=2, attributes=plain),
        Polygon(ISLAND, label=1, group=2, attributes=plain),
        Mask(image=ring(), label=2, group=3, attributes=plain),
        Bbox(*BOX, label=0, group=4, attributes=plain),
    ]
    item = DatasetItem(
        Path(NAME).stem, subset="train", media=Image.from_numpy(data=IMAGE), annotations=shapes
    )
    dataset = Dataset.from_iterable([item], categories=["car", "traffic light", "person"])
    for kind, name in (("datumaro", "datumaro"), ("cvat", "cvat"), ("coco_instances", "coco")):
        dataset.export(str(fresh(folder / f"{name}-by-datumaro")), kind, save_media=True)


def labelme(folder: Path) -> None:
    """A JSON beside the image."""
    from labelme import _label_file as label_file
    from labelme import utils

    def shape(
        kind: str, label: str, points: Any, group: int | None = None, mask: Any = None
    ) -> Any:
        return {
            "label": label,
            "points": points,
            "group_id": group,
            "description": "",
            "shape_type": kind,
            "flags": {},
            "mask": None if mask is None else utils.img_arr_to_b64(mask.astype(np.uint8)),
        }

    x, y, w, h = BOX
    shapes = [
        shape("polygon", "car", pairs(SQUARE)),
        shape("polygon", "traffic light", pairs(TRIANGLE), 1),
        shape("polygon", "traffic light", pairs(ISLAND), 1),
        shape("mask", "person", [[30.0, 20.0], [69.0, 49.0]], mask=ring()[20:50, 30:70]),
        shape("rectangle", "car", [[x, y], [x + w, y + h]]),
    ]
    path = fresh(folder / "labelme") / "street.json"
    label_file.LabelFile().save(str(path), shapes, NAME, HEIGHT, WIDTH)


def labelstudio(folder: Path) -> None:
    """An export as JSON: the SDK's own shapes, in a task as the server writes it."""
    from label_studio_sdk.converter.brush import mask2rle
    from label_studio_sdk.converter.imports.coco import create_bbox, create_segmentation

    names = {0: "car", 1: "traffic light"}
    size = {"image_height": HEIGHT, "image_width": WIDTH, "to_name": "image"}
    results = [
        create_segmentation(0, SQUARE, names, "label", **size),
        create_segmentation(1, TRIANGLE, names, "label", **size),
        create_bbox({"category_id": 0, "bbox": BOX}, names, "box", **size),
    ]
    brush = {
        "id": "brush", "type": "brushlabels", "origin": "manual", "to_name": "image",
        "from_name": "brush", "image_rotation": 0, "original_width": WIDTH,
        "original_height": HEIGHT,
        "value": {"rle": mask2rle(ring() * 255), "format": "rle", "brushlabels": ["person"]},
    }  # fmt: skip
    for number, result in enumerate(results):
        result["id"] = f"region{number}"  # the SDK draws lots
    annotation = {
        "id": 3, "completed_by": 1, "result": [*results, brush], "was_cancelled": False,
        "ground_truth": False, "created_at": "2026-08-01T10:00:00.000000Z",
        "updated_at": "2026-08-01T10:05:00.000000Z", "draft_created_at": None, "lead_time": 61.2,
        "prediction": {}, "result_count": 0, "unique_id": "u", "task": 7, "project": 2,
        "import_id": None, "last_action": None, "updated_by": 1, "parent_prediction": None,
        "parent_annotation": None, "last_created_by": None,
    }  # fmt: skip
    task = {
        "id": 7, "annotations": [annotation], "file_upload": f"0a1b2c3d-{NAME}", "drafts": [],
        "predictions": [], "data": {"image": f"/data/upload/2/0a1b2c3d-{NAME}"}, "meta": {},
        "created_at": "2026-08-01T09:00:00.000000Z", "updated_at": "2026-08-01T10:05:00.000000Z",
        "inner_id": 1, "total_annotations": 1, "cancelled_annotations": 0, "total_predictions": 0,
        "comment_count": 0, "unresolved_comment_count": 0, "last_comment_updated_at": None,
        "project": 2, "updated_by": 1, "comment_authors": [],
    }  # fmt: skip
    path = fresh(folder / "labelstudio") / "project-2-at-2026-08-01-10-06-0a1b2c3d.json"
    path.write_text(json.dumps([task]), encoding="utf-8")


def supervisely(folder: Path) -> None:
    """A project of one data set."""
    import supervisely as sly

    kinds = {"car": sly.AnyGeometry, "traffic light": sly.Polygon, "person": sly.Bitmap}
    classes = {name: sly.ObjClass(name, kind, color=[9, 9, 9]) for name, kind in kinds.items()}
    home = fresh(folder / "supervisely")
    shutil.rmtree(home)
    project = sly.Project(str(home), sly.OpenMode.CREATE)
    project.set_meta(sly.ProjectMeta(sly.ObjClassCollection(list(classes.values()))))
    x, y, w, h = (round(v) for v in BOX)
    points = [sly.PointLocation(v, u) for u, v in pairs(TRIANGLE)]
    outline = [sly.PointLocation(v, u) for u, v in pairs([10, 8, 41, 8, 41, 30, 10, 30])]
    labels = [
        sly.Label(sly.Polygon(outline, []), classes["car"]),
        sly.Label(sly.Polygon(points, []), classes["traffic light"]),
        sly.Label(
            sly.Bitmap(ring()[20:50, 30:70].astype(bool), sly.PointLocation(20, 30)),
            classes["person"],
        ),
        sly.Label(sly.Rectangle(y, x, y + h, x + w), classes["car"]),
    ]
    dataset = project.create_dataset("train")
    dataset.add_item_np(NAME, IMAGE, sly.Annotation((HEIGHT, WIDTH), labels))


WRITERS: dict[str, Callable[[Path], None]] = {
    "datumaro": datumaro,
    "labelme": labelme,
    "label_studio_sdk": labelstudio,
    "supervisely": supervisely,
}

if __name__ == "__main__":
    sys.exit(main())
