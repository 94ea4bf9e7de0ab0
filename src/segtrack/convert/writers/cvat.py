"""CVAT for images 1.1 and CVAT for video 1.1: ``annotations.xml`` and ``images``.

Laid out as CVAT's own exports are (cvat/apps/dataset_manager/formats/cvat.py); coordinates have two
decimals, as there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from typing import TextIO
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from segtrack.base import rle
from segtrack.base.names import level
from segtrack.convert.fitting import Holds
from segtrack.convert.material import Clip, Material, Picture, Polygon, Thing
from segtrack.convert.places import Out, written

IMAGES_HOLD = Holds(scores=True)
VIDEO_HOLDS = Holds(parts=False, masks=False, splits=False, scores=True, track_ids=True)
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_HEAD = '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n'


def write_cvat_images(material: Material, out: Out) -> None:
    """Parts of one object have a ``group_id``, unique in the file."""
    path = out.path if out.single else out.path / "annotations.xml"
    group = 0
    tasks = {split: number for number, split in enumerate(material.splits)}
    with written(path) as file:
        file.write(_HEAD + _images_meta(material.names, material.splits))
        for number, picture in enumerate(material.pictures()):
            folders = ("images", picture.split) if picture.split else ("images",)
            out.put(picture, *folders)
            if not picture.labelled:
                continue
            subset: dict[str, object] = {}
            if picture.split:
                subset = {"subset": picture.split, "task_id": tasks[picture.split]}
            size = {"width": picture.width, "height": picture.height}
            file.write(_open("image", {"id": number, "name": picture.name, **subset, **size}))
            for thing in picture.things:
                several = len(thing.polygons) > 1
                group += several
                common = {"label": material.names[thing.class_id], "source": "file", "occluded": 0}
                behind = {"z_order": 0, **({"group_id": group} if several else {})}
                for tag, shape in _shapes(thing, picture):
                    file.write(_shape(tag, {**common, **shape, **behind}, thing))
            file.write("  </image>\n")
        file.write("</annotations>\n")


def write_cvat_video(material: Material, out: Out) -> None:
    """A folder for each video, or its file.

    Every frame of a track is a key frame, so that CVAT interpolates nothing; where a track pauses
    or ends, a shape that is ``outside`` says so. All shapes of a track are of one kind, which CVAT
    needs: outlines, and rectangles where there is only a box, if any of them is an outline.
    """
    rows: dict[int, list[tuple[int, Thing]]] = {}
    with ExitStack() as stack:
        clip: Clip | None = None
        for picture in material.pictures():
            if picture.clip is not clip:
                _end_clip(clip, rows, material.names, out)
                clip, rows = picture.clip, {}
            assert clip is not None
            name = f"frame_{picture.frame:06d}{_suffix(picture)}"
            out.put(picture, level(clip.name), "images", name=name)
            for thing in picture.things:
                if thing.track_id is not None:
                    rows.setdefault(thing.track_id, []).append((picture.frame, thing))
        _end_clip(clip, rows, material.names, out)
        stack.close()


def _suffix(picture: Picture) -> str:
    return picture.name[picture.name.rfind(".") :]


def _end_clip(
    clip: Clip | None,
    rows: Mapping[int, list[tuple[int, Thing]]],
    names: tuple[str, ...],
    out: Out,
) -> None:
    if clip is None:
        return
    path = out.path if out.single else out.folder(level(clip.name)) / "annotations.xml"
    with written(path) as file:
        file.write(_HEAD + _video_meta(names, clip))
        for track_id in sorted(rows):
            _track(file, track_id, rows[track_id], names, clip)
        file.write("</annotations>\n")


def _track(
    file: TextIO,
    track_id: int,
    rows: list[tuple[int, Thing]],
    names: tuple[str, ...],
    clip: Clip,
) -> None:
    label = names[rows[0][1].class_id]
    file.write(_open("track", {"id": track_id, "label": label, "source": "file"}))
    outlined = any(thing.polygons for _, thing in rows)
    for i, (frame, thing) in enumerate(rows):
        tag, shape = _of_track(thing, outlined)
        common = {"frame": frame, "keyframe": 1, "outside": 0, "occluded": 0}
        file.write(_shape(tag, {**common, **shape, "z_order": 0}, thing))
        following = rows[i + 1][0] if i + 1 < len(rows) else clip.frame_count
        if following > frame + 1:
            gone = {**common, "frame": frame + 1, "outside": 1}
            file.write(_shape(tag, {**gone, **shape, "z_order": 0}, thing))
    file.write("  </track>\n")


def _of_track(thing: Thing, outlined: bool) -> tuple[str, dict[str, object]]:
    if thing.polygons:
        return "polygon", {"points": _points(thing.polygons[0])}
    if not outlined:
        return "box", _corners(thing)
    x, y, u, v = thing.bbox_xyxy
    return "polygon", {"points": _points(np.array([[x, y], [u, y], [u, v], [x, v]]))}


def _shapes(thing: Thing, picture: Picture) -> Iterable[tuple[str, dict[str, object]]]:
    if thing.rle:
        yield "mask", mask_attributes(thing.rle, picture.height)
    elif thing.polygons:
        for polygon in thing.polygons:
            yield "polygon", {"points": _points(polygon)}
    else:
        yield "box", _corners(thing)


def mask_attributes(counts: bytes, height: int) -> dict[str, object]:
    """CVAT's form of a mask: run lengths along the rows of its box, background first."""
    runs = rle.run_lengths(counts)
    x, y, u, v = rle.mask_box(runs, height)
    pixels = rle.decode_box(runs, height, (x, y, u, v)).reshape(-1)
    ends = np.flatnonzero(np.diff(pixels)) + 1
    lengths = np.diff(np.concatenate([[0], ends, [len(pixels)]])).tolist()
    if pixels[0]:
        lengths = [0, *lengths]
    text = ", ".join(map(str, lengths))
    return {"rle": text, "left": x, "top": y, "width": u - x, "height": v - y}


