"""Label Studio: JSON exports of tasks, whole or JSON-MIN (labelstud.io/guide/export)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from segtrack.base.errors import DataError
from segtrack.base.json_stream import read_whole
from segtrack.dataset.pixels import SUFFIXES
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

_IMAGE_KEYS = ("image", "img", "image_url", "url", "captioning", "ocr")


@dataclass
class LabelstudioSettings(FolderSettings):
    """A Label Studio JSON export and its images: dataset.path=FOLDER"""

    source: str = "labelstudio"
    path: str | None = knob(None, "the folder that holds the JSON and the images")


def _read(settings: LabelstudioSettings, place: Place) -> Content:
    """Every export of Label Studio below the folder.

    Of a task with several annotations the ground truth is taken, else the last that was changed.
    Predictions are no labels.

    Raises:
        DataError: there is no such JSON.
    """
    from segtrack.dataset.drawn import LeftOut
    from segtrack.dataset.recognise import not_here

    folder = required_path(settings)
    left_out, files = LeftOut(), []
    for file in named_files(folder, "*.json"):
        if is_labelstudio(file):
            files.append(file)
        else:
            left_out.add("JSON files that are not Label Studio's list of tasks", file)
    if not files:
        raise not_here(folder, "no JSON export of Label Studio", "export as JSON")
    pictures = (one for file in files for one in _pictures(file, settings, place, left_out))
    return drawn_content(settings, place, pictures, left_out, (".json", ".xml"))


def is_labelstudio(file: Path) -> bool:
    """Whether a JSON file holds a list of Label Studio's tasks."""
    try:
        with file.open(encoding="utf-8-sig") as text:
            head = text.read(4096).lstrip()
    except (OSError, UnicodeDecodeError):
        return False
    marks = ('"result"', '"annotations"', '"original_width"', '"file_upload"', '"completions"')
    return head.startswith("[") and any(mark in head for mark in marks)


def _pictures(
    file: Path, settings: LabelstudioSettings, place: Place, left_out: LeftOut
) -> Iterator[Picture]:
    from segtrack.dataset.drawn import split_of

    try:
        tasks = read_whole(file)
    except (OSError, ValueError) as error:
        raise DataError(f"{file}: cannot be read as JSON ({error}); export it again") from error
    split = split_of(file.relative_to(required_path(settings).absolute()).parts[:-1])
    for task in tasks:
        try:
            picture = _picture(task, file, split, left_out, settings)
        except ODD as error:
            number = task.get("id", "?") if isinstance(task, dict) else "?"
            message = f"task {number}: cannot be read ({type(error).__name__}: {error})"
            place.checks.error("bad_shape", str(file), message, "export it again")
            continue
        if picture is not None:
            yield picture


def _picture(
    task: dict[str, Any],
    file: Path,
    split: str | None,
    left_out: LeftOut,
    settings: LabelstudioSettings,
) -> Picture | None:
    from segtrack.dataset.drawn import Picture

    if "video" in task.get("data", ()):
        left_out.add("tasks of videos (export their frames as images)", file)
        return None
    name = image_of(task.get("data", task))
    if "annotations" in task or "completions" in task:
        done = task.get("annotations") or task.get("completions") or []
        regions = _chosen(done, file, left_out)
    else:  # JSON-MIN: the values of each tag under its name
        regions = [
            {"id": i, "value": value, **value}
            for i, value in enumerate(
                one for values in task.values() if isinstance(values, list) for one in values
            )
            if isinstance(value, dict)
        ]
    if regions is None:
        left_out.add("tasks without an annotation", file)
        return None
    sides = ((r.get("original_width"), r.get("original_height")) for r in regions
             if isinstance(r, dict))  # fmt: skip
    size = next((canvas(settings, *pair) for pair in sides if all(pair)), None)
    shapes = _shapes(regions, size, file, left_out)
    beside = (file.parent, file.parent / "images")
    return Picture(name, file, shapes, size=size, split=split, share=size is None, beside=beside)


