"""What is done to a shard, whoever does it: from its files to finished tables, once."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from segtrack import dataset as datasets
from segtrack import model
from segtrack.base.atomic import settle
from segtrack.base.errors import DataError, StageError
from segtrack.base.files import file_digest
from segtrack.base.frame_times import TimesRead
from segtrack.bulk import tables
from segtrack.bulk.associating import track_video
from segtrack.bulk.job import DETECTED, INPUTS, OBJECTS, Job, attempt, clocks, since
from segtrack.bulk.plan import IMAGE, NO_FILE, Input

Numbers = dict[str, float]


def do_shard(job: Job, number: int, loaded: model.Loaded) -> dict[str, Any]:
    """What is left to do of a shard; of a video its trajectories too, once it is detected.

    Returns:
        As ``predict_shard``, and ``track``, of a video that has frames, as ``track_video``.

    Raises:
        DataError, StageError: as these two.
    """
    told = predict_shard(job, number, loaded)
    return {**told, "track": track_video(job, number)} if told.get("frames") else told


def predict_shard(job: Job, number: int, loaded: model.Loaded) -> dict[str, Any]:
    """Predict the files of one shard, unless that is done.

    Args:
        number: of the shard. loaded: the job's network.

    Returns:
        What the manifest says of it: files, rows, digest, milliseconds.

    Raises:
        DataError: a file is not the one any more that was planned, or the shard ended its process
            again and again.
        StageError: a file cannot be read, though it may be later.
    """
    if found := job.done("detect", number):
        return found
    begin = clocks()
    with attempt(job, "detect", number) as work:
        files, numbers = job.plan.files(number), Numbers()
        how = job, files, loaded, work, numbers
        rows, facts = _images(*how) if job.kind == IMAGE else _video(*how)
        schema = tables.IMAGES if job.kind == IMAGE else tables.VIDEOS
        tables.write_facts(rows, work / INPUTS, schema)
        if job.kind != IMAGE and not rows[0]["problem"].startswith(_UNREAD):
            kept = job.folder / DETECTED / f"{number:05d}"
            shutil.rmtree(kept, ignore_errors=True)  # of one that was killed right here
            settle(work / DETECTED, kept)
        for name in (INPUTS, OBJECTS):
            settle(work / name, job.folder / name / f"{number:05d}.parquet")
        where = Path(OBJECTS) / f"{number:05d}.parquet"
        unread = [row for row in rows if row["problem"].startswith(_UNREAD)]
        told = {
            "shard": number,
            "objects": where.as_posix(),
            "inputs": f"{INPUTS}/{number:05d}.parquet",
            "files": len(rows),
            "skipped": len(unread),
            "first_skipped": f"{unread[0][job.kind]}: {unread[0]['problem']}" if unread else "",
            "rows": sum(row["objects"] for row in rows),
            "sha256": file_digest(job.folder / where),
            "ms": {name.rpartition("_ms")[0]: round(ms, 1) for name, ms in numbers.items()},
            **facts,
        }
        told["ms"] |= since(begin)
        return job.finish("detect", number, told)


class _Image(NamedTuple):
    image_id: int
    path: Path
    file: Input
    width: int = 0  # of no image yet
    height: int = 0


_UNREAD = "not read: "  # begins what is said of a file that was left out


def _images(
    job: Job, files: list[Input], loaded: model.Loaded, work: Path, numbers: Numbers
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    rows: list[dict[str, Any]] = [{} for _ in files]

    def read(one: _Image) -> np.ndarray | None:
        rows[one.image_id], pixels = _read(one, job.max_pixels)
        return pixels

    images = (_Image(i, job.root / file.name, file) for i, file in enumerate(files))
    model.predict_images(
        images,
        job.network,
        job.request,
        work,
        _into(numbers),
        lend=lambda: nullcontext(loaded),
        read=read,
        shown=False,
    )
    names = np.array([file.name for file in files], object)
    heights, widths = (np.array([row[side] for row in rows]) for side in ("height", "width"))
    counts = np.zeros(len(files), np.int64)

    def about(frames: np.ndarray) -> tables.Columns:
        np.add.at(counts, frames, 1)
        return {"image": names[frames], "height": heights[frames], "width": widths[frames]}

    source, target = work / "predictions.parquet", work / OBJECTS
    tables.write_objects(source, target, tables.IMAGE_OBJECTS, job.request.names, about)
    for row, count in zip(rows, counts.tolist(), strict=True):
        row["objects"] = count
    return rows, {}


def _read(one: _Image, max_pixels: int | None) -> tuple[dict[str, Any], np.ndarray | None]:
    """What is known of an image, and its pixels unless it is to be left out."""
    told = {"image": one.file.name, "sha256": "", "width": 0, "height": 0, "problem": ""}
    if problem := _not_there(one.path, one.file):
        return {**told, "problem": f"{_UNREAD}{problem}"}, None
    found = datasets.read_image_file(str(one.path), decode=False, max_pixels=max_pixels)
    if not found.intact:  # a picture that is cut off would be predicted as grey from there on
        found = datasets.read_image_file(str(one.path), decode=True, max_pixels=max_pixels)
    told["sha256"] = found.sha256
    problem = found.error or datasets.too_large(found.width, found.height, max_pixels)
    if found.refused:
        raise _refused(one.path, found.error)
    try:
        pixels = None if problem else datasets.decode_pixels(one.path.read_bytes())
    except OSError as error:
        raise _refused(one.path, error.strerror or str(error)) from error
    _not_there(one.path, one.file)  # once more: of what was read meanwhile
    if pixels is None:
        return {**told, "problem": f"{_UNREAD}{problem or 'cannot be decoded'}"}, None
    told["height"], told["width"] = pixels.shape[:2]
    return told, pixels


def _video(
    job: Job, files: list[Input], loaded: model.Loaded, work: Path, numbers: Numbers
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    (file,) = files
    path, detected = job.root / file.name, work / DETECTED
    row: dict[str, Any] = {"video": file.name, "sha256": "", "objects": 0, "problem": ""}
    row |= {"width": 0, "height": 0, "fps": 0.0, "frames": 0}
    detected.mkdir()
    try:
        if problem := _not_there(path, file):
            raise DataError(problem)
        sequence = datasets.probe_video(path)
        row["sha256"], times = sequence.sha256, TimesRead()
        frames = datasets.read_frames(sequence, times)
        how = job.network, job.request, detected, _into(numbers), times
        model.predict_video(frames, sequence, *how, lend=lambda: nullcontext(loaded))
    except Changed:
        raise
    except DataError as error:
        if file.size != NO_FILE:
            _readable(path, file, row["sha256"])
        row["problem"] = f"{_UNREAD}{str(error).removeprefix(f'{path}: ')}"
        tables.write_facts([], work / OBJECTS, tables.VIDEO_OBJECTS)
        return [row], {"frames": 0}
    found = model.Predictions.load(detected)
    info = found.info
    if info.truncated:
        _readable(path, file, row["sha256"])
    _not_there(path, file)
    row |= {"width": info.width, "height": info.height, "fps": info.fps}
    row |= {"frames": info.frame_count, "problem": info.truncated.removeprefix(f"{path}: ")}
    about = tables.of_video(file.name, found.times, info.height, info.width)
    how_to = work / OBJECTS, tables.VIDEO_OBJECTS, info.names, about
    row["objects"] = tables.write_objects(detected / "predictions.parquet", *how_to)
    return [row], {"frames": info.frame_count}


def _not_there(path: Path, file: Input) -> str:
    """Why a planned file cannot be read at all; empty where it can.

    Raises:
        DataError: it is another one by now.
        StageError: it was there when files were listed, and is not, or not for now.
    """
    if file.size == NO_FILE:
        return "is no file, or a broken link"
    try:
        facts = path.stat()
    except OSError as error:
        raise _refused(path, error.strerror or str(error)) from error
    if (facts.st_size, facts.st_mtime_ns) != (file.size, file.mtime_ns):
        raise Changed(f"{path}: was changed while it waited its turn; give the same command again")
    return ""


def _readable(path: Path, file: Input, sha256: str) -> None:
    """Asked of a video that is left out or cut short: FFmpeg does not say that a disk was away.

    Raises:
        DataError, StageError: as ``_not_there``; its bytes are not given, or were others before.
    """
    _not_there(path, file)
    try:
        again = file_digest(path)
    except OSError as error:
        raise _refused(path, error.strerror or str(error)) from error
    if sha256 and again != sha256:
        raise _refused(path, "gives other bytes than a moment ago")


def _refused(path: Path, why: str) -> StageError:
    return StageError(
        f"{path}: {why}, and could be looked at when files were listed. Where that has passed the "
        "same command goes on; without this file another result begins"
    )


class Changed(DataError):
    """A file is not the one any more that was planned."""


def _into(numbers: Numbers) -> Callable[..., None]:
    """Keeps the times that a prediction reports, of an image or a frame."""

    def report(name: str, value: float, step: int = 0) -> None:
        if name.endswith("_ms"):
            numbers[name.rpartition("/")[2].removeprefix("images_")] = value

    return report
