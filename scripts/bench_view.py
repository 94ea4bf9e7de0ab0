"""How fast `segtrack view` is with a long video: first picture, seeking, playing, memory.

    python scripts/bench_view.py                       10 minutes of 1080p at 30 frames/s
    python scripts/bench_view.py --minutes 60          an hour
    python scripts/bench_view.py --pictures            a file that no browser plays: the server
                                                       decodes its pictures
    python scripts/bench_view.py --keep FOLDER         make the video and its tracks there, once

The video is FFmpeg's test picture in H.264 with a key frame every 250 frames, which is what x264
makes; its tracks are moving ellipses with masks. A headless Chromium (apt-get install chromium
chromium-driver) opens the page and seeks to places all over it. Times are as the page has them:
from the navigation, or from the key, until the picture is drawn.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from av.video.frame import PictureType

from segtrack.base.rle import encode_box
from segtrack.dataset import VideoSequence
from segtrack.model import PredictionsInfo
from segtrack.runs import find
from segtrack.settings import MlflowSettings
from segtrack.tracker import (
    TrackRows,
    Tracks,
    TracksInfo,
    TrackSummary,
    TracksWriter,
    write_info,
    write_results,
)
from segtrack.view import Library, start_view

WIDTH, HEIGHT, FPS = 1920, 1080, 30
OBJECTS, LIFE = 12, 300  # at once; frames that a track lasts
NAMES = ("car", "person", "bus")
SEEKS = 40
GOP, PART = 250, 1000  # frames between key frames; frames that are encoded


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--pictures", action="store_true", help="the video as AVI, MPEG-4 part 2")
    parser.add_argument("--keep", type=Path, metavar="FOLDER")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    frames = round(options.minutes * 60 * FPS)
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch) / "made"
        folder.mkdir(parents=True, exist_ok=True)
        video = folder / ("street.avi" if options.pictures else "street.mp4")
        if not video.is_file():
            make_video(video, frames)
        if not (folder / "results.json").is_file():
            make_tracks(folder, frames)
        found = measured(folder / "results.json", video, Path(scratch), frames)
        found["results.json MB"] = round((folder / "results.json").stat().st_size / 1e6)
        found["video MB"] = round(video.stat().st_size / 1e6)
    print(json.dumps(found) if options.json else table(found))
    return 0


def make_video(path: Path, frames: int) -> None:
    """FFmpeg's moving test picture: some of it is encoded, and its packets come again and again."""
    codec, given = ("mpeg4", {}) if path.suffix == ".avi" else ("libx264", {"preset": "ultrafast"})
    source = av.open(f"testsrc2=size={WIDTH}x{HEIGHT}:rate={FPS}:duration=4", format="lavfi")
    pictures = [frame.reformat(format="yuv420p") for frame in source.decode(video=0)]
    part, partial = path.with_name(f"part{path.suffix}"), path.with_name(f"partial{path.suffix}")
    with av.open(str(part), "w") as container:
        stream = container.add_stream(codec, rate=FPS, options=given)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.bit_rate = 6_000_000
        stream.codec_context.gop_size = GOP
        for number in range(min(frames, PART)):
            frame = pictures[number % len(pictures)]
            frame.pict_type = PictureType.NONE  # else each would be a key frame again
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with av.open(str(part)) as given_part, av.open(str(partial), "w") as container:
        template = given_part.streams.video[0]
        stream = container.add_stream_from_template(template)
        packets = [packet for packet in given_part.demux(template) if packet.size]
        data = [(bytes(packet), packet.is_keyframe) for packet in packets]
        length = Fraction(1, FPS) / packets[0].time_base
        for number in range(frames):
            content, key = data[number % len(data)]
            packet = av.Packet(content)
            packet.stream, packet.time_base = stream, packets[0].time_base
            packet.pts = packet.dts = int(number * length)
            packet.duration, packet.is_keyframe = int(length), key
            container.mux(packet)
    part.unlink()
    partial.rename(path)


