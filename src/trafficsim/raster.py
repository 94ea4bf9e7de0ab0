"""Convex polygons as pixels, compiled: a scene has thousands, most of them small.

A pixel's centre is at whole numbers, as where OpenCV draws. All shapes are half a pixel wider on
all sides, so that faces that share an edge leave no seam, and none is thinner than a pixel.
"""

from __future__ import annotations

from math import ceil, floor, inf, sqrt

import numpy as np
from numpy.typing import NDArray

from segtrack.base.compiled import ZERO, compiled

Image = NDArray[np.uint8]
Array = NDArray[np.float64]
Counts = NDArray[np.int64]
Numbers = NDArray[np.int16]
Spans = NDArray[np.int32]

_LONG = 24
"""Runs of so many px are copied."""

_FAR = 1_000_000_000 + ZERO
"""No pixel is farther away than this."""


@compiled
def fill(image: Image, points: Array, counts: Counts, colours: Array) -> None:
    """Paints convex polygons, one after the other, antialiased.

    A pixel is covered wholly where its centre lies in the polygon or on its edge, by half where it
    lies half a pixel outside, and not at all from one pixel outside.

    Args:
        image: uint8 (H, W, 3), painted on; what lies outside is left out. Or (H, W, 4), where the
            fourth number is how much is covered, and colours get multiplied by it.
        points: float64 (N, 2), px, the corners of all polygons in a row, either way round.
        counts: int64 (P,), the corners of each, at least 1.
        colours: float64 (P, 3), 0..255; what is beyond is cut off.
    """
    edges, line = np.empty((len(points), 4)), np.empty(image[0].size, np.uint8)
    height, width, covers = len(image), image.shape[1], image.shape[2] == 4
    first = 0
    for n in range(len(counts)):
        b, g, r = _tone(colours[n, 0]), _tone(colours[n, 1]), _tone(colours[n, 2])
        blue, green, red = np.uint8(b + 0.5), np.uint8(g + 0.5), np.uint8(r + 0.5)
        x0, y0, x1, y1, known = _edges(points[first : first + counts[n]], edges)
        first += counts[n]
        ready = 0  # of the line
        for y in range(_first(y0 - 1.0, ZERO), _last(y1 + 1.0, height - 1) + 1):
            start, low, high, stop = _crossed(edges, known, (x0, y0, x1, y1), y)
            begin, end = _first(start, ZERO), _last(stop, width - 1)
            if begin > end:
                continue
            left, right = _first(low, begin), _last(high, end)
            if left > right:
                left, right = end + 1, end
            if right - left < _LONG:
                for x in range(left, right + 1):
                    image[y, x, 0] = blue
                    image[y, x, 1] = green
                    image[y, x, 2] = red
                    if covers:
                        image[y, x, 3] = 255
            else:
                run, channels = image[y, left : right + 1].reshape(-1), image.shape[2]
                while ready < len(run):
                    line[ready], line[ready + 1], line[ready + 2] = blue, green, red
                    if covers:
                        line[ready + 3] = 255
                    ready += channels
                # from 0 on, of which the compiler makes wide stores
                for k in range(len(run)):
                    run[k] = line[k]
            for side in range(2):
                for x in range(begin if side == 0 else right + 1, left if side == 0 else end + 1):
                    cover = min(min(x - x0, x1 - x), min(y - y0, y1 - y)) + 1.0
                    for i in range(known):
                        cover = min(cover, edges[i, 2] + 1.0 - edges[i, 0] * x - edges[i, 1] * y)
                    cover = min(cover, 1.0)
                    if cover > 0.0:
                        image[y, x, 0] = _mixed(image[y, x, 0], b, cover)
                        image[y, x, 1] = _mixed(image[y, x, 1], g, cover)
                        image[y, x, 2] = _mixed(image[y, x, 2], r, cover)
                        if covers:
                            image[y, x, 3] = _mixed(image[y, x, 3], 255.0, cover)


