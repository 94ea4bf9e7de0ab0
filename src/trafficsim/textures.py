"""Pictures that are laid on walls, and trees that are set up, as machine code.

A texture is uint32 (h, w): the four bytes of a pixel, blue, green, red and a fourth, lowest first.
Rows are worked out step by step for all their pixels, so that the steps become SIMD.
"""

from __future__ import annotations

from math import ceil, floor

import numpy as np
from numpy.typing import NDArray

from segtrack.base.compiled import compiled
from trafficsim.raster import Numbers, Spans

Image = NDArray[np.uint8]
Texture = NDArray[np.uint32]
Array = NDArray[np.float64]
Row = NDArray[np.float32]

VEIL_PER_METRE = 10
"""Entries of a veil for each m of depth."""


def as_texture(picture: Image) -> Texture:
    """The texture of a picture, uint8 (h, w, 4), as a view of it."""
    return picture.view(np.uint32)[..., 0]


def as_picture(texture: Texture) -> Image:
    """The picture of a texture, uint8 (h, w, 4), as a view of it."""
    return texture.view(np.uint8).reshape(*texture.shape, 4)


@compiled
def paint_wall(
    image: Image, numbers: Numbers, number: int, spans: Spans, edges: Array, to_wall: Array,
    texture: Texture, gain: Array, haze: Array, veil: Row,
) -> None:  # fmt: skip
    """Paints what is not hidden of a flat thing, with the haze before it.

    It is opaque up to its outline and fades over the next pixel: two that meet leave no gap.

    Args:
        image: uint8 (H, W, 3).
        numbers: int16 (H, W), of the nearest thing, as `nearest` writes them.
        number: Its own; what has a lower one is painted already.
        spans: int32 (H, 4), its pixels in each row, as `nearest` has them.
        edges: float64 (C + 4, 4), of it, as `nearest` has them.
        to_wall: float64 (3, 3), makes of a pixel (x, y, 1) its place in the texture, px from the
            upper left corner, over its depth, and 1 / depth, 1/m.
        texture: uint32 (h, w); its fourth number is 255 where it shines and takes no light.
        gain: float64 (3,), what the light makes of its colours, a factor.
        haze: float64 (3,), 0..255.
        veil: float32 (D,), the share of haze by depth in steps of 1 / VEIL_PER_METRE m.
    """
    height, width = image.shape[:2]
    xs, ys, mixed = np.empty(width, np.int32), np.empty(width, np.int32), np.empty(width, np.int64)
    depths, shares = np.empty(width, np.int32), np.empty(width, np.float32)
    row = np.empty(width, np.int32)
    for y in range(height):
        x, inner, outer, high = spans[y, 0], spans[y, 1], spans[y, 2], spans[y, 3]
        while x <= high:
            while x <= high and numbers[y, x] > number:
                x += 1
            begin = x
            while x <= high and numbers[y, x] <= number:
                x += 1
            count = x - begin
            if not count:
                break
            _places(xs, ys, depths, count, to_wall, begin, y, texture.shape, len(veil))
            _mix(mixed, xs, ys, count, texture)
            for i in range(count):
                shares[i] = veil[depths[i]]
            _light(row, mixed.view(np.uint16), shares, count, gain, haze)
            for i in range(max(inner - begin, 0), min(outer + 1 - begin, count)):
                image[y, begin + i, 0] = row[i]
                image[y, begin + i, 1] = row[i] >> 8
                image[y, begin + i, 2] = row[i] >> 16
            for i in range(count):
                if not inner <= begin + i <= outer:
                    _fade(image, begin + i, y, row[i], edges)


@compiled
def _fade(image: Image, x: int, y: int, colour: int, edges: Array) -> None:
    """Paints a pixel outside of a polygon: the farther, the less."""
    cover = 1.0
    for i in range(len(edges)):
        cover = min(cover, edges[i, 2] - edges[i, 0] * x - edges[i, 1] * y + 1.0)
    if cover > 0.0:
        for c in range(3):
            before, after = np.float64(image[y, x, c]), np.float64(colour >> 8 * c & 255)
            image[y, x, c] = np.uint8(before + (after - before) * cover + 0.5)


@compiled
def _places(
    xs: NDArray[np.int32], ys: NDArray[np.int32], depths: NDArray[np.int32], count: int,
    to_wall: Array, x: int, y: int, size: tuple[int, int], many: int,
) -> None:  # fmt: skip
    """Where a row's pixels from (x, y) on lie in a texture, in 16ths, and in a veil of `many`."""
    one = np.float32
    across, along_across = to_wall[0, 0] * x + to_wall[0, 1] * y + to_wall[0, 2], to_wall[0, 0]
    down, along_down = to_wall[1, 0] * x + to_wall[1, 1] * y + to_wall[1, 2], to_wall[1, 0]
    near, along_near = to_wall[2, 0] * x + to_wall[2, 1] * y + to_wall[2, 2], to_wall[2, 0]
    a, da, b, db = one(16 * across), one(16 * along_across), one(16 * down), one(16 * along_down)
    c, dc, least = one(near), one(along_near), one(VEIL_PER_METRE / many)
    half, none, last_x, last_y = (
        one(8.0),
        one(0.0),
        one(16 * (size[1] - 1)),
        one(16 * (size[0] - 1)),
    )
    fine, last = one(VEIL_PER_METRE), one(many - 1)
    for i in range(count):
        # not `/`, which would look for a zero each time
        depth = np.divide(one(1.0), max(c + dc * one(i), least))
        xs[i] = np.int32(min(max((a + da * one(i)) * depth - half, none), last_x))
        ys[i] = np.int32(min(max((b + db * one(i)) * depth - half, none), last_y))
        depths[i] = np.int32(min(fine * depth, last))