def make_tracks(folder: Path, frames: int) -> None:
    """Ellipses that move through the picture, each for ten seconds."""
    store = folder / "tracks"
    shutil.rmtree(store, ignore_errors=True)
    store.mkdir()
    shapes = [(w, h, ellipse(w, h)) for w, h in ((60, 120), (160, 110), (320, 200), (40, 90))]
    summary: dict[int, TrackSummary] = {}
    with TracksWriter(store / "tracks.parquet") as writer:
        for number in range(frames):
            ids, boxes, masks = [], [], []
            for slot in range(OBJECTS):
                track = slot + 1 + OBJECTS * ((number + slot * LIFE // OBJECTS) // LIFE)
                w, h, mask = shapes[track % len(shapes)]
                x = (track * 211 + number * (1 + track % 5)) % (WIDTH - w)
                y = (track * 97) % (HEIGHT - h)
                ids.append(track)
                boxes.append((x, y, x + w, y + h))
                masks.append(encode_box(mask, HEIGHT, WIDTH, (x, y)))
                before = summary.get(track)
                first = before.first_frame if before else number
                seen = 1 + (before.frames_seen if before else 0)
                summary[track] = TrackSummary(track, track % 3, first, number, seen, 0.8)
            order = np.argsort(ids)
            box = np.array(boxes, np.float32)[order]
            track_id = np.array(ids, np.int64)[order]
            rows = TrackRows(
                number,
                track_id,
                (track_id % 3).astype(np.int16),
                np.full(OBJECTS, 0.8, np.float32),
                box,
                [masks[i] for i in order],
                np.zeros(OBJECTS, bool),
                box,
            )
            writer.add(rows)
    info = TracksInfo(NAMES, frames, WIDTH, HEIGHT, float(FPS), {"name": "made"})
    write_info(store, info, [summary[track] for track in sorted(summary)])
    sequence = VideoSequence("street", None, "0" * 64, WIDTH, HEIGHT, float(FPS), frames)
    predicted = PredictionsInfo(NAMES, frames, WIDTH, HEIGHT, float(FPS), "made", "0" * 64, 640)
    run = {"mlflow_run_id": None, "config_hash": "", "git_commit": None, "created_at": ""}
    write_results(Tracks.load(store), sequence, predicted, {"name": "made"}, run, folder)


def ellipse(width: int, height: int) -> np.ndarray:
    mask = np.zeros((height, width), np.uint8)
    middle, half = (width // 2, height // 2), (width // 2 - 1, height // 2 - 1)
    return cv2.ellipse(mask, middle, half, 0, 0, 360, 1, -1)


def measured(results: Path, video: Path, scratch: Path, frames: int) -> dict[str, Any]:
    """What the browser says."""
    settings = MlflowSettings(uri=f"sqlite:///{scratch / 'none.db'}")
    library = Library(settings, find(settings, [str(results)], scratch), scratch, video)
    with start_view(library) as view, chromium(scratch) as browser:
        browser.get(view.address)  # the browser itself is warm, as it is for people
        begin = resident()
        browser.get(f"{view.address}runs/folder-1/videos/1/")
        first = until(browser, "dataset.picture", "0")
        tracks = until(browser, "dataset.ready", "true")
        deadline = time.monotonic() + 600
        while library.video("folder-1", 1).index.share < 1 and time.monotonic() < deadline:
            time.sleep(0.1)
        read = time.monotonic()
        found: dict[str, Any] = {
            "frames": frames,
            "first picture, s": first,
            "first tracks, s": tracks,
            "memory of the server after reading, MB": resident() - begin,
        }
        chance = random.Random(0)
        places = [chance.randrange(frames) for _ in range(SEEKS)]
        heaps, near, took, whole = [], [], [], []
        for place in places:
            first, picture, objects = browser.execute_async_script(SEEK, place)
            near.append(first)
            took.append(picture)
            whole.append(objects)
            heaps.append(heap(browser))
        found |= {
            "seek, first picture of the place, ms, median": statistics.median(near),
            "longest": max(near),
            "seek, the frame itself, ms, median": statistics.median(took),
            "longest of these": max(took),
            "with its tracks, ms, median": statistics.median(whole),
            "with its tracks, ms, longest": max(whole),
            "step of a frame, ms": statistics.median(
                browser.execute_async_script(SEEK, place)[1] for place in range(9000, 9020)
            )
            if frames > 9100
            else None,
        }
        browser.execute_async_script(SEEK, 0)
        shown, seconds = browser.execute_async_script(PLAY, 5)
        found["pictures/s while it plays"] = round(shown / seconds, 1)
        found["memory of the page after 5 seeks, MB"] = heaps[4]
        found["memory of the page at the end, MB"] = heap(browser)
        found["memory of the server at the end, MB"] = resident() - begin
        found["s"] = round(time.monotonic() - read)
    library.close()
    return found


SEEK = """
const [place, done] = arguments;
const work = document.getElementById("work"), scrub = document.getElementById("scrub");
const begin = performance.now();
const before = work.dataset.picture;
let picture = 0, any = 0;
const look = () => {
  if (!any && work.dataset.picture !== before) any = Math.round(performance.now() - begin);
  if (!picture && work.dataset.picture === String(place)) picture = performance.now() - begin;
  const now = Math.round(performance.now() - begin);
  if (picture && work.dataset.whole === String(place)) done([any, Math.round(picture), now]);
  else requestAnimationFrame(look);
};
scrub.value = place;
scrub.dispatchEvent(new Event("input"));
requestAnimationFrame(look);
"""
PLAY = """
const [seconds, done] = arguments;
const work = document.getElementById("work"), begin = performance.now();
let shown = 0;
const seen = new MutationObserver(() => (shown += 1));
document.getElementById("play").click();
seen.observe(work, { attributes: true, attributeFilter: ["data-frame"] });
setTimeout(() => {
  document.getElementById("play").click();
  done([shown, (performance.now() - begin) / 1000]);
}, 1000 * seconds);
"""


def until(browser: Any, what: str, value: str) -> float:
    """Seconds from the navigation until the page says something of itself."""
    script = f"""
    const done = arguments[0];
    const look = () => document.getElementById("work")?.{what} === "{value}"
      ? done(performance.now() / 1000) : requestAnimationFrame(look);
    look();
    """
    return round(float(browser.execute_async_script(script)), 2)


def heap(browser: Any) -> int:
    """MB of the page's objects, after what nobody needs was collected."""
    browser.execute_cdp_cmd("HeapProfiler.collectGarbage", {})
    return round(int(browser.execute_cdp_cmd("Runtime.getHeapUsage", {})["usedSize"]) / 1e6)


def resident() -> int:
    """MB of this process, which is the server."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6)


@contextmanager
def chromium(folder: Path) -> Iterator[Any]:
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    for flag in ("headless=new", "no-sandbox", "disable-gpu", "window-size=1280,900"):
        options.add_argument(f"--{flag}")
    options.add_argument(f"--user-data-dir={folder / 'profile'}")
    options.binary_location = shutil.which("chromium") or ""
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    with webdriver.Chrome(options, service) as browser:
        browser.set_script_timeout(60)
        yield browser


def table(found: dict[str, Any]) -> str:
    width = max(map(len, found))
    return "\n".join(f"{name:{width}}  {value}" for name, value in found.items())


if __name__ == "__main__":
    raise SystemExit(main())