def image_of(data: dict[str, Any]) -> str:
    """The image that the data of a task name: an image by its suffix, else the usual key.

    Raises:
        ValueError: they name none.
    """
    keys = [key for key in _IMAGE_KEYS if isinstance(data.get(key), str)]
    keys += [key for key, value in data.items() if isinstance(value, str) and "." in value]
    if not keys:
        raise ValueError("its data name no image")
    return str(data[next((key for key in keys if _suffix(data[key]) in SUFFIXES), keys[0])])


def _suffix(name: str) -> str:
    """Of a path or URL, in small letters."""
    return PurePosixPath(urlsplit(name).path).suffix.lower()


def _chosen(done: list[dict[str, Any]], file: Path, left_out: LeftOut) -> list[Any] | None:
    """The regions of the annotation that counts; None where there is none."""
    good = [one for one in done if not one.get("was_cancelled")]
    if not good:
        return None
    best = max(good, key=lambda one: (bool(one.get("ground_truth")), str(one.get("updated_at"))))
    for _ in good[1:]:
        left_out.add("annotations of tasks that have another one, newer or the ground truth,", file)
    return list(best["result"] or ())


def _shapes(
    regions: list[dict[str, Any]], size: tuple[int, int] | None, file: Path, left_out: LeftOut
) -> list[Shape]:
    """A region's shape and its label may stand in two results of one id."""
    from segtrack.dataset.drawn import Shape

    whole = [r for r in regions if isinstance(r, dict) and isinstance(r.get("value"), dict)]
    labels = {str(r.get("id")): label for r in whole if (label := _label(r["value"]))}
    shapes, seen = [], set()
    for number, region in enumerate(regions, start=1):
        if not isinstance(region, dict) or not isinstance(region.get("value"), dict):
            shapes.append(Shape(None, problem=f"result {number} has no value"))
            continue
        value, key = region["value"], str(region.get("id"))
        label = _label(value) or labels.get(key)
        geometry = {"points", "width", "radiusX", "rle"} & set(value)
        if not geometry or key in seen:
            if not geometry and key not in labels:
                left_out.add(f"results of type {region.get('type', 'unknown')}", file)
            continue
        if not label:
            left_out.add("regions without a label", file)
            continue
        seen.add(key)
        shape = guarded(f"region {key}", _shape, label, value, size)
        if shape is None:
            left_out.add(f"regions of type {region.get('type', 'unknown')}", file)
        else:
            shapes.append(shape)
    return shapes


def _label(value: dict[str, Any]) -> str | None:
    for key, names in value.items():
        if key.endswith("labels") and isinstance(names, list) and names:
            return str(names[0])
    return None


def _shape(label: str, value: dict[str, Any], size: tuple[int, int] | None) -> Shape | None:
    from segtrack.dataset.drawn import Shape, box, ellipse

    sx, sy = (side / 100 for side in size or (1, 1))  # values are percent of the image
    degrees = float(value.get("rotation") or 0)
    if value.get("rle") is not None:
        return Shape(label, 0, _brush(value["rle"], size))
    if "points" in value:
        return Shape(
            label, 0, [[float(v) * s for x, y in value["points"] for v, s in ((x, sx), (y, sy))]]
        )
    x, y = float(value["x"]) * sx, float(value["y"]) * sy
    if degrees and size is None:
        raise ValueError("a turned region needs original_width and original_height")
    if "radiusX" in value:
        radii = (float(value["radiusX"]) * sx, float(value["radiusY"]) * sy)
        return Shape(label, 0, [ellipse((x, y), radii, degrees)])
    if "height" not in value:
        return None  # a key point: its width is that of its dot
    w, h = float(value["width"]) * sx, float(value["height"]) * sy
    if degrees:
        return Shape(label, 0, [box((x, y), (w, h), degrees, (x, y))])
    return Shape(label, 0, None, [x, y, w, h])


def _brush(data: list[int], size: tuple[int, int] | None) -> dict[str, Any]:
    from segtrack.dataset.bitmaps import mask_at
    from segtrack.formats import unpack_brush

    if size is None:
        raise ValueError("a brush mask needs original_width and original_height")
    return mask_at(unpack_brush(data, *size), (0, 0), size)


register_source(
    Source(
        "labelstudio",
        LabelstudioSettings,
        _read,
        files=lambda settings: [required_path(settings)],
        version=2,
    )
)
