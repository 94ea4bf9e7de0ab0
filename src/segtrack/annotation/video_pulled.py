"""Reviewed trajectories back from the platform, held against those of the tracker.

videos.json            what the review came to
tracks.csv .html       what became of each trajectory
classes.csv .html .png  trajectories by what became of them, and the tracker's scores, by class
truth/NAME/            ground truth of every frame, as sequences bring it along
judged/NAME/           what the tracker was scored against: the frames that people had before them
tracker/mot mots/      what was scored: NAME.txt
scores/                figures of the scores, and each video's
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from segtrack.annotation.matching import Agreement
from segtrack.annotation.port import AnnotationPlatform, Say
from segtrack.annotation.video_figures import figure_tracks
from segtrack.annotation.video_judged import scores_of, seqinfo, thinned, write_lines
from segtrack.annotation.video_matching import (
    TRACK_KINDS,
    TrackOutcome,
    compare_tracks,
)
from segtrack.annotation.video_outlines import OutlineTrack
from segtrack.annotation.video_sent import SentVideo, SentVideos, sent_tracks
from segtrack.annotation.video_truth import true_tracks, write_truth
from segtrack.base.atomic import whole_folder
from segtrack.base.errors import DataError, some
from segtrack.base.files import file_digest, link_or_copy
from segtrack.base.metrics import Report
from segtrack.base.names import level
from segtrack.dataset import VideoSequence
from segtrack.report import save_figure, table_csv, table_html
from segtrack.tracker import (
    Tracks,
)

FILE, TRUTH, JUDGED, TRACKER, SCORES = "videos.json", "truth", "judged", "tracker", "scores"
ALL = "all"
_LISTED = 20


@dataclass(frozen=True)
class ReviewedVideo:
    """One video that came back.

    Attributes:
        sent: as it was sent. sequence: its ground truth, every frame; without a video file.
        judged: frames that the tracker was scored on.
        counts: trajectories by what became of them.
    """

    sent: SentVideo
    sequence: VideoSequence
    judged: int
    counts: Mapping[str, int]


@dataclass(frozen=True)
class VideoReview:
    """What ``pull_videos`` made; ``folder`` holds it.

    Attributes:
        pending: videos that were sent and did not come back. statuses: how many of the project's
            files did not, by the platform's word for their status.
        unknown: file names that came back and were not sent (the first ones).
        remarks: a line for each outline that could not be used as it is (the first ones).
        metrics: scores and counts, as they are recorded.
    """

    folder: Path
    project_id: str
    names: tuple[str, ...]
    videos: tuple[ReviewedVideo, ...]
    pending: int
    statuses: Mapping[str, int]
    unknown: tuple[str, ...]
    remarks: tuple[str, ...]
    metrics: Mapping[str, float]


class Judge(Protocol):
    """Scores trajectories against ground truth; what does that lies beside this package."""

    def video(self, truth: VideoSequence, tracks: Tracks, folder: Path) -> None:
        """One video; ``folder`` gets the scores. ``truth`` has a path where the file is there."""
        ...

    def metrics(self) -> Mapping[str, float]:
        """Over all videos: ``hota``, ``class/NAME/hota`` and so on; fractions in 0..1."""
        ...

    def rows(self) -> Sequence[Mapping[str, Any]]:
        """A row for each kind of scores (``box``, ``mask``) and class, and for all together:
        ``class``, ``kind``, then the scores by their names."""
        ...

    def finish(self, folder: Path) -> None:
        """Figures of the scores, into ``folder``."""
        ...


def pull_videos(
    platform: AnnotationPlatform,
    sent: SentVideos,
    folder: Path,
    judge: Judge,
    report: Report,
    *,
    agreement: Agreement | None = None,
    say: Say = print,
) -> VideoReview:
    """Take reviewed trajectories back, hold them against those that were sent, and score these.

    Where a file of trajectories was thinned to every n-th frame, people saw those only: the
    tracker is scored on them alone, and in the ground truth the frames between are filled in.

    Args:
        folder: replaced by the new result once that is whole.
        report: gets ``review/track/...`` numbers.

    Raises:
        DataError: what comes back is damaged, or none of its videos was sent by this review.
        NothingToExport: nothing is reviewed yet.
        PlatformError: the platform refused or failed.
    """
    with whole_folder(folder) as partial, platform.pull_videos(sent, partial) as back:
        videos = [video for video in sent.videos if video.name in back.names]
        if not videos:
            raise DataError(
                f"project {sent.project_id}: none of the {len(back.unknown)} exported videos was "
                f"sent by the review in {sent.folder}; send them with stages=[track,review], or "
                "name the right project."
            )
        desk = _Desk(sent, partial, judge, agreement or Agreement())
        reviewed = tuple(desk.review(video, back.read(video.name)) for video in videos)
        classes = desk.class_rows()
        metrics = dict(judge.metrics()) | _numbers(classes)
        (partial / "tracks.csv").write_text(table_csv(desk.rows), encoding="utf-8")
        for name, rows, title in (
            ("tracks", desk.rows, "What became of each trajectory"),
            ("classes", classes, "Trajectories and scores by class"),
        ):
            (partial / f"{name}.html").write_text(table_html(rows, title), encoding="utf-8")
        save_figure(figure_tracks(classes), partial / "classes.png", classes)
        review = VideoReview(
            folder,
            sent.project_id,
            sent.names,
            reviewed,
            len(sent.videos) - len(videos),
            back.statuses,
            tuple(back.unknown[:_LISTED]),
            tuple(back.remarks[:_LISTED]),
            metrics,
        )
        (partial / FILE).write_text(json.dumps(_record(review), indent=1), encoding="utf-8")
        judge.finish(partial / SCORES)
    for name, value in metrics.items():
        report(f"review/track/{name}", value)
    _say(say, review, len(back.unknown), len(back.remarks))
    return _settled(review, partial)


class _Desk:
    """Video by video; ``rows`` has a line for each trajectory."""

    def __init__(self, sent: SentVideos, folder: Path, judge: Judge, agreement: Agreement) -> None:
        self.sent, self.folder, self.judge, self.agreement = sent, folder, judge, agreement
        self.rows: list[dict[str, Any]] = []

    def review(self, video: SentVideo, back: list[OutlineTrack]) -> ReviewedVideo:
        before, tracks = sent_tracks(self.sent, video), self.sent.tracks(video)
        review = compare_tracks(before, back, (video.width, video.height), self.agreement)
        truth = true_tracks(before, back, review, self.sent.names, video.every, scores_of(tracks))
        name = level(video.name)
        folder = self.folder / TRUTH / name
        sequence = write_truth(video, truth, self.sent.names, folder)
        judged = self.folder / JUDGED / name
        if video.every == 1:
            for path in (sequence.gt, sequence.mots):
                assert path is not None
                link_or_copy(path, judged / path.relative_to(folder))
            assert sequence.gt is not None and sequence.mots is not None
            seen = replace(
                sequence,
                gt=judged / sequence.gt.relative_to(folder),
                mots=judged / sequence.mots.relative_to(folder),
            )
        else:
            seen = write_truth(video, truth, self.sent.names, judged, video.every)
            tracks = thinned(tracks, video.every, self.folder / TRACKER / name)
        for place, one in ((folder, sequence), (judged, seen)):
            (place / "seqinfo.ini").write_text(seqinfo(one), encoding="utf-8")
        write_lines(tracks, self.folder / TRACKER, name)
        if video.every == 1 and _as_sent(video):  # of a thinned one the frames are others
            seen = replace(seen, path=Path(video.path))
        self.judge.video(seen, tracks, self.folder / SCORES / name)
        ids = {j: one.track_id for j, one in enumerate(truth)}
        self.rows += [_row(video, one, ids) for one in review.outcomes]
        counts = Counter(str(one.kind) for one in review.outcomes)
        return ReviewedVideo(
            video, sequence, seen.frame_count, {kind: counts[kind] for kind in TRACK_KINDS}
        )

    def class_rows(self) -> list[dict[str, Any]]:
        """A row per class that has trajectories or scores, ``all`` at the end."""
        scores: dict[str, dict[str, Any]] = {}
        for row in self.judge.rows():
            values = {k: v for k, v in row.items() if k not in ("class", "kind")}
            prefix = "" if row["kind"] == "box" else "mask "
            named = {f"{prefix}{key}": value for key, value in values.items()}
            scores.setdefault(row["class"], {}).update(named)
        columns = list(dict.fromkeys(key for values in scores.values() for key in values))
        present = {row["class"] for row in self.rows} | scores.keys()
        rows = []
        for name in (*(n for n in self.sent.names if n in present), ALL):
            of = [row for row in self.rows if name in (ALL, row["class"])]
            counts = Counter(row["outcome"] for row in of)
            rows.append(
                {
                    "class": name,
                    "sent": len(of) - counts["added"],
                    **{str(kind): counts[kind] for kind in TRACK_KINDS},
                    **{key: scores.get(name, {}).get(key) for key in columns},
                }
            )
        return rows


def _as_sent(video: SentVideo) -> bool:
    path = Path(video.path)
    return path.is_file() and file_digest(path) == video.sha256


def _row(video: SentVideo, one: TrackOutcome, ids: Mapping[int, int]) -> dict[str, Any]:
    return {
        "video": video.name,
        "track_id": one.track_id,
        "class": one.class_name,
        "outcome": one.kind,
        "became": " ".join(str(ids[j]) for j in one.became),
        "new_class": one.new_class,
        "untouched": one.untouched,
        "moved": one.moved,
        "removed": one.removed,
        "added": one.added,
    }


def _numbers(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    found: dict[str, float] = {}
    for row in rows:
        group = "" if row["class"] == ALL else f"class/{level(row['class'])}/"
        found.update({f"{group}{kind}": row[kind] for kind in ("sent", *TRACK_KINDS)})
    return found


def _settled(review: VideoReview, partial: Path) -> VideoReview:
    """Paths where they lie now that the folder has its name."""

    def moved(path: Path | None) -> Path | None:
        return None if path is None else review.folder / path.relative_to(partial)

    videos = tuple(
        replace(
            one,
            sequence=replace(
                one.sequence, gt=moved(one.sequence.gt), mots=moved(one.sequence.mots)
            ),
        )
        for one in review.videos
    )
    return replace(review, videos=videos)


def _record(review: VideoReview) -> dict[str, Any]:
    videos = [
        {
            "name": one.sent.name,
            "sha256": one.sent.sha256,
            "frames": one.sent.frame_count,
            "every": one.sent.every,
            "judged_frames": one.judged,
            **one.counts,
        }
        for one in review.videos
    ]
    left_out = ("folder", "videos")
    plain = {k: v for k, v in asdict(replace(review, videos=())).items() if k not in left_out}
    return {**plain, "videos": videos}


def _say(say: Say, review: VideoReview, unknown: int, remarks: int) -> None:
    totals = Counter[str]()
    for one in review.videos:
        totals.update(one.counts)
    shown = ", ".join(f"{totals[kind]} {kind}" for kind in TRACK_KINDS)
    waiting = ", ".join(f"{count} {status}" for status, count in sorted(review.statuses.items()))
    pending = f"{review.pending} not back" + (f" ({waiting})" if waiting else "")
    say(f"videos: {len(review.videos)} back, {pending}; tracks: {shown}")
    metrics = review.metrics
    scores = [
        f"{text} {metrics[name]:.3f}"
        for text, name in (("HOTA", "hota"), ("mask HOTA", "mask_hota"), ("MOTA", "mota"),
                           ("IDF1", "idf1"))
        if name in metrics
    ]  # fmt: skip
    if scores:
        switches = f", {metrics['idsw']:.0f} identity switches" if "idsw" in metrics else ""
        say(f"the tracker against the review: {', '.join(scores)}{switches}")
    for one in review.videos:
        if one.sent.every > 1:
            say(
                f"{one.sent.name}: judged are the {one.judged} frames that were sent, every "
                f"{one.sent.every}. of {one.sent.frame_count}; in its ground truth those between "
                "lie on straight lines"
            )
    if unknown:
        say(f"warning: {unknown} exported videos were not sent by this review, e.g. "
            f"{some(list(review.unknown), 5)}")  # fmt: skip
    if remarks:
        say(f"warning: {remarks} outlines need a look, e.g. {review.remarks[0]}")