def _points(polygon: Polygon) -> str:
    return ";".join(f"{x:.2f},{y:.2f}" for x, y in polygon.tolist())


def _corners(thing: Thing) -> dict[str, object]:
    keys = ("xtl", "ytl", "xbr", "ybr")
    return {key: f"{value:.2f}" for key, value in zip(keys, thing.bbox_xyxy, strict=True)}


def _labels(names: tuple[str, ...]) -> str:
    return "".join(
        f"      <label><name>{escape(_plain(name))}</name><type>any</type><attributes>"
        "<attribute><name>score</name><mutable>True</mutable><input_type>text</input_type>"
        "<default_value></default_value><values></values></attribute></attributes></label>\n"
        for name in names
    )


def _images_meta(names: tuple[str, ...], subsets: tuple[str, ...]) -> str:
    """Of a project with a task for each subset, or of a task where there are none."""
    labels = f"    <labels>\n{_labels(names)}    </labels>\n"
    if not subsets:
        task = f"<task><id>0</id><mode>annotation</mode>\n{labels}    </task>"
        return f"  <meta>\n    {task}\n  </meta>\n"
    tasks = "".join(
        f"      <task><id>{i}</id><name>{subset}</name><mode>annotation</mode>"
        f"<subset>{subset}</subset></task>\n"
        for i, subset in enumerate(subsets)
    )
    listed = "\n".join(subsets)
    return (
        f"  <meta>\n    <project><id>0</id><name>segtrack</name>\n{labels}"
        f"    <subsets>{listed}</subsets>\n    <tasks>\n{tasks}    </tasks></project>\n  </meta>\n"
    )


def _video_meta(names: tuple[str, ...], clip: Clip) -> str:
    frames = f"<start_frame>0</start_frame><stop_frame>{max(0, clip.frame_count - 1)}</stop_frame>"
    sides = f"<width>{clip.width}</width><height>{clip.height}</height>"
    return (
        f"  <meta>\n    <task><id>0</id><name>{escape(_plain(clip.name))}</name>"
        f"<size>{clip.frame_count}</size><mode>interpolation</mode>{frames}\n    <labels>\n"
        f"{_labels(names)}    </labels>\n    <original_size>{sides}</original_size></task>\n"
        "  </meta>\n"
    )


def _open(tag: str, attributes: Mapping[str, object]) -> str:
    return f"  <{tag}{_attributes(attributes)}>\n"


def _shape(tag: str, attributes: Mapping[str, object], thing: Thing) -> str:
    inner = ""
    if thing.score is not None:
        inner = f'<attribute name="score">{thing.score!r}</attribute>'
    return f"    <{tag}{_attributes(attributes)}>{inner}</{tag}>\n"


def _attributes(values: Mapping[str, object]) -> str:
    return "".join(f" {key}={quoteattr(_plain(str(value)))}" for key, value in values.items())


def _plain(text: str) -> str:
    """Text without the characters that XML has no way to write."""
    return _NO_XML.sub("_", text)
