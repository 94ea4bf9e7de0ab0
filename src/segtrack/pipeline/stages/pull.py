"""Reviewed labels back: a report on them, and the next version of the data set."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from segtrack.base.atomic import alone_with
from segtrack.base.errors import NothingToExport
from segtrack.pipeline.platform import platform_of, project_name, unfinished
from segtrack.pipeline.stage import Ask, Stage, Visit, register
from segtrack.pipeline.stages.review import NO_IMAGES, require_pool

if TYPE_CHECKING:
    from segtrack.annotation import AnnotationPlatform, Reviewed
    from segtrack.dataset import Dataset
    from segtrack.pipeline.runner import Run


def pull(ask: Ask) -> Visit:
    """Take reviewed labels back, report on them, and make the next version of the data set.

    In the emulator the simulated annotator reviews what nobody did by hand, once; without labels
    in the pool split it has nothing to go by and leaves everything to people. Nothing reviewed yet
    is no error in the run that sent it.
    """
    dataset: Dataset = ask("prepare").value
    if not dataset.counts.get("pool"):
        return Visit(idle=NO_IMAGES)
    return Visit("reviewed labels are asked for", partial(_pull, dataset=dataset))


def _require(ask: Ask) -> None:
    """Look for images that may have been under review, before anything is done."""
    if "review" not in ask.listed or not (ask.settings.labellerr.videos and "track" in ask.listed):
        require_pool(ask, "pull")


def _pull(run: Run, dataset: Dataset) -> Path | None:
    platform = platform_of(run)
    just_sent: Reviewed | None = run("review").value if "review" in run.listed else None
    places = {row.sha256: row.path for row in dataset.iter_images("pool")}
    sent = just_sent or platform.last_review(project_name(run.settings, dataset), places.keys())
    # Another run that pulls the same, or sends it anew, would replace files that are read here.
    with alone_with(sent.folder):
        return _pulled(run, dataset, platform, sent, places, just_sent is not None)


def _pulled(
    run: Run,
    dataset: Dataset,
    platform: AnnotationPlatform,
    sent: Reviewed,
    places: dict[str, Path],
    just_sent: bool,
) -> Path | None:
    from segtrack import annotation

    # Before anybody is simulated by their labels.
    annotation.require_pictures_as_sent(dataset, sent)
    rehearsal = platform.rehearse(sent.project_id, dataset, "pool")
    if rehearsal and rehearsal.files:
        counts = {kind: count for kind, count in rehearsal.counts.items() if count}
        shown = ", ".join(f"{count} {kind}" for kind, count in counts.items())
        print(f"annotator  {rehearsal.files} images simulated: {shown or 'nothing to do'}")
    truth = rehearsal.truth if rehearsal else None
    folder = run.scratch("labellerr") / "pulls" / sent.folder.name
    try:
        review = annotation.pull(
            platform, sent, folder, run.record, truth=truth, say=run.say, places=places
        )
    except NothingToExport as error:
        waiting = error if rehearsal else _waiting(platform, error, sent.project_id)
        if not just_sent:
            raise waiting from error
        run.say(f"nothing to do yet: {waiting}")
        return None
    if review.pending and (left := unfinished(run.settings, platform.status(sent.project_id))):
        run.say(f"not back, by their status: {left}")
    run.keep(folder, "review")
    run.tag({"labellerr.test_project": sent.project_id})
    start = run("source").value.starting_weights
    version = annotation.next_version(dataset, review, run.scratch("reviewed"), start)
    run.keep(version / "version.json", "review")
    run.tag({"dataset.next_version": version.name})
    run.say(f"next version {version.name}: train on it with dataset=reviewed")
    return version


def _waiting(
    platform: AnnotationPlatform, error: NothingToExport, project_id: str
) -> NothingToExport:
    """What is said where nobody has reviewed anything yet."""
    by_hand = platform.by_hand(project_id)
    if by_hand is None:
        return error
    return NothingToExport(
        f"project {project_id}: nothing is reviewed yet, and the pool split has no labels from "
        f"which a reviewer could be simulated: {by_hand}; then give stages=[pull], or send it to "
        "people with labellerr=cloud."
    )


STAGE = register(
    Stage(
        name="pull",
        make=pull,
        inputs=("prepare", "review", "source"),
        require=_require,
        after="review",
        platform=True,
    )
)
