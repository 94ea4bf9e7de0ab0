"""FiftyOne's ``FiftyOneVideoLabelsDataset``: labels of videos in the form of its library ETA.

manifest.json                 which labels belong to which video
data/NAME.mp4                 the video, where it is there
labels/NAME.json              by frame (from 1) its objects: label, confidence, index, box, mask

``dataset_type=fiftyone.types.FiftyOneVideoLabelsDataset`` reads it. Boxes are shares of the frame;
masks are of the box's pixels, as a compressed ``.npy`` in base64.
"""

from __future__ import annotations

import io
import json
import zlib
from base64 import b64encode
from itertools import chain, groupby
from typing import Any

import numpy as np

from segtrack.base.names import level
from segtrack.base.rle_kernels import cut_out
from segtrack.convert.fitting import Holds
from segtrack.convert.material import Clip, Material, Thing
from segtrack.convert.places import Out, written

HOLDS = Holds(outlines=False, parts=False, splits=False, scores=True, track_ids=True)


def write_fiftyone(material: Material, out: Out) -> None:
    """The box of an object with a mask is that of its pixels, so that the mask fits it exactly."""
    index = []
    for _, pictures in groupby(material.pictures(), key=lambda picture: id(picture.clip)):
        first = next(pictures)
        clip = first.clip
        assert clip is not None
        data = f"data/{out.put_video(clip, 'data')}"
        labels = f"labels/{level(clip.name)}.json"
        index.append({"data": data, "labels": labels})
        with written(out.folder("labels") / f"{level(clip.name)}.json") as file:
            file.write('{"frames": {')
            between = "\n"
            for picture in chain((first,), pictures):
                if not picture.things:
                    continue
                objects = [_object(thing, clip, material.names) for thing in picture.things]
                number = picture.frame + 1
                value = {"frame_number": number, "objects": {"objects": objects}}
                file.write(f'{between}"{number}": {json.dumps(value, ensure_ascii=False)}')
                between = ",\n"
            file.write("\n}}\n")
    manifest = {
        "type": "eta.core.datasets.LabeledVideoDataset",
        "description": "segtrack convert",
        "index": index,
    }
    with written(out.path / "manifest.json") as file:
        json.dump(manifest, file, indent=1, ensure_ascii=False)


def _object(thing: Thing, clip: Clip, names: tuple[str, ...]) -> dict[str, Any]:
    x1, y1, x2, y2 = thing.bbox_xyxy
    row: dict[str, Any] = {"label": names[thing.class_id]}
    if thing.rle:
        columns, x, y = cut_out(np.frombuffer(thing.rle, np.uint8), clip.height)
        mask = np.ascontiguousarray(columns.T).astype(bool)
        if mask.size:
            x1, y1, x2, y2 = x, y, x + mask.shape[1], y + mask.shape[0]
            row["mask"] = _packed(mask)
    row["bounding_box"] = {
        "top_left": {"x": x1 / clip.width, "y": y1 / clip.height},
        "bottom_right": {"x": x2 / clip.width, "y": y2 / clip.height},
    }
    if thing.score is not None:
        row["confidence"] = thing.score
    if thing.track_id is not None:
        row["index"] = thing.track_id
    return row


def _packed(mask: np.ndarray) -> str:
    file = io.BytesIO()
    np.save(file, mask, allow_pickle=False)
    return b64encode(zlib.compress(file.getvalue())).decode("ascii")
