"""Datumaro's own form: ``annotations/SUBSET.json`` beside ``images/SUBSET``.

As datumaro 1.13 writes it (plugins/data_formats/datumaro/exporter.py).
"""

from __future__ import annotations

import json
from pathlib import PurePath
from typing import Any, TextIO

from segtrack.base.names import level
from segtrack.convert.fitting import Holds
from segtrack.convert.material import Material, Picture, Thing
from segtrack.convert.places import Out, Texts

HOLDS = Holds(crowds=True, scores=True, track_ids=True, ignored=True)
_IMAGE = 2  # datumaro.components.media.MediaType


def write_datumaro(material: Material, out: Out) -> None:
    """Parts of one object share a ``group``; images that nobody looked at are no items."""

    def begin(file: TextIO) -> None:
        labels = [{"name": name, "parent": "", "attributes": []} for name in material.names]
        head = {"dm_format_version": "1.0", "media_type": _IMAGE, "infos": {}}
        categories = {"label": {"labels": labels, "label_groups": [], "attributes": []}}
        text = json.dumps({**head, "categories": categories}, ensure_ascii=False)
        file.write(f'{text[:-1]}, "items": [')

    def end(file: TextIO) -> None:
        file.write("\n]}\n")

    with Texts(begin, end) as files:
        for picture in material.pictures():
            subset = picture.split or level(picture.clip.name if picture.clip else "default")
            out.put(picture, "images", subset)
            if not picture.labelled:
                continue
            path = out.path if out.single else out.folder("annotations") / f"{subset}.json"
            item: dict[str, Any] = {
                "id": PurePath(picture.name).stem,
                "annotations": _annotations(picture),
                "image": {"path": picture.name, "size": [picture.height, picture.width]},
            }
            if picture.clip is not None:
                item["attr"] = {"frame": picture.frame}
            files.row(path, json.dumps(item, ensure_ascii=False))
        if not files.files:
            files.open(out.path if out.single else out.folder("annotations") / "default.json")


def _annotations(picture: Picture) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for group, thing in enumerate(picture.things, start=1):
        for shape in _shapes(thing, picture):
            # Without is_crowd Datumaro's COCO export makes a crowd of every mask.
            attributes: dict[str, Any] = {"is_crowd": thing.crowd}
            if thing.score is not None:
                attributes["score"] = thing.score
            if thing.track_id is not None:
                attributes["track_id"] = thing.track_id
            if thing.ignored:
                attributes["ignored"] = True
            row = {"id": len(rows), "attributes": attributes, "group": group}
            rows.append({**row, "label_id": thing.class_id, "z_order": 0, **shape})
    return rows


def _shapes(thing: Thing, picture: Picture) -> list[dict[str, Any]]:
    if thing.rle:
        size = [picture.height, picture.width]
        return [{"type": "mask", "rle": {"counts": thing.rle.decode(), "size": size}}]
    if thing.polygons:
        return [
            {"type": "polygon", "points": polygon.reshape(-1).tolist()}
            for polygon in thing.polygons
        ]
    x, y, u, v = thing.bbox_xyxy
    return [{"type": "bbox", "bbox": [x, y, u - x, v - y]}]
