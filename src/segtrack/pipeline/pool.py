"""The images that are not labelled yet, for the stages that have nothing to do without them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from segtrack.base.errors import DataError
from segtrack.settings import DEFAULT_STAGES

if TYPE_CHECKING:
    from segtrack.dataset import Dataset
    from segtrack.pipeline.stage import Ask

NO_IMAGES = "no images: the data set's pool split is empty"


def require_pool(ask: Ask, stage: str, what: str = "review") -> None:
    """Look for images to review, or whatever the stage does, before anything is sent.

    Raises:
        DataError: there are none, and it was this stage that was asked for: of the stages that a
            command runs where it names none, some may have nothing to do.
    """
    dataset: Dataset = ask("prepare").value
    if dataset.counts.get("pool") or ask.settings.stages == DEFAULT_STAGES:
        return
    settings = ask("source").value
    where = settings.path or "the data set"
    further = {
        "labellerr": f"put further pictures into {where}: those without labels are the pool",
        "images": f"put pictures into {where}: all of them are the pool",
        "reviewed": "all of the version's pool was reviewed: put further pictures into the folder "
        "that it began with, and prepare that with the dataset=... of the first time",
        "traffic_sim": "render further pictures with dataset.pool=N",
    }.get(settings.source, f"put further pictures into {where} and name them as pool: in data.yaml")
    raise DataError(
        f"stage {stage}: {NO_IMAGES}, so that there is nothing to {what}. Either {further}; or let "
        "a share of the pictures be the pool with dataset.splits.pool=0.2 (the shares sum to 1)."
    )
