"""Cameras and streams: which words are such, and how they are shown."""

import pytest

from segtrack.base.addresses import is_live, no_place, page_of, stream_name
from segtrack.base.secrets import without_secrets


@pytest.mark.parametrize(
    ("video", "expected"),
    [
        *(("0", True), (" 1 ", True), ("rtsp://h/x", True), ("RTSPS://h", True)),
        *(("http://h/a.m3u8", True), ("https://h/a.mp4", True), ("udp://@:1234", True)),
        *(("clip.mp4", False), ("folder/0", False), ("*.mp4", False), ("-1", False)),
        *(("C:/clip.mp4", False), ("file:///clip.mp4", False), (None, False), ("", False)),
    ],
)
def test_is_live(video: str | None, expected: bool) -> None:
    assert is_live(video) is expected


@pytest.mark.parametrize(
    ("place", "told"),
    [
        *((place, None) for place in (".segtrack", "C:/store", "a:b", "/mnt/a:/b", "memory://a")),
        *((place, None) for place in ("s3://bucket", "gs://bucket/x", "file:///shared")),
        *((place, "with two slashes") for place in ("s3:/bucket/x", "gs:/bucket", "file:/shared")),
        *((place, "names no bucket") for place in ("s3://", "s3:///folder", "abfs:// /x")),
    ],
)
def test_an_address_of_a_store_that_is_a_slip(place: str, told: str | None) -> None:
    found = no_place(place)
    assert found is None if told is None else told in str(found)


@pytest.mark.parametrize(
    ("video", "site"),
    [
        ("https://www.youtube.com/watch?v=x", "youtube.com"),
        ("https://youtu.be/x", "youtu.be"),
        ("https://example.org/youtube.com/x.mp4", None),
        ("https://notyoutube.com/x", None),
        ("youtube.com.mp4", None),
    ],
)
def test_pages(video: str, site: str | None) -> None:
    assert page_of(video) == site


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rtsp://me:pw@10.0.0.7:554/s1", "rtsp://***@10.0.0.7:554/s1"),
        ("rtsp://me@10.0.0.7/s1", "rtsp://***@10.0.0.7/s1"),
        ("video='rtsp://a:b@h/x' seed=0", "video='rtsp://***@h/x' seed=0"),
        ("http://h/x?token=abc&y=1&Key=z", "http://h/x?token=***&y=1&Key=***"),
        ("me@example.org and a/b@c", "me@example.org and a/b@c"),
        ("http://h/a@b.mp4", "http://h/a@b.mp4"),
        ("sqlite:///x.db", "sqlite:///x.db"),
    ],
)
def test_secrets(text: str, expected: str) -> None:
    assert without_secrets(text) == expected


@pytest.mark.parametrize(
    ("video", "name"),
    [
        *(("0", "camera 0"), ("rtsp://u:p@cam7.local/live/ch1", "ch1")),
        *(
            ("http://h/a/b.m3u8?x=1", "b"),
            ("rtsp://cam7.local", "cam7.local"),
            ("udp://:1", "stream"),
        ),
    ],
)
def test_names(video: str, name: str) -> None:
    assert stream_name(video) == name
