"""Trying weights: what comes in, the command that it makes, the runs, and what goes out."""

from __future__ import annotations

import http.client
import io
import json
import shlex
import shutil
import subprocess
import sys
import time
import zipfile
from collections import namedtuple
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import requests
from hydra.core.override_parser.overrides_parser import OverridesParser
from PIL import Image

from segtrack.base import secrets
from segtrack.base.errors import DataError, SettingsError
from segtrack.settings import MlflowSettings
from segtrack.view import Library, start_view
from segtrack.view.attempts import Attempt, Attempts
from segtrack.view.trying import Choice, Trained, words_of
from segtrack.view.uploads import TooLarge, Upload, Uploads, judged, safe_name
from segtrack.view.zipped import zipped
from tests.view.conftest import Served
from tests.view.made import write_video

Usage = namedtuple("Usage", "total used free")
RUN = "0123456789abcdef" * 2
RUNS = {RUN: Trained(RUN, "demo", "", "traffic_sim", "yolov8s-seg", "")}


def values(words: list[str]) -> dict[str, Any]:
    """What Hydra reads in the words."""
    return {
        one.key_or_group: one.value() for one in OverridesParser.create().parse_overrides(words)
    }


class TestNames:
    @pytest.mark.parametrize(
        ("given", "safe"),
        [
            ("street.mp4", "street.mp4"),
            ("a=b,c{d} $(x).mp4", "a_b_c_d_x.mp4"),
            ("../../etc/passwd", "passwd"),
            ("C:\\videos\\über uns.MOV", "über_uns.MOV"),
            (".hidden", "hidden"),
            ("-rf", "rf"),
            ("a'b\"`;|&\n.png", "a_b.png"),
            ("...", "unnamed"),
            ("", "unnamed"),
            ("x" * 300 + ".jpeg", "x" * 80 + ".jpeg"),
        ],
    )
    def test_safe(self, given: str, safe: str) -> None:
        assert safe_name(given) == safe

    def test_a_name_that_is_taken(self, tmp_path: Path) -> None:
        uploads = Uploads(tmp_path)
        key = uploads.begin(10)
        for expected in ("a_b.png", "a_b-2.png", "a_b-3.png"):
            path = uploads.place(key, "a b.png")
            assert path.name == expected and path.parent.parent == tmp_path / "outputs" / "uploads"
            path.touch()


class TestWords:
    VIDEO = Upload("k", "video", Path("outputs/uploads/k_video/a=b,c{d} $(x).mp4"), 1, 1)
    PICTURES = Upload("k", "pictures", Path("outputs/uploads/k_pictures"), 2, 1)

    def test_of_a_video(self) -> None:
        words = words_of(self.VIDEO, Choice(f"run:{RUN}", 0.4, "ocsort", ("car", "a, b=[c]")), RUNS)
        assert values(words) == {
            "stages": ["track"],
            "video": str(self.VIDEO.path),
            "model": "yolov8s-seg",
            "model.weights": f"run:{RUN}",
            "tracker": "ocsort",
            "tracker.track_thresh": 0.4,
            "tracker.new_track_thresh": None,
            "dataset.classes": ["car", "a, b=[c]"],
            "mlflow.run_name": "a=b,c{d} $(x).mp4 with demo",
        }

    def test_of_pictures(self) -> None:
        words = words_of(self.PICTURES, Choice("model:yolo11m-seg", 0.6, "ocsort"), RUNS)
        assert values(words) == {
            "stages": ["segment"],
            "dataset": "images",
            "dataset.path": "outputs/uploads/k_pictures",
            "model": "yolo11m-seg",
            "model.weights": "auto",
            "evaluation.confusion_conf": 0.6,
            "mlflow.run_name": "2 pictures with yolo11m-seg",
        }

    @pytest.mark.parametrize(
        "choice",
        [
            Choice("run:" + "f" * 32),
            Choice("/etc/passwd"),
            Choice("model:none"),
            Choice("shipped", tracker="none"),
            Choice("shipped", classes=("${oc.env:HOME}",)),
        ],
    )
    def test_only_what_the_page_offers(self, choice: Choice) -> None:
        with pytest.raises(SettingsError):
            words_of(self.VIDEO, choice, RUNS)

    def test_the_command_can_be_typed(self) -> None:
        made = Attempt(1, "k", "t", "video", tuple(words_of(self.VIDEO, Choice("shipped"), {})))
        typed = shlex.split(made.command)
        assert typed[:2] == ["segtrack", "run"] and tuple(typed[2:]) == made.words

    def test_what_is_shown_of_the_command_has_no_secrets(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "correct-horse")
        secrets._values.cache_clear()
        words = ("mlflow.uri=http://me:battery@host:5000", "mlflow.run_name=correct-horse")
        made = Attempt(1, "k", "t", "video", words)
        assert "battery" not in made.command and "correct-horse" not in made.command
        assert made.words == words  # which is what runs
        monkeypatch.undo()
        secrets._values.cache_clear()


