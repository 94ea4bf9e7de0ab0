"""Label Studio: a list of tasks for each split, and the labelling configuration for them.

Images are named as Label Studio serves local files, ``/data/local-files/?d=SPLIT/NAME`` below
``LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT``. Shapes are percent of the image; masks are packed as
``formats.brush`` says.
"""

from __future__ import annotations

import json
from typing import Any, TextIO
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from segtrack.base import rle
from segtrack.base.names import level
from segtrack.convert.fitting import Holds
from segtrack.convert.material import Material, Picture, Thing
from segtrack.convert.places import Out, Texts
from segtrack.formats import pack_brush

HOLDS = Holds(parts=False, scores=True)
_TAGS = (("polygon", "PolygonLabels"), ("brush", "BrushLabels"), ("rectangle", "RectangleLabels"))
CONFIG = "label_config.xml"


def write_labelstudio(material: Material, out: Out) -> None:
    """Images that nobody looked at are tasks without an annotation."""

    def begin(file: TextIO) -> None:
        file.write("[")

    def end(file: TextIO) -> None:
        file.write("\n]\n")

    with Texts(begin, end) as files:
        for number, picture in enumerate(material.pictures(), start=1):
            place = picture.split or level(picture.clip.name if picture.clip else "images")
            out.put(picture, place)
            task: dict[str, Any] = {
                "id": number,
                "data": {"image": "/data/local-files/?d=" + quote(f"{place}/{picture.name}")},
                "annotations": [],
            }
            if picture.labelled:
                results = [
                    _result(thing, picture, f"{number}-{i}", material.names[thing.class_id])
                    for i, thing in enumerate(picture.things, start=1)
                ]
                done = {"id": number, "was_cancelled": False, "ground_truth": False}
                task["annotations"].append({**done, "result": results})
            path = out.path if out.single else out.folder(place) / "tasks.json"
            files.row(path, json.dumps(task, ensure_ascii=False))
    if not out.single:
        (out.path / CONFIG).write_text(_config(material.names), encoding="utf-8")


def _result(thing: Thing, picture: Picture, key: str, label: str) -> dict[str, Any]:
    sx, sy = 100 / picture.width, 100 / picture.height
    value: dict[str, Any]
    if thing.rle:
        pixels = rle.decode_box(
            rle.run_lengths(thing.rle), picture.height, (0, 0, picture.width, picture.height)
        )
        kind, value = "brush", {"format": "rle", "rle": pack_brush(pixels)}
    elif thing.polygons:
        points = [[x * sx, y * sy] for x, y in thing.polygons[0].tolist()]
        kind, value = "polygon", {"points": points, "closed": True}
    else:
        x, y, u, v = thing.bbox_xyxy
        value = {"x": x * sx, "y": y * sy, "width": (u - x) * sx, "height": (v - y) * sy}
        kind, value = "rectangle", {**value, "rotation": 0}
    result = {
        "id": key,
        "type": f"{kind}labels",
        "value": {**value, f"{kind}labels": [label]},
        "origin": "manual",
        "to_name": "image",
        "from_name": kind,
        "image_rotation": 0,
        "original_width": picture.width,
        "original_height": picture.height,
    }
    return result if thing.score is None else {**result, "score": thing.score}


def _config(names: tuple[str, ...]) -> str:
    labels = "".join(f"    <Label value={quoteattr(name)}/>\n" for name in names)
    tags = "".join(
        f'  <{tag} name="{kind}" toName="image">\n{labels}  </{tag}>\n' for kind, tag in _TAGS
    )
    return f'<View>\n  <Image name="image" value="$image"/>\n{tags}</View>\n'
