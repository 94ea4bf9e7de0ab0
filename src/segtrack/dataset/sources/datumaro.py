"""Datumaro's own form: ``annotations/SUBSET.json`` beside ``images/SUBSET``.

Written by Datumaro and, as "Datumaro 1.0", by CVAT (datumaro/plugins/data_formats/datumaro). The
library itself is no dependency: it brings opencv-python-headless, which overwrites opencv-python,
and holds pandas, pyarrow and pillow back by a major version.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segtrack.base.errors import DataError
from segtrack.dataset.sources.drawing import ODD, canvas, drawn_content, guarded, joined
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


@dataclass
class DatumaroSettings(FolderSettings):
    """A data set in Datumaro's own form, annotations and images: dataset.path=FOLDER"""

    source: str = "datumaro"
    path: str | None = knob(None, "the folder that holds annotations and images")


def _read(settings: DatumaroSettings, place: Place) -> Content:
    """Every file of Datumaro below the folder; a subset named train, val or test is that split.

    Shapes of one ``group`` and label are one object, as in Datumaro's own COCO export; a box beside
    the outline of its object says nothing more. They come in the order of their ``z_order``, the
    nearest last.

    Raises:
        DataError: there is no such file, or it cannot be read.
    """
    from segtrack.dataset.drawn import OTHER_FILES, LeftOut
    from segtrack.dataset.recognise import not_here

    folder = required_path(settings)
    left_out, files = LeftOut(), []
    for file in named_files(folder, "*.json"):
        if _is_datumaro(file):
            files.append((file, _labels(file)))
        else:
            left_out.add("JSON files that are not Datumaro's", file, hint=OTHER_FILES)
    if not files:
        raise not_here(folder, "no JSON of Datumaro", "export in the format datumaro")
    names = list(dict.fromkeys(name for _, labels in files for name in labels))
    pictures = (
        one for file, labels in files for one in _pictures(file, labels, settings, place, left_out)
    )
    return drawn_content(settings, place, pictures, left_out, (".json",), names)


def _is_datumaro(file: Path) -> bool:
    from segtrack.dataset.recognise import layout_of_file

    layout = layout_of_file(file, file.parent)
    return layout is not None and layout.source == "datumaro"


def _labels(file: Path) -> list[str]:
    from segtrack.base.json_stream import elements

    try:
        for element in elements(file):
            if element.key == "categories" and not element.listed:
                return [str(one["name"]) for one in element.value["label"]["labels"]]
    except (OSError, *ODD) as error:
        message = f"cannot be read as Datumaro's JSON ({type(error).__name__}: {error})"
        raise DataError(f"{file}: {message}; export it again") from error
    raise DataError(f"{file}: has no categories; export it again from Datumaro")


def _pictures(
    file: Path, labels: list[str], settings: DatumaroSettings, place: Place, left_out: LeftOut
) -> Iterator[Picture]:
    from segtrack.base.json_stream import elements
    from segtrack.dataset.drawn import SPLIT_NAMES, Picture

    subset, home = file.stem, file.parent.parent
    split = SPLIT_NAMES.get(subset.lower())
    images = home / "images"
    beside = (images / subset, images, file.parent)
    try:
        for element in elements(file):
            if element.key != "items" or not element.listed:
                continue
            try:
                item = element.value
                image = item.get("image") or {}
                if "image" not in item and {"video", "video_frame", "point_cloud"} & set(item):
                    left_out.add("items of videos and point clouds", file, element.line)
                    continue
                sides = image.get("size")
                size = canvas(settings, sides[1], sides[0]) if sides else None
                shapes = _shapes(item.get("annotations") or (), labels, size, file, left_out)
                name = str(image.get("path") or item["id"])
            except ODD as error:
                message = f"an item cannot be read ({type(error).__name__}: {error})"
                hint = "export it again from Datumaro"
                place.checks.error("bad_shape", str(file), message, hint, element.line)
                continue
            yield Picture(name, file, shapes, element.line, size, split, beside=beside)
    except (OSError, ValueError) as error:
        raise DataError(f"{file}: cannot be read as JSON ({error}); export it again") from error


def _shapes(
    annotations: Any, labels: list[str], size: tuple[int, int] | None, file: Path, left_out: LeftOut
) -> list[Shape]:
    parts: dict[Any, list[Shape]] = {}
    for number, raw in sorted(enumerate(annotations, start=1), key=_depth):
        shape = guarded(f"annotation {number}", _shape, raw, labels, file, left_out)
        if shape is not None:
            group = raw.get("group") if isinstance(raw, dict) and not shape.problem else None
            parts.setdefault((shape.class_name, str(group)) if group else number, []).append(shape)
    return list(map(joined, parts.values()))


def _depth(numbered: tuple[int, Any]) -> float:
    raw = numbered[1]
    return float(raw.get("z_order") or 0) if isinstance(raw, dict) else 0.0


def _shape(raw: dict[str, Any], labels: list[str], file: Path, left_out: LeftOut) -> Shape | None:
    from segtrack.dataset.coco_values import degrees_of, flag, whole
    from segtrack.dataset.drawn import Shape, box, ellipse

    kind = raw["type"]
    if kind not in ("polygon", "bbox", "mask", "ellipse"):
        left_out.add(f"annotations of type {kind}", file)
        return None
    number, given = whole(raw.get("label_id")), raw.get("label_id")
    if given is not None and (number is None or not 0 <= number < len(labels)):
        raise ValueError(f"label_id is {given!r:.40}, there are {len(labels)} labels")
    label = None if number is None else labels[number]
    crowd = bool(flag((raw.get("attributes") or {}).get("is_crowd")))
    if kind == "mask":
        return Shape(label, 0, dict(raw["rle"]), crowd=crowd)
    degrees = degrees_of(raw)
    if kind == "bbox":
        x, y, w, h = (float(value) for value in raw["bbox"])
        if degrees:
            outline = box((x, y), (w, h), degrees, (x + w / 2, y + h / 2))
            return Shape(label, 0, [outline], crowd=crowd)
        return Shape(label, 0, None, [x, y, w, h], crowd)
    points = [float(value) for value in raw["points"]]
    if kind == "ellipse":
        x, y, u, v = points
        radii = (abs(u - x) / 2, abs(v - y) / 2)
        points = ellipse(((x + u) / 2, (y + v) / 2), radii, degrees)
    return Shape(label, 0, [points], crowd=crowd)


register_source(
    Source(
        "datumaro",
        DatumaroSettings,
        _read,
        files=lambda settings: [required_path(settings)],
        version=3,
    )
)
