"""MOTChallenge and MOTS: a folder for each video, as ``dataset=sequences`` and CVAT read them.

NAME/seqinfo.ini
NAME/img1/000001.jpg ...                       where pictures are there
NAME/gt/gt.txt, labels.txt                     boxes; line n of labels.txt names class n
NAME/mots/instances.txt, labels.txt            masks
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import numpy as np

from segtrack.base.errors import DataError
from segtrack.base.names import level
from segtrack.convert.fitting import Holds, rle_of
from segtrack.convert.material import Clip, Material, Picture
from segtrack.convert.places import Out
from segtrack.formats import IGNORE_CLASS, MotsTable, MotTable, write_mot, write_mots

MOT_HOLDS = Holds(
    outlines=False,
    parts=False,
    masks=False,
    splits=False,
    track_ids=True,
    visible=True,
    ignored=True,
)
MOTS_HOLDS = Holds(
    boxes=False,
    outlines=False,
    parts=False,
    overlaps=False,
    crowds=True,
    splits=False,
    track_ids=True,
)
_IDS = 1000  # of a class
_UNKNOWN = -1.0


def write_mot_folder(material: Material, out: Out) -> None:
    """Boxes with their track ids, classes and, where it is known, visibility; conf 0 is ignored."""
    for clip, pictures in _by_clip(material, out):
        rows: list[tuple[float, ...]] = []
        seen = False
        for picture in pictures:
            for thing in picture.things:
                if thing.track_id is None:
                    continue
                x, y, u, v = thing.bbox_xyxy
                seen |= thing.visible is not None
                visible = _UNKNOWN if thing.visible is None else thing.visible
                kept = 0.0 if thing.ignored else 1.0
                rows.append((picture.frame, thing.track_id, x, y, u - x, v - y, kept,
                             thing.class_id + 1, visible))  # fmt: skip
        table = np.array(rows, np.float64).reshape(-1, 9)
        whole = table[:, [0, 1, 7]].astype(np.int64)
        mot = MotTable(
            whole[:, 0],
            whole[:, 1],
            table[:, 2:6],
            table[:, 6],
            whole[:, 2],
            table[:, 8] if seen else None,
        )
        path = _file(out, clip, "gt", "gt.txt")
        write_mot(path, mot)
        if not out.single:
            _labels(path.parent, list(material.names))
            _seqinfo(out.folder(level(clip.name)), clip)


def write_mots_folder(material: Material, out: Out) -> None:
    """Masks that share no pixel, with ids of class * 1000 + number; class 10 is the ignore region.

    Numbers are the track ids while all are below 1000, else they count up within their class.

    Raises:
        DataError: a class has more tracks than the format can number, or a video has no size.
    """
    for clip, pictures in _by_clip(material, out):
        rows: list[tuple[int, int, int]] = []
        masks: list[bytes] = []
        for picture in pictures:
            for thing in picture.things:
                if thing.crowd:
                    rows.append((picture.frame, -1, IGNORE_CLASS))
                elif thing.track_id is not None:
                    rows.append((picture.frame, thing.track_id, _class_number(thing.class_id)))
                else:
                    continue
                masks.append(thing.rle)
        if rows and rows[0][0]:  # so that nobody takes the first number for 1
            rows.insert(0, (0, -1, IGNORE_CLASS))
            masks.insert(0, rle_of((), clip.height, clip.width))
        table = np.array(rows, np.int64).reshape(-1, 3)
        ids = _ids(table[:, 1], table[:, 2], clip)
        mots = MotsTable(table[:, 0], ids, table[:, 2], clip.height, clip.width, tuple(masks))
        path = _file(out, clip, "mots", "instances.txt")
        write_mots(path, mots)
        if not out.single:
            _labels(path.parent, _mask_labels(material.names))
            _seqinfo(out.folder(level(clip.name)), clip)


def _by_clip(material: Material, out: Out) -> Iterator[tuple[Clip, Iterator[Picture]]]:
    def put(picture: Picture) -> Picture:
        assert picture.clip is not None
        suffix = picture.name[picture.name.rfind(".") :]
        out.put(picture, level(picture.clip.name), "img1", name=f"{picture.frame + 1:06d}{suffix}")
        return picture

    for _, group in groupby(material.pictures(), key=lambda picture: id(picture.clip)):
        first = next(group)
        assert first.clip is not None
        yield first.clip, map(put, (one for part in ([first], group) for one in part))


def _file(out: Out, clip: Clip, folder: str, name: str) -> Path:
    return out.path if out.single else out.folder(level(clip.name), folder) / name


def _labels(folder: Path, names: list[str]) -> None:
    (folder / "labels.txt").write_text("".join(f"{name}\n" for name in names), encoding="utf-8")


def _class_number(class_id: int) -> int:
    """Classes count from 1 and leave out the ignore region's number."""
    return class_id + 1 + (class_id + 1 >= IGNORE_CLASS)


def _mask_labels(names: tuple[str, ...]) -> list[str]:
    listed = list(names)
    if len(listed) >= IGNORE_CLASS:
        listed.insert(IGNORE_CLASS - 1, "ignore")
    return listed


def _ids(track_id: np.ndarray, number: np.ndarray, clip: Clip) -> np.ndarray:
    if (track_id < _IDS).all():
        return np.where(number == IGNORE_CLASS, IGNORE_CLASS * _IDS, number * _IDS + track_id)
    ids = np.full(len(track_id), IGNORE_CLASS * _IDS, np.int64)
    for one in set(number.tolist()) - {IGNORE_CLASS}:
        rows = number == one
        _, places = np.unique(track_id[rows], return_inverse=True)
        if places.max() >= _IDS:
            raise DataError(
                f"{clip.name}: class {one} has {places.max() + 1} tracks, and MOTS numbers no more "
                f"than {_IDS} of a class; write coco or cvat-video, or divide the video"
            )
        ids[rows] = one * _IDS + places
    return ids


def _seqinfo(folder: Path, clip: Clip) -> None:
    images = folder / "img1"
    suffix = next((path.suffix for path in sorted(images.glob("*"))), ".jpg")
    values = {
        "name": clip.name,
        "imDir": "img1",
        "frameRate": f"{clip.fps:g}",
        "seqLength": clip.frame_count,
        "imWidth": clip.width,
        "imHeight": clip.height,
        "imExt": suffix,
    }
    text = "[Sequence]\n" + "".join(f"{key}={value}\n" for key, value in values.items())
    (folder / "seqinfo.ini").write_text(text, encoding="utf-8")
