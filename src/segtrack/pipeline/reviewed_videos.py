"""Reviewed videos back: what was sent, who reviews it, and how well the tracker did by them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segtrack import scoring
from segtrack.base.addresses import is_live
from segtrack.base.atomic import alone_with
from segtrack.base.errors import NothingToExport
from segtrack.base.saying import say
from segtrack.base.words import counted
from segtrack.dataset import VideoSequence
from segtrack.pipeline.platform import project_name
from segtrack.pipeline.videos import merged_classes
from segtrack.tracker import Tracks

if TYPE_CHECKING:
    from segtrack.annotation import AnnotationPlatform, SentVideos, VideoReview
    from segtrack.dataset import Dataset
    from segtrack.pipeline.runner import Run
    from segtrack.pipeline.stage import Ask

KEPT = ("videos.json", "tracks.csv", "tracks.html", "classes.csv", "classes.html", "classes.png")
_COLUMNS = ("HOTA", "DetA", "AssA", "MOTA", "IDF1", "IDSW", "FP", "FN")


class Judge:
    """``annotation.Judge``: scores as the stage ``score`` and ``segtrack score`` give them."""

    def __init__(self) -> None:
        self._scores: dict[str, scoring.SequenceScores] = {}
        self._rows: list[dict[str, Any]] = []

    def video(self, truth: VideoSequence, tracks: Tracks, folder: Path) -> None:
        """Score one video into ``folder``; with a path, its id switches are shown as pictures."""
        folder.mkdir(parents=True)
        scoring.build_truth(truth, folder, _unheard)
        known = scoring.Truth.load(folder)
        scoring.score_tracks(known, tracks, tracks.info.names, folder, _unheard)
        self._scores[truth.name] = scoring.SequenceScores.load(folder)
        places = {"tracks": tracks.folder, "truth": folder, "scores": folder}
        self._rows.append(
            {
                "name": truth.name,
                "role": None,
                "video": str(truth.path) if truth.path else None,
                **{key: str(path.absolute()) for key, path in places.items()},
            }
        )

    def metrics(self) -> Mapping[str, float]:
        """As a run records them, without the ``track/`` in front."""
        roles = dict.fromkeys(self._scores)
        found = scoring.score_metrics(self._scores, roles)
        return {name.removeprefix("track/"): value for name, value in found.items()}

    def rows(self) -> list[dict[str, Any]]:
        """A row for each kind and class, and for ``all``; fractions in percent."""
        counts = scoring.combined(self._scores.values())
        rows = []
        for kind in (scoring.BOX, scoring.MASK):
            of_kind = {name: value for (k, name), value in counts.items() if k == kind}
            if not of_kind:
                continue
            of_kind["all"] = scoring.detection_averaged(counts, kind)
            for name, value in of_kind.items():
                scores = scoring.percent(value)
                rows.append({"class": name, "kind": kind, **{key: scores[key] for key in _COLUMNS}})
        return rows

    def finish(self, folder: Path) -> None:
        """The figures of a run's tracking scores."""
        listed = folder / "tracking.json"
        listed.write_text(json.dumps(self._rows), encoding="utf-8")
        scoring.write_tracking_report(listed, folder)
        listed.unlink()  # the places that it names change their names
        for row in self._rows:
            (Path(row["truth"]) / "truth.npz").unlink()  # the text files say the same


def videos_were_sent(ask: Ask) -> bool:
    """Whether videos were sent for review from this store, by whichever account."""
    return any(ask.scratch("labellerr").glob("videos/*/*/videos.json"))


def at_hand(ask: Ask) -> tuple[VideoSequence, ...]:
    """Videos that the command names beside those of the data set."""
    video = ask.settings.video
    if video is None or is_live(video):
        return ()
    found: tuple[VideoSequence, ...] = ask("sequences").value
    return found


def last_sent(
    run: Run, dataset: Dataset, platform: AnnotationPlatform, videos: tuple[VideoSequence, ...]
) -> SentVideos | None:
    """What an earlier command sent of this data set, or of videos that are at hand."""
    contents = [one.sha256 for one in (*videos, *dataset.sequences)]
    return platform.last_videos(project_name(run.settings, dataset), contents)


def pull_videos(
    run: Run,
    dataset: Dataset,
    platform: AnnotationPlatform,
    sent: SentVideos,
    videos: tuple[VideoSequence, ...],
) -> VideoReview:
    """Take reviewed trajectories back, and record what the review says of the tracker.

    In the emulator the simulated annotator reviews what nobody did by hand, once, by the ground
    truth that the data set has of a video; the others are left to people.

    Raises:
        NothingToExport: nothing is reviewed yet; it says how to.
    """
    from segtrack import annotation

    # Another run that pulls the same, or sends it anew, would replace files that are read here.
    with alone_with(sent.folder):
        known = (*videos, *dataset.sequences)
        done = platform.rehearse_videos(sent, known, merged_classes(run.settings.dataset))
        if done and done.files:
            counts = ", ".join(f"{n} {kind}" for kind, n in done.counts.items() if n)
            slips = ", ".join(f"{n} {kind}" for kind, n in sorted(done.slips.items()) if n)
            text = f"{counted(done.files, 'videos')} simulated: {counts or 'nothing to do'}"
            say(f"annotator  {text}{f'; slips: {slips}' if slips else ''}")
        folder = run.scratch("labellerr") / "video_pulls" / sent.folder.name
        try:
            review = annotation.pull_videos(
                platform, sent, folder, Judge(), run.record, say=run.say
            )
        except NothingToExport as error:
            by_hand = platform.by_hand(sent.project_id)
            how = f": {by_hand}; then the same command with stages=[pull]" if by_hand else ""
            raise NothingToExport(f"{str(error).removesuffix('.')}{how}") from error
    run.named("video", (one.sent.name for one in review.videos))
    run.named("class", review.names)
    for name in KEPT:
        run.keep(folder / name, "review/videos")
    run.keep(folder / "scores", "review/videos/scores")
    run.tag({"labellerr.video_project": sent.project_id})
    return review


def _unheard(name: str, value: float, step: int = 0) -> None:
    """Speeds of a review are nobody's concern."""
