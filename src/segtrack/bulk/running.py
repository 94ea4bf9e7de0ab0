"""All shards of a plan, those that are not finished yet, and the manifest at the end."""

from __future__ import annotations

import json
import shutil
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from segtrack import model
from segtrack.base.atomic import write_whole
from segtrack.base.errors import DataError, StageError
from segtrack.base.metrics import Report
from segtrack.base.progress import doing
from segtrack.bulk.job import DETECTED, DONE, INPUTS, OBJECTS, PLAN, TRACKS, WORK, Job
from segtrack.bulk.plan import IMAGE, Plan, keep_plan
from segtrack.bulk.work import do_shard
from segtrack.settings import ScaleSettings, Settings

MANIFEST = "shards.json"


def run_shards(
    plan: Plan,
    network: model.Network,
    request: model.Request,
    settings: Settings,
    folder: Path,
    report: Report,
) -> None:
    """Predict all files of a plan into ``folder``; what is finished there is not done again.

    Args:
        folder: gets ``objects/NNNNN.parquet`` and ``inputs/NNNNN.parquet`` for each shard, for each
            video ``tracks/NNNNN.parquet``, and ``MANIFEST``.
        report: gets ``predict/...``: images or videos and frames, objects, what was left out, how
            many shards were begun again after a kill, and rates.

    Raises:
        DataError: not one file could be read; as ``predict_shard``.
        StageError: a shard was not finished.
    """
    # A kill may have come after the last shard, while what is below was tidied up.
    if not (folder / MANIFEST).is_file():
        made = _predicted(plan, network, request, settings, folder, report)
        write_whole(folder / MANIFEST, json.dumps(made, indent=1, ensure_ascii=False))
    for name in (DONE, WORK, DETECTED):
        shutil.rmtree(folder / name, ignore_errors=True)
    (folder / PLAN).unlink(missing_ok=True)
    content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    report(f"predict/{plan.kind}s", content["files"])
    report("predict/objects", content["rows"])
    report("predict/skipped", content["skipped"])
    report("predict/shards", len(content["shards"]))
    report("predict/shards_again", sum(content["again"].values()))
    if plan.kind != IMAGE:
        report("predict/frames", content["frames"])
        report("predict/tracks", sum(one["count"] for one in content["tracks"]))


def _predicted(
    plan: Plan,
    network: model.Network,
    request: model.Request,
    settings: Settings,
    folder: Path,
    report: Report,
) -> dict[str, Any]:
    """All shards; returns the manifest. Rates are reported before there is one, once."""
    job = Job(
        folder=folder,
        root=plan.root,
        kind=plan.kind,
        per_shard=plan.per_shard,
        network=network,
        request=request,
        tracker=settings.tracker,
        tracks=settings.tracks,
        max_pixels=getattr(settings.dataset, "max_pixels", None),
        attempt=uuid.uuid4().hex,
    )
    for name in (OBJECTS, INPUTS, DONE, WORK, *([] if plan.kind == IMAGE else [TRACKS, DETECTED])):
        (folder / name).mkdir(exist_ok=True)
    keep_plan(plan, folder / PLAN)
    shards, tracked = _finished(job, "detect"), _finished(job, "track")
    open_ = _lacking(plan, shards, tracked)
    unit, begin = f"{plan.kind}s", time.perf_counter()
    ready = len(plan) - sum(map(plan.count, open_))
    now = Counter[str]()
    about: dict[str, float] = {}  # of the command that ends; an earlier one's would stay

    def later(name: str, value: float, step: int = 0) -> None:
        about[name] = value

    with doing("predict", len(plan), unit, ready) as work:
        for told in _calls(job, settings.scale, plan.largest_first(open_), later):
            # What is told here counts: a shared folder may hide a mark for a while that was new.
            if track := told.pop("track", None):
                tracked[told["shard"]] = track
            shards[told["shard"]] = told
            work.advance(told["files"])
            now.update(files=told["files"], frames=told.get("frames", 0))
    seconds = time.perf_counter() - begin
    if lacking := _lacking(plan, shards, tracked):
        raise StageError(
            f"{folder}: {len(lacking)} of {plan.shards} shards were not finished, the first is "
            f"{lacking[0]}; give the same command again, it does those alone"
        )
    total = Counter[str]()
    for shard in shards.values():
        total.update({k: shard.get(k, 0) for k in ("files", "frames", "skipped", "rows")})
    if total["files"] == total["skipped"]:
        raise DataError(f"no {plan.kind} could be read; {shards[0]['first_skipped']}")
    for name, value in about.items():
        report(name, value)
    if plan.kind != IMAGE:
        report("predict/frames_per_s", now["frames"] / seconds)
    report(f"predict/{unit}_per_s", now["files"] / seconds)
    return {
        "format": 1,
        "kind": plan.kind,
        "root": str(plan.root),
        "classes": list(request.names),
        "model": network.settings.name,
        "weights_sha256": network.weights.sha256,
        "conf_floor": request.conf_floor,
        **{k: total[k] for k in ("files", "frames", "skipped", "rows")},
        "again": dict(sorted(_attempts(folder / WORK).items())),
        "shards": [shards[number] for number in sorted(shards)],
        "tracks": [tracked[number] for number in sorted(tracked)],
    }


def _calls(
    job: Job, scale: ScaleSettings, numbers: list[int], report: Report
) -> Iterator[dict[str, Any]]:
    """Do them all; yields what is told of each shard, with its video's tracks as ``track``."""
    if not numbers:
        return
    if scale.ray is not None:
        from segtrack.bulk.cluster import run_on_ray

        yield from run_on_ray(job, scale, numbers, report)
        return
    with model.loaded(job.network, job.request) as one:
        for number in numbers:
            yield do_shard(job, number, one)


def _finished(job: Job, what: str) -> dict[int, dict[str, Any]]:
    found = ((number, job.done(what, number)) for number in range(job.plan.shards))
    return {number: one for number, one in found if one is not None}


def _lacking(plan: Plan, shards: Mapping[int, Any], tracked: Mapping[int, Any]) -> list[int]:
    """Shards that are not finished; a video without frames has no tracks."""
    return [
        number
        for number in range(plan.shards)
        if number not in shards or (shards[number].get("frames") and number not in tracked)
    ]


def _attempts(work: Path) -> Counter[str]:
    """By shard how many attempts at it were killed."""
    return Counter(one.name.partition(".")[0] for one in work.iterdir())


def shard_files(folder: Path) -> list[str]:
    """The files that ``run_shards`` hands over, by their paths in ``folder``."""
    content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    names = [MANIFEST]
    for shard in content["shards"]:
        names += [shard["objects"], shard["inputs"]]
    return [*names, *(one["tracks"] for one in content["tracks"])]