@compiled
def nearest(numbers: Numbers, corners: Array) -> tuple[Spans, Array]:
    """Gives each pixel the number of the nearest polygon, from 1, that covers all of it.

    Args:
        numbers: int16 (H, W), zeros, written to.
        corners: float64 (P, C, 2), px, of convex polygons, the last the nearest; corners may be
            repeated.

    Returns:
        Of each row of each polygon its first pixel and its first that is covered wholly, its last
        such and its last, int32 (P, H, 4); of a row without, the first is beyond the last. And
        the edges of each polygon and of the box around it, float64 (P, C + 4, 4), as `_edges`
        writes them; zeros where there are fewer.
    """
    many, most = corners.shape[:2]
    height, width = numbers.shape
    spans, edges = np.zeros((many, height, 4), np.int32), np.zeros((many, most + 4, 4))
    spans[:, :, 2:] = -1
    for k in range(many - 1, -1, -1):
        x0, y0, x1, y1, known = _edges(corners[k], edges[k])
        box = edges[k, known : known + 4]
        box[0, 0], box[0, 2], box[0, 3] = -1.0, -x0, -1.0
        box[1, 0], box[1, 2], box[1, 3] = 1.0, x1, 1.0
        box[2, 1], box[2, 2] = -1.0, -y0
        box[3, 1], box[3, 2] = 1.0, y1
        for y in range(_first(y0 - 1.0, ZERO), _last(y1 + 1.0, height - 1) + 1):
            start, low, high, stop = _crossed(edges[k], known, (x0, y0, x1, y1), y)
            spans[k, y, 0], spans[k, y, 1] = _first(start, ZERO), _first(low, ZERO)
            spans[k, y, 2], spans[k, y, 3] = _last(high, width - 1), _last(stop, width - 1)
            for x in range(spans[k, y, 1], spans[k, y, 2] + 1):
                if numbers[y, x] == 0:
                    numbers[y, x] = k + 1
    return spans, edges


@compiled
def stamp(mask: Image, points: Array, counts: Counts, values: Counts) -> Counts:
    """Writes a value where a polygon covers a pixel by half or more, one after the other.

    Args:
        mask: uint8 (H, W), written to; what lies outside is left out.
        points: float64 (N, 2), px, as in `fill`.
        counts: int64 (P,), as in `fill`; nothing is drawn of those with 0 corners.
        values: int64 (P,), 0..255.

    Returns:
        int64 (P, 4), x0, y0, x1, y1, ends excluded, around each; zeros where nothing is drawn.
    """
    edges = np.empty((len(points), 4))
    boxes = np.zeros((len(counts), 4), np.int64)
    height, width = mask.shape
    first = 0
    for k in range(len(counts)):
        if counts[k] == 0:
            continue
        x0, y0, x1, y1, known = _edges(points[first : first + counts[k]], edges)
        first += counts[k]
        left, right = _first(x0 - 0.5, ZERO), _last(x1 + 0.5, width - 1)
        top, bottom = _first(y0 - 0.5, ZERO), _last(y1 + 0.5, height - 1)
        if left > right or top > bottom:
            continue
        boxes[k, 0], boxes[k, 1], boxes[k, 2], boxes[k, 3] = left, top, right + 1, bottom + 1
        for y in range(top, bottom + 1):
            low, high = _span(edges, known, y, 0.5)
            for x in range(_first(low, left), _last(high, right) + 1):
                mask[y, x] = values[k]
    return boxes


@compiled
def stamp_whole(
    ids: Image, points: Array, counts: Counts, number: int
) -> tuple[int, int, int, int, int]:
    """Writes `number` where polygons cover a pixel, as `stamp` does, and measures all of them.

    Args:
        ids: uint8 (H, W), written to; what lies outside is left out.
        points: float64 (N, 2), px, as in `fill`.
        counts: int64 (P,), as in `stamp`, at least one above 0.
        number: 0..255.

    Returns:
        How many pixels they would cover in an endless image; and the box x0, y0, x1, y1, ends
        excluded, of what `fill` would paint there.
    """
    height, width = ids.shape
    edges, known = np.empty((len(points), 4)), np.empty(len(counts), np.int64)
    firsts, boxes = np.empty(len(counts), np.int64), np.empty((len(counts), 4))
    left, top, right, bottom = inf, inf, -inf, -inf
    first = 0
    for k in range(len(counts)):
        last = first + counts[k]
        if last == first:
            boxes[k, 1], boxes[k, 3] = inf, -inf
            continue
        x0, y0, x1, y1, known[k] = _edges(points[first:last], edges[first:last])
        boxes[k, 0], boxes[k, 1], boxes[k, 2], boxes[k, 3] = x0, y0, x1, y1
        left, top, right, bottom = min(left, x0), min(top, y0), max(right, x1), max(bottom, y1)
        firsts[k], first = first, last
    spans, area = np.empty((len(counts), 2), np.int64), 0
    for y in range(_first(top - 0.5, -_FAR), _last(bottom + 0.5, _FAR) + 1):
        found = ZERO
        for k in range(len(counts)):
            if boxes[k, 1] - 0.5 <= y <= boxes[k, 3] + 0.5:
                low, high = _span(edges[firsts[k] :], known[k], y, 0.5)
                begin = _first(max(low, boxes[k, 0] - 0.5), -_FAR)
                end = _last(min(high, boxes[k, 2] + 0.5), _FAR)
                if begin <= end:
                    _put_in_order(spans, found, begin, end)
                    found += 1
        reached = -_FAR
        for k in range(found):
            begin, end = max(spans[k, 0], reached + 1), spans[k, 1]
            area += max(end + 1 - begin, 0)
            reached = max(reached, end)
            begin, end = max(begin, 0), min(end + 1, width)
            if 0 <= y < height and begin < end:
                ids[y, begin:end] = number
    x0, y0 = _first(left - 1.0, -_FAR), _first(top - 1.0, -_FAR)
    return area, x0, y0, _last(right + 1.0, _FAR) + 1, _last(bottom + 1.0, _FAR) + 1


