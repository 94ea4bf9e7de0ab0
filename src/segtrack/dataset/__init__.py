"""Data sets in, one canonical form out. What other packages may use stands here."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segtrack.dataset.canonical import Dataset as Dataset
    from segtrack.dataset.canonical import ImageRow as ImageRow
    from segtrack.dataset.preparation import prepare as prepare
    from segtrack.dataset.sequence_sources import sequences_from as sequences_from
    from segtrack.dataset.sequence_sources import sequences_of as sequences_of
    from segtrack.dataset.sequences import Sequence as Sequence
    from segtrack.dataset.signatures import signature as signature
    from segtrack.dataset.video import read_frames as read_frames

# Loaded on first use: whoever only composes and validates settings does not wait for pyarrow.
_HOMES = {
    "Dataset": "canonical",
    "ImageRow": "canonical",
    "Sequence": "sequences",
    "prepare": "preparation",
    "read_frames": "video",
    "sequences_from": "sequence_sources",
    "sequences_of": "sequence_sources",
    "signature": "signatures",
}
__all__ = [
    "Dataset",
    "ImageRow",
    "Sequence",
    "prepare",
    "read_frames",
    "sequences_from",
    "sequences_of",
    "signature",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