class TestJudging:
    def test_by_content(self, tmp_path: Path) -> None:
        video = write_video(tmp_path / "v.mp4", frames=3).rename(tmp_path / "v.jpg")
        assert judged(video) == "video"
        picture = tmp_path / "p.mp4"
        Image.new("RGB", (40, 30)).save(picture, "PNG")
        assert judged(picture) == "pictures"

    @pytest.mark.parametrize(
        ("name", "data", "said"),
        [
            ("notes.txt", b"hello", "notes.txt: is neither a video nor a picture"),
            ("v.mp4", b"not at all", "v.mp4: "),
            ("p.jpg", b"\xff\xd8\xff\xe0 and no more", "p.jpg: is neither a video nor a picture"),
            ("e.mp4", b"", "e.mp4: this video is an empty file"),
        ],
    )
    def test_what_is_refused(self, tmp_path: Path, name: str, data: bytes, said: str) -> None:
        (tmp_path / name).write_bytes(data)
        with pytest.raises(DataError) as error:
            judged(tmp_path / name)
        assert str(error.value).startswith(said) and "\n" not in str(error.value)
        assert str(tmp_path) not in str(error.value)

    def test_what_nobody_could_judge_does_not_stay(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fails(path: Path) -> str:
            raise ValueError("31 is not a valid Type")

        monkeypatch.setattr("segtrack.view.uploads.judged", fails)
        (tmp_path / "a.tif").write_bytes(b"II*")
        with pytest.raises(ValueError, match="31"):
            Uploads(tmp_path).judge(tmp_path / "a.tif")
        assert not (tmp_path / "a.tif").exists()

    def test_a_full_disk(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 0, 300 << 20))
        uploads = Uploads(tmp_path)
        uploads.begin(100 << 20)
        with pytest.raises(TooLarge, match=r"104\.9 MB do not fit: .* has 104\.9 MB to spare"):
            uploads.begin((100 << 20) + 1)


# Pages


@pytest.fixture
def address(served: Served, tmp_path: Path) -> Iterator[str]:
    settings = MlflowSettings(uri=f"sqlite:///{tmp_path / 'none.db'}")
    library = Library(settings, [one.held for one in served.library.named], tmp_path / "scratch")
    with start_view(library, project=tmp_path) as view:
        yield view.address
    library.close()


def send(address: str, *files: tuple[str, bytes]) -> requests.Response:
    """Upload files, as the page does; the last answer."""
    begun = requests.post(f"{address}try/uploads", json={"size": sum(len(d) for _, d in files)})
    key = begun.json()["key"]
    for name, data in files:
        url = f"{address}try/uploads/{key}/files"
        answer = requests.put(url, params={"name": name}, data=data, timeout=30)
        if "refused" in answer.json():
            return answer
    return requests.post(f"{address}try/uploads/{key}/done", timeout=30)


def png(size: tuple[int, int] = (40, 30)) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", size).save(data, "PNG")
    return data.getvalue()


