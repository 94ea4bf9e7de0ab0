"""Predictions of the pool to people, who review them, and tracked videos."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from segtrack.base.files import digest
from segtrack.pipeline.platform import (
    name_key,
    platform_of,
    project_name,
    reviews_of,
    scratch_of,
)
from segtrack.pipeline.stage import Ask, Result, Stage, Visit, register

if TYPE_CHECKING:
    from segtrack.annotation.labellerr.sent import Reviewed
    from segtrack.dataset import Dataset
    from segtrack.pipeline.runner import Run
    from segtrack.pipeline.stages.track import Tracked

NO_IMAGES = "no images: the data set's pool split is empty"


def review(ask: Ask) -> Visit:
    """Send the pool split with its predictions to a Test Project, and the tracked videos."""
    dataset: Dataset = ask("prepare").value
    knobs, count = ask.settings.model, dataset.counts.get("pool")
    videos = ask.settings.labellerr.videos and "track" in ask.listed
    predicted = None
    if count:
        predicted = ask(
            "predict", split="pool", floor=knobs.conf_floor, limit=knobs.max_det, named="pool"
        )
    what = [f"predictions of {count} pool images"] if count else []
    what += ["tracked .mp4 videos"] if videos else []
    if not what:
        return Visit(idle=NO_IMAGES)
    do = partial(_review, dataset=dataset, predicted=predicted, videos=videos)
    return Visit(", ".join(what), do)


def _review(run: Run, dataset: Dataset, predicted: Result | None, videos: bool) -> Reviewed | None:
    sent = None
    if predicted:
        sent = _review_images(run, dataset, predicted)
    else:
        run.say(NO_IMAGES)
    if videos:
        _review_videos(run, dataset, run("track").value)
    return sent


def _review_images(run: Run, dataset: Dataset, predicted: Result) -> Reviewed:
    from segtrack.annotation.labellerr.review import review

    labellerr, name = run.settings.labellerr, project_name(run.settings, dataset)
    # Other predictions of the same images must not land on what was reviewed already.
    what = [predicted.key, labellerr.conf, labellerr.simplify_px, labellerr.conf_bucket]
    code = digest(what)[:8]
    sent = review(
        platform_of(run),
        dataset.iter_images("pool"),
        predicted.value,
        dataset.names,
        project_name=f"{name} review {code}",
        project_id=labellerr.test_project_id,
        folder=reviews_of(run) / f"{name_key(name)}-{code}",
        ledger=scratch_of(run),
        report=run.record,
        dataset_name=f"{name} pool",
        conf=labellerr.conf,
        buckets=labellerr.conf_bucket,
        simplify_px=labellerr.simplify_px,
        workers=labellerr.workers,
        timeout=labellerr.timeout,
        say=run.say,
    )
    run.tag({"labellerr.test_project": sent.project_id})
    return sent


def _review_videos(run: Run, dataset: Dataset, tracked: list[Tracked]) -> None:
    from segtrack.annotation.labellerr.video_review import review_videos

    labellerr, platform = run.settings.labellerr, platform_of(run)
    done = review_videos(
        platform,
        [(one.sequence, one.tracks) for one in tracked],
        name=project_name(run.settings, dataset),
        folder=scratch_of(run) / "videos" / platform.account,
        ledger=scratch_of(run),
        simplify_px=labellerr.simplify_px,
        workers=labellerr.workers,
        timeout=labellerr.timeout,
        say=run.say,
    )
    if done is not None:
        run.record("review/videos", done.videos)
        run.record("review/video_tracks", done.tracks)
        run.tag({"labellerr.video_project": done.project_id})


def _require(ask: Ask) -> None:
    """Look for pool images that cannot be sent, before hours of work; lists them all."""
    from segtrack.annotation.labellerr.files import check_files

    dataset: Dataset = ask("prepare").value
    if dataset.counts.get("pool"):
        check_files(row.path for row in dataset.iter_images("pool"))


STAGE = register(
    Stage(
        name="review",
        make=review,
        inputs=("prepare", "predict", "track"),
        require=_require,
        after="track",
        platform=True,
    )
)
