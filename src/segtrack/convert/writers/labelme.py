"""LabelMe: a JSON beside each image, in a folder for each split or video.

As LabelMe 5 and later write them (labelme/_label_file.py): masks are PNGs of the box between their
two points, parts of one object share a ``group_id``. Keys that LabelMe does not know, it keeps.
"""

from __future__ import annotations

import base64
import json
from pathlib import PurePath
from typing import Any

from segtrack.base import rle
from segtrack.base.names import level
from segtrack.convert.fitting import Holds
from segtrack.convert.material import Material, Picture, Thing
from segtrack.convert.places import Out
from segtrack.dataset import mask_png

HOLDS = Holds(scores=True, track_ids=True)
_VERSION = "5.5.0"  # of LabelMe, whose form this is


def write_labelme(material: Material, out: Out) -> None:
    """No JSON stands beside images that nobody looked at."""
    for picture in material.pictures():
        place = picture.split or level(picture.clip.name if picture.clip else "images")
        out.put(picture, place)
        if not picture.labelled:
            continue
        content: dict[str, Any] = {
            "version": _VERSION,
            "flags": {},
            "shapes": _shapes(picture, material.names),
            "imagePath": picture.name,
            "imageData": None,
            "imageHeight": picture.height,
            "imageWidth": picture.width,
        }
        file = out.folder(place) / f"{PurePath(picture.name).stem}.json"
        file.write_text(json.dumps(content, ensure_ascii=False, indent=2), encoding="utf-8")


def _shapes(picture: Picture, names: tuple[str, ...]) -> list[dict[str, Any]]:
    shapes, group = [], 0
    for thing in picture.things:
        group += len(thing.polygons) > 1
        for kind, points, mask in _parts(thing, picture):
            shape: dict[str, Any] = {
                "label": names[thing.class_id],
                "points": points,
                "group_id": group if len(thing.polygons) > 1 else None,
                "description": "",
                "shape_type": kind,
                "flags": {},
                "mask": mask,
            }
            if thing.score is not None:
                shape["score"] = thing.score
            if thing.track_id is not None:
                shape["track_id"] = thing.track_id
            shapes.append(shape)
    return shapes


def _parts(thing: Thing, picture: Picture) -> list[tuple[str, list[list[float]], str | None]]:
    if thing.rle:
        runs = rle.run_lengths(thing.rle)
        x, y, u, v = rle.mask_box(runs, picture.height)
        png = mask_png(rle.decode_box(runs, picture.height, (x, y, u, v)))
        corners = [[float(x), float(y)], [float(u - 1), float(v - 1)]]
        return [("mask", corners, base64.b64encode(png).decode())]
    if thing.polygons:
        return [("polygon", polygon.tolist(), None) for polygon in thing.polygons]
    x1, y1, x2, y2 = thing.bbox_xyxy
    return [("rectangle", [[x1, y1], [x2, y2]], None)]
