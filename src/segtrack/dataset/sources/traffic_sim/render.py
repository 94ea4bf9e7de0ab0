"""The embedded simulator as a data set: renders images, videos and their ground truth."""

from __future__ import annotations

import gc
import hashlib
import shutil
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from segtrack.base.files import file_digest
from segtrack.base.progress import progress
from segtrack.dataset.catalogue import Catalogue, ListedImage
from segtrack.dataset.image_files import ImageFile
from segtrack.dataset.labels import Annotation, labels_of
from segtrack.dataset.sequences import VideoSequence
from segtrack.dataset.sources.traffic_sim.settings import TrafficSimSettings
from segtrack.dataset.workers import map_chunks
from segtrack.settings import SPLITS

if TYPE_CHECKING:
    from trafficsim import SimulatorKnobs

FOLDER = "images"
QUALITY = 92  # of the JPEGs; at 92 artefacts are not seen at 640 px
CRF = 18  # of the videos; visually lossless for H.264
_VIDEO = "video"
_CHUNK = 4  # images that a process renders in one go
_AHEAD = 64  # chunks that may be done while a video is still rendered
# Scene indices of a split begin here, so that a larger train split leaves the test split as it is.
FIRST_INDEX = {split: i * 10_000_000 for i, split in enumerate(SPLITS)}
# Class ids of the ground truth files. MOTChallenge's 1 and 3 and KITTI MOTS' 1 and 2 mean the same
# there; neither has trucks and buses. What is to be ignored is a distractor in the one and the
# ignore region in the other.
GT_CLASSES = ((1, "person"), (3, "car"), (8, "distractor"), (14, "truck"), (15, "bus"))
MOTS_CLASSES = ((1, "car"), (2, "person"), (3, "truck"), (4, "bus"), (10, "ignore"))
_DISTRACTOR, _IGNORED, _IGNORED_ID = 8, 10, 10_000


def render(
    settings: TrafficSimSettings, folder: Path, workers: int, catalogue: Catalogue
) -> tuple[VideoSequence, ...]:
    """Render images into ``folder`` and the catalogue, and videos with ground truth.

    Returns:
        The videos, with ground truth in MOTChallenge and KITTI MOTS format.
    """
    stills = [(split, i) for split in SPLITS for i in range(getattr(settings, split))]
    shutil.rmtree(folder / FOLDER, ignore_errors=True)
    for split in SPLITS:
        (folder / FOLDER / split).mkdir(parents=True)
    catalogue.add(
        ListedImage(f"{split}/{file}", f"{FOLDER}/{split}/{file}", split)
        for split, file in ((split, _file_name(split, i)) for split, i in stills)
    )
    # Videos first: each is one long job that the images then fill up beside.
    jobs = [*((_VIDEO, i) for i in range(settings.video_count)), *stills]
    work = partial(_render_chunk, settings=settings, folder=folder)
    results = map_chunks(work, jobs, workers, _CHUNK, alone_below=2 * _CHUNK + 1, ahead=_AHEAD)
    videos = []
    image_id = 0
    for done in progress(results, "render", len(jobs), "scenes"):
        if isinstance(done, VideoSequence):
            videos.append(done)
        else:
            catalogue.set_facts(image_id, done[0])
            catalogue.set_labels(image_id, done[1], relative=False)
            image_id += 1
    return tuple(videos)


def _file_name(split: str, index: int) -> str:
    return f"sim_{split}_{index:05d}.jpg"


def _render_chunk(
    jobs: list[tuple[str, int]], settings: TrafficSimSettings, folder: Path
) -> list[VideoSequence | tuple[ImageFile, bytes]]:
    import cv2

    cv2.setNumThreads(1)
    collecting = gc.isenabled()
    gc.disable()  # scenes hold no circles, and looking for some takes a tenth of the time
    try:
        return [
            _render_video(settings, folder, index)
            if kind == _VIDEO
            else _render_still(settings, folder, kind, index)
            for kind, index in jobs
        ]
    finally:
        if collecting:
            gc.enable()


