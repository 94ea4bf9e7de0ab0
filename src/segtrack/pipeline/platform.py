"""What the stages on the platform share: the platform itself, names, and what is remembered.

Nothing of push, review and pull is answered from the store, since people change the platform
meanwhile. What must be remembered lies in the store's folder ``labellerr``: ids of what was sent,
exports, reviews, and the emulator's own state. Versions of a data set lie in ``reviewed``.
"""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from segtrack.settings import ReviewedSettings, Settings, UltralyticsSettings

if TYPE_CHECKING:
    from segtrack.annotation.labellerr import Platform
    from segtrack.annotation.labellerr.access import Access
    from segtrack.dataset import Dataset
    from segtrack.pipeline.runner import Run


def access_of(run: Run) -> Access:
    """The platform's address, with the emulator that this run may have started."""
    from segtrack.annotation.labellerr.access import Access

    labellerr, folder = run.settings.labellerr, scratch_of(run) / "emulator"
    access: Access = run.resource("access", lambda: contextlib.closing(Access(labellerr, folder)))
    return access


def platform_of(run: Run) -> Platform:
    """The platform as this run sees it."""
    return access_of(run).platform


def scratch_of(run: Run) -> Path:
    """Where what must be remembered lies."""
    return run.scratch("labellerr")


def reviews_of(run: Run) -> Path:
    """Where lies what this account sent for review."""
    return scratch_of(run) / "reviews" / platform_of(run).account


def project_name(settings: Settings, dataset: Dataset) -> str:
    """Of data set and project. What is rendered or reviewed has no folder of its own name."""
    data = settings.dataset
    if settings.labellerr.name is not None:
        return settings.labellerr.name
    if isinstance(data, UltralyticsSettings):
        return f"segtrack {Path(data.name).stem}"
    if isinstance(data, ReviewedSettings) or data.path is None:
        return f"segtrack {data.source} {dataset.fingerprint[:8]}"
    return f"segtrack {Path(data.path).expanduser().resolve().name}"


def name_key(name: str) -> str:
    """A name as part of a folder's name."""
    return hashlib.sha256(name.encode()).hexdigest()[:12]
