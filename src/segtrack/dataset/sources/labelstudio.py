"""Label Studio: JSON exports of tasks, whole or JSON-MIN (labelstud.io/guide/export)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

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

_VIDEOS, _FRAMES = "tasks of videos", "annotate their frames as images, and export these"
_SUBMIT = "one annotation of a task counts: submit it in Label Studio, and export again"
_ONE_IMAGE = "make a task of each image"
_GEOMETRY = {"points", "width", "radiusX", "rle", "imageDataURL", "vertices"}
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
    from segtrack.dataset.drawn import OTHER_FILES, LeftOut
    from segtrack.dataset.recognise import layout_of_file, not_here

    folder = required_path(settings)
    left_out, files = LeftOut(), []
    for file in named_files(folder, "*.json"):
        layout = layout_of_file(file, folder)
        if layout is not None and layout.source == "labelstudio":
            files.append(file)
        else:
            what = "JSON files that are not Label Studio's list of tasks"
            left_out.add(what, file, hint=OTHER_FILES)
    if not files:
        raise not_here(folder, "no JSON export of Label Studio", "export as JSON")
    pictures = _all_pictures(files, settings, place, left_out)
    return drawn_content(settings, place, pictures, left_out, (".json", ".xml"))


def _all_pictures(
    files: list[Path], settings: LabelstudioSettings, place: Place, left_out: LeftOut
) -> Iterator[Picture]:
    none = True
    for file in files:
        for picture in _pictures(file, settings, place, left_out):
            none = False
            yield picture
    if none and any(_VIDEOS in counts for counts in left_out.kinds.values()):
        raise DataError(f"{files[0]}: is a project of videos, which is not read; {_FRAMES}")


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
            found = _of_task(task, file, split, left_out, settings)
        except ODD as error:
            number = task.get("id", "?") if isinstance(task, dict) else "?"
            named = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
            message = f"task {number}: cannot be read ({named}{error})"
            place.checks.error("bad_shape", str(file), message, "mend it, and export again")
            continue
        yield from found


def _of_task(
    task: dict[str, Any],
    file: Path,
    split: str | None,
    left_out: LeftOut,
    settings: LabelstudioSettings,
) -> list[Picture]:
    """The image of a task; several where its labelling configuration shows several."""
    from segtrack.dataset.drawn import Picture

    data = task.get("data", task)
    if "video" in data:
        left_out.add(_VIDEOS, file, hint=_FRAMES)
        return []
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
        left_out.add("tasks without an annotation", file, hint=_SUBMIT)
        return []
    beside = (file.parent, file.parent / "images")
    found = []
    for name, own in _by_image(data, regions):
        sides = ((r.get("original_width"), r.get("original_height")) for r in own
                 if isinstance(r, dict))  # fmt: skip
        size = next((canvas(settings, *pair) for pair in sides if all(pair)), None)
        shapes, share = _shapes(own, size, file, left_out), size is None
        picture = Picture(name, file, shapes, size=size, split=split, share=share, beside=beside)
        found.append(picture)
    return found


def _by_image(data: dict[str, Any], regions: list[Any]) -> list[tuple[str, list[Any]]]:
    """Images, and which regions are theirs.

    A region says by ``to_name`` which tag of the labelling configuration it is drawn on, which is
    not in the export; most are called like the key of their image.

    Raises:
        ValueError: regions are of several images, and nothing says of which; or of pages.
    """
    whole = [r for r in regions if isinstance(r, dict) and isinstance(r.get("value"), dict)]
    drawn = [r for r in whole if _GEOMETRY & set(r["value"])]
    if any(r.get("item_index") is not None for r in drawn):
        raise ValueError(f"its regions are on pages (item_index), which are not read; {_ONE_IMAGE}")
    tags = list(dict.fromkeys(str(r["to_name"]) for r in drawn if r.get("to_name")))
    named = all(isinstance(data.get(tag), str) for tag in tags)
    if len(tags) < 2:
        # Called like a key, it need not show it: its image may be $url, and "image" a title.
        given = str(data[tags[0]]) if tags and named else ""
        sure = "/" in given or _path(given).suffix.lower() in SUFFIXES
        return [(given if sure else image_of(data), regions)]
    if not named:
        raise ValueError(f"its regions are on several images ({', '.join(tags)}); {_ONE_IMAGE}")
    parts: dict[str, list[Any]] = {tag: [] for tag in tags}
    for region in regions:
        tag = str(region.get("to_name")) if isinstance(region, dict) else ""
        parts.get(tag, parts[tags[0]]).append(region)
    return [(str(data[tag]), own) for tag, own in parts.items()]


def image_of(data: dict[str, Any]) -> str:
    """The image that the data of a task name: an image by its suffix, else the usual key.

    Raises:
        ValueError: they name none, or several under keys that do not say which one is meant.
    """
    keys = [key for key in _IMAGE_KEYS if isinstance(data.get(key), str)]
    others = [key for key, value in data.items() if isinstance(value, str) and "." in value]
    if not keys and not others:
        raise ValueError("its data name no image")
    images = [key for key in (*keys, *others) if _path(data[key]).suffix.lower() in SUFFIXES]
    stems = list(dict.fromkeys(_path(data[key]).stem for key in images))
    if len(stems) > 1 and images[0] not in keys:
        raise ValueError(f"its data name several images ({', '.join(images)}); {_ONE_IMAGE}")
    return str(data[(images or keys or others)[0]])


def _path(name: str) -> PurePosixPath:
    """Of a path or URL, also one that holds the path in its query (local files)."""
    from segtrack.dataset.finding import readings

    *_, last = readings(name)
    return PurePosixPath(last)


def _chosen(done: list[dict[str, Any]], file: Path, left_out: LeftOut) -> list[Any] | None:
    """The regions of the annotation that counts; None where there is none."""
    good = [one for one in done if not one.get("was_cancelled")]
    if not good:
        return None
    best = max(good, key=lambda one: (bool(one.get("ground_truth")), str(one.get("updated_at"))))
    for _ in good[1:]:
        what = "annotations of tasks that have another one, newer or the ground truth,"
        left_out.add(what, file, hint=_SUBMIT)
    return list(best["result"] or ())


def _shapes(
    regions: list[dict[str, Any]], size: tuple[int, int] | None, file: Path, left_out: LeftOut
) -> list[Shape]:
    """A region's shape and its label may stand in two results of one id."""
    from segtrack.dataset.drawn import Shape

    whole = [r for r in regions if isinstance(r, dict) and isinstance(r.get("value"), dict)]
    labels = {str(r.get("id")): found for r in whole if (found := _labels(r["value"]))}
    drawn = {str(r.get("id")) for r in whole if _GEOMETRY & set(r["value"])}
    shapes, seen = [], set()
    for number, region in enumerate(regions, start=1):
        if isinstance(region, dict) and region.get("type") == "relation":
            left_out.add("relations between regions", file)
            continue
        if not isinstance(region, dict) or not isinstance(region.get("value"), dict):
            shapes.append(Shape(None, problem=f"result {number} has no value"))
            continue
        value, key = region["value"], str(region.get("id"))
        names = _labels(value) or labels.get(key)
        if key in seen:
            continue
        if not _GEOMETRY & set(value):
            if key not in drawn:
                left_out.add(f"results of type {region.get('type', 'unknown')}", file)
            continue
        if not names:
            left_out.add("regions without a label", file)
            continue
        seen.add(key)
        for _ in names[1:]:
            left_out.add("further labels of a region", file, hint="an object has one class")
        shape = guarded(f"region {key}", _shape, names[0], value, size)
        if shape is None:
            left_out.add(f"regions of type {region.get('type') or _kind(value)}", file)
        else:
            shapes.append(shape)
    return shapes


