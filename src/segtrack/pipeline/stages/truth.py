"""The ground truth of a video, parsed once."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from segtrack import scoring
from segtrack.base.files import file_digest
from segtrack.pipeline.stage import Ask, Given, Recipe, Stage, register
from segtrack.pipeline.videos import metric_of

if TYPE_CHECKING:
    from segtrack.dataset import VideoSequence


def truth(ask: Ask, sequence: VideoSequence) -> Recipe | Given:
    """Boxes and masks of the files beside a video; None where there are none."""
    if sequence.gt is None and sequence.mots is None:
        return Given(None)

    return Recipe(
        partial(scoring.build_truth, sequence),
        {
            "name": sequence.name,
            "format": sequence.gt_format,
            "classes": sequence.gt_classes,
            "mots_classes": sequence.mots_classes,
            "size": [sequence.width, sequence.height],
            "frames": sequence.frame_count,
            "images": sequence.image_numbers,
        },
        {
            "gt": file_digest(sequence.gt) if sequence.gt else "",
            "mots": file_digest(sequence.mots) if sequence.mots else "",
        },
        metric=metric_of(sequence),
        apart=True,
    )


STAGE = register(Stage(name="truth", make=truth, version=4, listed=False))
