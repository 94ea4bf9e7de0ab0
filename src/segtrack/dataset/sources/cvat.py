"""CVAT for images 1.1: one XML for a task or project (docs.cvat.ai, "CVAT for image")."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

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
class CvatSettings(FolderSettings):
    """A CVAT for images 1.1 export, XML and images: dataset.path=FOLDER"""

    source: str = "cvat"
    path: str | None = knob(None, "the folder that holds annotations.xml and the images")


def _read(settings: CvatSettings, place: Place) -> Content:
    """Every CVAT XML below the folder.

    Shapes of one ``group_id`` and label are one object, as in CVAT's own COCO export; they come in
    the order of their ``z_order``, the nearest last. The split is that of ``subset``, else of a
    folder that is named train, val, valid or test.

    Raises:
        DataError: there is no XML, it cannot be read, or it is one for videos.
    """
    from segtrack.dataset.drawn import OTHER_FILES, LeftOut
    from segtrack.dataset.recognise import not_here

    folder = required_path(settings)
    left_out, files = LeftOut(), []
    for file in named_files(folder, "*.xml"):
        if is_cvat(file):
            files.append(file)
        else:
            left_out.add("XML files that are not CVAT's", file, hint=OTHER_FILES)
    if not files:
        raise not_here(folder, "no annotations.xml of CVAT", "export as CVAT for images 1.1")
    names = list(dict.fromkeys(name for file in files for name in _labels(file)))
    pictures = (one for file in files for one in _pictures(file, settings, place, left_out))
    return drawn_content(settings, place, pictures, left_out, (".xml",), names)


def is_cvat(file: Path) -> bool:
    """Whether an XML file begins as CVAT's do."""
    try:
        with file.open("rb") as data:
            head = data.read(4096)
    except OSError:
        return False
    return b"<annotations" in head and b"<annotation>" not in head


def _labels(file: Path) -> Iterator[str]:
    """Names of ``meta``, in their order; parts of a skeleton are none."""
    for _, element in _elements(file, "label", "image", "track"):
        if element.tag == "image":
            return
        if element.tag == "track":
            raise DataError(
                f"{file}: is CVAT for video, whose shapes have frame numbers and no images; export "
                "the task as CVAT for images 1.1 together with its images, or make ground truth "
                f"for dataset=sequences of it: segtrack convert {file} FOLDER --to mot (or mots)"
            )
        name = element.find("name")
        if name is not None and name.text and element.find("parent") is None:
            yield name.text.strip()


def _elements(file: Path, *tags: str) -> Iterator[tuple[str, ElementTree.Element]]:
    try:
        for event, element in ElementTree.iterparse(file, events=("start", "end")):
            if event == "start" and element.tag == "track":
                yield event, element
            if event == "end" and element.tag in tags:
                yield event, element
                element.clear()
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        raise DataError(f"{file}: cannot be read as XML ({error}); export it again") from error


def _pictures(
    file: Path, settings: CvatSettings, place: Place, left_out: LeftOut
) -> Iterator[Picture]:
    from segtrack.dataset.drawn import SPLIT_NAMES, Picture, split_of

    home = (file.parent, file.parent / "images")
    above = file.relative_to(required_path(settings).absolute()).parts[:-1]
    for _, image in _elements(file, "image"):
        name = image.get("name", "")
        try:
            size = canvas(settings, image.attrib["width"], image.attrib["height"])
            shapes = _shapes(image, size, file, left_out)
        except ODD as error:
            message = f"image {name}: cannot be read ({type(error).__name__}: {error})"
            place.checks.error("bad_shape", str(file), message, "export it again from CVAT")
            continue
        subset = image.get("subset", "")
        # A project's export has a folder for each of its subsets.
        beside = (*home, file.parent / "images" / subset) if subset else home
        folders = Path(name.replace("\\", "/")).parts[:-1]
        split = SPLIT_NAMES.get(subset.lower()) or split_of((*above, *folders))
        yield Picture(name, file, shapes, size=size, split=split, beside=beside)


def _shapes(
    image: ElementTree.Element, size: tuple[int, int], file: Path, left_out: LeftOut
) -> list[Shape]:
    parts: dict[Any, list[Shape]] = {}
    numbered = enumerate(image, start=1)
    for number, element in sorted(numbered, key=lambda one: float(one[1].get("z_order") or 0)):
        what = f"{element.tag} {number} of image {image.get('name', '')}"
        shape = guarded(what, _shape, element, size, file, left_out)
        if shape is not None:
            group = element.get("group_id") or "0"
            alone = group == "0" or shape.problem
            parts.setdefault(number if alone else (shape.class_name, group), []).append(shape)
    return list(map(joined, parts.values()))


def _shape(
    element: ElementTree.Element, size: tuple[int, int], file: Path, left_out: LeftOut
) -> Shape | None:
    from segtrack.dataset.drawn import Shape

    label = element.get("label", "").strip()
    match element.tag:
        case "mask":
            return Shape(label, 0, _mask(element, size))
        case "box" if not float(element.get("rotation") or 0):
            x, y, u, v = (float(element.attrib[key]) for key in ("xtl", "ytl", "xbr", "ybr"))
            return Shape(label, 0, None, [x, y, u - x, v - y])
        case "polygon" | "ellipse" | "box":
            return Shape(label, 0, [_polygon(element)])
        case other:
            left_out.add(f"shapes of type {other}", file)
            return None


def _polygon(element: ElementTree.Element) -> list[float]:
    from segtrack.dataset.drawn import box, ellipse

    degrees = float(element.get("rotation") or 0)
    if element.tag == "polygon":
        pairs = element.attrib["points"].split(";")
        return [float(value) for pair in pairs if pair.strip() for value in pair.split(",")]
    if element.tag == "ellipse":
        x, y, rx, ry = (float(element.attrib[key]) for key in ("cx", "cy", "rx", "ry"))
        return ellipse((x, y), (rx, ry), degrees)
    x, y, u, v = (float(element.attrib[key]) for key in ("xtl", "ytl", "xbr", "ybr"))
    return box((x, y), (u - x, v - y), degrees, ((x + u) / 2, (y + v) / 2))


def _mask(element: ElementTree.Element, size: tuple[int, int]) -> dict[str, object]:
    """Run lengths along the rows of a box, background first."""
    import numpy as np

    from segtrack.base import rle

    x, y, w, h = (int(float(element.attrib[key])) for key in ("left", "top", "width", "height"))
    width, height = size
    if x < 0 or y < 0 or x + w > width or y + h > height:
        raise ValueError(f"its mask at {x}, {y} of {w} x {h} pixels reaches out of the image")
    runs = [int(run) for run in element.attrib["rle"].split(",")]
    if w < 1 or h < 1 or sum(runs) != w * h or min(runs) < 0:
        raise ValueError(f"its mask covers {sum(runs)} pixels, its box has {w * h}")
    pixels = np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(h, w)
    return {
        "size": [height, width],
        "counts": rle.encode_box(pixels, height, width, (x, y)).decode(),
    }


register_source(
    Source("cvat", CvatSettings, _read, files=lambda settings: [required_path(settings)], version=3)
)
