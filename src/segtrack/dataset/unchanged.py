"""Whether the pictures of a prepared data set are still those that were prepared."""

from __future__ import annotations

from segtrack.base.errors import DataError
from segtrack.base.files import file_digest
from segtrack.dataset.canonical import FILE, Dataset


def require_unchanged(dataset: Dataset, *splits: str) -> None:
    """Look whether pictures were changed or removed since they were prepared.

    What is computed from others is kept as a result of those that were prepared, and decoders
    hand out the rest of a cut picture as gray. Only files that were touched since are read.

    Raises:
        DataError: one is another now, or gone.
    """
    prepared = (dataset.folder / FILE).stat().st_mtime
    again = "the same command again prepares what is there"
    for split in splits:
        for image in dataset.iter_images(split):
            try:
                same = image.path.stat().st_ctime < prepared or (
                    file_digest(image.path) == image.sha256
                )
            except (FileNotFoundError, NotADirectoryError) as error:
                raise DataError(
                    f"{image.path}: is gone since the data set was prepared; bring it back, or "
                    f"leave it out: {again}"
                ) from error
            if not same:
                raise DataError(
                    f"{image.path}: was changed since the data set was prepared; {again}"
                )
