"""Presets of ultralytics: without internet, from a server on this machine, and from a folder."""

import io
import threading
import time
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from segtrack.base.errors import DataError
from segtrack.dataset import UltralyticsSettings
from segtrack.dataset.sources.ultralytics import download as ultralytics
from tests.dataset.conftest import Prepare, YoloFolder


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, str]]:
    """A folder that is served, and its address."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "served"
    folder.mkdir()

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *words: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{http.server_port}"
        http.shutdown()


def preset(folder: Path, monkeypatch: pytest.MonkeyPatch, url: str, download: str = "") -> None:
    """Make ``tiny-seg`` a preset that downloads from ``url``."""
    file = folder / "tiny-seg.yaml"
    text = "path: tiny-seg\ntrain: images\nval: images\ntest:\nnames:\n  0: car\n  1: person\n"
    file.write_text(f"{text}download: {download or url + '/tiny-seg.zip'}\n")
    monkeypatch.setattr(ultralytics, "preset_file", lambda name: file)


def archive(data: YoloFolder, top: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as box:
        for path in sorted(data.root.rglob("*")):
            if path.is_file() and path.name != "data.yaml":
                box.write(path, top + path.relative_to(data.root).as_posix())
    return file.getvalue()


@pytest.mark.parametrize("top", ["tiny-seg/", ""])
def test_download(
    yolo: YoloFolder,
    run: Prepare,
    server: tuple[Path, str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    top: str,
) -> None:
    folder, url = server
    preset(tmp_path, monkeypatch, url)
    (folder / "tiny-seg.zip").write_bytes(archive(yolo, top))
    settings = UltralyticsSettings(name="tiny-seg.yaml")
    first = run(settings).dataset
    assert (first.names, sum(first.counts.values())) == (("car", "person"), 12)
    (folder / "tiny-seg.zip").unlink()
    assert run(settings).dataset.fingerprint == first.fingerprint  # kept: no second download
    assert sorted(p.name for p in (tmp_path / "cache/ultralytics").iterdir()) == ["tiny-seg"]


@pytest.mark.parametrize("content", [None, b"not an archive"])
def test_a_download_that_fails_leaves_nothing(
    run: Prepare,
    server: tuple[Path, str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    content: bytes | None,
) -> None:
    folder, url = server
    preset(tmp_path, monkeypatch, url)
    if content:
        (folder / "tiny-seg.zip").write_bytes(content)
    with pytest.raises(DataError, match=rf"tiny-seg\.yaml could not be downloaded from {url}"):
        run(UltralyticsSettings(name="tiny-seg.yaml"))
    assert list((tmp_path / "cache/ultralytics").iterdir()) == []


def test_without_internet(
    run: Prepare, monkeypatch: pytest.MonkeyPatch, server: tuple[Path, str], tmp_path: Path
) -> None:
    preset(tmp_path, monkeypatch, "http://127.0.0.1:9")  # nobody listens there
    start = time.monotonic()
    with pytest.raises(DataError, match=r"127\.0\.0\.1 does not answer.*dataset=traffic_sim"):
        run(UltralyticsSettings(name="tiny-seg.yaml"))
    assert time.monotonic() - start < 2 * ultralytics.PROBE_S


def test_a_preset_that_is_a_script(
    run: Prepare, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    preset(tmp_path, monkeypatch, "", download="|\n  from ultralytics import x")
    with pytest.raises(DataError, match="fetches it by a script"):
        run(UltralyticsSettings(name="tiny-seg.yaml"))


def test_a_folder_that_is_there_needs_no_internet(yolo: YoloFolder, run: Prepare) -> None:
    before = yolo.snapshot()
    found = run(UltralyticsSettings(name="coco128-seg.yaml", path=str(yolo.root)))
    assert found.dataset.names == ("car", "person")
    assert yolo.snapshot() == before


def test_names_of_presets() -> None:
    assert ultralytics.preset_file("coco128-seg").name == "coco128-seg.yaml"
    with pytest.raises(DataError, match=r"'coco28-seg\.yaml'.*\(nearest: coco128-seg\.yaml\)"):
        ultralytics.preset_file("coco28-seg.yaml")
