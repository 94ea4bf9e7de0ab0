"""Which files are videos, and what their sequences are called."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from segtrack.base.errors import DataError, some
from segtrack.base.names import storable
from segtrack.dataset.pixels import OTHERS, SUFFIXES
from segtrack.dataset.sequences import VideoSequence
from segtrack.dataset.telling import Warn, unheard

# The bytes decide for every suffix that is in neither list, .ts (or TypeScript) and .gif (or a
# still picture) among them.
# Container formats and raw streams that FFmpeg reads, by what cameras and programs call them.
VIDEO_SUFFIXES = frozenset(
    {
        *(".3g2", ".3gp", ".asf", ".avi", ".dav", ".divx", ".dv", ".f4v", ".flv", ".insv"),
        *(".ivf", ".lrv", ".m1v", ".m2t", ".m2ts", ".m2v", ".m4v", ".mjpeg", ".mjpg", ".mkv"),
        *(".mov", ".mp4", ".mpe", ".mpeg", ".mpg", ".mpv", ".mts", ".mxf", ".nut", ".obu"),
        *(".ogm", ".ogv", ".qt", ".rm", ".rmvb", ".trp", ".vob", ".webm", ".wmv", ".wtv"),
        *(".xvid", ".y4m", ".264", ".265", ".h264", ".h265", ".avc", ".hevc"),
    }
)
# What is never a video, however its bytes begin: sound, texts, and pictures but for GIF.
OTHER_SUFFIXES = (SUFFIXES - {".gif"} | OTHERS) | {
    *(".aac", ".flac", ".m4a", ".mka", ".mp3", ".oga", ".ogg", ".opus", ".wav", ".wma"),
    *(".psd", ".srt", ".vtt"),
}
# What systems leave in folders, and what is read as something else.
CLUTTER = frozenset({"thumbs.db", "desktop.ini", "seqinfo.ini"})
PACKET, SYNC = 188, 0x47  # MPEG transport stream, ISO/IEC 13818-1
_STILL_BRANDS = (b"avif", b"heic", b"heix", b"mif1", b"msf1")
_BEGINNINGS = (
    *(b"\x1aE\xdf\xa3", b"OggS", b"FLV\x01", b"0&\xb2u\x8ef\xcf\x11", b"\x00\x00\x01\xba"),
    *(b"\x00\x00\x01\xb3", b"DHAV", b"\x06\x0e+4\x02\x05\x01\x01", b"YUV4MPEG2 ", b".RMF"),
    *(b"DKIF", b"nut/multimedia container\x00", b"\x00\x00\x00\x01g", b"\x00\x00\x00\x01@\x01"),
    *(b"\x00\x00\x00\x01\x09", b"IMKH"),
)
SHOWN = 3  # examples of files that are left out


def is_video(path: Path) -> bool:
    """Whether a file of a folder is a video: by its name, else by its first bytes."""
    suffix = path.suffix.lower()
    if path.name.startswith(".") or suffix in OTHER_SUFFIXES:
        return False
    if suffix in VIDEO_SUFFIXES:
        return True
    try:
        with path.open("rb") as file:
            head = file.read(16 * PACKET)
    except OSError:
        return False
    return _begins_like_video(head) and _holds_video(path)


def _begins_like_video(head: bytes) -> bool:
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide"):
        return head[8:12] not in _STILL_BRANDS
    if head[:4] == b"RIFF":
        return head[8:12] == b"AVI "
    return head.startswith((b"GIF8", *_BEGINNINGS)) or _is_transport(head)


def _is_transport(head: bytes) -> bool:
    """Packets of 188 bytes, with 4 before each in an .m2ts; TypeScript has neither."""
    return any(
        len(head) > 4 * step
        and all(head[at] == SYNC for at in range(first, min(len(head), 8 * step), step))
        for first, step in ((0, PACKET), (4, PACKET + 4))
    )


def _holds_video(path: Path) -> bool:
    """Whether FFmpeg finds a picture that moves; a GIF may stand still."""
    from segtrack.dataset.video_stream import video_streams

    try:
        return video_streams(path)[0].frames > 1
    except DataError:
        return False


def videos_among(files: Iterable[Path], where: str, warn: Warn) -> list[Path]:
    """The files that are videos; one warning says how many are not, and names some."""
    videos, others = [], []
    for file in files:
        if is_video(file):
            videos.append(file)
        else:
            others.append(file.name)
    tell_left_out(others, "video", where, warn)
    return videos


def tell_left_out(names: Iterable[str], what: str, where: str, warn: Warn) -> None:
    """One warning that says how many files are no ``what`` and names some; none for hidden ones."""
    others = [n for n in names if not n.startswith(".") and n.lower() not in CLUTTER]
    if others:
        one = len(others) == 1
        count = f"1 file is no {what}" if one else f"{len(others)} files are no {what}s"
        message = f"{count} and left out: {some(others, SHOWN)}"
        hint = f"name one by itself to have it read as a {what}, whatever its suffix"
        if what == "picture":
            hint = "frames are JPEG, PNG and whatever else OpenCV or Pillow decodes"
        warn(f"no_{what}", where, message, hint)


def sequence_name(path: Path) -> str:
    """The name of a video's sequence: the stem of its file or the name of its folder."""
    name = path.resolve().name if path.is_dir() else path.name.removesuffix(path.suffix)
    return storable(name) or "video"


def unique_names(found: Iterable[VideoSequence], warn: Warn = unheard) -> tuple[VideoSequence, ...]:
    """The sequences with ``-2``, ``-3`` behind names that were there before.

    Names that differ only in case, or in how their letters are composed, are one on some systems.
    """
    taken: set[str] = set()
    result = []
    for sequence in found:
        for name in _numbered(sequence.name):
            if _folded(name) not in taken:
                break
        taken.add(_folded(name))
        result.append(sequence if name == sequence.name else replace(sequence, name=name))
        if name != sequence.name:
            message = f"the name {sequence.name} is taken; this sequence is called {name}"
            warn("sequence_name", str(sequence.path or sequence.gt or name), message, "rename one")
    return tuple(result)


def _numbered(name: str) -> Iterator[str]:
    yield name
    number = 2
    while True:
        yield f"{name}-{number}"
        number += 1


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
