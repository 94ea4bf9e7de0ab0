"""Very many images or videos, predicted shard by shard, on one machine or a cluster."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from segtrack import bulk, model, tracker
from segtrack import dataset as datasets
from segtrack.base.addresses import is_live
from segtrack.base.errors import SettingsError, some
from segtrack.base.files import hand_out
from segtrack.base.metrics import Report
from segtrack.base.saying import say
from segtrack.base.words import counted
from segtrack.pipeline.stage import Ask, Recipe, Result, Stage, register
from segtrack.pipeline.stages.weights import require_model
from segtrack.pipeline.videos import merged_classes
from segtrack.settings import Settings

if TYPE_CHECKING:
    from segtrack.bulk import Plan
    from segtrack.model import Network, Request, Weights
    from segtrack.pipeline.runner import Run


def shards(ask: Ask) -> Recipe:
    """Every object of every image, or of every frame with its trajectories."""
    settings = ask.settings
    plan = _plan(settings)
    weights: Weights = ask("weights").value
    network = model.Network(settings.model, weights, settings.device)
    request = _request(settings, network)
    model.wanted_classes(weights, request)  # refuses, before any work, where none is left

    def build(folder: Path, report: Report) -> None:
        bulk.run_shards(plan, network, request, settings, folder, report)

    facts = {**network.prediction(request), "kind": plan.kind, "per_shard": plan.per_shard}
    libraries = network.family.libraries
    if plan.kind == "video":
        kind = tracker.TRACKERS.get(settings.tracker.name)
        facts |= {"tracker": settings.tracker, "tracks": settings.tracks}
        facts |= {
            "tracker_version": kind.version,
            "tracker_compute": kind.computes(settings.tracker, settings.device),
        }
        libraries = (*libraries, *kind.libraries)
    elif (most := getattr(settings.dataset, "max_pixels", None)) is not None:
        facts["max_pixels"] = most
    sources = {"files": plan.digest, "weights": weights.sha256}
    ray = settings.scale.ray
    check = None if ray is None else partial(bulk.require_ray, ray)
    return Recipe(build, facts, sources, libraries, check=check)


def _plan(settings: Settings) -> Plan:
    """The files, by name, size and time: reading a million of them would take as long as the work.

    Raises:
        SettingsError: neither images nor videos are named, or both.
        DataError: there are none.
    """
    video, source, path = settings.video, settings.dataset.source, settings.dataset.path
    if video is not None and is_live(video):
        raise SettingsError(
            "video: predict takes video files; a camera or a stream is for stages=[track]"
        )
    if video is not None and source == "images" and path is not None:
        raise SettingsError(
            f"video={video} and dataset.path={path}: predict takes either videos or pictures; give "
            "a command for each"
        )
    if video is not None:
        return bulk.plan_videos(video)
    if source != "images" or path is None:
        raise SettingsError(
            f"dataset={source}: predict takes pictures, dataset=images dataset.path=FOLDER, or "
            "video=FOLDER of video files: name either"
        )
    return bulk.plan_images(Path(path).expanduser(), settings.scale.shard_size)


def _request(settings: Settings, network: Network) -> Request:
    """What is found: the classes that were chosen, or all that the weights have."""
    chosen = datasets.parse_classes(settings.dataset.classes)
    names = network.weights.names if chosen is None else tuple(chosen)
    return network.request(names, merged_classes(settings.dataset), one_class=True)


def _publish(run: Run, made: Result) -> None:
    lacking = model.lacking_classes(
        run("weights").value,
        _request(run.settings, model.Network(run.settings.model, run("weights").value)),
    )
    if lacking:
        say(f"warning: the weights have no class {some(lacking)}: none of it can be found")
    target = run.output / "predict"
    for name in bulk.shard_files(made.folder):
        hand_out(made.folder / name, target / name)
    content = json.loads((target / bulk.MANIFEST).read_text(encoding="utf-8"))
    what = counted(content["files"], f"{content['kind']}s")
    what += f" with {counted(content['frames'], 'frames')}" if content["frames"] else ""
    objects, shards = counted(content["rows"], "objects"), counted(len(content["shards"]), "shards")
    run.say(f"{what}, {objects}, {shards}")
    if content["skipped"]:
        first = next(one["first_skipped"] for one in content["shards"] if one["skipped"])
        more = content["skipped"] - 1
        more_text = f"; {more} more stand in {target / 'inputs'}" if more else ""
        say(f"warning: left out: {first}{more_text}")
    if content["again"]:
        run.say(f"begun again after a kill: {some(list(content['again']))}")
    run.show("objects, in Parquet", target / "objects")
    run.show("what lies where", target / bulk.MANIFEST)
    run.keep(target / bulk.MANIFEST, "predict")


STAGE = register(
    Stage(
        name="shards",
        make=shards,
        version=1,
        inputs=("weights", "start"),
        libraries=("pyarrow",),
        require=require_model,
        publish=_publish,
        after="segment",
        resumable=True,
        instead="give the run that did it",
    )
)
