"""Work in batches that become smaller where memory runs out."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from segtrack.base.errors import out_of_memory
from segtrack.base.saying import say

Item = TypeVar("Item")
Found = TypeVar("Found")


class Batches:
    """Hands work its items in batches, half as large whenever memory runs out.

    Attributes:
        size: of a batch, at most.
    """

    def __init__(self, size: int) -> None:
        self.size = size

    def __call__(
        self, work: Callable[[list[Item]], Sequence[Found]], items: Sequence[Item]
    ) -> list[Found]:
        """What ``work`` finds for each item.

        Raises:
            RuntimeError, MemoryError: what ``work`` raises, for want of memory with one item alone.
        """
        found: list[Found] = []
        while len(found) < len(items):
            part = list(items[len(found) : len(found) + self.size])
            try:
                found += work(part)
            except (RuntimeError, MemoryError) as error:
                if len(part) == 1 or not out_of_memory(error):
                    raise
                self.size = len(part) // 2
                told = f"warning: out of memory at {len(part)} images; on with {self.size} at once"
                say(told, error=True)
            else:
                continue
            free()  # only now: the error held what the work had
        return found


def default_batch(device: Any) -> int:
    """How many images a network is given at once where nobody says it, by ``torch``'s device."""
    if not str(device).startswith("cuda"):
        return 8
    import torch

    gigabytes = torch.cuda.get_device_properties(device).total_memory / 2**30
    return 32 if gigabytes > 20 else 16 if gigabytes > 7 else 8


def free() -> None:
    """Give back what torch keeps of a card's memory for later."""
    if (torch := sys.modules.get("torch")) and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