def test_an_upload_comes_to_the_byte(address: str, tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.mp4", frames=4).read_bytes()
    made = send(address, ("my street.mp4", video)).json()
    assert made["kind"] == "video" and made["name"] == "my_street.mp4"
    kept = tmp_path / "outputs" / "uploads" / made["key"] / "my_street.mp4"
    assert kept.read_bytes() == video
    wanted = {"upload": made["key"], "weights": "shipped"}
    command = requests.post(f"{address}try/command", json=wanted, timeout=30).json()["command"]
    path = f"outputs/uploads/{made['key']}/my_street.mp4"
    assert command.startswith(
        f"segtrack run 'stages=[track]' 'video=\"{path}\"' model.weights=shipped"
    )
    page = requests.get(f"{address}try/", timeout=30).text
    assert made["key"] in page and str(tmp_path / "outputs" / "uploads") in page
    assert requests.delete(f"{address}try/uploads/{made['key']}", timeout=30).ok
    assert not kept.parent.exists()
    gone = requests.post(f"{address}try/runs", json=wanted, timeout=30)
    assert gone.status_code == 404 and "upload it again" in gone.json()["error"]


def test_pictures_come_together(address: str, tmp_path: Path) -> None:
    made = send(address, ("a.png", png()), ("a.png", png((20, 20)))).json()
    assert (made["kind"], made["name"]) == ("pictures", "2 pictures")
    folder = tmp_path / "outputs" / "uploads" / made["key"]
    assert sorted(one.name for one in folder.iterdir()) == ["a-2.png", "a.png"]


def test_what_is_refused(address: str, tmp_path: Path) -> None:
    wrong = send(address, ("notes.txt", b"hello"))
    assert wrong.json()["refused"].startswith("notes.txt: is neither a video nor a picture")
    video = write_video(tmp_path / "v.mp4", frames=3).read_bytes()
    mixed = send(address, ("a.png", png()), ("v.mp4", video))
    assert mixed.json()["refused"].startswith(
        "v.mp4: is left out: a video is tried alone, and a.png"
    )
    none = requests.post(f"{address}try/uploads", json={"size": 1}).json()["key"]
    empty = requests.post(f"{address}try/uploads/{none}/done")
    assert empty.status_code == 422 and "neither a video nor a picture" in empty.json()["error"]
    for method, path in (
        ("PUT", "uploads/..%2F..%2Fx/files?name=a.png"),
        ("PUT", "uploads/2026-01-01_00-00-00-000000/files?name=a.png"),
        ("DELETE", "uploads/..%2F.."),
        ("DELETE", "uploads/2026-01-01_00-00-00-000000_video"),
        ("POST", "runs/7/end"),
    ):
        assert requests.request(method, f"{address}try/{path}").status_code in (404, 405), path
    assert list((tmp_path / "outputs" / "uploads").rglob("*.txt")) == []


def test_too_large_for_the_disk(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    key = requests.post(f"{address}try/uploads", json={"size": 1}).json()["key"]
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 0, 300 << 20))
    said = requests.post(f"{address}try/uploads", json={"size": 10**12})
    assert said.status_code == 422 and said.json()["error"].startswith("1000.0 GB do not fit")
    # Who declared less than comes is told before it is written.
    host, _, path = address.removeprefix("http://").partition("/")
    connection = http.client.HTTPConnection(host, timeout=30)
    connection.putrequest("PUT", f"/{path}try/uploads/{key}/files?name=v.mp4")
    connection.putheader("Content-Length", str(10**12))
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status == 422 and b"do not fit" in answer.read()
    connection.close()


def test_what_breaks_off_leaves_nothing(address: str, tmp_path: Path) -> None:
    key = requests.post(f"{address}try/uploads", json={"size": 1}).json()["key"]
    host, _, path = address.removeprefix("http://").partition("/")
    connection = http.client.HTTPConnection(host, timeout=30)
    connection.putrequest("PUT", f"/{path}try/uploads/{key}/files?name=v.mp4")
    connection.putheader("Content-Length", str(1 << 22))
    connection.endheaders()
    connection.send(b"\0" * (3 << 20))
    folder = tmp_path / "outputs" / "uploads" / f".{key}"
    until(lambda: any(folder.iterdir()))
    connection.close()
    until(lambda: not any(folder.iterdir()))


@pytest.mark.parametrize("origin", ["http://evil.example", "http://127.0.0.1:1"])
def test_other_pages_start_nothing(address: str, origin: str) -> None:
    for method, path, body in (
        ("POST", "uploads", {"size": 1}),
        ("POST", "runs", {"upload": "x", "weights": "shipped"}),
        ("POST", "runs/1/end", None),
    ):
        url = f"{address}try/{path}"
        said = requests.request(method, url, json=body, headers={"Origin": origin}, timeout=30)
        assert said.status_code == 403
    own = {"Origin": address.partition("/view/")[0]}
    assert requests.post(f"{address}try/uploads", json={"size": 1}, headers=own, timeout=30).ok


# Runs

