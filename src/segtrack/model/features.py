"""What a network sees of whole images: one vector of pooled features for each."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segtrack.base.ahead import read_ahead
from segtrack.base.progress import progress
from segtrack.model.images import read_image
from segtrack.model.port import Network
from segtrack.model.predictions import ImageToPredict

FILE = "features.npz"


@dataclass(frozen=True)
class Features:
    """Of images in ascending order of their ids.

    Attributes:
        image_id: int64 (N,). values: float32 (N, D), in the network's own units.
    """

    image_id: NDArray[np.int64]
    values: NDArray[np.float32]

    def save(self, folder: Path) -> None:
        """Write it into ``folder``."""
        np.savez(folder / FILE, image_id=self.image_id, values=self.values)

    @staticmethod
    def load(folder: Path) -> Features:
        """What ``save`` wrote."""
        with np.load(folder / FILE) as data:
            return Features(data["image_id"], data["values"])


def image_features(images: Iterable[ImageToPredict], network: Network) -> Features:
    """One pass of the network over the images, which come in ascending order of ``image_id``.

    Raises:
        DataError: an image cannot be read or has another size than the data set says.
    """
    ids: list[int] = []
    found: list[NDArray[np.float32]] = []
    with _threads_as_before():
        extractor = network.family.extractor(network)

        def prepared() -> Iterator[tuple[int, Any]]:
            for row in images:
                yield row.image_id, extractor.prepare(read_image(row))

        ahead = read_ahead(prepared(), 2 * extractor.batch)
        ready = progress(ahead, "look at images", None, "images")
        while part := list(islice(ready, extractor.batch)):
            ids += [image_id for image_id, _ in part]
            found.append(extractor.features([image for _, image in part]))
    values = np.concatenate(found) if found else np.zeros((0, 0))
    return Features(np.array(ids, np.int64), values.astype(np.float32))


@contextmanager
def _threads_as_before() -> Iterator[None]:
    """Torch computes afterwards with as many threads as before."""
    threads = torch.get_num_threads() if (torch := sys.modules.get("torch")) else None
    try:
        yield
    finally:
        if threads and (torch := sys.modules.get("torch")):
            torch.set_num_threads(threads)
