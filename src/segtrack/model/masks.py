"""COCO's run lengths of masks, from patches of pixels."""

from __future__ import annotations

import numpy as np

Shape = tuple[int, int]  # height, width in px


def encode_patch(patch: np.ndarray, top: int, left: int, shape: Shape) -> bytes | None:
    """COCO RLE ``counts`` of a mask that is zero outside of a patch.

    Args:
        patch: (h, w), above zero where the mask is, at row ``top``, column ``left``.
        shape: of the whole mask.

    Returns:
        The compressed counts, or None where the patch is empty.
    """
    return compress([edges_of(patch.T, top, left, shape)], shape[0] * shape[1])[0]


def edges_of(columns: np.ndarray, top: int, left: int, shape: Shape) -> np.ndarray:
    """Where runs start and end in the whole mask, counted down its columns.

    ``columns`` (w, h) is the patch with its columns in order, above zero where the mask is.
    """
    w, h = columns.shape
    # A row of zeros ends each column's runs; those of full columns go on in the next column.
    pitch = h if h == shape[0] else h + 1
    flat = np.zeros(w * pitch + 2, bool)
    np.greater(columns, 0, out=flat[1:-1].reshape(w, pitch)[:, :h])
    edges = np.flatnonzero(flat[1:] != flat[:-1])
    column, row = np.divmod(edges, pitch)
    places: np.ndarray = (left + column) * shape[0] + top + row
    return places


def compress(edges: list[np.ndarray], size: int) -> list[bytes | None]:
    """COCO's compressed counts (rleToString in cocoapi's maskApi.c), of all masks at once.

    Run lengths, from the third on as differences to the one before last, in groups of five bits,
    lowest first, each with a sixth bit that says whether another follows, as characters from "0".
    """
    if not edges:
        return []
    tails = [np.empty(0, np.int64) if len(e) and e[-1] == size else np.array([size]) for e in edges]
    lengths = np.array([len(e) + len(tail) for e, tail in zip(edges, tails, strict=True)])
    starts = np.cumsum(lengths) - lengths
    ends = np.concatenate([part for pair in zip(edges, tails, strict=True) for part in pair])
    counts = np.diff(ends, prepend=0)
    counts[starts] = ends[starts]
    position = np.arange(len(counts)) - np.repeat(starts, lengths)
    rest = counts.copy()
    later = np.flatnonzero(position > 2)
    rest[later] -= counts[later - 2]
    characters = np.zeros((len(rest), 13), np.uint8)  # 13 groups hold 64 bits
    unfinished = np.arange(len(rest))
    for group in range(13):
        bits = rest & 31
        rest = rest >> 5
        more = np.where(bits & 16, rest != -1, rest != 0)
        characters[unfinished, group] = bits + 32 * more + 48
        unfinished, rest = unfinished[more], rest[more]
        if not len(unfinished):
            break
    used = characters > 0
    text = characters[used].tobytes()
    stops = np.cumsum(np.add.reduceat(used.sum(1), starts))
    begins = [0, *stops[:-1].tolist()]
    return [
        text[begin:stop] if len(edge) else None
        for begin, stop, edge in zip(begins, stops.tolist(), edges, strict=True)
    ]
