"""Reviewed labels back: a report on them, and the next version of the data set.

Whatever people have of a data set comes back by the one command: its predictions, its videos, and
labels that recheck sent. All that is finished makes one version.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from segtrack.base.atomic import alone_with
from segtrack.base.errors import DataError, NothingToExport
from segtrack.base.saying import say
from segtrack.base.words import counted
from segtrack.pipeline.platform import platform_of, project_name, unfinished
from segtrack.pipeline.pool import NO_IMAGES, require_pool
from segtrack.pipeline.rechecked_labels import labels_were_sent, last_labels, pull_labels
from segtrack.pipeline.reviewed_videos import at_hand, last_sent, pull_videos, videos_were_sent
from segtrack.pipeline.stage import Ask, Stage, Visit, register
from segtrack.pipeline.stages.review import Sent

if TYPE_CHECKING:
    from segtrack.annotation import AnnotationPlatform, Review, Reviewed
    from segtrack.dataset import Dataset, VideoSequence
    from segtrack.pipeline.runner import Run


def pull(ask: Ask) -> Visit:
    """Take reviewed labels back, report on them, and make the next version of the data set.

    In the emulator the simulated annotator reviews what nobody did by hand, once; without labels
    in the pool split, or ground truth of videos, it has nothing to go by and leaves everything to
    people. Nothing reviewed yet is no error in the run that sent it.
    """
    dataset: Dataset = ask("prepare").value
    videos = videos_may_come(ask)
    if not dataset.counts.get("pool") and not videos and not labels_may_come(ask):
        return Visit(idle=NO_IMAGES)
    what = "reviewed labels are asked for"
    return Visit(what, partial(_pull, dataset=dataset, videos=at_hand(ask) if videos else ()))


def _require(ask: Ask) -> None:
    """Look for images that may have been under review, before anything is done."""
    if not videos_may_come(ask) and not labels_may_come(ask):
        require_pool(ask, "pull")


def videos_may_come(ask: Ask) -> bool:
    """Whether this command or an earlier one sends videos for review."""
    sends = "review" in ask.listed and "track" in ask.listed and ask.settings.labellerr.videos
    return sends or videos_were_sent(ask)


def labels_may_come(ask: Ask) -> bool:
    """Whether this command or an earlier one sends labels to be looked at again."""
    return "recheck" in ask.listed or labels_were_sent(ask)


def _pull(run: Run, dataset: Dataset, videos: tuple[VideoSequence, ...]) -> Path | None:
    from segtrack import annotation

    platform = platform_of(run)
    sent: Sent | None = run("review").value if "review" in run.listed else None
    tracked = sent.videos if sent else last_sent(run, dataset, platform, videos)
    labels = last_labels(run, dataset, platform)
    if sent is None and tracked is None and labels is None:
        require_pool(run, "pull")
    review = reviewed = rechecked = None
    other = tracked is not None or labels is not None
    waiting: list[NothingToExport] = []
    try:
        if dataset.counts.get("pool") and (sent or not other or _images_sent(run, dataset)):
            review = _pull_images(run, dataset, platform, sent.images if sent else None)
    except NothingToExport as error:
        waiting.append(error)
    try:
        if tracked is not None:
            reviewed = pull_videos(run, dataset, platform, tracked, videos)
    except NothingToExport as error:
        waiting.append(error)
    try:
        if labels is not None:
            rechecked = pull_labels(run, dataset, platform, labels)
    except NothingToExport as error:
        waiting.append(error)
    nothing = review is None and reviewed is None and rechecked is None
    if nothing and waiting and not sent and "recheck" not in run.listed:
        raise NothingToExport("; ".join(map(str, waiting)))
    for why in waiting:
        run.say(f"nothing to do yet: {why}")
    if nothing:
        if not waiting:
            run.say(NO_IMAGES)
        return None
    start = run("source").value.starting_weights
    version = annotation.next_version(
        dataset, review, run.scratch("reviewed"), start, reviewed, videos, run.say, rechecked
    )
    if version is None:
        return None
    run.keep(version / "version.json", "review")
    run.tag({"dataset.next_version": version.name})
    run.say(f"next version {version.name}: train on it with dataset=reviewed")
    if reviewed is not None:
        run.say("its videos have the reviewed tracks as ground truth: stages=[track]")
    return version


def _images_sent(run: Run, dataset: Dataset) -> bool:
    """Whether images were sent for review too, where videos were."""
    try:
        places = _places(dataset)
        platform_of(run).last_review(project_name(run.settings, dataset), places.keys())
    except DataError:
        return False
    return True


def _pull_images(
    run: Run, dataset: Dataset, platform: AnnotationPlatform, just_sent: Reviewed | None
) -> Review:
    places = _places(dataset)
    sent = just_sent or platform.last_review(project_name(run.settings, dataset), places.keys())
    # Another run that pulls the same, or sends it anew, would replace files that are read here.
    with alone_with(sent.folder):
        return _pulled(run, dataset, platform, sent, places)


def _places(dataset: Dataset) -> dict[str, Path]:
    """Where each picture of the pool lies, by its content."""
    return {row.sha256: row.path for row in dataset.iter_images("pool")}


def _pulled(
    run: Run,
    dataset: Dataset,
    platform: AnnotationPlatform,
    sent: Reviewed,
    places: dict[str, Path],
) -> Review:
    from segtrack import annotation

    # Before anybody is simulated by their labels.
    annotation.require_pictures_as_sent(dataset, sent)
    rehearsal = platform.rehearse(sent.project_id, dataset, "pool")
    if rehearsal and rehearsal.files:
        counts = {kind: count for kind, count in rehearsal.counts.items() if count}
        shown = ", ".join(f"{count} {kind}" for kind, count in counts.items())
        say(
            f"annotator  {counted(rehearsal.files, 'images')} simulated: {shown or 'nothing to do'}"
        )
    truth = rehearsal.truth if rehearsal else None
    folder = run.scratch("labellerr") / "pulls" / sent.folder.name
    try:
        review = annotation.pull(
            platform, sent, folder, run.record, truth=truth, say=run.say, places=places
        )
    except NothingToExport as error:
        raise (error if rehearsal else _waiting(platform, error, sent.project_id)) from error
    if review.pending and (left := unfinished(run.settings, platform.status(sent.project_id))):
        run.say(f"not back, by their status: {left}")
    run.keep(folder, "review")
    run.tag({"labellerr.test_project": sent.project_id})
    return review


def _waiting(
    platform: AnnotationPlatform, error: NothingToExport, project_id: str
) -> NothingToExport:
    """What is said where nobody has reviewed anything yet."""
    by_hand = platform.by_hand(project_id)
    if by_hand is None:
        return error
    return NothingToExport(
        f"project {project_id}: nothing is reviewed yet, and the pool split has no labels from "
        f"which a reviewer could be simulated: {by_hand}; then the same command with "
        "stages=[pull], or send it to people with labellerr=cloud."
    )


STAGE = register(
    Stage(
        name="pull",
        make=pull,
        inputs=("prepare", "review", "source", "sequences"),
        require=_require,
        after="review",
        platform=True,
    )
)
