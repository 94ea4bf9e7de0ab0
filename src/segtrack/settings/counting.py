"""Lines, zones and speeds of what moves in front of a camera that stands still."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from segtrack.settings.knobs import Group, Problem, knob

Point = tuple[float, float]
_FLAT = 1e-6  # of the square of a shape's longest side: less area than this is a line


class PointUnit(Enum):
    """What points in the image are given in."""

    px = "px"
    share = "share"


@dataclass
class HomographySettings:
    """Four points on the ground, as the image shows them and where they are."""

    image: list[float] | None = knob(
        None, "[x1,y1,...,x4,y4] in the image, one after the other around a quadrilateral"
    )
    ground: list[float] | None = knob(
        None, "[x1,y1,...,x4,y4] of the same points on the ground, on any axes", unit="m"
    )


@dataclass
class CountingSettings(Group):
    """What is counted along trajectories; nothing where neither lines, zones nor a homography are
    given."""

    lines: dict[str, Any] = knob(
        lambda: {},
        "{NAME: [x1,y1,x2,y2]}: crossings are counted by direction; in: from the right hand to the "
        "left hand of one who stands at point 1 and looks to point 2",
    )
    zones: dict[str, Any] = knob(
        lambda: {},
        "{NAME: [x1,y1,x2,y2,x3,y3,...]}: who comes, goes, is there and how long, in a polygon",
    )
    homography: HomographySettings = knob(
        HomographySettings, "from the image to the ground: speeds are measured"
    )
    unit: PointUnit = knob(
        PointUnit.px,
        "of all points in the image: px, or share of the frame's width and height (0..1)",
    )
    hysteresis: float = knob(
        0.1,
        "who changes sides has to come this far beyond a line or border, in heights of the "
        "object's box: jitter counts nothing",
        low=0,
        high=10,
    )
    interval: float = knob(
        60.0, "length of the rows of the tables over time", unit="s", low=0.1, high=1e6
    )
    speed_window: float = knob(
        1.0,
        "of the line that is fitted to an object's way, whose slope is its speed",
        unit="s",
        low=0.05,
        high=60,
    )

    @property
    def wanted(self) -> bool:
        """Whether there is anything to count."""
        return bool(self.lines or self.zones or self.homography.image)

    def problems(self) -> Iterator[Problem]:
        """Points that make no line, polygon or plane."""
        for kind, shapes in (("lines", self.lines), ("zones", self.zones)):
            for name, numbers in shapes.items():
                if not name.strip() or not name.isprintable():
                    yield Problem(f"counting.{kind}", repr(name), "must be a name in one line")
                wrong = self._points_problem(numbers) or (
                    _line_problem(numbers) if kind == "lines" else _zone_problem(numbers)
                )
                if wrong:
                    yield Problem(f"counting.{kind}.{name}", _shown(numbers), wrong)
        yield from self._homography_problems()

    def _homography_problems(self) -> Iterator[Problem]:
        image, ground = self.homography.image, self.homography.ground
        if image is None and ground is None:
            return
        for name, numbers in (("image", image), ("ground", ground)):
            key = f"counting.homography.{name}"
            if numbers is None:
                yield Problem(key, None, "is missing; the same four points in image and on ground")
                continue
            wrong = self._points_problem(numbers) if name == "image" else _finite(numbers)
            if wrong or (wrong := _quadrilateral_problem(numbers)):
                yield Problem(key, _shown(numbers), wrong)

    def _points_problem(self, numbers: Any) -> str:
        if wrong := _finite(numbers):
            return wrong
        if min(numbers, default=0) < 0:
            return "lies outside of the frame: its points begin at 0, in the upper left corner"
        if self.unit is PointUnit.share and max(numbers, default=0) > 1:
            return "counting.unit=share: coordinates lie in 0 to 1"
        return ""


def points_of(numbers: Sequence[float]) -> list[Point]:
    """Points (x, y) of [x1,y1,x2,y2,...]."""
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def _shown(numbers: Any) -> Any:
    return f"[{','.join(map(str, numbers))}]" if isinstance(numbers, list) else numbers


def _finite(numbers: Any) -> str:
    listed = numbers if isinstance(numbers, list) else [None]
    good = all(isinstance(n, int | float) and not isinstance(n, bool) for n in listed)
    return "" if good and all(map(math.isfinite, listed)) else "must be a list of finite numbers"


def _line_problem(numbers: Sequence[float]) -> str:
    if len(numbers) != 4:
        return f"must be [x1,y1,x2,y2], two points; there are {len(numbers)} numbers"
    if numbers[:2] == numbers[2:]:
        return "its two points are the same; a line has a direction"
    return ""


def _zone_problem(numbers: Sequence[float]) -> str:
    if len(numbers) < 6 or len(numbers) % 2:
        return (
            "must be [x1,y1,x2,y2,x3,y3,...], three points or more; there are "
            f"{len(numbers)} numbers"
        )
    points = points_of(numbers)
    if len(set(points)) < len(points):
        return "has a point twice; its outline is closed by itself"
    count = len(points)
    edges = [(points[i], points[(i + 1) % count]) for i in range(count)]
    for i, one in enumerate(edges):
        for j in range(i + 1, count):
            apart = j - i > 1 and not (i == 0 and j == count - 1)
            if apart and _meet(one, edges[j]):
                return f"crosses itself: its side {i + 1} meets side {j + 1}; give it in order"
    if abs(_area(points)) <= _FLAT * _extent(points) ** 2:
        return "its points lie on one line; a zone has an area"
    return ""


def _quadrilateral_problem(numbers: Sequence[float]) -> str:
    if len(numbers) != 8:
        return f"must be [x1,y1,...,x4,y4], four points; there are {len(numbers)} numbers"
    points = points_of(numbers)
    least = _FLAT * _extent(points) ** 2
    turns = [_turn(points[i], points[(i + 1) % 4], points[(i + 2) % 4]) for i in range(4)]
    if min(map(abs, turns)) <= least:
        return "three of its points lie on one line, so that no plane follows from it"
    if len({turn > 0 for turn in turns}) > 1:
        return "must be a quadrilateral without a dent, its points one after the other around it"
    return ""


def _area(points: Sequence[Point]) -> float:
    following = [*points[1:], points[0]]
    return sum(a[0] * b[1] - a[1] * b[0] for a, b in zip(points, following, strict=True)) / 2


def _extent(points: Sequence[Point]) -> float:
    sides = [[point[i] for point in points] for i in (0, 1)]
    return max(max(side) - min(side) for side in sides)


def _turn(a: Point, b: Point, c: Point) -> float:
    return (b[0] - a[0]) * (c[1] - b[1]) - (b[1] - a[1]) * (c[0] - b[0])


def _meet(one: tuple[Point, Point], other: tuple[Point, Point]) -> bool:
    """Whether two segments share a point."""
    (a, b), (c, d) = one, other
    first, second = _turn(a, b, c), _turn(a, b, d)
    third, fourth = _turn(c, d, a), _turn(c, d, b)
    if first * second < 0 and third * fourth < 0:
        return True
    return any(
        turn == 0 and _within(point, ends)
        for turn, point, ends in (
            (first, c, one),
            (second, d, one),
            (third, a, other),
            (fourth, b, other),
        )
    )


def _within(point: Point, ends: tuple[Point, Point]) -> bool:
    return all(
        min(ends[0][i], ends[1][i]) <= point[i] <= max(ends[0][i], ends[1][i]) for i in (0, 1)
    )
