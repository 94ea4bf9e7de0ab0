"""IoU of run-length masks of which one is moved, without decoding any."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from segtrack.base.compiled import compiled
from segtrack.base.errors import DataError


@dataclass(frozen=True)
class Masks:
    """N masks of one image size as intervals of pixels, down the columns of the image.

    Attributes:
        start: int64 (N + 1,), where each mask's intervals start; a mask without any counts as none.
        begin, end: int64, first pixel and the one after the last, ``x * height + y``; ascending in
            a mask, and each within one column.
        height, width: of the image; 0 until a mask was seen.
    """

    start: np.ndarray
    begin: np.ndarray
    end: np.ndarray
    height: int
    width: int

    @staticmethod
    def read(counts: list[bytes | None], height: int) -> Masks:
        """From compressed COCO RLE of images ``height`` pixels high; None for no mask.

        Raises:
            DataError: there is a mask, but ``height`` is 0 or does not fit its number of pixels, or
                the masks differ in size.
        """
        lengths = [len(c) if c else 0 for c in counts]
        offset = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
        text = np.frombuffer(b"".join(c for c in counts if c), np.uint8)
        if not len(text):
            return Masks(np.zeros(len(counts) + 1, np.int64), offset[:0], offset[:0], height, 0)
        if height <= 0:
            raise DataError(
                "masks can not be compared: the video's height is not known. Give its frames or "
                "its size, or choose tracker.association=box"
            )
        start, begin, end, pixels = _intervals(text, offset, height)
        sizes = np.unique(pixels[np.array(lengths) > 0])
        if len(sizes) > 1 or sizes[0] % height:
            raise DataError(
                f"masks of {', '.join(map(str, sizes))} pixels in a video {height} pixels high: "
                "every mask must have the video's resolution"
            )
        return Masks(start, begin, end, height, int(sizes[0]) // height)


def mask_similarity(
    tracks: Masks,
    shift: np.ndarray,
    detections: Masks,
    pairs: tuple[np.ndarray, np.ndarray, np.ndarray],
    with_box: bool,
) -> np.ndarray:
    """Mask IoU of every pair, or its mean with the box IoU.

    What a shift moves out of the image does not count: nothing there can be seen. A pair of which
    one has no mask keeps the IoU of its boxes.

    Args:
        shift: int64 (N, 2), pixels by which each track's mask moves in x and y.
        pairs: rows, positions among the detections, and IoU of the boxes, of the pairs wanted.
        with_box: whether to take the mean.

    Returns:
        float32, as long as the pairs.
    """
    start, index, box_iou = pairs
    if tracks.width == 0 or detections.width == 0:
        return box_iou
    if (tracks.width, tracks.height) != (detections.width, detections.height):
        raise DataError(
            f"masks of {detections.width}x{detections.height} follow masks of "
            f"{tracks.width}x{tracks.height}: every mask must have the video's resolution"
        )
    mask_iou = _shifted_iou(
        (tracks.start, tracks.begin, tracks.end),
        shift,
        (detections.start, detections.begin, detections.end),
        (detections.height, detections.width),
        start,
        index,
    )
    mixed = (mask_iou + box_iou) / np.float32(2) if with_box else mask_iou
    return np.where(mask_iou < 0, box_iou, mixed)


def newest(
    tracks: Masks, detections: Masks, row_before: np.ndarray, detection: np.ndarray
) -> Masks:
    """Every track's mask: its detection's, else the one it had.

    Args:
        row_before: int64 (N,), the track's position among ``tracks`` or -1.
        detection: int64 (N,), its position among ``detections`` or -1.
    """
    start, begin, end = _newest(
        (tracks.start, tracks.begin, tracks.end),
        (detections.start, detections.begin, detections.end),
        row_before,
        detection,
    )
    return Masks(start, begin, end, detections.height, detections.width or tracks.width)


@compiled
def _intervals(
    text: np.ndarray, offset: np.ndarray, height: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Start, begin and end as in ``Masks``, and pixels of each; see ``rle.run_lengths``."""
    count = len(offset) - 1
    start, pixels = np.zeros(count + 1, np.int64), np.zeros(count, np.int64)
    begin, end = np.empty(2 * len(text), np.int64), np.empty(2 * len(text), np.int64)
    filled = 0
    for i in range(count):
        at, run, position = offset[i], 0, np.int64(0)
        previous, before = (
            np.int64(0),
            np.int64(0),
        )  # lengths of the last two runs
        while at < offset[i + 1]:
            length, place = np.int64(0), 0
            while True:
                digit = np.int64(text[at]) - 48
                length |= (digit & 0x1F) << (5 * place)
                place += 1
                at += 1
                if not digit & 0x20 or at == offset[i + 1]:
                    break
            if digit & 0x10:
                length -= 1 << (5 * place)
            if run > 2:
                length += before
            before, previous = previous, length
            if run % 2:
                first, last = position, position + length
                while first < last:
                    bottom = (first // height + 1) * height
                    stop = last if last < bottom else bottom
                    if filled == len(begin):
                        begin = np.concatenate((begin, np.empty_like(begin)))
                        end = np.concatenate((end, np.empty_like(end)))
                    begin[filled], end[filled] = first, stop
                    filled += 1
                    first = stop
            position += length
            run += 1
        start[i + 1], pixels[i] = filled, position
    return start, begin[:filled].copy(), end[:filled].copy(), pixels


@compiled
def _shifted_iou(
    tracks: tuple[np.ndarray, np.ndarray, np.ndarray],
    shift: np.ndarray,
    detections: tuple[np.ndarray, np.ndarray, np.ndarray],
    size: tuple[int, int],
    start: np.ndarray,
    index: np.ndarray,
) -> np.ndarray:
    """float32 per pair, -1 where one of the two has no mask; ``size`` is height, width."""
    a_start, a_begin, a_end = tracks
    b_start, b_begin, b_end = detections
    height, width = size
    b_area = np.zeros(len(b_start) - 1, np.int64)
    for j in range(len(b_area)):
        for k in range(b_start[j], b_start[j + 1]):
            b_area[j] += b_end[k] - b_begin[k]
    iou = np.full(len(index), np.float32(-1))
    begin, end = np.empty_like(a_begin), np.empty_like(a_end)
    for i in range(len(start) - 1):
        if start[i] == start[i + 1] or a_start[i] == a_start[i + 1]:
            continue
        count, area = 0, 0
        for k in range(a_start[i], a_start[i + 1]):
            column = a_begin[k] // height
            low = max(a_begin[k] - column * height + shift[i, 1], 0)
            high = min(a_end[k] - column * height + shift[i, 1], height)
            column += shift[i, 0]
            if low < high and 0 <= column < width:
                begin[count], end[count] = column * height + low, column * height + high
                area += high - low
                count += 1
        for pair in range(start[i], start[i + 1]):
            j = index[pair]
            if b_start[j] == b_start[j + 1]:
                continue
            a, b, shared = 0, b_start[j], 0
            while a < count and b < b_start[j + 1]:
                shared += max(0, min(end[a], b_end[b]) - max(begin[a], b_begin[b]))
                if end[a] < b_end[b]:
                    a += 1
                else:
                    b += 1
            iou[pair] = shared / (area + b_area[j] - shared)
    return iou


@compiled
def _newest(
    tracks: tuple[np.ndarray, np.ndarray, np.ndarray],
    detections: tuple[np.ndarray, np.ndarray, np.ndarray],
    row_before: np.ndarray,
    detection: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    a_start, a_begin, a_end = tracks
    b_start, b_begin, b_end = detections
    start = np.zeros(len(detection) + 1, np.int64)
    begin = np.empty(len(a_begin) + len(b_begin), np.int64)
    end = np.empty_like(begin)
    filled = 0
    for i in range(len(detection)):
        j = detection[i]
        if j >= 0 and b_start[j] < b_start[j + 1]:
            for k in range(b_start[j], b_start[j + 1]):
                begin[filled], end[filled] = b_begin[k], b_end[k]
                filled += 1
        elif row_before[i] >= 0:
            for k in range(a_start[row_before[i]], a_start[row_before[i] + 1]):
                begin[filled], end[filled] = a_begin[k], a_end[k]
                filled += 1
        start[i + 1] = filled
    return start, begin[:filled].copy(), end[:filled].copy()
