"""Supervisely: ``meta.json``, and a data set with ``img`` and ``ann`` for each split or video.

As Supervisely's SDK writes projects (supervisely/project, supervisely/annotation). The SDK cuts
coordinates of polygons to whole pixels when it reads them; bitmaps it keeps.
"""

from __future__ import annotations

import base64
import json
import zlib
from colorsys import hsv_to_rgb
from typing import Any

import numpy as np

from segtrack.base import rle
from segtrack.base.names import level
from segtrack.convert.fitting import Holds
from segtrack.convert.material import Material, Picture, Thing
from segtrack.convert.places import Out
from segtrack.dataset import mask_png

HOLDS = Holds(parts=False)
_INSIDE = 0.01  # px


def write_supervisely(material: Material, out: Out) -> None:
    """Images that nobody looked at have no annotation file."""
    for picture in material.pictures():
        place = picture.split or level(picture.clip.name if picture.clip else "ds")
        out.put(picture, place, "img")
        if not picture.labelled:
            continue
        objects = [_object(thing, picture, material.names) for thing in picture.things]
        content = {
            "description": "",
            "tags": [],
            "size": {"height": picture.height, "width": picture.width},
            "objects": objects,
        }
        file = out.folder(place, "ann") / f"{picture.name}.json"
        file.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    classes = [
        {"title": name, "description": "", "shape": "any", "color": _colour(i), "hotkey": ""}
        for i, name in enumerate(material.names)
    ]
    meta = {"classes": [{**one, "geometry_config": {}} for one in classes], "tags": []}
    text = json.dumps({**meta, "projectType": "images"}, ensure_ascii=False, indent=1)
    (out.path / "meta.json").write_text(text, encoding="utf-8")


def _object(thing: Thing, picture: Picture, names: tuple[str, ...]) -> dict[str, Any]:
    kind, geometry = _geometry(thing, picture)
    return {
        "classTitle": names[thing.class_id],
        "description": "",
        "tags": [],
        **geometry,
        "geometryType": kind,
        "shape": kind,
    }


def _geometry(thing: Thing, picture: Picture) -> tuple[str, dict[str, Any]]:
    if thing.rle:
        runs = rle.run_lengths(thing.rle)
        x, y, u, v = rle.mask_box(runs, picture.height)
        png = mask_png(rle.decode_box(runs, picture.height, (x, y, u, v)))
        data = base64.b64encode(zlib.compress(png)).decode()
        return "bitmap", {"bitmap": {"data": data, "origin": [x, y]}}
    if thing.polygons:
        # Cut to whole pixels, a point on the border itself would be outside, and be cropped.
        inside = np.minimum(thing.polygons[0], np.array([picture.width, picture.height]) - _INSIDE)
        return "polygon", {"points": {"exterior": inside.tolist(), "interior": []}}
    x1, y1, x2, y2 = thing.bbox_xyxy
    return "rectangle", {"points": {"exterior": [[x1, y1], [x2, y2]], "interior": []}}


def _colour(number: int) -> str:
    """One that is far from those of the numbers before it (steps of the golden angle)."""
    rgb = hsv_to_rgb(number * 0.381966 % 1, 0.75, 0.9)
    return "#" + "".join(f"{round(255 * value):02X}" for value in rgb)