@compiled
def _mix(
    mixed: NDArray[np.int64], xs: NDArray[np.int32], ys: NDArray[np.int32], count: int,
    texture: Texture,
) -> None:  # fmt: skip
    """A texture between its pixels, at places in 16ths of a pixel inside of it.

    In each number that is written there are four of 16 bits, blue, red, green and the fourth of
    the texture times 256, lowest first: one product mixes all four.
    """
    width, last_x, last_y = texture.shape[1], texture.shape[1] - 1, texture.shape[0] - 1
    flat = texture.ravel()
    for i in range(count):
        x, y, right, below = xs[i] >> 4, ys[i] >> 4, xs[i] & 15, ys[i] & 15
        at = np.uint64(y * width + x)
        beside, under, both = np.uint64(x < last_x), np.uint64(width * (y < last_y)), right * below
        total = _apart(flat[at]) * (256 - 16 * (right + below) + both)
        total += _apart(flat[at + beside]) * (16 * right - both)
        total += _apart(flat[at + under]) * (16 * below - both)
        mixed[i] = total + _apart(flat[at + under + beside]) * both


@compiled
def _apart(pixel: np.uint32) -> np.int64:
    wide = np.int64(pixel)
    return (wide & 0x00FF00FF) | ((wide & 0xFF00FF00) << 24)


@compiled
def _light(
    row: NDArray[np.int32], mixed: NDArray[np.uint16], shares: Row, count: int, gain: Array,
    haze: Array,
) -> None:  # fmt: skip
    """What `_mix` made, lit where it does not shine, behind haze; a byte each for B, G and R."""
    one = np.float32
    full, unit, half, most = one(1.0 / 65280.0), one(1.0 / 256.0), one(0.5), one(255.0)
    b, g, r, whole = one(gain[0]), one(gain[1]), one(gain[2]), one(1.0)
    fog_b, fog_g, fog_r = one(haze[0]), one(haze[1]), one(haze[2])
    for i in range(count):
        shines, share = one(mixed[4 * i + 3]) * full, shares[i]
        blue = min(one(mixed[4 * i]) * unit * (b + (whole - b) * shines), most)
        green = min(one(mixed[4 * i + 2]) * unit * (g + (whole - g) * shines), most)
        red = min(one(mixed[4 * i + 1]) * unit * (r + (whole - r) * shines), most)
        row[i] = (
            np.int32(blue + (fog_b - blue) * share + half)
            | np.int32(green + (fog_g - green) * share + half) << 8
            | np.int32(red + (fog_r - red) * share + half) << 16
        )


@compiled
def paint_tree(
    picture: Texture, tree: Texture, extents: NDArray[np.int64], to_tree: Array, gain: Array,
    haze: Array, share: float,
) -> None:  # fmt: skip
    """Sets up a tree, lit and behind haze.

    Args:
        picture: uint32 (H, W), zeros, written to: as `tree`.
        tree: uint32 (h, w), colours multiplied by the cover, and the cover.
        extents: int64 (h, 2), the first and the last column of the tree with any cover.
        to_tree: float64 (2, 3), makes of a pixel (x, y, 1) its place in `tree`, pixels' middles
            at whole numbers; a row of the picture lies in one of the tree.
        gain: float64 (3,), what the light makes of its colours, a factor.
        haze: float64 (3,), 0..255.
        share: Of the haze, 0..1.
    """
    height, width = picture.shape
    xs, ys, mixed = np.empty(width, np.int32), np.empty(width, np.int32), np.empty(width, np.int64)
    step, rows = to_tree[0, 0], len(tree)
    for y in range(height):
        row = to_tree[1, 1] * y + to_tree[1, 2]
        if row < -0.5 or row > rows - 0.5:
            continue
        row = min(max(row, 0.0), rows - 1.0)
        above = int(row)
        below = min(above + 1, rows - 1)
        low = min(extents[above, 0], extents[below, 0]) - 1.0
        high = max(extents[above, 1], extents[below, 1]) + 1.0
        if low > high:
            continue
        offset = to_tree[0, 1] * y + to_tree[0, 2]
        ends = (low - offset) / step, (high - offset) / step
        first, last = max(ceil(min(ends)), 0), min(floor(max(ends)), width - 1)
        count = last - first + 1
        if count <= 0:
            continue
        for i in range(count):
            place = offset + step * (first + i)
            xs[i] = np.int32(16.0 * min(max(place, 0.0), tree.shape[1] - 1.0))
            ys[i] = np.int32(16.0 * row)
        _mix(mixed, xs, ys, count, tree)
        _leaves(picture[y, first : last + 1], mixed.view(np.uint16), gain, haze, share)


@compiled
def _leaves(
    row: Texture, mixed: NDArray[np.uint16], gain: Array, haze: Array, share: float
) -> None:
    """What `_mix` made of a tree, lit and behind haze, multiplied by its cover as before."""
    one = np.float32
    b, g, r = one(gain[0] / 256.0), one(gain[1] / 256.0), one(gain[2] / 256.0)
    clear, half, share = one(1.0 - share), one(0.5), share / 255.0
    fog_b, fog_g, fog_r = one(haze[0] * share), one(haze[1] * share), one(haze[2] * share)
    for i in range(len(row)):
        cover = one(mixed[4 * i + 3]) * one(1.0 / 256.0)
        blue = min(one(mixed[4 * i]) * b, cover) * clear + cover * fog_b
        green = min(one(mixed[4 * i + 2]) * g, cover) * clear + cover * fog_g
        red = min(one(mixed[4 * i + 1]) * r, cover) * clear + cover * fog_r
        row[i] = (
            np.int32(blue + half)
            | np.int32(green + half) << 8
            | np.int32(red + half) << 16
            | np.int32(cover + half) << 24
        )
