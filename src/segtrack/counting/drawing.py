"""Lines and zones in the frames of the annotated video, with what was counted so far."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageDraw

from segtrack.base.names import shown
from segtrack.counting.count import CROSSINGS, OCCUPANCY
from segtrack.counting.lines import IN, OUT
from segtrack.counting.rules import Rules
from segtrack.report import font, read_table_csv

LINE, ZONE = (0, 215, 255), (255, 190, 60)  # BGR: colours that no track has
FILL = 0.12  # opacity of a zone
ARROW = 18  # times the length of the arrow to where "in" leads is a frame's shorter side


class Drawn:
    """Draws into one frame after the other."""

    def __init__(self, rules: Rules, counted: Path) -> None:
        """``counted``: of ``count_tracks``."""
        self.rules = rules
        self.crossed: dict[tuple[str, str], list[int]] = defaultdict(list)
        self.inside: dict[str, dict[str, tuple[list[int], list[int]]]] = defaultdict(dict)
        for row in _rows(counted / CROSSINGS):
            self.crossed[row["line"], row["direction"]].append(int(row["frame"]))
        for row in _rows(counted / OCCUPANCY):
            steps = self.inside[row["zone"]].setdefault(row["class_name"], ([], []))
            steps[0].append(int(row["frame"]))
            steps[1].append(int(row["inside"]))

    def __call__(self, canvas: np.ndarray, frame: int, scale: float) -> None:
        """Draw into ``canvas``, BGR uint8 (H, W, 3), ``scale`` times as large as the frame."""
        shorter = min(canvas.shape[:2])
        thick = max(2, shorter // 240)
        for name, polygon in self.rules.zones.items():
            corners = np.round(polygon * scale).astype(np.int32)
            x, y, w, h = cv2.boundingRect(corners)
            part = canvas[y : y + h, x : x + w]
            filled = cv2.fillPoly(part.copy(), [corners - (x, y)], ZONE)
            cv2.addWeighted(filled, FILL, part, 1 - FILL, 0, dst=part)
            cv2.polylines(canvas, [corners], True, ZONE, thick, cv2.LINE_AA)
            there = sum(_value(*steps, frame) for steps in self.inside[name].values())
            top = corners[np.argmin(corners[:, 1])].tolist()
            self._write(canvas, f"{shown(name, 30)}: {there}", top, ZONE)
        for name, line in self.rules.lines.items():
            ends = line * scale
            along = (ends[1] - ends[0]) / np.hypot(*(ends[1] - ends[0]))
            middle = ends.mean(axis=0)
            tip = middle + np.array([along[1], -along[0]]) * shorter / ARROW
            a, b, begin, end = np.round([*ends, middle, tip]).astype(int).tolist()
            cv2.line(canvas, a, b, LINE, thick, cv2.LINE_AA)
            cv2.arrowedLine(canvas, begin, end, LINE, thick, cv2.LINE_AA, tipLength=0.35)
            ways = ", ".join(
                f"{way} {bisect_right(self.crossed[name, way], frame)}" for way in (IN, OUT)
            )
            self._write(canvas, f"{shown(name, 30)}: {ways}", a, LINE)

    def _write(
        self, canvas: np.ndarray, text: str, at: Sequence[int], colour: tuple[int, int, int]
    ) -> None:
        """Black letters on a rectangle that begins at a point, moved into the picture."""
        size = max(13, min(canvas.shape[:2]) // 36)
        letters: Any = font(size)
        left, top, right, bottom = letters.getbbox(text)
        pad = size // 4
        w, h = int(right - left) + 2 * pad, int(bottom - top) + 2 * pad
        x = int(np.clip(at[0], 0, max(0, canvas.shape[1] - w)))
        y = int(np.clip(at[1] - h, 0, max(0, canvas.shape[0] - h)))
        view = canvas[y : y + h, x : x + w]
        picture = Image.new("RGB", (view.shape[1], view.shape[0]), colour)
        ImageDraw.Draw(picture).text((pad - left, pad - top), text, (0, 0, 0), letters)
        view[:] = np.asarray(picture)


def _rows(path: Path) -> list[dict[str, str]]:
    return read_table_csv(path.read_text(encoding="utf-8")) if path.is_file() else []


def _value(frames: list[int], values: list[int], frame: int) -> int:
    place = bisect_right(frames, frame)
    return values[place - 1] if place else 0
