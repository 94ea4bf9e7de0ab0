"""YOLO: ``images/SPLIT``, ``labels/SPLIT`` and ``data.yaml``, as ultralytics trains on."""

from __future__ import annotations

from pathlib import PurePath

import numpy as np
import yaml

from segtrack.convert.fitting import Holds
from segtrack.convert.material import Material
from segtrack.convert.places import Out
from segtrack.settings import SPLITS

HOLDS = Holds(boxes=False, parts=False, masks=False)
FRAMES = "train"  # the split of a clip's frames


def write_yolo(material: Material, out: Out) -> None:
    """A row for each object: class id, and its outline as shares of the image (0..1)."""
    splits = set()
    for picture in material.pictures():
        split = picture.split or FRAMES
        splits.add(split)
        out.put(picture, "images", split)
        if not picture.labelled:
            continue
        scale = np.array([1.0 / picture.width, 1.0 / picture.height])
        rows = []
        for thing in picture.things:
            (polygon,) = thing.polygons
            shares = (polygon * scale).clip(0.0, 1.0).reshape(-1).tolist()
            rows.append(f"{thing.class_id}" + " %.9g" * len(shares) % tuple(shares))
        label = out.folder("labels", split) / f"{PurePath(picture.name).stem}.txt"
        label.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
    content: dict[str, object] = {s: f"images/{s}" for s in SPLITS if s in splits}
    # ultralytics wants both; what is named twice is divided by who reads it.
    content.setdefault("train", next(iter(content.values()), "images"))
    content.setdefault("val", content["train"])
    content["names"] = dict(enumerate(material.names))
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    (out.path / "data.yaml").write_text(text, encoding="utf-8")
