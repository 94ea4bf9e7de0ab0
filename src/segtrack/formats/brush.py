"""Brush masks of Label Studio: the bytes of an RGBA picture, packed by run lengths.

The packing is that of github.com/thi-ng/umbrella, packages/rle-pack: 32 bits of the count of words,
5 of a word's size less one, four times 4 of the sizes that a run's length may have less one; then
for each run a bit that says whether one word is repeated, 2 that choose the size of the length, the
length less one, and the word or the words. Bits stand from the highest of each byte on.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_SIZES = (3, 4, 8, 16)  # bits of a run's length, as Label Studio's own converter has them
_WORD = 8
_LONGEST = 1 << _SIZES[-1]


def pack_brush(mask: NDArray[np.bool_]) -> list[int]:
    """The bytes of a mask, bool (h, w): white and opaque where it is, else transparent black."""
    values = mask.reshape(-1)
    edges = np.flatnonzero(np.diff(values)) + 1
    starts = np.concatenate([[0], edges])
    lengths = np.diff(np.concatenate([starts, [len(values)]])) * 4  # four bytes a pixel
    head = f"{4 * len(values):032b}{_WORD - 1:05b}" + "".join(f"{size - 1:04b}" for size in _SIZES)
    parts = [head]
    for length, inside in zip(lengths.tolist(), values[starts].tolist(), strict=True):
        word = "1" * _WORD if inside else "0" * _WORD
        while length:
            taken = min(length, _LONGEST)
            choice = next(i for i, size in enumerate(_SIZES) if taken <= 1 << size)
            parts.append(f"1{choice:02b}{taken - 1:0{_SIZES[choice]}b}{word}")
            length -= taken
    bits = "".join(parts)
    bits += "0" * (-len(bits) % 8)
    return list(int(bits, 2).to_bytes(len(bits) // 8, "big"))


def unpack_brush(data: Sequence[int], width: int, height: int) -> NDArray[np.bool_]:
    """The mask, bool (height, width): where the picture's last channel is not 0.

    Raises:
        ValueError: the bytes end too early, or are of another size.
    """
    bits = np.unpackbits(np.array(data, np.uint8))
    at = 0

    def take(count: int) -> int:
        nonlocal at
        if at + count > len(bits):
            raise ValueError("a brush mask ends too early")
        value = int("".join(map(str, bits[at : at + count])), 2)
        at += count
        return value

    total, word = take(32), take(5) + 1
    sizes = [take(4) + 1 for _ in range(4)]
    if total != width * height * 4:
        raise ValueError(f"a brush mask covers {total // 4} pixels, its image {width * height}")
    alpha, filled = np.zeros(width * height, bool), 0
    while filled < total:
        repeated = take(1)
        length = take(sizes[take(2)]) + 1
        for _ in range(1 if repeated else length):
            end = filled + (length if repeated else 1)
            alpha[filled // 4 : end // 4] = take(word) > 0  # of four bytes the last
            filled = end
    return alpha.reshape(height, width)
