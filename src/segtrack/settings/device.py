"""What may be said with ``device``; whether there is such a card is for torch to say."""

from __future__ import annotations

import re
from typing import Any

_WORDS = ("auto", "cpu", "mps")


def gpu_indices(device: Any) -> tuple[int, ...] | None:
    """The GPUs that ``device`` names: ``cuda``, ``cuda:0``, ``0``, ``"0"``, ``"0,1"``, ``[0, 1]``.

    Returns:
        Their indices; none for auto, cpu and mps; None where it means nothing.
    """
    if device in _WORDS:
        return ()
    if device == "cuda":
        return (0,)
    parts = device if isinstance(device, list | tuple) else str(device).split(",")
    found = [re.fullmatch("(?:cuda:)?([0-9]{1,4})", str(part).strip()) for part in parts]
    indices = dict.fromkeys(int(one[1]) for one in found if one)
    return tuple(indices) if parts and len(indices) == len(parts) else None