SAYS = """
import sys, time
print("run made (%s)" % ("ab" * 16), flush=True)
print("detect     12 of 40 frames", flush=True)
try:
    time.sleep(float(sys.argv[1]))
except KeyboardInterrupt:
    sys.exit(130)
print("error: 1 problem with the settings:\\n  seed=x: must be a whole number", flush=True)
sys.exit(int(sys.argv[2]))
"""


@pytest.fixture
def attempts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Attempts]:
    """A queue whose command takes seconds and an exit code."""

    def started(self: Attempts, one: Attempt) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", SAYS, *one.words],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    monkeypatch.setattr(Attempts, "_started", started)
    made = Attempts(tmp_path)
    yield made
    made.close()


def until(true: Callable[[], object], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def state(attempts: Attempts, number: int) -> dict[str, Any]:
    return next(row for row in attempts.rows() if row["number"] == number)


def test_one_after_the_other(attempts: Attempts) -> None:
    for seconds, code in (("0.3", "0"), ("0", "2"), ("60", "0")):
        attempts.start("k", "clip", "video", [seconds, code])
    until(lambda: state(attempts, 1)["state"] == "running")
    assert [(row["state"], row["place"]) for row in attempts.rows()] == [
        ("waiting", 2), ("waiting", 1), ("running", 0),
    ]  # fmt: skip
    until(lambda: state(attempts, 3)["run"])
    one, two, three = (state(attempts, number) for number in (1, 2, 3))
    assert (one["state"], one["run"]) == ("finished", "ab" * 16)
    assert one["lines"][1] == "detect     12 of 40 frames"
    assert two["state"] == "failed"
    assert two["error"] == "1 problem with the settings: seed=x: must be a whole number"
    assert three["state"] == "running" and attempts.uses("k")
    attempts.end(3)
    until(lambda: state(attempts, 3)["state"] == "ended")
    assert not attempts.uses("k")


def test_nothing_is_left_running(attempts: Attempts) -> None:
    first, second = (attempts.start("k", "clip", "video", ["60", "0"]) for _ in range(2))
    until(lambda: first.run_id)
    process = first.process
    assert process is not None
    attempts.close()
    assert process.poll() == 130
    assert (first.state, second.state) == ("ended", "ended")


# What goes out


def test_downloads_are_what_the_run_kept(served: Served, address: str) -> None:
    kept = served.folders[0] / "tracking" / "clip" / "results.json"
    document = json.loads(kept.read_text())
    files = f"{address}runs/folder-1/videos/1/files/"
    said = requests.get(files + "results.json", timeout=30)
    assert said.content == kept.read_bytes()
    assert 'filename="clip-results.json"' in said.headers["content-disposition"]
    rows = requests.get(files + "tracks.csv", timeout=30).text.splitlines()
    assert len(rows) == 1 + len(document["objects"])
    first = document["objects"][0]
    assert rows[1].split(",")[:6] == [
        "clip", "0", "0.0", str(first["track_id"]), "0", "car",
    ]  # fmt: skip
    coco = requests.get(files + "coco.json", timeout=30).json()
    assert len(coco["annotations"]) == len(document["objects"])
    for name in ("annotated.mp4", "..%2Fscores%2Ftruth.npz", "config.yaml", "truth.npz"):
        assert requests.get(files + name, timeout=30).status_code == 404
    archive = requests.get(f"{address}runs/folder-1/all.zip", timeout=30)
    with zipfile.ZipFile(io.BytesIO(archive.content)) as opened:
        assert {"clip/results.json", "clip/tracks.csv", "clip/coco.json"} <= set(opened.namelist())
        assert opened.read("clip/results.json") == kept.read_bytes()
        assert opened.testzip() is None
    page = requests.get(f"{address}runs/folder-1/", timeout=30).text
    assert 'href="videos/1/files/tracks.csv"' in page and 'href="all.zip"' in page


def test_an_archive_is_made_while_it_is_sent(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, 9 << 20, np.uint8).tobytes()
    (tmp_path / "v.mp4").write_bytes(noise)
    parts = list(zipped([("a/v.mp4", tmp_path / "v.mp4")]))
    assert max(map(len, parts)) < 2 << 20 and len(parts) > 9
    with zipfile.ZipFile(io.BytesIO(b"".join(parts))) as opened:
        assert opened.read("a/v.mp4") == noise


def test_a_picture_of_opencv_is_one(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.webp"), np.zeros((8, 12, 3), np.uint8))
    assert judged(tmp_path / "a.webp") == "pictures"
