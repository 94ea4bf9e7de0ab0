"""Reviewed labels back: a report on them, and the next version of the data set."""

from __future__ import annotations

import contextlib
import dataclasses
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from segtrack.base.errors import DataError, NothingToExport
from segtrack.pipeline.platform import (
    access_of,
    name_key,
    platform_of,
    project_name,
    reviews_of,
    scratch_of,
)
from segtrack.pipeline.stage import Ask, Stage, Visit, register
from segtrack.pipeline.stages.review import NO_IMAGES
from segtrack.settings import LabellerrMode

if TYPE_CHECKING:
    from labellerr_loopback.annotator import Truth
    from segtrack.annotation.labellerr.sent import Reviewed
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


def _pull(run: Run, dataset: Dataset) -> Path | None:
    from segtrack.annotation.labellerr.next_version import next_version, require_same_pictures
    from segtrack.annotation.labellerr.pull import pull
    from segtrack.annotation.labellerr.sent import sent_images

    labellerr = run.settings.labellerr
    just_sent: Reviewed | None = run("review").value if "review" in run.listed else None
    sent = just_sent or _sent(run, dataset)
    with contextlib.closing(sent.open()) as db:  # before anybody is simulated by their labels
        images = ((image.file_name, image.sha256) for image in sent_images(db))
        require_same_pictures(dataset, images, sent.folder)
    truth = _annotate(run, dataset, sent.project_id)
    folder = scratch_of(run) / "pulls" / sent.folder.name
    try:
        review = pull(
            platform_of(run),
            sent.folder,
            folder,
            run.record,
            statuses=labellerr.statuses,
            truth=truth,
            timeout=labellerr.timeout,
            say=run.say,
        )
    except NothingToExport as error:
        waiting = _waiting(run, error, sent.project_id, truth)
        if just_sent is None:
            raise waiting from error
        run.say(f"nothing to do yet: {waiting}")
        return None
    run.keep(folder, "review")
    run.tag({"labellerr.test_project": sent.project_id})
    start = run("source").value.starting_weights
    version = next_version(dataset, review, run.scratch("reviewed"), start)
    run.keep(version / "version.json", "review")
    run.tag({"dataset.next_version": version.name})
    run.say(f"next version {version.name}: train on it with dataset=reviewed")
    return version


def _sent(run: Run, dataset: Dataset) -> Reviewed:
    """What was sent for review earlier: to the named project, or last."""
    from segtrack.annotation.labellerr.sent import FILE, Reviewed

    name, wanted = project_name(run.settings, dataset), run.settings.labellerr.test_project_id
    pattern = f"{name_key(name)}-*/{FILE}" if wanted is None else f"*/{FILE}"
    records = sorted(reviews_of(run).glob(pattern), key=lambda p: -p.stat().st_mtime_ns)
    for record in records:
        sent = Reviewed.load(record.parent)
        if wanted in (None, sent.project_id):
            return sent
    which = f"project {wanted}" if wanted else f"data set {name!r}"
    raise DataError(
        f"stage pull: nothing of {which} was sent for review from this store; add review to "
        "stages, or correct labellerr.test_project_id, labellerr.name or store."
    )


def _waiting(
    run: Run, error: NothingToExport, project_id: str, truth: Truth | None
) -> NothingToExport:
    """What is said where nobody has reviewed anything yet."""
    if run.settings.labellerr.mode is not LabellerrMode.emulator or truth is not None:
        return error
    return NothingToExport(
        f"project {project_id}: nothing is reviewed yet, and the pool split has no labels from "
        f"which a reviewer could be simulated: {access_of(run).by_hand(project_id)}."
    )


def _annotate(run: Run, dataset: Dataset, project_id: str) -> Truth | None:
    """Have the emulator's annotator review; the labels that it goes by, or None."""
    labellerr = run.settings.labellerr
    if labellerr.mode is not LabellerrMode.emulator:
        return None
    from labellerr_loopback.annotator import Rates, annotate
    from segtrack.annotation.labellerr.simulated import truth_of

    truth = truth_of(dataset, "pool")
    if not any(truth.values()):
        return None  # it would take every prediction for wrong
    knobs = dataclasses.asdict(labellerr.annotator)
    seed = knobs.pop("seed")
    done = annotate(access_of(run).url, project_id, truth, Rates(**knobs), seed)
    if done.files:
        counts = {kind: count for kind, count in done.counts().items() if count}
        shown = ", ".join(f"{count} {kind}" for kind, count in counts.items())
        print(f"annotator  {done.files} images simulated: {shown or 'nothing to do'}")
    return truth


STAGE = register(
    Stage(
        name="pull",
        make=pull,
        inputs=("prepare", "review", "source"),
        after="review",
        platform=True,
    )
)
