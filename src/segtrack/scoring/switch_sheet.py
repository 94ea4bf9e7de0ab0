"""Pictures of id switches: the object when it was last followed, and when another id took it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from segtrack.base.errors import StageError
from segtrack.report import BACKGROUND, caption, contact_sheet

MATCHED = 0.5  # IoU from which CLEAR takes an object for followed
TILE = 300  # pixels, width and height of one crop
CONTEXT = 2.0  # sides of a crop, in those of the object
BEFORE, AFTER = (0, 114, 178), (213, 94, 0)  # RGB of the boxes: blue, then vermilion


@dataclass(frozen=True)
class BoxRows:
    """Boxes of a video, in any order.

    Attributes:
        frame, identity: int64 (N,); frames from 0, identity of the track or ground-truth object.
        bbox_xyxy: float (N, 4), pixels.
    """

    frame: np.ndarray
    identity: np.ndarray
    bbox_xyxy: np.ndarray

    def of(self, identity: int, before: int | None = None) -> BoxRows:
        """Rows of one identity, frames ascending, optionally only before a frame."""
        kept = np.flatnonzero(self.identity == identity)
        if before is not None:
            kept = kept[self.frame[kept] < before]
        kept = kept[np.argsort(self.frame[kept], kind="stable")]
        return BoxRows(self.frame[kept], self.identity[kept], self.bbox_xyxy[kept])


@dataclass(frozen=True)
class Sighting:
    """A track in one frame; ``bbox_xyxy`` in pixels."""

    frame: int
    track_id: int
    bbox_xyxy: tuple[float, float, float, float]


def sightings(
    switches: Sequence[tuple[int, int, int, int]], tracks: BoxRows, truth: BoxRows | None = None
) -> list[tuple[Sighting, Sighting]]:
    """Where each switch can be seen: the old track before it, the new track at it.

    The old track is shown in the last frame in which it lay on the object with an IoU of at least
    0.5, or, without ground truth, in its last frame before the switch, when it may have been on
    something else already. Switches of tracks without such rows are left out.

    Args:
        switches: frame, ground-truth id, old and new track id of each.
        tracks: rows of the tracks.
        truth: rows of the ground truth.
    """
    found = []
    for frame, gt_id, old, new in switches:
        after = tracks.of(new)
        at = np.flatnonzero(after.frame == frame)
        earlier = tracks.of(old, before=frame)
        if truth is not None:
            earlier = _on_object(earlier, truth.of(gt_id, before=frame))
        if len(at) and len(earlier.frame):
            found.append((_sighting(earlier, -1), _sighting(after, int(at[0]))))
    return found


def switch_sheet(
    pairs: Sequence[tuple[Sighting, Sighting]],
    frames: Iterable[np.ndarray],
    path: Path,
    most: int = 24,
) -> bool:
    """Write a sheet with two crops for each id switch, before on the left, after on the right.

    Both crops of a pair have the same scale. Of more than ``most`` switches, so
    many spread evenly over the video are shown.

    Args:
        pairs: of ``sightings``.
        frames: images of the whole video in order, uint8 (H, W, 3), BGR; read until the last one
            that is needed.
        path: of the picture, .png or .jpg.

    Returns:
        False where there is nothing to show, because there are no switches or no frames of them;
        nothing is written then.

    Raises:
        StageError: the picture cannot be written.
    """
    chosen = sorted(pairs, key=lambda pair: (pair[1].frame, pair[1].track_id))
    if len(chosen) > most:
        places = np.linspace(0, len(chosen) - 1, most).round().astype(int)
        chosen = [chosen[i] for i in places]
    crops = _crops(chosen, frames)
    tiles = [
        _tile(pair, crops[2 * i], crops[2 * i + 1])
        for i, pair in enumerate(chosen)
        if 2 * i in crops and 2 * i + 1 in crops
    ]
    if not tiles:
        return False
    sheet = contact_sheet(tiles, 2 if len(tiles) < 9 else 3, tiles[0].shape[1])
    title = f"{len(tiles)} of {len(pairs)} id switches: before (blue), after (orange)"
    if not cv2.imwrite(str(path), caption(sheet, title, 24)):
        raise StageError(f"{path}: the picture of id switches cannot be written; is the disk full?")
    return True


def _crops(
    pairs: Sequence[tuple[Sighting, Sighting]], frames: Iterable[np.ndarray]
) -> dict[int, np.ndarray]:
    """Crops by position, 2 i before and 2 i + 1 after the switch i, in one pass over the video."""
    wanted: dict[int, list[int]] = {}
    flat = [sighting for pair in pairs for sighting in pair]
    for position, sighting in enumerate(flat):
        wanted.setdefault(sighting.frame, []).append(position)
    crops: dict[int, np.ndarray] = {}
    last = max(wanted, default=-1)
    for number, image in enumerate(frames if wanted else ()):
        for position in wanted.get(number, ()):
            pair = pairs[position // 2]
            side = max(_side(sighting) for sighting in pair)
            crops[position] = _crop(image, flat[position], side, AFTER if position % 2 else BEFORE)
        if number >= last:
            break
    return crops


def _crop(
    image: np.ndarray, sighting: Sighting, side: float, rgb: tuple[int, int, int]
) -> np.ndarray:
    """A square part of the image around the object, with its box, (TILE, TILE, 3)."""
    height, width = image.shape[:2]
    side = min(side, height, width)
    x1, y1, x2, y2 = sighting.bbox_xyxy
    left = float(np.clip((x1 + x2 - side) / 2, 0, width - side))
    top = float(np.clip((y1 + y2 - side) / 2, 0, height - side))
    scale = TILE / side
    move = np.array([[scale, 0, -left * scale], [0, scale, -top * scale]])
    crop: np.ndarray = cv2.warpAffine(
        np.ascontiguousarray(image), move, (TILE, TILE), borderMode=cv2.BORDER_REPLICATE
    )
    corners = [
        round((v - o) * scale) for v, o in zip((x1, y1, x2, y2), (left, top) * 2, strict=True)
    ]
    cv2.rectangle(crop, corners[:2], corners[2:], rgb[::-1], 2, cv2.LINE_AA)
    return crop


def _tile(pair: tuple[Sighting, Sighting], before: np.ndarray, after: np.ndarray) -> np.ndarray:
    parts = [
        caption(crop, f"frame {sighting.frame}, id {sighting.track_id}", 17)
        for sighting, crop in zip(pair, (before, after), strict=True)
    ]
    gap, edge = (np.full((parts[0].shape[0], w, 3), BACKGROUND, np.uint8) for w in (3, 9))
    return np.hstack([edge, parts[0], gap, parts[1], edge])


def _side(sighting: Sighting) -> float:
    x1, y1, x2, y2 = sighting.bbox_xyxy
    return CONTEXT * max(x2 - x1, y2 - y1, 12.0)


def _sighting(rows: BoxRows, at: int) -> Sighting:
    x1, y1, x2, y2 = (float(value) for value in rows.bbox_xyxy[at])
    return Sighting(int(rows.frame[at]), int(rows.identity[at]), (x1, y1, x2, y2))


def _on_object(track: BoxRows, gt: BoxRows) -> BoxRows:
    """Rows of a track that lie on an object; each has one row per frame at most."""
    _, mine, its = np.intersect1d(track.frame, gt.frame, return_indices=True)
    a, b = track.bbox_xyxy[mine], gt.bbox_xyxy[its]
    size = np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2])
    common = np.prod(np.maximum(size, 0), axis=1)
    union = np.prod(a[:, 2:] - a[:, :2], axis=1) + np.prod(b[:, 2:] - b[:, :2], axis=1) - common
    kept = mine[common >= MATCHED * np.maximum(union, 1e-9)]
    return BoxRows(track.frame[kept], track.identity[kept], track.bbox_xyxy[kept])