def _render_still(
    settings: TrafficSimSettings, folder: Path, split: str, index: int
) -> tuple[ImageFile, bytes]:
    import cv2

    from trafficsim import render_still

    frame = render_still(_knobs(settings), settings.seed, FIRST_INDEX[split] + index)
    _, jpeg = cv2.imencode(".jpg", frame.image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    data = jpeg.tobytes()
    (folder / FOLDER / split / _file_name(split, index)).write_bytes(data)
    annotations = [
        Annotation(
            instance.class_id,
            [np.asarray(p, np.float64) for p in instance.polygons],
            instance.area,
            _xywh(instance.bbox_xyxy),
            crowd=instance.ignore,
            visible=instance.visible_fraction,
            rle=_counts(instance.rle),
        )
        for instance in frame.instances
    ]
    height, width = frame.image.shape[:2]
    sha = hashlib.sha256(data).hexdigest()
    facts = ImageFile(sha, width, height, "RGB", 1, intact=True, decoded=True, error="")
    return facts, labels_of(annotations).pack()


def _render_video(settings: TrafficSimSettings, folder: Path, index: int) -> VideoSequence:
    import av
    from pycocotools import mask as coco

    from trafficsim import CLASS_NAMES, render_video

    name = f"sim-{index}"
    videos = folder / "videos"
    gt, mots = videos / name / "gt" / "gt.txt", videos / name / "mots" / "instances.txt"
    for path in (gt, mots):
        path.parent.mkdir(parents=True, exist_ok=True)
    count = max(1, round(settings.video_seconds * settings.fps))
    path = videos / f"{name}.mp4"
    # H.264 with 4:2:0 colour needs even sides.
    knobs = replace(_knobs(settings), width=settings.width & ~1, height=settings.height & ~1)
    frames = render_video(knobs, settings.seed, index, count)
    gt_ids, mots_ids = _TrackIds(GT_CLASSES), _TrackIds(MOTS_CLASSES)
    with av.open(str(path), "w") as box, gt.open("w") as gt_file, mots.open("w") as mots_file:
        stream = box.add_stream("libx264", rate=Fraction(settings.fps).limit_denominator(1001))
        stream.width, stream.height, stream.pix_fmt = knobs.width, knobs.height, "yuv420p"
        stream.options = {"crf": str(CRF), "preset": "veryfast"}
        stream.codec_context.thread_count = 1  # the same bytes on every machine
        for t, frame in enumerate(progress(frames, f"render {name}", count, "frames")):
            box.mux(stream.encode(av.VideoFrame.from_ndarray(frame.image, format="bgr24")))
            size = f"{knobs.height} {knobs.width}"
            for one in frame.instances:
                class_name = CLASS_NAMES[one.class_id]
                x1, y1, x2, y2 = one.bbox_xyxy
                class_id = _DISTRACTOR if one.ignore else gt_ids.class_id(class_name)
                gt_file.write(
                    f"{t + 1},{one.track_id},{x1:g},{y1:g},{x2 - x1:g},{y2 - y1:g},"
                    f"{int(not one.ignore)},{class_id},{one.visible_fraction:.4f}\n"
                )
                if not one.ignore:
                    mots_file.write(
                        f"{t} {mots_ids.full_id(class_name, one.track_id)} "
                        f"{mots_ids.class_id(class_name)} {size} {_counts(one.rle).decode()}\n"
                    )
            if ignored := [one.rle for one in frame.instances if one.ignore]:
                region = _counts(coco.merge(ignored)).decode()
                mots_file.write(f"{t} {_IGNORED_ID} {_IGNORED} {size} {region}\n")
        box.mux(stream.encode(None))
    sha = file_digest(path)
    return VideoSequence(
        name, path, sha, knobs.width, knobs.height, settings.fps, count, gt, "mot17", mots,
        gt_classes=GT_CLASSES, mots_classes=MOTS_CLASSES,
    )  # fmt: skip


class _TrackIds:
    """KITTI MOTS ids: class * 1000 + a number that counts the objects of the class."""

    def __init__(self, classes: tuple[tuple[int, str], ...]) -> None:
        self.ids = {name: i for i, name in classes}
        self.numbers: dict[str, dict[int, int]] = {name: {} for name in self.ids}

    def class_id(self, name: str) -> int:
        return self.ids[name]

    def full_id(self, name: str, track_id: int) -> int:
        known = self.numbers[name]
        number = known.setdefault(track_id, len(known))
        # The 1000 numbers of a class run out in a very long video; ids stay unique beyond.
        return self.ids[name] * (1000 if number < 1000 else 1_000_000) + number


def _knobs(settings: TrafficSimSettings) -> SimulatorKnobs:
    from trafficsim import SimulatorKnobs

    return SimulatorKnobs(
        settings.width,
        settings.height,
        settings.density,
        settings.occlusion,
        settings.light.value,
        settings.fog,
        settings.shake,
        settings.fps,
    )


def _xywh(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = (float(v) for v in box)
    return x1, y1, x2 - x1, y2 - y1


def _counts(rle: dict[str, Any]) -> bytes:
    counts = rle["counts"]
    return counts if isinstance(counts, bytes) else str(counts).encode()
