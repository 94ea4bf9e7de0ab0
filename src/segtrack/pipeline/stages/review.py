"""Predictions of the pool to people, who review them, and tracked videos."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from segtrack.pipeline.platform import images_of, platform_of, project_name
from segtrack.pipeline.pool import NO_IMAGES, require_pool
from segtrack.pipeline.stage import Ask, Result, Stage, Visit, register
from segtrack.pipeline.stages.predict import content_code
from segtrack.pipeline.stages.weights import require_model

if TYPE_CHECKING:
    from segtrack.annotation import Reviewed, SentVideos
    from segtrack.dataset import Dataset
    from segtrack.pipeline.runner import Run
    from segtrack.pipeline.stages.track import Tracked


@dataclass(frozen=True)
class Sent:
    """What this command sent for review; None where there was nothing of it."""

    images: Reviewed | None = None
    videos: SentVideos | None = None


def review(ask: Ask) -> Visit:
    """Send the pool split with its predictions to a Test Project, and the tracked videos."""
    dataset: Dataset = ask("prepare").value
    knobs, count = ask.settings.model, dataset.counts.get("pool")
    videos = _videos(ask)
    predicted, code = None, ""
    if count:
        predicted = ask(
            "predict", split="pool", floor=knobs.conf_floor, limit=knobs.max_det, named="pool"
        )
        code = content_code(ask, "pool", knobs.conf_floor, knobs.max_det)
    what = [f"predictions of {count} pool images"] if count else []
    what += ["tracked .mp4 videos"] if videos else []
    if not what:
        return Visit(idle=NO_IMAGES)
    do = partial(_review, dataset=dataset, predicted=predicted, code=code, videos=videos)
    return Visit(", ".join(what), do)


def _videos(ask: Ask) -> bool:
    """Whether tracked videos go too."""
    return ask.settings.labellerr.videos and "track" in ask.listed


def _review(run: Run, dataset: Dataset, predicted: Result | None, code: str, videos: bool) -> Sent:
    images, tracked = None, None
    if predicted:
        images = _review_images(run, dataset, predicted, code)
    else:
        run.say(NO_IMAGES)
    if videos:
        tracked = _review_videos(run, dataset, run("track").value)
    return Sent(images, tracked)


def _review_images(run: Run, dataset: Dataset, predicted: Result, code: str) -> Reviewed:
    platform, images = platform_of(run), images_of(run.settings, dataset, "pool")
    sent = platform.review(images, predicted.value, code, run.record, run.say)
    run.tag({"labellerr.test_project": sent.project_id})
    if "pull" not in run.listed and (how := platform.by_hand(sent.project_id)):
        run.say(f"{how}; {_NEXT}")
    return sent


def _review_videos(run: Run, dataset: Dataset, tracked: list[Tracked]) -> SentVideos | None:
    videos = [(one.sequence, one.tracks) for one in tracked]
    name = project_name(run.settings, dataset)
    done = platform_of(run).review_videos(name, videos, run.say)
    if done is None:
        return None
    run.record("review/videos", done.videos)
    run.record("review/video_tracks", done.tracks)
    run.tag({"labellerr.video_project": done.project_id})
    how = platform_of(run).by_hand(done.project_id) if "pull" not in run.listed else None
    if done.kept and how:
        run.say(f"videos: {how}; {_NEXT}")
    return done.kept


def _require(ask: Ask) -> None:
    """Look for pool images that cannot be sent, before hours of work; lists them all."""
    from segtrack.annotation import open_platform

    require_model(ask)
    if not _videos(ask):
        require_pool(ask, "review")
    dataset: Dataset = ask("prepare").value
    if dataset.counts.get("pool"):
        platform = open_platform(ask.settings.labellerr, ask.scratch("labellerr"))
        platform.check(dataset.iter_images("pool"))


_NEXT = "then the same command with stages=[pull]"


STAGE = register(
    Stage(
        name="review",
        make=review,
        inputs=("prepare", "predict", "track", "start", "source", "weights"),
        require=_require,
        after="track",
        platform=True,
    )
)
