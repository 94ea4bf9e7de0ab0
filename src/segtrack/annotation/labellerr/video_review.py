"""Tracked videos to people: the files with their trajectories in a Test Project of type video."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from segtrack.annotation.labellerr.files import LocalFile, check_files, files_code
from segtrack.annotation.labellerr.port import class_questions
from segtrack.annotation.labellerr.preannotations import send_file
from segtrack.annotation.labellerr.session import Session
from segtrack.annotation.labellerr.uploader import upload
from segtrack.annotation.labellerr.video_json import FORMAT, VideoJson, write_video_json
from segtrack.annotation.port import Say, VideosSent
from segtrack.annotation.video_sent import FILE as RECORD
from segtrack.annotation.video_sent import SentVideo, SentVideos
from segtrack.base.atomic import alone_with, whole_folder
from segtrack.base.errors import PlatformError, some
from segtrack.base.files import digest, file_digest, link_or_copy
from segtrack.base.labellerr_api import SUFFIXES
from segtrack.base.names import level
from segtrack.base.words import counted
from segtrack.dataset import VideoSequence
from segtrack.report import PALETTE
from segtrack.tracker import Tracks

TEST_ROLE = "test"  # of sequences that tell settings apart: like the test split, never sent
# How a platform, or an SDK, says that it does not know a format.
_FORMAT_REFUSED = re.compile(r"video_json|(answer|annotation)[ _]format", re.IGNORECASE)
_TRACKS = ("tracks.parquet", "tracks.json", "times.npy")  # what Tracks are read from
# The format is known, and what we wrote is not of it.
_FILE_REFUSED = re.compile(r"not an? (valid )?video_json", re.IGNORECASE)


def review_videos(
    session: Session, tracked: Iterable[tuple[VideoSequence, Tracks]], name: str, folder: Path
) -> VideosSent | None:
    """Send videos and their trajectories to a Test Project and verify that all were taken.

    The same call again creates and sends nothing twice. What Labellerr cannot take (anything but
    .mp4), sequences with the role ``test`` and videos without an outlined track are left out, and
    said. So is a platform that does not take ``video_json``: the videos are in the project then,
    without trajectories.

    Args:
        tracked: the videos, each with its trajectories; a video goes as its name with ``.mp4``.
        name: the data set becomes "NAME videos" with a code that stands for the files, the project
            "NAME video review CODE", where the code stands for the videos, the trajectories and
            the simplification.
        folder: keeps what was sent, in a folder named by the code; see ``SentVideos``.

    Returns:
        What was sent; None where there was nothing to send.

    Raises:
        DataError: a video was changed since it was sent, cannot be read, or has more tracks than a
            file of trajectories holds.
        PlatformError: the platform refused or failed; the same call goes on where it ended.
    """
    chosen = _sendable(tracked, session.say)
    stamps = [
        (video.name, video.sha256, file_digest(tracks.folder / "tracks.parquet"))
        for video, tracks in chosen
    ]
    code = digest([stamps, session.settings.simplify_px])[:8]
    with alone_with(folder / code):
        return _review_written(session, chosen, name, folder / code)


def _review_written(
    session: Session,
    chosen: Sequence[tuple[VideoSequence, Tracks]],
    name: str,
    folder: Path,
) -> VideosSent | None:
    platform, ledger, settings = session.platform, session.ledger, session.settings
    timeout, say = settings.timeout, session.say
    found = _written(chosen, folder, settings.simplify_px, say)
    if not found:
        return None
    files = [_local(video) for video, _ in found]
    # Other videos are another data set: a project has all files of its data sets.
    label = f"{name} videos {files_code(files)}"
    done = upload(
        platform, files, label, ledger, settings.workers, timeout, data_type="video", say=say
    )
    names = list(dict.fromkeys(n for _, tracks in chosen for n in tracks.info.names))
    title = f"{name} video review {folder.name}"
    template = platform.ensure_template(title, class_questions(names, PALETTE), "video")
    ids = tuple(record.dataset_id for record in done.datasets)
    project = platform.ensure_project(title, ids, template.template_id, "video").project_id
    taken: list[tuple[VideoSequence, VideoJson]] = []
    for video, file in found:
        less = f", every {file.every}. frame: one file holds no more" if file.every > 1 else ""
        say(
            f"{video.name}.mp4: {counted(file.tracks, 'tracks')}, "
            f"{counted(file.outlines, 'outlines')}{less}"
        )
        try:
            send_file(platform, project, file.path, ledger, None, timeout, say, format=FORMAT)
        except PlatformError as error:
            if not _refused(error):
                raise
            say(f"no trajectories, {FORMAT} is not taken ({error}); they lie in {folder}")
            break
        taken.append((video, file))
    tracks_taken = sum(file.tracks for _, file in taken)
    say(
        f"{len(taken)} of {counted(len(found), 'videos')}, {counted(tracks_taken, 'tracks')} in "
        f"project {project}"
    )
    kept = None
    if taken:
        there = {file.file_name: file.file_id for file in platform.project_files(project)}
        known = {video.name: tracks for video, tracks in chosen}
        kept = SentVideos(
            folder,
            project,
            title,
            name,
            tuple(names),
            {q.name: q.question_id for q in platform.template(template.template_id).questions},
            tuple(_kept(video, known[video.name], file, there) for video, file in taken),
        )
        kept.save()
    return VideosSent(project, len(taken), tracks_taken, kept)


def _kept(
    video: VideoSequence, tracks: Tracks, file: VideoJson, there: Mapping[str, str]
) -> SentVideo:
    info, name = tracks.info, f"{video.name}.mp4"
    return SentVideo(
        video.name,
        name,
        there.get(name, ""),
        str(video.path.absolute()) if video.path else "",
        video.sha256,
        info.width,
        info.height,
        info.fps,
        info.frame_count,
        file.every,
        file.track_ids,
        file.path.name,
        file.path.stem,
    )


def _sendable(
    tracked: Iterable[tuple[VideoSequence, Tracks]], say: Say
) -> list[tuple[VideoSequence, Tracks]]:
    """The videos that may be sent and that Labellerr takes."""
    left_out: dict[str, list[str]] = defaultdict(list)
    chosen = []
    for video, tracks in tracked:
        suffix = video.path.suffix.lower() if video.path and video.path.is_file() else None
        if video.role == TEST_ROLE:
            left_out["sequences with the role test never leave"].append(video.name)
        elif suffix in SUFFIXES["video"]:
            chosen.append((video, tracks))
        else:
            kind = f"{video.name}{suffix}" if suffix else f"{video.name} (frames)"
            left_out[f"only {', '.join(SUFFIXES['video'])} is taken"].append(kind)
    for why, names in left_out.items():
        say(f"not sent, {why}: {some(names)}")
    return chosen


def _written(
    chosen: Sequence[tuple[VideoSequence, Tracks]], folder: Path, simplify_px: float, say: Say
) -> list[tuple[VideoSequence, VideoJson]]:
    """The files of trajectories in ``folder``, of the videos that have some; and what they are of.

    What was sent before is the same, since the folder's name stands for it: its record stays.
    """
    found = []
    with whole_folder(folder) as partial:
        if (folder / RECORD).is_file():
            link_or_copy(folder / RECORD, partial / RECORD)
        for video, tracks in chosen:
            path = partial / f"{level(video.name)}.json"
            file = write_video_json(tracks, f"{video.name}.mp4", path, simplify_px)
            if file is None:
                say(f"not sent, no track with a mask: {video.name}.mp4")
            else:
                for part in sorted(p for p in tracks.folder.iterdir() if p.name in _TRACKS):
                    link_or_copy(part, partial / path.stem / part.name)
                found.append((video, replace(file, path=folder / path.name)))
    return found


def _local(video: VideoSequence) -> LocalFile:
    """The file, under the name of the sequence: two files of one name stay apart."""
    assert video.path is not None
    (file,) = check_files([video.path], {video.path: video.sha256}, "video")
    return replace(file, name=f"{video.name}.mp4")


def _refused(error: PlatformError) -> bool:
    """Whether the format itself is not taken; an SDK's own refusal has no status."""
    refused = error.status is None or 400 <= error.status < 500
    text = str(error)
    return refused and bool(_FORMAT_REFUSED.search(text)) and not _FILE_REFUSED.search(text)
