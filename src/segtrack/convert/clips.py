"""Videos as material: tracks by frame, and the pictures of the frames where they are there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from segtrack.base.errors import DataError
from segtrack.base.names import level
from segtrack.convert.material import Clip, Material, Picture, Thing
from segtrack.dataset import VideoSequence, frame_files, probe_video, read_frames


@dataclass(frozen=True)
class TrackedClip:
    """A video with its objects.

    Attributes:
        clip: what is known of it; 0 for a size or number of frames that is not.
        frames: by frame (from 0) its objects; ids of a frame are unique.
        names: class names by the class ids of the objects.
        video: the file or folder of frames to take pictures from, or None.
        files: the picture of each frame, where they are known one by one.
        notes: what was odd, a line each.
    """

    clip: Clip
    frames: Mapping[int, Sequence[Thing]]
    names: tuple[str, ...]
    video: VideoSequence | None = None
    files: Mapping[int, Path] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def clip_material(clips: Sequence[TrackedClip], pictures: bool) -> Material:
    """All clips with the classes of all of them, by name.

    Args:
        pictures: frames of video files are decoded.
    """
    names = tuple(dict.fromkeys(name for one in clips for name in one.names))
    ids = {name: i for i, name in enumerate(names)}
    renamed = _unique([one.clip.name for one in clips])
    whole = [
        replace(one, clip=replace(one.clip, name=name, file=_file(one)))
        for one, name in zip(clips, renamed, strict=True)
    ]

    def all_pictures() -> Iterator[Picture]:
        for one in whole:
            yield from _pictures(one, [ids[name] for name in one.names], pictures)

    return Material(names, tuple(one.clip for one in whole), all_pictures)


def with_video(clips: Sequence[TrackedClip], path: Path) -> list[TrackedClip]:
    """The one clip with the pictures of a video file or folder of frames.

    Raises:
        DataError: there are several clips, or the video has another size.
    """
    if len(clips) > 1:
        raise DataError(
            f"--video {path}: there are {len(clips)} videos "
            f"({', '.join(one.clip.name for one in clips)}); convert them one by one"
        )
    video = probe_video(path)
    (one,) = clips
    known = (one.clip.width, one.clip.height)
    if all(known) and known != (video.width, video.height):
        raise DataError(
            f"--video {path}: its frames have {video.width} x {video.height} pixels, the tracks "
            f"are of {known[0]} x {known[1]}; give the video that was tracked"
        )
    clip = replace(one.clip, width=video.width, height=video.height)
    clip = replace(clip, fps=clip.fps or video.fps)
    return [replace(one, clip=clip, video=video, files={})]


def _file(one: TrackedClip) -> Path | None:
    path = one.video.path if one.video is not None else None
    return path if path is not None and path.is_file() else None


def _unique(names: Sequence[str]) -> list[str]:
    taken: dict[str, int] = {}
    found = []
    for name in names:
        key = level(name).casefold()
        taken[key] = taken.get(key, 0) + 1
        found.append(name if taken[key] == 1 else f"{name}_{taken[key]}")
    return found


def _pictures(one: TrackedClip, ids: Sequence[int], decoded: bool) -> Iterator[Picture]:
    clip, video, files = one.clip, one.video, dict(one.files)
    if video is not None and video.path is not None and video.path.is_dir():
        files = dict(enumerate(frame_files(video.path)))
    count = max(clip.frame_count, max(one.frames, default=-1) + 1)
    images = None
    if decoded and not files and video is not None and video.path is not None:
        images = read_frames(video)
    for frame in range(count):
        things = tuple(replace(t, class_id=ids[t.class_id]) for t in one.frames.get(frame, ()))
        file = files.get(frame)
        suffix = file.suffix if file is not None else ".jpg"
        yield Picture(
            f"{level(clip.name)}_{frame:06d}{suffix}",
            clip.width,
            clip.height,
            None,
            things,
            file=file,
            pixels=next(images, None) if images is not None else None,
            clip=clip,
            frame=frame,
        )
