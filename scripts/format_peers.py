"""What another program reads in a folder of its format; run by ``scripts/check_formats.py``.

    PYTHON scripts/format_peers.py FORMAT FOLDER

PYTHON is of an environment of its own, in which segtrack need not be. Prints one line of JSON:
``reader``, and ``objects``: [image without suffix, class, x1, y1, x2, y2] of each; of FiftyOne's
videos more.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

NO_READER = 3
Rows = Iterator[list[Any]]


def main() -> int:
    """The first reader of the format that is installed here."""
    name, folder = sys.argv[1], Path(sys.argv[2])
    for package, read in READERS.get(name, ()):
        if find_spec(package) is not None:
            rows = list(read(folder))
            print(json.dumps({"reader": f"{package} {_version(package)}", "objects": rows}))
            return 0
    return NO_READER


def _version(package: str) -> str:
    try:
        return version(package.replace("_", "-"))
    except PackageNotFoundError:
        return ""


def datumaro(kind: str) -> Callable[[Path], Rows]:
    """Datumaro's own importer; shapes of one group are one object."""

    def read(folder: Path) -> Rows:
        from datumaro.components.dataset import Dataset

        dataset = Dataset.import_from(str(folder), kind)
        labels = next(iter(dataset.categories().values()))
        for item in dataset:
            groups: dict[Any, list[Any]] = {}
            for i, shape in enumerate(item.annotations):
                if shape.attributes.get("is_crowd") and kind == "datumaro":
                    continue
                key = (shape.group, shape.label) if shape.group else -1 - i
                groups.setdefault(key, []).append(shape)
            for shapes in groups.values():
                corners = [_corners(shape) for shape in shapes]
                x1, y1 = (min(c[k] for c in corners) for k in (0, 1))
                x2, y2 = (max(c[k] for c in corners) for k in (2, 3))
                yield [Path(item.id).name, labels[shapes[0].label].name, x1, y1, x2, y2]

    return read


def _corners(shape: Any) -> list[float]:
    x, y, w, h = (float(v) for v in shape.get_bbox())
    # Its boxes of masks end at the last pixel, not behind it.
    more = 1.0 if shape.type.name == "mask" and type(shape).__name__ == "Mask" else 0.0
    return [x, y, x + w + more, y + h + more]


def labelme(folder: Path) -> Rows:
    """LabelMe's reader of its files; parts of one group are one object."""
    from labelme import _label_file as label_file

    for file in sorted(folder.rglob("*.json")):
        content = json.loads(file.read_text(encoding="utf-8"))
        groups: dict[Any, list[Any]] = {}
        for i, raw in enumerate(content["shapes"]):
            shape = label_file._load_shape_json_obj(raw)
            key = (shape["group_id"], shape["label"]) if shape["group_id"] is not None else -1 - i
            groups.setdefault(key, []).append(shape)
        for shapes in groups.values():
            points = [point for shape in shapes for point in shape["points"]]
            mask = shapes[0]["mask"]
            more = 0 if mask is None else 1  # corners of masks are pixels
            xs, ys = zip(*points, strict=True)
            yield [file.stem, shapes[0]["label"], min(xs), min(ys), max(xs) + more, max(ys) + more]
            if mask is not None and mask.shape != (max(ys) - min(ys) + 1, max(xs) - min(xs) + 1):
                raise ValueError(f"{file}: a mask of {mask.shape} in {points}")


def labelstudio(folder: Path) -> Rows:
    """Label Studio's decoder of brushes; polygons and rectangles as its export to COCO has them."""
    import numpy as np
    from label_studio_sdk.converter.brush import decode_rle

    for file in sorted(folder.rglob("*.json")):
        for task in json.loads(file.read_text(encoding="utf-8")):
            stem = Path(task["data"]["image"].replace("%20", " ")).stem
            for result in task["annotations"][0]["result"] if task["annotations"] else ():
                value, width, height = (
                    result[key] for key in ("value", "original_width", "original_height")
                )
                label = value[result["type"]][0]
                if "rle" in value:
                    alpha = np.reshape(decode_rle(value["rle"]), [height, width, 4])[:, :, 3]
                    ys, xs = np.nonzero(alpha)
                    box = [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]
                elif "points" in value:
                    points = np.array(value["points"]) * [width / 100, height / 100]
                    box = [*points.min(0), *points.max(0)]
                else:
                    x, y = value["x"] * width / 100, value["y"] * height / 100
                    w, h = value["width"] * width / 100, value["height"] * height / 100
                    box = [x, y, x + w, y + h]
                yield [stem, label, *map(float, box)]


def supervisely(folder: Path) -> Rows:
    """Supervisely's SDK, which opens a folder as a project."""
    import supervisely as sly

    project = sly.Project(str(folder), sly.OpenMode.READ)
    for dataset in project.datasets:
        for name in dataset:
            if not Path(dataset.get_ann_path(name)).exists():
                continue
            annotation = dataset.get_ann(name, project.meta)
            for label in annotation.labels:
                box = label.geometry.to_bbox()
                # Of whole pixels, the last one included; points of outlines are cut to them.
                more = 1 if label.geometry.geometry_name() == "bitmap" else 0
                yield [Path(name).stem, label.obj_class.name, box.left, box.top,
                       box.right + more, box.bottom + more]  # fmt: skip


def fiftyone(folder: Path) -> Rows:
    """FiftyOne's importer, with a database of its own, which prints at its end; of each object its
    video, frame from 0, track id, class, score, x1, y1, x2, y2 as shares of the frame, and the
    pixels of its mask or None."""
    with tempfile.TemporaryDirectory() as home:
        settings = {"DATABASE_DIR": home, "DATABASE_VALIDATION": "false", "DO_NOT_TRACK": "true"}
        os.environ.update({f"FIFTYONE_{name}": value for name, value in settings.items()})
        import fiftyone as fo

        kind = fo.types.FiftyOneVideoLabelsDataset
        dataset = fo.Dataset.from_dir(dataset_dir=str(folder), dataset_type=kind, progress=False)
        for sample in dataset:
            for number, frame in sample.frames.items():
                for one in frame.detections.detections:
                    x, y, w, h = one.bounding_box
                    pixels = None if one.mask is None else int(one.mask.sum())
                    yield [Path(sample.filepath).stem, number - 1, one.index, one.label,
                           one.confidence, x, y, x + w, y + h, pixels]  # fmt: skip


READERS: dict[str, tuple[tuple[str, Callable[[Path], Rows]], ...]] = {
    "coco": (("datumaro", datumaro("coco_instances")),),
    "cvat-images": (("datumaro", datumaro("cvat")),),
    "datumaro": (("datumaro", datumaro("datumaro")),),
    "fiftyone": (("fiftyone", fiftyone),),
    "labelme": (("labelme", labelme),),
    "labelstudio": (("label_studio_sdk", labelstudio),),
    "supervisely": (("supervisely", supervisely),),
}

if __name__ == "__main__":
    sys.exit(main())
