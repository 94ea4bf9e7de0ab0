"""Small made-up benchmarks: objects that walk, a tracker that misses, invents and confuses them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pycocotools import mask as coco

HEIGHT, WIDTH = 60, 90
KITTI_GT = ("Car", "Van", "Pedestrian", "Person", "Cyclist")
KITTI_TRACKED = ("Car", "Car", "Pedestrian", "Pedestrian", "Car")


@dataclass(frozen=True)
class Row:
    frame: int
    track_id: int
    kind: int
    box: tuple[float, float, float, float]  # x, y, width, height


def rows(seed: int, frames: int = 30, objects: int = 8, kinds: int = 2) -> list[Row]:
    """Ground truth with gaps; whole pixels, so that equal overlaps are common."""
    rng = np.random.default_rng(seed)
    made = []
    for one in range(objects):
        x, y = rng.integers(0, 50), rng.integers(0, 30)
        width, height = rng.integers(4, 16), rng.integers(6, 30)
        first, last = sorted(rng.integers(0, frames, 2).tolist())
        for frame in range(first, last + 1):
            x, y = x + rng.integers(-1, 3), y + rng.integers(-1, 2)
            if rng.random() < 0.9:
                made.append(Row(frame, one + 1, one % kinds, (x, y, width, height)))
    return made


def tracked(gt: list[Row], seed: int, kinds: int = 2) -> list[Row]:
    """What a poor tracker makes of it."""
    rng = np.random.default_rng(seed)
    identity = {row.track_id: row.track_id for row in gt}
    made: dict[tuple[int, int], Row] = {}
    for row in gt:
        if rng.random() < 0.05:
            identity[row.track_id] = int(rng.integers(1, 15))
        if rng.random() < 0.15:
            continue
        x, y, width, height = (v + int(rng.integers(-1, 2)) for v in row.box)
        kind = row.kind if rng.random() < 0.9 else int(rng.integers(kinds))
        track_id = identity[row.track_id]
        made[row.frame, track_id] = Row(row.frame, track_id, kind, (x, y, width, height))
    for _ in range(len(gt) // 8):
        frame, track_id = gt[int(rng.integers(len(gt)))].frame, int(rng.integers(15, 20))
        box = (*rng.integers(0, 40, 2).tolist(), *rng.integers(4, 20, 2).tolist())
        made[frame, track_id] = Row(frame, track_id, int(rng.integers(kinds)), box)
    return [made[key] for key in sorted(made)]


def write(path: Path, lines: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(lines))


def ini(path: Path, frames: int) -> None:
    write(path, [f"[Sequence]\nname={path.parent.name}\nframeRate=10\nseqLength={frames}\n"])


def mot_gt(
    made: list[Row], seed: int, classes: bool, others: tuple[int, ...] = (7, 8, 12, 2)
) -> list[str]:
    """MOT15 or MOT17 columns; some rows are not to be judged, some are of ``others``."""
    rng = np.random.default_rng(seed)
    distractor = {row.track_id: rng.random() < 0.3 for row in made}
    lines = []
    for row in made:
        kind = (int(rng.choice(others)) if distractor[row.track_id] else 1) if classes else 1
        marked = int(kind == 1 and rng.random() < 0.9)
        end = f"{kind},0.5" if classes else "-1,-1,-1"
        lines.append(f"{row.frame + 1},{row.track_id},{_numbers(row.box)},{marked},{end}\n")
    return lines


def mot_tracks(made: list[Row]) -> list[str]:
    return [f"{r.frame + 1},{r.track_id},{_numbers(r.box)},0.9,-1,-1,-1\n" for r in made]


def kitti_lines(made: list[Row], seed: int, tracks: bool) -> list[str]:
    """Labels with levels of truncation and occlusion, regions of no interest and neighbours."""
    rng = np.random.default_rng(seed)
    lines = []
    names = KITTI_TRACKED if tracks else KITTI_GT
    for row in made:
        x, y, width, height = row.box
        box = f"{x} {y} {x + width} {y + 2 * height}"
        truncated, occluded = rng.choice([0, 0, 0, 0, 0, 1]), rng.choice([0, 0, 1, 2, 3])
        score = " 0.9" if tracks else ""
        lines.append(
            f"{row.frame} {row.track_id} {names[row.kind]} {truncated} {occluded} "
            f"-10 {box} 1.5 1.6 3.7 -1000 -1000 -1000 -10{score}\n"
        )
    if not tracks:
        for frame in sorted({row.frame for row in made})[::2]:
            x, y = rng.integers(0, 40, 2)
            lines.append(
                f"{frame} -1 DontCare -1 -1 -10 {x} {y} {x + 30} {y + 40} "
                "-1000 -1000 -1000 -10 -1 -1 -1\n"
            )
    return lines


def mots_lines(made: list[Row], first_frame: int, regions: bool) -> list[str]:
    """Disjoint masks: who comes first has the pixel; the ignore region takes what is left."""
    lines = []
    for frame in sorted({row.frame for row in made}):
        free = np.ones((HEIGHT, WIDTH), bool)
        for row in made:
            if row.frame != frame:
                continue
            mask = _mask(row) & free
            free &= ~mask
            if mask.any():
                class_id = row.kind + 1
                lines.append(_mots(frame + first_frame, class_id * 1000 + row.track_id, mask))
        if regions and frame % 2:
            ignored = free.copy()
            ignored[:, : WIDTH // 2] = False
            lines.append(_mots(frame + first_frame, 10_000, ignored))
    return lines


def _mask(row: Row) -> np.ndarray:
    x, y, width, height = (int(v) for v in row.box)
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[max(y, 0) : max(y + height, 0), max(x, 0) : max(x + width, 0)] = True
    return mask


def _mots(frame: int, full_id: int, mask: np.ndarray) -> str:
    counts = coco.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()
    return f"{frame} {full_id} {full_id // 1000} {HEIGHT} {WIDTH} {counts}\n"


def _numbers(box: tuple[float, ...]) -> str:
    return ",".join(str(value) for value in box)
