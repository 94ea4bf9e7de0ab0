"""Supervisely: ``meta.json``, and a JSON for each image in ``ann`` beside ``img``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segtrack.base.errors import DataError
from segtrack.base.json_stream import read_whole
from segtrack.dataset.sources.drawing import ODD, canvas, drawn_content, guarded
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


_FRAMES = "make a project of images of their frames, and download that"


@dataclass
class SuperviselySettings(FolderSettings):
    """A Supervisely project, meta.json and its data sets: dataset.path=FOLDER"""

    source: str = "supervisely"
    path: str | None = knob(None, "the folder that holds meta.json")


def _read(settings: SuperviselySettings, place: Place) -> Content:
    """Every ``ann`` folder below the project; a data set named train, val or test is that split.

    Coordinates that are whole numbers name pixels, as in downloads: points are their centres, and
    a rectangle ends with its last pixel. Fractions are of the plane, as the labelling tool has them
    (developer.supervisely.com, "Coordinate system").

    Raises:
        DataError: ``meta.json`` is not there or not readable.
    """
    from segtrack.dataset.drawn import LeftOut
    from segtrack.dataset.recognise import not_here

    folder = required_path(settings)
    if not (folder / "meta.json").is_file():
        raise not_here(folder, "no meta.json of Supervisely", "give the project's folder")
    names = _classes(folder / "meta.json")
    left_out = LeftOut()
    pictures = _pictures(settings, place, left_out)
    return drawn_content(settings, place, pictures, left_out, (".json",), names)


def _classes(file: Path) -> list[str]:
    try:
        content = read_whole(file)
        names = [str(one["title"]) for one in content["classes"]]
        kind = content.get("projectType") or "images"
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror}); a project has one") from error
    except ODD as error:
        raise DataError(f"{file}: is no meta.json of Supervisely ({error})") from error
    if kind != "images":
        raise DataError(f"{file}: is a project of {kind}, which is not read; {_FRAMES}")
    return names


def _pictures(settings: SuperviselySettings, place: Place, left_out: LeftOut) -> Iterator[Picture]:
    from segtrack.dataset.drawn import Picture, split_of

    folder = required_path(settings)
    for file in named_files(folder, "ann/*.json"):
        try:
            content = read_whole(file)
            if "framesCount" in content:  # older projects do not say what they are of
                left_out.add("videos", file, hint=_FRAMES)
                continue
            size = canvas(settings, *(content["size"][key] for key in ("width", "height")))
            shapes = [
                shape
                for number, raw in enumerate(content["objects"], start=1)
                if (shape := guarded(f"object {number}", _shape, raw, size, file, left_out))
            ]
        except (OSError, *ODD) as error:
            message = f"is no annotation of Supervisely ({type(error).__name__}: {error})"
            place.checks.error("bad_shape", str(file), message, "export it again")
            continue
        split = split_of(file.relative_to(folder.absolute()).parts[:-2])
        beside = (file.parent.parent / "img",)
        yield Picture(file.stem, file, shapes, size=size, split=split, beside=beside)


def _shape(
    raw: dict[str, Any], size: tuple[int, int], file: Path, left_out: LeftOut
) -> Shape | None:
    from segtrack.dataset.bitmaps import mask_at, png_alpha
    from segtrack.dataset.drawn import Shape

    label = str(raw["classTitle"] or "")
    kind = raw.get("geometryType") or ("bitmap" if raw.get("bitmap") else "polygon")
    if kind in ("bitmap", "alpha_mask"):
        x, y = (int(value) for value in raw["bitmap"]["origin"])
        return Shape(label, 0, mask_at(png_alpha(raw["bitmap"]["data"], size), (x, y), size))
    if kind == "rectangle":
        corners = raw["points"]["exterior"]
        (x1, x2), (y1, y2) = (sorted(float(point[i]) for point in corners) for i in (0, 1))
        last = _of_pixels(corners)
        return Shape(label, 0, None, [x1, y1, x2 - x1 + last, y2 - y1 + last])
    if kind not in ("polygon", "multipolygon"):
        left_out.add(f"shapes of type {kind}", file)
        return None
    outlines = raw["parts"] if kind == "multipolygon" else [raw["points"]]
    parts = [_outline(one, size) for one in outlines]
    whole = parts[0] if len(parts) == 1 and isinstance(parts[0], dict) else parts
    return Shape(label, 0, whole)


def _outline(points: dict[str, Any], size: tuple[int, int]) -> list[float] | dict[str, Any]:
    """A flat polygon; the RLE of one with holes."""
    from segtrack.dataset.bitmaps import polygon_with_holes

    rings = [points["exterior"], *(points.get("interior") or ())]
    shift = 0.5 if all(map(_of_pixels, rings)) else 0.0
    outside, *holes = [[float(v) + shift for point in ring for v in point] for ring in rings]
    if any(len(hole) >= 6 for hole in holes):
        return polygon_with_holes(outside, holes, size[1], size[0])
    return outside


def _of_pixels(points: list[list[Any]]) -> bool:
    return all(type(value) is int for point in points for value in point)


register_source(
    Source(
        "supervisely",
        SuperviselySettings,
        _read,
        files=lambda settings: [required_path(settings)],
        version=3,
    )
)