@compiled
def _put_in_order(spans: Counts, found: int, begin: int, end: int) -> None:
    """Adds a span to the first `found` of `spans` (n, 2), which are sorted by their begin."""
    place = found
    while place > 0 and spans[place - 1, 0] > begin:
        spans[place, 0], spans[place, 1] = spans[place - 1, 0], spans[place - 1, 1]
        place -= 1
    spans[place, 0], spans[place, 1] = begin, end


@compiled
def _edges(corners: Array, edges: Array) -> tuple[float, float, float, float, int]:
    """The box x0, y0, x1, y1 around a polygon, and how many rows of `edges` (n, 4) were written.

    Of each edge its outward unit normal (a, b), how far along it the edge lies, and 1 / a, which
    is 0 where an edge is level.
    """
    count = len(corners)
    x0 = x1 = corners[0, 0]
    y0 = y1 = corners[0, 1]
    twice = 0.0  # the area, which tells which way round they are
    for i in range(count):
        x, y = corners[i, 0], corners[i, 1]
        x0, x1, y0, y1 = min(x0, x), max(x1, x), min(y0, y), max(y1, y)
        before = i - 1 if i else count - 1
        # from the first corner, so that far polygons lose no digits
        twice += (corners[before, 0] - corners[0, 0]) * (y - corners[0, 1])
        twice -= (x - corners[0, 0]) * (corners[before, 1] - corners[0, 1])
    way = 1.0 if twice >= 0.0 else -1.0
    known = 0
    for i in range(count):
        before = i - 1 if i else count - 1
        dx, dy = corners[i, 0] - corners[before, 0], corners[i, 1] - corners[before, 1]
        length = sqrt(dx * dx + dy * dy)
        if length < 1e-9:
            continue
        a, b = way * dy / length, -way * dx / length
        edges[known, 0], edges[known, 1] = a, b
        edges[known, 2] = a * corners[i, 0] + b * corners[i, 1]
        edges[known, 3] = 1.0 / a if abs(a) > 1e-9 else 0.0
        known += 1
    return x0, y0, x1, y1, known


@compiled
def _crossed(
    edges: Array, known: int, box: tuple[float, float, float, float], y: int
) -> tuple[float, float, float, float]:
    """Where row `y` is touched first, where it is covered wholly from and to, and touched last."""
    start, low, high, stop = box[0] - 1.0, box[0], box[2], box[2] + 1.0
    if y < box[1] or y > box[3]:
        low = inf
    for i in range(known):
        reach, per_row = edges[i, 2] - edges[i, 1] * y, edges[i, 3]
        if per_row > 0.0:
            high, stop = min(high, reach * per_row), min(stop, (reach + 1.0) * per_row)
        elif per_row < 0.0:
            low, start = max(low, reach * per_row), max(start, (reach + 1.0) * per_row)
        elif reach < 0.0:
            low, stop = inf, stop if reach >= -1.0 else -inf
    return start, low, high, stop


@compiled
def _span(edges: Array, known: int, y: int, room: float) -> tuple[float, float]:
    """From where to where row `y` lies within all edges moved outward by `room` px."""
    low, high = -inf, inf
    for i in range(known):
        reach = edges[i, 2] + room - edges[i, 1] * y
        if edges[i, 3] > 0.0:
            high = min(high, reach * edges[i, 3])
        elif edges[i, 3] < 0.0:
            low = max(low, reach * edges[i, 3])
        elif reach < 0.0:
            return inf, -inf
    return low, high


@compiled
def _first(place: float, least: int) -> int:
    """The first whole number from `place` on, at least `least`."""
    return ceil(min(max(place, float(least)), 1e9))


@compiled
def _last(place: float, most: int) -> int:
    """The last whole number up to `place`, at most `most`."""
    return floor(max(min(place, float(most)), -1e9))


@compiled
def _tone(value: float) -> float:
    return min(max(value, 0.0), 255.0)


@compiled
def _mixed(before: np.uint8, tone: float, cover: float) -> np.uint8:
    return np.uint8(before + (tone - before) * cover + 0.5)
