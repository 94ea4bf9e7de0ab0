"""Trajectories of one video from the detections of its shard, once."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from segtrack import dataset as datasets
from segtrack import model, tracker
from segtrack.base.atomic import settle
from segtrack.base.errors import StageError
from segtrack.base.files import file_digest
from segtrack.bulk import tables
from segtrack.bulk.job import DETECTED, TRACKS, Job, attempt, clocks, since


def track_video(job: Job, number: int) -> dict[str, Any]:
    """Associate the detections of one video that has frames, unless that is done.

    Returns:
        What the manifest says of its trajectories.

    Raises:
        StageError: its detections are not there any more.
    """
    kept = job.folder / DETECTED / f"{number:05d}"
    if found := job.done("track", number):
        shutil.rmtree(kept, ignore_errors=True)
        return found
    if not kept.is_dir():
        raise StageError(
            f"{kept}: the detections of {job.plan.files(number)[0].name} are not there, or not "
            f"seen by {os.uname().nodename}; give the same command again. To detect them once more "
            f"remove {job.mark('detect', number)} before"
        )
    begin = clocks()
    with attempt(job, "track", number) as work:
        (file,) = job.plan.files(number)
        frames = motion = None
        kind = tracker.TRACKERS.get(job.tracker.name)
        wants_frames, wants_motion = kind.needs_frames(job.tracker), kind.needs_motion(job.tracker)
        if wants_frames or wants_motion:
            sequence = datasets.probe_video(job.root / file.name)
            if wants_motion:
                (work / "motion").mkdir()
                tracker.camera_motion(datasets.read_frames(sequence), work / "motion", _unheard)
                motion = tracker.load_motion(work / "motion")
            if wants_frames:
                frames = datasets.read_frames(sequence)
        found_in = model.Predictions.load(kept)
        how = job.tracker, job.tracks, work, _unheard, frames, motion, job.network.device
        tracker.associate(found_in, *how)
        made = tracker.Tracks.load(work)
        count = len(made.summary())
        about = tables.of_video(file.name, found_in.times, made.info.height, made.info.width)
        schema, names = tables.TRACK_OBJECTS, made.info.names
        rows = tables.write_objects(work / "tracks.parquet", work / TRACKS, schema, names, about)
        where = Path(TRACKS) / f"{number:05d}.parquet"
        settle(work / TRACKS, job.folder / where)
        told = {
            "shard": number,
            "video": file.name,
            "tracks": where.as_posix(),
            "count": count,
            "rows": rows,
            "sha256": file_digest(job.folder / where),
            "ms": since(begin),
        }
        job.finish("track", number, told)
    shutil.rmtree(kept, ignore_errors=True)
    return told


def _unheard(name: str, value: float, step: int = 0) -> None:
    """What is reported of each of very many videos is too much for a record."""
