"""LabelMe: a JSON beside each image (github.com/wkentaro/labelme)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segtrack.base.json_stream import read_whole
from segtrack.dataset.sources.drawing import canvas, drawn_content, guarded, joined
from segtrack.dataset.sources.port import (
    Content,
    Place,
    Source,
    register_source,
    required_path,
)
from segtrack.dataset.walking import named_files
from segtrack.settings import FolderSettings, knob

if TYPE_CHECKING:
    from segtrack.dataset.drawn import LeftOut, Picture, Shape


_HELD = (
    "the picture is in this file alone, as imageData: write it out beside it, as LabelMe's "
    "labelme_export_json does"
)


@dataclass
class LabelmeSettings(FolderSettings):
    """A folder with a LabelMe JSON for each image: dataset.path=FOLDER"""

    source: str = "labelme"
    path: str | None = knob(None, "the folder; searched with all its subfolders")


def _read(settings: LabelmeSettings, place: Place) -> Content:
    """Every LabelMe JSON below the folder.

    Shapes of one ``group_id`` and label are parts of one object, boxes too, as in LabelMe's own
    converters. A folder named train, val, valid or test above a JSON gives the split.

    Raises:
        DataError: there is no such JSON.
    """
    from segtrack.dataset.drawn import LeftOut

    left_out = LeftOut()
    return drawn_content(
        settings, place, _pictures(settings, place, left_out), left_out, (".json",)
    )


def _pictures(settings: LabelmeSettings, place: Place, left_out: LeftOut) -> Iterator[Picture]:
    from segtrack.dataset.drawn import OTHER_FILES, Picture, split_of
    from segtrack.dataset.recognise import not_here

    folder, none = required_path(settings), True
    for file in named_files(folder, "*.json"):
        try:
            content = read_whole(file)
        except (OSError, ValueError) as error:
            hint = "save it again in LabelMe, or remove it"
            none = False
            place.checks.error("not_json", str(file), f"cannot be read as JSON ({error})", hint)
            continue
        if not is_labelme(content):
            left_out.add("JSON files that are not LabelMe's", file, hint=OTHER_FILES)
            continue
        none = False
        shapes = _shapes(content, settings, file, left_out)
        width, height = content.get("imageWidth"), content.get("imageHeight")
        size = (width, height) if isinstance(width, int) and isinstance(height, int) else None
        split = split_of(file.relative_to(folder.absolute()).parts[:-1])
        name = content.get("imagePath") or file.stem
        beside, missing = (file.parent,), _HELD if content.get("imageData") else ""
        yield Picture(
            str(name), file, shapes, size=size, split=split, beside=beside, missing=missing
        )
    if none:
        raise not_here(folder, "no JSON of LabelMe", "save the labels there")


def is_labelme(content: Any) -> bool:
    """Whether the content of a JSON file is LabelMe's."""
    return isinstance(content, dict) and isinstance(content.get("shapes"), list)


def _shapes(
    content: dict[str, Any], settings: LabelmeSettings, file: Path, left_out: LeftOut
) -> list[Shape]:
    parts: dict[Any, list[Shape]] = {}
    for i, raw in enumerate(content["shapes"]):
        shape = guarded(f"shape {i + 1}", _shape, raw, content, settings, file, left_out)
        if shape is not None:
            group = raw.get("group_id") if isinstance(raw, dict) else None
            key = (shape.class_name, str(group)) if group is not None and not shape.problem else i
            parts.setdefault(key, []).append(shape)
    return [
        joined([_outlined(one) for one in shapes] if len(shapes) > 1 else shapes)
        for shapes in parts.values()
    ]


def _outlined(shape: Shape) -> Shape:
    """A box of a group is a part of its object, like an outline."""
    if shape.bbox_xywh is None:
        return shape
    x, y, w, h = shape.bbox_xywh
    corners = [x, y, x + w, y, x + w, y + h, x, y + h]
    return shape._replace(segmentation=[corners], bbox_xywh=None)


def _shape(
    raw: dict[str, Any],
    content: dict[str, Any],
    settings: LabelmeSettings,
    file: Path,
    left_out: LeftOut,
) -> Shape | None:
    from segtrack.dataset.drawn import Shape, ellipse

    named, points = raw["label"], raw.get("points") or []
    label = "" if named is None else str(named).strip()
    match raw.get("shape_type") or "polygon":
        case "polygon" | "oriented_rectangle" | "rotation" | "quadrilateral":
            return Shape(label, 0, [[v for point in points for v in point[:2]]])
        case "rectangle" if len(points) == 2:
            (x1, y1), (x2, y2) = points[0][:2], points[1][:2]
            low = [min(x1, x2), min(y1, y2)]
            return Shape(label, 0, None, [*low, max(x1, x2) - low[0], max(y1, y2) - low[1]])
        case "rectangle":  # of its four corners, as newer annotation programs of this format have
            return Shape(label, 0, [[float(v) for point in points for v in point[:2]]])
        case "circle":  # its centre, and a point on its edge
            (x, y), (u, v) = points[0][:2], points[1][:2]
            radius = ((u - x) ** 2 + (v - y) ** 2) ** 0.5
            return Shape(label, 0, [ellipse((x, y), (radius, radius))])
        case "mask":
            size = canvas(settings, content["imageWidth"], content["imageHeight"])
            return Shape(label, 0, _mask(raw, size))
        case other:
            left_out.add(f"shapes of type {other}", file)
            return None


def _mask(raw: dict[str, Any], size: tuple[int, int]) -> dict[str, Any]:
    """A mask is a PNG, in base64, of the box between its two points."""
    from segtrack.dataset.bitmaps import mask_at, png_alpha

    x, y = (round(value) for value in raw["points"][0][:2])
    return mask_at(png_alpha(raw["mask"], size), (x, y), size)


register_source(
    Source(
        "labelme",
        LabelmeSettings,
        _read,
        files=lambda settings: [required_path(settings)],
        version=4,
    )
)
