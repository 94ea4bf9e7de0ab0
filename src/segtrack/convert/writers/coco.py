"""COCO instances: ``annotations/instances_SPLIT.json`` beside ``images/SPLIT``.

Of videos all frames are images with ``video_id`` and ``frame_id`` (from 0), and annotations have
``track_id``, also among their ``attributes``, where CVAT and Datumaro look for it.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, TextIO

from segtrack.base import rle
from segtrack.convert.fitting import Holds
from segtrack.convert.material import Clip, Material, Picture, Thing
from segtrack.convert.places import Out, Texts

HOLDS = Holds(
    crowds=True, scores=True, track_ids=True, visible=True, interpolated=True, ignored=True
)
_ROWS = ".rows"  # of a file whose annotations come behind its images


def write_coco(material: Material, out: Out) -> None:
    """Annotations stand in the order of their images; ids count from 1."""
    clips = {clip.name: number for number, clip in enumerate(material.clips, start=1)}
    counts: dict[Path, tuple[int, int]] = {}

    def begin(file: TextIO) -> None:
        file.write('{"info": {"description": "segtrack convert"},\n')
        if clips:
            videos = [_video(clip, clips[clip.name]) for clip in material.clips]
            file.write(f'"videos": {json.dumps(videos, ensure_ascii=False)},\n')
        named = [{"id": i, "name": n, "supercategory": ""} for i, n in enumerate(material.names, 1)]
        file.write(f'"categories": {json.dumps(named, ensure_ascii=False)},\n"images": [')

    with Texts(begin) as files, Texts() as rows:
        for picture in material.pictures():
            if not picture.labelled:
                out.put(picture, "images", "pool")
                continue
            split = picture.split or "default"
            out.put(picture, "images", split)
            name = f"instances_{split}.json"
            path = out.path if out.single else out.folder("annotations") / name
            image, annotation = counts.get(path, (0, 0))
            image += 1
            files.row(path, json.dumps(_image(picture, image, clips), ensure_ascii=False))
            beside = path.with_name(path.name + _ROWS)
            for thing in picture.things:
                annotation += 1
                value = annotation_of(thing, picture, annotation, image)
                rows.row(beside, json.dumps(value))
            counts[path] = image, annotation
        if not files.files:
            files.open(out.path if out.single else out.folder("annotations") / "instances.json")
        done = list(files.files)
    for path in done:
        beside = path.with_name(path.name + _ROWS)
        with path.open("a", encoding="utf-8", newline="\n") as file:
            file.write('\n],\n"annotations": [')
            if beside.exists():
                with beside.open(encoding="utf-8") as text:
                    shutil.copyfileobj(text, file)
                beside.unlink()
            file.write("\n]}\n")


def annotation_of(thing: Thing, picture: Picture, number: int, image: int) -> dict[str, Any]:
    """One element of ``annotations``."""
    x, y, u, v = thing.bbox_xyxy
    size = [picture.height, picture.width]
    segmentation: Any = []
    if thing.rle:
        segmentation = {"size": size, "counts": thing.rle.decode()}
    elif thing.polygons:
        segmentation = [polygon.reshape(-1).tolist() for polygon in thing.polygons]
    row: dict[str, Any] = {
        "id": number,
        "image_id": image,
        "category_id": thing.class_id + 1,
        "segmentation": segmentation,
        "bbox": [x, y, u - x, v - y],
        "area": _area(thing),
        "iscrowd": int(thing.crowd),
    }
    if thing.score is not None:
        row["score"] = thing.score
    if thing.track_id is not None:
        row["track_id"] = thing.track_id
        row["attributes"] = {"track_id": thing.track_id, "occluded": False}
    if thing.visible is not None:
        row["visible_fraction"] = thing.visible
    if thing.interpolated:
        row["interpolated"] = True
    if thing.ignored:
        row["ignore"] = 1
    return row


def _area(thing: Thing) -> float:
    if thing.rle:
        return float(rle.pixels(thing.rle))
    if not thing.polygons:
        x, y, u, v = thing.bbox_xyxy
        return (u - x) * (v - y)
    from segtrack.dataset import signed_area

    return sum(abs(signed_area(polygon)) for polygon in thing.polygons)


def _image(picture: Picture, number: int, clips: dict[str, int]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": number,
        "file_name": picture.name,
        "width": picture.width,
        "height": picture.height,
    }
    if picture.clip is not None:
        row |= {"video_id": clips[picture.clip.name], "frame_id": picture.frame}
    return row


def _video(clip: Clip, number: int) -> dict[str, Any]:
    return {
        "id": number,
        "name": clip.name,
        "width": clip.width,
        "height": clip.height,
        "fps": clip.fps,
        "length": clip.frame_count,
    }
