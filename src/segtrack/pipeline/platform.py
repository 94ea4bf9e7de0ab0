"""What the stages on the platform share: the platform itself, names, and what is remembered.

Nothing of push, review and pull is answered from the store, since people change the platform
meanwhile. What must be remembered lies in the store's folder ``labellerr``: ids of what was sent,
exports, reviews, and the emulator's own state. Versions of a data set lie in ``reviewed``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from segtrack.dataset import source_of
from segtrack.settings import SPLITS, Settings

if TYPE_CHECKING:
    from segtrack.annotation import AnnotationPlatform, ImageSet, Progress
    from segtrack.dataset import Dataset
    from segtrack.pipeline.runner import Run


def platform_of(run: Run) -> AnnotationPlatform:
    """The platform as this run sees it; closed at the end of the run."""
    from segtrack.annotation import open_platform

    settings, folder = run.settings.labellerr, run.scratch("labellerr")
    platform: AnnotationPlatform = run.resource(
        "platform", lambda: contextlib.closing(open_platform(settings, folder))
    )
    return platform


def images_of(
    settings: Settings, dataset: Dataset, *splits: str, only: Collection[int] | None = None
) -> ImageSet:
    """Images of some splits as they go to the platform.

    Args:
        only: ids of those that go, where not all do.
    """
    from segtrack.annotation import ImageSet

    every = (row for split in splits for row in dataset.iter_images(split))
    rows = (row for row in every if only is None or row.image_id in only)
    data, folder = settings.dataset, None
    if settings.labellerr.name is None and data.path and source_of(data).title(data):
        folder = Path(data.path).expanduser()
    beside: frozenset[str] = frozenset()
    if only is not None and folder is not None:
        beside = frozenset(row.sha256 for split in SPLITS for row in dataset.iter_images(split))
    return ImageSet(project_name(settings, dataset), rows, dataset.names, folder, beside)


def project_name(settings: Settings, dataset: Dataset) -> str:
    """Of data set and project. What is rendered or reviewed has no folder of its own name."""
    if settings.labellerr.name is not None:
        return settings.labellerr.name
    data = settings.dataset
    return f"segtrack {source_of(data).title(data) or f'{data.source} {dataset.fingerprint[:8]}'}"


def unfinished(settings: Settings, progress: Progress) -> str:
    """Files whose labels are not taken, by the platform's words: ``3 None, 2 rejected``."""
    left = {k: n for k, n in progress.by_status.items() if k not in settings.labellerr.statuses}
    return ", ".join(f"{n} {k}" for k, n in sorted(left.items(), key=lambda one: (-one[1], one[0])))
