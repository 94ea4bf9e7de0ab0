"""`segtrack predict` on 20,000 images and 40 videos: by one process, and by Ray on this machine.

    python scripts/bench_predict.py                       the whole, minutes on two cores
    python scripts/bench_predict.py --images 2000 --videos 4 --rounds 1
    python scripts/bench_predict.py --json FILE           keeps what was measured

Both paths do the same plan in alternation, each into an empty folder; their tables are compared
byte for byte. The start of Ray is said apart: it is the same for a million images. What a part of
the work takes of one core (to read and decode an image, to write its rows) is measured beside.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("SEGTRACK_DATA") or ROOT.parent / "shared" / "data")
SIZE = (320, 192)  # px, width and height of images and frames
IMGSZ, FRAMES, SAMPLE = 96, 40, 500


def make_images(folder: Path, count: int) -> None:
    """JPEGs, each another crop, flip and brightness of one of the real pictures."""
    import cv2

    sources = sorted((DATA / "images" / "coco128-seg").rglob("*.jpg"))
    pictures = [cv2.imread(str(path)) for path in sources]
    pictures = [one for one in pictures if one.shape[0] > SIZE[1] and one.shape[1] > SIZE[0]]
    draw = np.random.default_rng(0)
    for number in range(count):
        image = pictures[number % len(pictures)]
        y = draw.integers(image.shape[0] - SIZE[1] + 1)
        x = draw.integers(image.shape[1] - SIZE[0] + 1)
        part = image[y : y + SIZE[1], x : x + SIZE[0]]
        part = cv2.convertScaleAbs(part[:, :: draw.choice((-1, 1))], beta=draw.integers(-20, 20))
        place = folder / f"{number // 1000:03}"
        place.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(place / f"{number:06}.jpg"), part)


def make_videos(folder: Path, count: int) -> None:
    """Videos of ``FRAMES`` frames, of parts of a real one."""
    import cv2

    folder.mkdir(parents=True)
    source = cv2.VideoCapture(str(DATA / "videos" / "intel_car-detection.mp4"))
    frames: list[Any] = []
    while len(frames) < FRAMES * 5 and (got := source.read())[0]:
        frames.append(cv2.resize(got[1], SIZE))
    for number in range(count):
        path = str(folder / f"{number:03}.mp4")
        writer = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*"mp4v"), 25, SIZE)
        start = number * 7 % max(1, len(frames) - FRAMES)
        for frame in frames[start : start + FRAMES]:
            writer.write(frame)
        writer.release()


def settings_of(words: list[str]) -> Any:
    from segtrack.command.app import CONF
    from segtrack.command.composition import compose_settings

    return compose_settings(CONF, words)


def predict(plan: Any, words: list[str], folder: Path) -> dict[str, float]:
    """Do the plan as the command with these words does; its numbers, and the seconds of all."""
    from segtrack import bulk, model

    settings = settings_of(words)
    weights = model.resolve_weights(settings.model, lambda _: Path())
    network = model.Network(settings.model, weights, settings.device)
    request = network.request(weights.names, {}, one_class=True)
    numbers: dict[str, float] = {}
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    begin = time.perf_counter()
    bulk.run_shards(plan, network, request, settings, folder, lambda n, v: numbers.update({n: v}))
    numbers["seconds"] = time.perf_counter() - begin
    return numbers


def bytes_of(folder: Path) -> list[str]:
    from segtrack import bulk

    content = json.loads((folder / bulk.MANIFEST).read_text(encoding="utf-8"))
    return [one["sha256"] for one in (*content["shards"], *content["tracks"])]


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
    from segtrack import bulk

    work = Path(tempfile.mkdtemp(prefix="predict-"))
    os.environ.setdefault("SEGTRACK_HOME", str((given.keep or work).absolute() / "home"))
    material = given.keep or work
    photos, films = material / f"images{given.images}", material / f"videos{given.videos}"
    if given.images and not photos.is_dir():
        make_images(photos, given.images)
    if given.videos and not films.is_dir():
        make_videos(films, given.videos)
    base = [f"model.weights={DATA / 'weights' / 'yolov8n-seg.pt'}", f"model.imgsz={given.imgsz}"]
    plans = {}
    if given.images:
        plans["images"] = (
            bulk.plan_images(photos, given.shard),
            [*base, "dataset=images", f"dataset.path={photos}"],
        )
    if given.videos:
        more = [f"video={films}", "tracker=bytetrack_video", "stages=[shards]"]
        plans["videos"] = bulk.plan_videos(str(films)), [*base, *more]
    found: dict[str, Any] = {"cores": os.cpu_count(), "imgsz": given.imgsz, "size_px": SIZE}
    for kind, (plan, words) in plans.items():
        told: dict[str, list[dict[str, float]]] = {"plain": [], "ray": []}
        for _ in range(given.rounds):
            for path in told:
                more = ["scale.ray=local", *given.words] if path == "ray" else []
                told[path].append(predict(plan, [*words, *more], work / path))
                print(kind, path, {k: round(v, 2) for k, v in told[path][-1].items()}, flush=True)
            assert bytes_of(work / "plain") == bytes_of(work / "ray"), "they differ"
        content = json.loads((work / "plain" / bulk.MANIFEST).read_text(encoding="utf-8"))
        best = {path: min(one["seconds"] for one in runs) for path, runs in told.items()}
        start = min(one["predict/cluster_start_s"] for one in told["ray"])
        count = content["frames"] or content["files"]
        size = sum(p.stat().st_size for p in (work / "plain").rglob("*.parquet"))
        shards = content["shards"]
        each = [(s["ms"], s.get("frames") or s["files"] - s["skipped"]) for s in shards]
        found[kind] = {
            "files": content["files"],
            "count": count,
            "rows": content["rows"],
            "plain_s": best["plain"],
            "ray_s": best["ray"],
            "ray_start_s": start,
            "plain_per_s": count / best["plain"],
            "ray_per_s": count / (best["ray"] - start),
            "ratio": best["ray"] / best["plain"],
            "ratio_without_start": (best["ray"] - start) / best["plain"],
            # of a whole machine, by the pipeline's own clock, per image or frame
            "predict_ms": float(
                np.average([m["predict"] for m, _ in each], None, [n for _, n in each])
            ),
            "around_ms": float(
                np.average([m["around"] for m, _ in each], None, [n for _, n in each])
            ),
            "shard_ms": sum(ms["all"] for ms, _ in each) / count,
            "track_ms": sum(t["ms"]["all"] for t in content["tracks"]) / count,
            "bytes_out": size / count,
            "bytes_in": float(plan.table["size"].to_numpy().sum()) / count,
        }
        if kind == "images":
            found[kind] |= parts(photos)
        print(
            kind,
            f"Ray takes {found[kind]['ratio_without_start']:.3f} of the plain path's time "
            f"without its start, {found[kind]['ratio']:.3f} with it ({start:.1f} s)",
            flush=True,
        )
    shutil.rmtree(work, ignore_errors=True)
    text = json.dumps(found, indent=1)
    print(text)
    if given.json:
        given.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
