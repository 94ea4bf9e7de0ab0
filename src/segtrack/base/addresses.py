"""Addresses of cameras, streams and stores: which words are such, and how they are shown."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_STREAM = re.compile(r"^(rtsps?|rtmps?|rtp|udp|tcp|srt|https?|mms)://", re.IGNORECASE)
_ADDRESS = re.compile(r"^[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_ONE_SLASH = re.compile(r"^([a-z][a-z0-9+.-]+):/(?!/)", re.IGNORECASE)  # of C:/ there is one letter
_FILES = ("file", "local", "memory")  # addresses of fsspec in which no machine or bucket stands
_PAGES = ("youtube.com", "youtu.be", "twitch.tv", "vimeo.com", "tiktok.com", "bilibili.com")


def is_live(video: str | None) -> bool:
    """Whether ``video=`` names a camera by its number, or a stream by its address."""
    return video is not None and (video.strip().isdecimal() or bool(_STREAM.match(video.strip())))


def other_address(video: str) -> bool:
    """Whether it is an address that nothing here reads, such as ``file:///...`` or ``ftp://...``."""
    return bool(_ADDRESS.match(video.strip())) and not is_live(video)


def page_of(video: str) -> str | None:
    """The site whose pages hold videos and are none, where ``video`` is such a page."""
    host = (urlsplit(video.strip()).hostname or "") if _STREAM.match(video.strip()) else ""
    return next((site for site in _PAGES if host == site or host.endswith(f".{site}")), None)


def page_words(video: str) -> str | None:
    """What to do where ``video`` is a page that shows a video; None where it is no such page."""
    if (site := page_of(video)) is None:
        return None
    return (
        f"a page of {site}, not a video: download it first, "
        "yt-dlp -f 'bv*[ext=mp4]' -o video.mp4 ADDRESS, then video=video.mp4"
    )


def no_place(text: str) -> str | None:
    """Why a folder or an address of a store is neither, where it is a slip; else None.

    ``s3:/bucket`` would be a folder ``s3:`` of this machine, where nobody else looks.
    """
    if slip := _ONE_SLASH.match(text):
        return f"begins like an address: {slip[1]}://BUCKET/FOLDER, with two slashes"
    scheme, found, rest = text.partition("://")
    if found and scheme not in _FILES and not rest.split("/")[0].strip():
        return f"names no bucket: {scheme}://BUCKET/FOLDER"
    return None


def stream_name(video: str) -> str:
    """A name for a camera or stream: ``camera 0``, or the last word of its path, else its host."""
    video = video.strip()
    if video.isdecimal():
        return f"camera {int(video)}"
    parts = urlsplit(video)
    words = [word for word in parts.path.split("/") if word]
    last = words[-1].rsplit(".", 1)[0] if words else ""
    return last or parts.hostname or "stream"
