"""Labels that recheck sent, back: what was sent, and what people made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from segtrack import curation
from segtrack.base.atomic import alone_with
from segtrack.base.errors import NothingToExport
from segtrack.pipeline.platform import project_name, unfinished

if TYPE_CHECKING:
    from segtrack.annotation import AnnotationPlatform, Rechecked, Reviewed
    from segtrack.dataset import Dataset
    from segtrack.pipeline.runner import Run
    from segtrack.pipeline.stage import Ask


def labels_were_sent(ask: Ask) -> bool:
    """Whether labels were sent from this store, by whichever account."""
    return any(ask.scratch("labellerr").glob("rechecks/*/*/review.json"))


def last_labels(run: Run, dataset: Dataset, platform: AnnotationPlatform) -> Reviewed | None:
    """What an earlier command sent of this data set's labels; None where it sent nothing."""
    from segtrack import annotation

    if not labels_were_sent(run):
        return None
    return annotation.last_recheck(platform, project_name(run.settings, dataset), dataset)


def pull_labels(
    run: Run, dataset: Dataset, platform: AnnotationPlatform, sent: Reviewed
) -> Rechecked:
    """Take corrected labels back, and record how often the suspicions were right.

    Nobody is simulated: the data set's own labels are what is doubted.

    Raises:
        NothingToExport: nothing is reviewed yet; it says how to.
    """
    from segtrack import annotation

    folder = run.scratch("labellerr") / "recheck_pulls" / sent.folder.name
    # Another run that pulls the same, or sends it anew, would replace files that are read here.
    with alone_with(sent.folder):
        try:
            done = annotation.pull_recheck(
                *(platform, sent, dataset, folder, curation.KINDS), run.record, run.say
            )
        except NothingToExport as error:
            by_hand = platform.by_hand(sent.project_id)
            how = f": {by_hand}; then the same command with stages=[pull]" if by_hand else ""
            raise NothingToExport(f"{str(error).removesuffix('.')}{how}") from error
    if done.pending and (left := unfinished(run.settings, platform.status(sent.project_id))):
        run.say(f"not back, by their status: {left}")
    run.keep(folder, "recheck")
    run.tag({"labellerr.recheck_project": sent.project_id})
    if not done.file_names:
        run.say("no label was changed: the data set stays as it is")
    return done