def _labels(value: dict[str, Any]) -> list[str]:
    for key, names in value.items():
        if key.endswith("labels") and isinstance(names, list) and names:
            return [str(name) for name in names]
    return []


def _kind(value: dict[str, Any]) -> str:
    """Of a region of JSON-MIN, by the key of its labels."""
    return next((key for key in value if key.endswith("labels")), "unknown")


def _shape(label: str, value: dict[str, Any], size: tuple[int, int] | None) -> Shape | None:
    from segtrack.dataset.drawn import Shape, box, ellipse

    sx, sy = (side / 100 for side in size or (1, 1))  # values are percent of the image
    degrees = float(value.get("rotation") or 0)
    if value.get("rle") is not None:
        return Shape(label, 0, _brush(value["rle"], size))
    if "imageDataURL" in value:
        return Shape(label, 0, _bitmask(value["imageDataURL"], size))
    if "points" in value or "vertices" in value:
        points = value["points"] if "points" in value else _closed(value)
        if points is None:
            return None
        return Shape(label, 0, [[float(v) * s for x, y in points for v, s in ((x, sx), (y, sy))]])
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


def _bitmask(url: str, size: tuple[int, int] | None) -> dict[str, Any]:
    from segtrack.dataset.bitmaps import mask_at, png_alpha

    if size is None:
        raise ValueError("a bitmask needs original_width and original_height")
    pixels = png_alpha(url, size)
    if pixels.shape != size[::-1]:
        height, width = pixels.shape
        raise ValueError(f"its bitmask is {width} x {height} pixels, its image {size}")
    return mask_at(pixels, (0, 0), size)


def _closed(value: dict[str, Any]) -> list[tuple[Any, Any]] | None:
    """The corners of a vector that encloses something; None of one that is open, or curved."""
    vertices = value["vertices"]
    if not value.get("closed") or any(one.get("isBezier") for one in vertices):
        return None
    return [(one["x"], one["y"]) for one in vertices]


register_source(
    Source(
        "labelstudio",
        LabelstudioSettings,
        _read,
        files=lambda settings: [required_path(settings)],
        version=5,
    )
)
