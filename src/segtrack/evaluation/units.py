"""How the detections of every image matched, as a file: what two runs are compared by.

AP is no mean over images, so that a comparison that leaves images out needs each one's detections.
A few bytes per detection are left of them on disk: 114 KB for 100 images of COCO val2017.
"""

from __future__ import annotations

import dataclasses
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from segtrack.base.errors import DataError
from segtrack.evaluation.matching import KINDS, Kind, Matcher, Matches
from segtrack.evaluation.visible import VisibleObjects

FILE = "units.npz"


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
        group: str (N,), the source group of each image, or else its file name. Images stand in the
            order of their ids, which another data set with the same split may number otherwise.
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
                    file["group"],
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
    split: str, fingerprint: str, names: Sequence[str], groups: Sequence[str], matcher: Matcher
) -> ImageUnits:
    """The units of what was matched.

    Args:
        split, fingerprint: of the images.
        names: classes by id.
        groups: of the images, in the order in which they were matched.
        matcher: after the last batch.
    """
    matches = {kind: matcher.matches(kind) for kind in KINDS}
    cells = [_cells(matches, k, len(groups)) for k in range(len(names))]
    class_id, image, objects, *counts = np.concatenate(cells, axis=1)
    return ImageUnits(
        split,
        fingerprint,
        tuple(names),
        np.array(groups, dtype=np.str_),
        class_id.astype(np.int16),
        image,
        objects,
        {
            kind: _detections(matches[kind], len(names), count)
            for kind, count in zip(KINDS, counts, strict=True)
        },
        matcher.objects(),
    )


def _cells(matches: dict[Kind, Matches], class_id: int, images: int) -> np.ndarray:
    """int32 (3 + kinds, C): class, image, objects, and detections of each kind."""
    table = np.zeros((3 + len(KINDS), images), np.int32)
    table[0], table[1] = class_id, np.arange(images)
    for row, kind in enumerate(KINDS, start=3):
        entries = matches[kind].images(class_id)
        present = np.flatnonzero([entry is not None for entry in entries])
        kept = [entry for entry in entries if entry is not None]
        # Both kinds have the same ground truth.
        table[2, present] = [np.sum(entry["gtIgnore"] == 0) for entry in kept]
        table[row, present] = [len(entry["dtScores"]) for entry in kept]
    return table[:, table[2:].any(axis=0)]


def _detections(matches: Matches, classes: int, count: np.ndarray) -> MatchedDetections:
    found: list[list[np.ndarray]] = [[np.empty(0, np.float32)], [_bits([])], [_bits([])]]
    for k in range(classes):
        entries = matches.of(k)
        found[0] += [entry["dtScores"].astype(np.float32) for entry in entries]
        found[1].append(_bits([entry["dtMatches"] & ~entry["dtIgnore"] for entry in entries]))
        found[2].append(_bits([entry["dtIgnore"] for entry in entries]))
    return MatchedDetections(count, *map(np.concatenate, found))


def _bits(flags: list[np.ndarray]) -> np.ndarray:
    """Flags of some images, bool (T, D) each, as one uint16 per detection."""
    if not flags:
        return np.empty(0, np.uint16)
    joined = np.concatenate(flags, axis=1)
    bit = 2 ** np.arange(len(joined), dtype=np.uint16)
    return np.asarray(np.sum(joined * bit[:, None], axis=0, dtype=np.uint16))


def _read(file: Mapping[str, np.ndarray], prefix: str, made: type) -> Iterator[np.ndarray]:
    return (file[f"{prefix}_{field.name}"] for field in dataclasses.fields(made))
