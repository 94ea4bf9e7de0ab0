"""Ground truth of one sequence as arrays, and how they are kept."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from segtrack.base.errors import DataError
from segtrack.base.files import digest
from segtrack.scoring.protocols import Names

TRUTH_FILE = "truth.npz"


@dataclass(frozen=True)
class BoxTruth:
    """Boxes, frames ascending.

    Attributes:
        protocol: key in ``protocols.PROTOCOLS``.
        names: of the class ids; none where the file has no classes.
        frame, track_id, class_id: int64 (N,); frames from 0.
        box: float64 (N, 4), corners in pixels.
        judged: bool (N,), False where the file says that a row is not to be judged.
        region_frame, region_box: int64 (R,) and float64 (R, 4), where nothing is judged.
        level: int64 (N,), how much is seen, place in ``occlusion.LEVELS``, -1 where not known; None
            where the file does not say.
    """

    protocol: str
    names: Names
    frame: np.ndarray
    track_id: np.ndarray
    class_id: np.ndarray
    box: np.ndarray
    judged: np.ndarray
    region_frame: np.ndarray
    region_box: np.ndarray
    level: np.ndarray | None = None


@dataclass(frozen=True)
class MaskTruth:
    """Masks, frames ascending; no two of a frame share a pixel.

    Attributes:
        names: of the class ids.
        frame, track_id, class_id: int64 (N,); frames from 0.
        rle: N compressed COCO RLE of ``height`` x ``width``.
        regions: by frame the RLE of what is to be ignored, where there is any.
    """

    names: Names
    frame: np.ndarray
    track_id: np.ndarray
    class_id: np.ndarray
    rle: tuple[bytes, ...]
    height: int
    width: int
    regions: dict[int, bytes]


@dataclass(frozen=True)
class Truth:
    """Ground truth of one sequence; ``boxes`` or ``masks`` may be missing.

    ``frame_count`` is what the sequence declares, or 0; ``width`` and ``height`` likewise.
    """

    name: str
    frame_count: int
    width: int
    height: int
    boxes: BoxTruth | None
    masks: MaskTruth | None

    @property
    def last_frame(self) -> int:
        """The last frame with an object, -1 without any."""
        parts = [part.frame for part in (self.boxes, self.masks) if part is not None]
        return max((int(frame[-1]) for frame in parts if len(frame)), default=-1)

    @staticmethod
    def load(folder: Path) -> Truth:
        """What ``save`` wrote.

        Raises:
            DataError: the folder holds no ground truth.
        """
        path = folder / TRUTH_FILE
        try:
            with np.load(path) as file:
                arrays = dict(file)
            facts = json.loads(str(arrays["facts"]))
        except (OSError, KeyError, ValueError) as error:
            raise DataError(f"{path}: not readable as ground truth ({error})") from error
        return Truth(
            facts["name"],
            facts["frame_count"],
            facts["width"],
            facts["height"],
            _boxes(facts["box"], arrays) if facts["box"] else None,
            _masks(facts["mask"], arrays) if facts["mask"] else None,
        )

    def save(self, folder: Path) -> None:
        """Write ``truth.npz`` into ``folder``."""
        facts: dict[str, Any] = {
            "name": self.name,
            "frame_count": self.frame_count,
            "width": self.width,
            "height": self.height,
            "box": None,
            "mask": None,
        }
        arrays: dict[str, np.ndarray] = {}
        if self.boxes is not None:
            facts["box"] = {"protocol": self.boxes.protocol, "names": self.boxes.names}
            arrays |= {f"box_{key}": getattr(self.boxes, key) for key in _BOX_ARRAYS}
            if self.boxes.level is not None:
                arrays["box_level"] = self.boxes.level
        if self.masks is not None:
            size = {"height": self.masks.height, "width": self.masks.width}
            facts["mask"] = {"names": self.masks.names, **size}
            arrays |= {f"mask_{key}": getattr(self.masks, key) for key in _MASK_ARRAYS}
            arrays |= _packed("mask_rle", list(self.masks.rle))
            arrays["mask_region_frame"] = np.array(list(self.masks.regions), np.int64)
            arrays |= _packed("mask_region_rle", list(self.masks.regions.values()))
        np.savez(folder / TRUTH_FILE, facts=np.array(json.dumps(facts)), **arrays)  # type: ignore[arg-type]

    def digests(self) -> dict[str, str]:
        """SHA-256 of the objects and regions that are scored against, ``box`` and ``mask``, where
        there are such; the same of the same ground truth, however it was read."""
        found = {}
        if (boxes := self.boxes) is not None:
            parts = [getattr(boxes, key).tobytes() for key in _BOX_ARRAYS]
            found["box"] = _digest(boxes.names, [boxes.protocol.encode(), *parts])
        if (masks := self.masks) is not None:
            parts = [getattr(masks, key).tobytes() for key in _MASK_ARRAYS]
            regions = [b"%d" % frame + rle for frame, rle in sorted(masks.regions.items())]
            found["mask"] = _digest(masks.names, [*parts, *masks.rle, b"regions", *regions])
        return found


_MASK_ARRAYS = ("frame", "track_id", "class_id")
_BOX_ARRAYS = (*_MASK_ARRAYS, "box", "judged", "region_frame", "region_box")


def _digest(names: Names, parts: list[bytes]) -> str:
    each = [hashlib.sha256(part).hexdigest() for part in parts]
    return digest([list(map(list, names)), each])


def _packed(key: str, texts: list[bytes]) -> dict[str, np.ndarray]:
    ends = np.cumsum([len(text) for text in texts], dtype=np.int64)
    return {key: np.frombuffer(b"".join(texts), np.uint8), f"{key}_ends": ends}


def _unpacked(key: str, arrays: dict[str, np.ndarray]) -> tuple[bytes, ...]:
    text, ends = arrays[key].tobytes(), arrays[f"{key}_ends"].tolist()
    return tuple(text[a:b] for a, b in zip([0, *ends][:-1], ends, strict=True))


def _names(rows: list[list[Any]]) -> Names:
    return tuple((int(i), str(name)) for i, name in rows)


def _boxes(facts: dict[str, Any], arrays: dict[str, np.ndarray]) -> BoxTruth:
    parts = {key: arrays[f"box_{key}"] for key in _BOX_ARRAYS}
    return BoxTruth(
        facts["protocol"], _names(facts["names"]), **parts, level=arrays.get("box_level")
    )


def _masks(facts: dict[str, Any], arrays: dict[str, np.ndarray]) -> MaskTruth:
    regions = _unpacked("mask_region_rle", arrays)
    return MaskTruth(
        _names(facts["names"]),
        arrays["mask_frame"],
        arrays["mask_track_id"],
        arrays["mask_class_id"],
        _unpacked("mask_rle", arrays),
        facts["height"],
        facts["width"],
        dict(zip(arrays["mask_region_frame"].tolist(), regions, strict=True)),
    )
