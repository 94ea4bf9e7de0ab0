"""`segtrack predict` on 20,000 images and 40 videos: by one process, and by Ray on this machine.

    python scripts/bench_predict.py                       the whole, minutes on two cores
    python scripts/bench_predict.py --images 2000 --videos 4 --rounds 1
    python scripts/bench_predict.py --json FILE           keeps what was measured

Both commands do the same in alternation, each as a process of its own in an empty folder; their
tables are compared byte for byte. What Ray takes to start is said apart: it is the same for a
million images. What one core takes to read and decode an image is measured beside.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("SEGTRACK_DATA") or ROOT.parent / "shared" / "data")
SIZE = (320, 192)  # px, width and height of images and frames
IMGSZ, VIDEO_IMGSZ = 96, 160
FRAMES, SAMPLE = 400, 500


def make_images(folder: Path, count: int) -> None:
    """JPEGs, each another crop, flip and brightness of one of the real pictures."""
    import cv2

    sources = sorted((DATA / "images" / "coco128-seg").rglob("*.jpg"))
    pictures: list[Any] = [cv2.imread(str(path)) for path in sources]
    pictures = [one for one in pictures if one.shape[0] > SIZE[1] and one.shape[1] > SIZE[0]]
    draw = np.random.default_rng(0)
    for number in range(count):
        image = pictures[number % len(pictures)]
        y = draw.integers(image.shape[0] - SIZE[1] + 1)
        x = draw.integers(image.shape[1] - SIZE[0] + 1)
        part = image[y : y + SIZE[1], x : x + SIZE[0]]
        part = cv2.convertScaleAbs(
            part[:, :: draw.choice((-1, 1))], beta=int(draw.integers(-20, 20))
        )
        place = folder / f"{number // 1000:03}"
        place.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(place / f"{number:06}.jpg"), part)


def make_videos(folder: Path, count: int) -> None:
    """Videos of ``FRAMES`` frames, of a real one that begins elsewhere in each, and again."""
    import cv2

    folder.mkdir(parents=True)
    source = cv2.VideoCapture(str(DATA / "videos" / "intel_car-detection.mp4"))
    frames: list[Any] = []
    while len(frames) < FRAMES and (got := source.read())[0]:
        frames.append(cv2.resize(got[1], SIZE))
    for number in range(count):
        path = str(folder / f"{number:03}.mp4")
        writer = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*"mp4v"), 25, SIZE)
        for at in range(number * 7, number * 7 + FRAMES):
            writer.write(frames[at % len(frames)])
        writer.release()


@dataclass(frozen=True)
class Done:
    """A command that ended: seconds from its start to its end, what it reported, its folder."""

    seconds: float
    numbers: dict[str, float]
    folder: Path

    @property
    def manifest(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.folder / "shards.json").read_text("utf-8"))
        return content

    @property
    def digests(self) -> list[str]:
        content = self.manifest
        return [one["sha256"] for one in (*content["shards"], *content["tracks"])]


def predict(words: list[str], place: Path) -> Done:
    """The command as it is typed, in an empty folder, with an empty store."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, str(ROOT / "src" / "run.py"), "predict", *words]
    begin = time.perf_counter()
    subprocess.run(command, cwd=place, env=env, check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - begin
    (path,) = (place / ".segtrack" / "results" / "shards").glob("*/metrics.jsonl")
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return Done(seconds, {row["name"]: row["value"] for row in rows}, path.parent)


def parts(folder: Path) -> dict[str, float]:
    """ms of one core that single parts take of an image, and its bytes."""
    from segtrack.dataset import read_image_file, read_pixels

    paths = sorted(folder.rglob("*.jpg"))[:SAMPLE]
    begin = time.perf_counter()
    for path in paths:
        read_image_file(str(path), decode=False)
        read_pixels(path)
    decode = (time.perf_counter() - begin) / len(paths)
    size = sum(path.stat().st_size for path in paths) / len(paths)
    return {"decode_ms": 1000 * decode, "bytes": size}


def cpu(done: Done) -> float:
    """ms of computing in all shards and associations."""
    content = done.manifest
    return float(sum(one["ms"]["cpu"] for one in (*content["shards"], *content["tracks"])))


def rates(told: dict[str, list[Done]]) -> dict[str, float]:
    """What the fastest rounds came to; ``count`` are images or frames."""
    plain, ray = (min(told[path], key=lambda one: one.seconds) for path in ("plain", "ray"))
    content = plain.manifest
    count = content["frames"] or content["files"]
    size = sum(path.stat().st_size for path in plain.folder.rglob("*.parquet"))
    shards = content["shards"]
    each = [(one["ms"], one.get("frames") or one["files"] - one["skipped"]) for one in shards]
    start = ray.numbers["predict/cluster_start_s"]
    work = sum(ms["all"] for ms, _ in each) + sum(one["ms"]["all"] for one in content["tracks"])
    return {
        "files": content["files"],
        "count": count,
        "rows": content["rows"],
        "plain_s": plain.seconds,
        "ray_s": ray.seconds,
        "ray_start_s": start,
        "actors": ray.numbers["predict/actors"],
        "ratio": ray.seconds / plain.seconds,
        "ratio_without_start": (ray.seconds - start) / plain.seconds,
        # of what shards take of the cores, whatever else the machine computes meanwhile
        "cpu_ratio": cpu(ray) / cpu(plain),
        "cpu_ms": cpu(plain) / count,
        "plain_per_s": 1000 * count / work,  # once it runs, on all cores
        "fixed_s": plain.seconds - work / 1000,  # of a command, whatever it predicts
        # Of the pipeline, per image or frame: the network and what waits for it, and all else.
        "predict_ms": sum(ms["predict"] * n for ms, n in each) / count,
        "around_ms": sum(ms["around"] * n for ms, n in each) / count,
        "track_ms": sum(one["ms"]["all"] for one in content["tracks"]) / count,
        "bytes_out": size / count,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--videos", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--imgsz", type=int, default=IMGSZ)
    parser.add_argument("--shard", type=int, default=512)
    parser.add_argument("--keep", type=Path, help="folder of the material, made where it is not")
    parser.add_argument("--json", type=Path)
    parser.add_argument("words", nargs="*", help="settings, such as scale.actors=2")
    given = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="predict-"))
    material = (given.keep or work).absolute()
    os.environ.setdefault("SEGTRACK_HOME", str(material / "home"))
    photos, films = material / f"images{given.images}", material / f"videos{given.videos}"
    if given.images and not photos.is_dir():
        make_images(photos, given.images)
    if given.videos and not films.is_dir():
        make_videos(films, given.videos)
    base = [f"model.weights={DATA / 'weights' / 'yolov8n-seg.pt'}"]
    size = f"model.imgsz={given.imgsz}"
    kinds = {
        "images": [
            *(f"scale.shard_size={given.shard}", size),
            *("dataset=images", f"dataset.path={photos}"),
        ],
        "videos": [f"video={films}", f"model.imgsz={VIDEO_IMGSZ}"],
    }
    found: dict[str, Any] = {"cores": os.cpu_count(), "imgsz": given.imgsz, "size_px": SIZE}
    if given.images:  # which backend is fastest is measured once on a machine
        few = [size, "dataset=images", f"dataset.path={photos / '000'}"]
        predict([*base, *few], work / "before")
    for kind, words in kinds.items():
        if not getattr(given, kind):
            continue
        told: dict[str, list[Done]] = {"plain": [], "ray": []}
        for _ in range(given.rounds):
            for path in told:
                more = ["scale.ray=local", *given.words] if path == "ray" else []
                told[path].append(predict([*base, *words, *more], work / path))
                last = told[path][-1]
                print(kind, path, f"{last.seconds:.1f} s", last.numbers, flush=True)
            assert told["plain"][-1].digests == told["ray"][-1].digests, "they differ"
        found[kind] = rates(told)
        if kind == "images":
            found[kind] |= parts(photos)
        one = found[kind]
        print(
            f"{kind}: Ray takes {one['ratio']:.3f} of the plain command's time, "
            f"{one['ratio_without_start']:.3f} without the {one['ray_start_s']:.1f} s in which it "
            f"starts; its shards {one['cpu_ratio']:.3f} of the computing",
            flush=True,
        )
    shutil.rmtree(work, ignore_errors=True)
    text = json.dumps(found, indent=1)
    print(text)
    if given.json:
        given.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
