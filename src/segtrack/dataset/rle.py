"""COCO's run lengths, read with care: pycocotools trusts what it is given and reads beyond it."""

from __future__ import annotations

from typing import Any


def compressed(segmentation: dict[str, Any], width: int, height: int) -> bytes:
    """The compressed ``counts`` of a COCO RLE, compressed or not, for an image of this size.

    Raises:
        ValueError: it is not an RLE, or one of another size; the message says what.
    """
    from pycocotools import mask

    size, counts = segmentation.get("size"), segmentation.get("counts")
    if size != [height, width]:
        raise ValueError(f"its RLE has size {size}, the image has [{height}, {width}]")
    if isinstance(counts, list):
        if not all(isinstance(c, int) and c >= 0 for c in counts):
            raise ValueError("its RLE counts are not whole numbers from 0")
        lengths = counts
    elif isinstance(counts, str):
        lengths = run_lengths(counts)
    else:
        raise ValueError(f"its RLE counts are {counts!r:.40}, not a list or a string")
    if sum(lengths) != width * height:
        message = f"its RLE covers {sum(lengths)} pixels, the image has {width * height}"
        raise ValueError(message)
    if isinstance(counts, str):
        return counts.encode()
    packed = mask.frPyObjects({"size": size, "counts": lengths}, height, width)["counts"]
    return bytes(packed)


def run_lengths(counts: str) -> list[int]:
    """Run lengths of a compressed string, background first.

    The coding is LEB128 with 6 bits per character from 48, differences to the run before the last
    from the third run on (``rleFrString`` in pycocotools' maskApi.c).

    Raises:
        ValueError: not such a string.
    """
    lengths: list[int] = []
    value = shift = 0
    for character in counts:
        code = ord(character) - 48
        if not 0 <= code < 64:
            raise ValueError(f"its RLE holds the character {character!r}")
        value |= (code & 31) << shift
        shift += 5
        if code & 32:
            continue
        if code & 16:
            value -= 1 << shift
        if len(lengths) > 2:
            value += lengths[-2]
        if value < 0:
            raise ValueError("its RLE has a run of negative length")
        lengths.append(value)
        value = shift = 0
    if shift:
        raise ValueError("its RLE ends in the middle of a number")
    return lengths
