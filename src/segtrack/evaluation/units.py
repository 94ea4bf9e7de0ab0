"""How the detections of every image matched, as a file: what two runs are compared by.

AP is no mean over images, so that a comparison that leaves images out needs each one's detections.
A few bytes per detection are left of them on disk: 114 KB for 100 images of COCO val2017.
"""

from __future__ import annotations

import dataclasses
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from segtrack.base.errors import DataError
from segtrack.evaluation.matching import KINDS, Kind, Matcher, Matches
from segtrack.evaluation.visible import VisibleObjects

FILE = "units.npz"
TEXT = np.dtypes.StringDType()
_NO_BITS = np.empty(0, np.uint16)


@dataclass(frozen=True)
class MatchedDetections:
    """Detections of one kind, in the order of the cells, best score first within a cell.

    Attributes:
        count: int32 (C,), detections of each cell.
        score: float32 (D,).
        right: uint16 (D,), bit t is set where the detection found an object at the t-th of COCO's
            IoU thresholds.
        ignored: uint16 (D,), bit t is set where it lies on a crowd: neither right nor wrong.
    """

    count: np.ndarray
    score: np.ndarray
    right: np.ndarray
    ignored: np.ndarray


@dataclass(frozen=True)
class ImageUnits:
    """One evaluation, image by image. A cell is a class in an image where it occurs or was found.

    Attributes:
        split: that was evaluated.
        fingerprint: of the split's images, labels and class names.
        names: classes by id.
        group: text (N,), the source group of each image, or else its file name; of whatever length
            each, so that one long name costs no more than itself. Images stand in the order of
            their ids, which another data set with the same split may number otherwise.
        class_id: int16 (C,), ascending.
        image: int32 (C,), position of the cell's image; ascending within a class.
        objects: int32 (C,), objects of the ground truth, crowds left out.
        detections: of masks and of boxes.
        visible: the objects whose visible fraction is known.
    """

    split: str
    fingerprint: str
    names: tuple[str, ...]
    group: np.ndarray
    class_id: np.ndarray
    image: np.ndarray
    objects: np.ndarray
    detections: dict[Kind, MatchedDetections]
    visible: VisibleObjects

    def save(self, path: Path) -> None:
        """Write the file that ``load`` reads."""
        arrays: dict[str, Any] = dict(vars(self))
        arrays |= _packed(arrays.pop("group"))
        for kind, found in arrays.pop("detections").items():
            arrays |= {f"{kind}_{key}": values for key, values in vars(found).items()}
        objects = vars(arrays.pop("visible"))
        arrays |= {f"visible_{key}": values for key, values in objects.items()}
        np.savez_compressed(path, **arrays)

    @staticmethod
    def load(path: Path) -> ImageUnits:
        """Read what ``save`` wrote.

        Raises:
            DataError: it is no such file.
        """
        try:
            with np.load(path) as file:
                return ImageUnits(
                    str(file["split"]),
                    str(file["fingerprint"]),
                    tuple(file["names"].tolist()),
                    _unpacked(file),
                    file["class_id"],
                    file["image"],
                    file["objects"],
                    {
                        kind: MatchedDetections(*_read(file, kind, MatchedDetections))
                        for kind in KINDS
                    },
                    VisibleObjects(*_read(file, "visible", VisibleObjects)),
                )
        except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise DataError(
                f"{path}: not readable as the units of an evaluation ({error}); evaluate again"
            ) from error


def image_units(
    split: str, fingerprint: str, names: Sequence[str], groups: np.ndarray, matcher: Matcher
) -> ImageUnits:
    """The units of what was matched.

    Args:
        split, fingerprint: of the images.
        names: classes by id.
        groups: text (N,), of the images in the order in which they were matched.
        matcher: after the last batch.
    """
    cells = [matcher.cells(k) for k in range(len(names))]
    empty = np.empty((len(KINDS), 0), np.int32)
    class_id, image, objects = (
        np.concatenate([np.empty(0, kind), *(getattr(one, name) for one in cells)])
        for name, kind in (("class_id", np.int16), ("image", np.int32), ("objects", np.int32))
    )
    counts = np.concatenate([empty, *(one.found for one in cells)], axis=1)
    kept = (objects > 0) | (counts > 0).any(axis=0)  # not those that hold crowds alone
    return ImageUnits(
        split,
        fingerprint,
        tuple(names),
        groups,
        class_id[kept],
        image[kept],
        objects[kept],
        {
            kind: _detections(matcher.matches(kind), count[kept])
            for kind, count in zip(KINDS, counts, strict=True)
        },
        matcher.objects(),
    )


def _detections(matches: Matches, count: np.ndarray) -> MatchedDetections:
    score, right, ignored = [np.empty(0, np.float32)], [_NO_BITS], [_NO_BITS]
    for k in range(len(matches)):
        found = matches.of(k)
        score.append(found.score)
        right.append(found.right[0].copy())  # not a view that keeps the other areas
        ignored.append(found.ignored[0].copy())
    joined = (np.concatenate(parts) for parts in (score, right, ignored))
    return MatchedDetections(count, *joined)


def _packed(group: np.ndarray) -> dict[str, np.ndarray]:
    """Names as UTF-8, one after the other, and where each ends; numpy keeps no such text itself."""
    names = [name.encode() for name in group.tolist()]
    return {
        "group_text": np.frombuffer(b"".join(names), np.uint8),
        "group_end": np.cumsum([len(name) for name in names], dtype=np.int64),
    }


def _unpacked(file: Mapping[str, np.ndarray]) -> np.ndarray:
    if "group" in file:  # written before names were packed: an array as wide as the longest
        return file["group"].astype(TEXT)
    text, ends = file["group_text"].tobytes(), file["group_end"].tolist()
    names = [text[first:last].decode() for first, last in pairwise([0, *ends])]
    return np.array(names, dtype=TEXT)


def _read(file: Mapping[str, np.ndarray], prefix: str, made: type) -> Iterator[np.ndarray]:
    return (file[f"{prefix}_{field.name}"] for field in dataclasses.fields(made))
